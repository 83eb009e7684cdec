"""Simulated hosts' WinRM service: real WS-Management and PSRP over HTTP(S) on loopback.

MS-WSMV (Identify, Create, Command, Send, Receive, Signal, Get, Delete), MS-PSRP on psrpcore's server side, HTTP logins by
`wsman_auth`. Every host has an address of its own in 127.0.0.0/8, all of them the same port, so that a client's one `port`
setting fits all. What a command does is the handler's business.

    server = WsManServer(simulator.invoke, hosts=["fs1.corp.example", "fs2.corp.example"], users={"CORP\\\\admin": "…"})
    with server:
        … server.port, server.place("fs1.corp.example") …          # "fs1.corp.example=127.0.0.1"

Faults, for each host by name: `server.faults["fs1.corp.example"].drop_after.add("Set-AdfsCertificate")`.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import selectors
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.adfs.simulator import wsman_soap as soap
from tests.adfs.simulator.endpoint import Guard, ordinary
from tests.adfs.simulator.wsman_auth import PASSWORDS, Login, Refused
from tests.adfs.simulator.wsman_shell import Shell, decode

Handler = Callable[[str, str, str, dict[str, object]], list[dict[str, object]]]
"""User, host, command, parameters. Answers objects; raises PsError."""


_SOAP = "application/soap+xml;charset=UTF-8"


@dataclass(slots=True)
class Faults:
    """What goes wrong on one host."""

    refuse: bool = False
    """Connections are closed as soon as they are made."""
    drop_before: set[str] = field(default_factory=set)
    """Commands at which the connection breaks before anything was done."""
    drop_after: set[str] = field(default_factory=set)
    """Commands at which it breaks when all was done, before the answer."""
    slow: Callable[[str], None] | None = None
    """Called with each command's name before it runs: it may take its time."""


class WsManServer:
    """Listens from `start` (or `with`) to `stop`."""

    def __init__(
        self,
        handler: Handler,
        *,
        hosts: Sequence[str] | Mapping[str, str] = ("localhost",),
        users: Mapping[str, str],
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        tls_certificate: bytes = b"",
        certificates: Mapping[str, str] | None = None,
        configurations: Mapping[str, Guard] | None = None,
        allow_unencrypted: bool = False,
        delay: Callable[[str, str], None] | None = None,
        keytabs: Mapping[str, Path] | None = None,
        credssp: bool = False,
        latency: float = 0.0,
    ) -> None:
        """`hosts` are names, or names with their loopback addresses; `users` have passwords.

        `tls_certificate` is the server's DER, for channel bindings. `certificates` maps a client certificate (SHA-256 of
        its DER, hexadecimal) to a user. `configurations` are the session configurations that the hosts have, with what each
        lets through; none means the ordinary one. `delay` is called with host and action before each request is answered.
        `keytabs` has a file for each host that does Kerberos. `credssp` is off on Windows as well, until it is enabled.
        `latency`: seconds that each exchange takes on the way, there and back; a new connection takes them once more.
        """
        names = hosts if isinstance(hosts, Mapping) else {name: f"127.0.0.{i}" for i, name in enumerate(hosts, 1)}
        self.addresses: dict[str, str] = dict(names)
        self.handler, self.users, self.tls, self.tls_certificate = handler, dict(users), tls, tls_certificate
        self.certificates = dict(certificates or {})
        self.configurations = dict(configurations or {"Microsoft.PowerShell": ordinary})
        self.allow_unencrypted, self.delay = allow_unencrypted, delay
        self.port, self.keytabs, self.credssp = port, dict(keytabs or {}), credssp
        self.delegated: list[tuple[str, str, str]] = []
        """Host, user and password that CredSSP brought."""
        self.latency = latency
        self.exchanges = 0
        """Requests so far, those that log in among them."""
        self.faults = {name: Faults() for name in self.addresses}
        self.refused: list[str] = []
        """Hosts at which a credential was refused, one entry for each try."""
        self.idle: set[str] = set()
        """Shells from which their clients were away for longer than they had said: disconnected, not gone yet."""
        self.envelope_kilobytes = 500
        """MaxEnvelopeSizekb: what one message may be. It is told, not enforced."""
        self.strangers: set[str] = set()
        """Hosts with accounts of their own: they refuse every user of ours."""
        self.shells: dict[str, dict[str, Shell]] = {name: {} for name in self.addresses}
        self.go = threading.Event()
        """While it is clear, commands wait before they run."""
        self.go.set()
        self.lock = threading.Lock()
        self._listeners: dict[str, socket.socket] = {}
        self._connections: dict[socket.socket, str] = {}
        self._threads: set[threading.Thread] = set()
        self._stop, self._wake = socket.socketpair()

    def place(self, host: str) -> str:
        """`name=address`, as the farm's settings have it."""
        return f"{host}={self.addresses[host]}"

    def start(self) -> None:
        PASSWORDS.add(self.users)
        self._listen()
        acceptor = threading.Thread(target=self._accept, name="wsman acceptor", daemon=True)
        self._threads.add(acceptor)
        acceptor.start()

    def stop(self) -> None:
        self.go.set()
        self._wake.close()
        for host in self.addresses:
            self.restart(host)
        for thread in list(self._threads):
            thread.join(10)
        for listener in self._listeners.values():
            listener.close()
        self._stop.close()
        PASSWORDS.remove(self.users)

    def restart(self, host: str) -> None:
        """Shells are forgotten and connections break, as when the WinRM service restarts."""
        with self.lock:
            shells, self.shells[host] = self.shells[host], {}
            broken = [connection for connection, owner in self._connections.items() if owner == host]
        for shell in shells.values():
            shell.close()
        for connection in broken:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def invoke(
        self, user: str, host: str, configuration: str, command: str, parameters: dict[str, object]
    ) -> list[dict[str, object]]:
        """Run a command if the session's configuration lets it through, with the host's faults."""
        self.configurations[configuration](host, command, parameters)
        faults = self.faults[host]
        if faults.slow is not None:
            faults.slow(command)
        if command in faults.drop_before:
            raise ConnectionAbortedError
        output = self.handler(user, host, command, parameters)
        if command in faults.drop_after:
            raise ConnectionAbortedError
        return output

    def _listen(self) -> None:
        for _ in range(20):
            made: dict[str, socket.socket] = {}
            port = self.port
            try:
                for host, address in self.addresses.items():
                    made[host] = socket.create_server((address, port), backlog=64)
                    port = made[host].getsockname()[1]
            except OSError:  # somebody has this port at one of the addresses
                for listener in made.values():
                    listener.close()
                if self.port:
                    raise
                continue
            self._listeners, self.port = made, port
            return
        raise OSError("no port is free at all addresses")

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stop, selectors.EVENT_READ)
            for host, listener in self._listeners.items():
                selector.register(listener, selectors.EVENT_READ, host)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._stop:
                        return
                    self._begin(*self._listeners[key.data].accept(), key.data)

    def _begin(self, connection: socket.socket, peer: Any, host: str) -> None:
        if self.faults[host].refuse:
            connection.close()
            return
        thread = threading.Thread(target=self._converse, args=(connection, peer, host), name=f"wsman {host}", daemon=True)
        with self.lock:
            self._connections[connection] = host
            self._threads.add(thread)
        thread.start()

    def _converse(self, connection: socket.socket, peer: Any, host: str) -> None:
        wrapped = connection
        try:
            if self.tls is not None:
                wrapped = self.tls.wrap_socket(connection, server_side=True)
            with self.lock:
                self._connections[wrapped] = host
            time.sleep(self.latency)
            _Conversation(wrapped, peer, self, host)
        except (OSError, ValueError):
            return  # a client that went away is no error of the server
        finally:  # after any other mistake as well: a client must not wait for nothing
            with self.lock:
                self._connections.pop(connection, None)
                self._connections.pop(wrapped, None)
                self._threads.discard(threading.current_thread())
            wrapped.close()
            connection.close()


class _Conversation(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def __init__(self, connection: socket.socket, peer: Any, server: WsManServer, host: str) -> None:
        self._simulated, self._host = server, host
        tls = connection if isinstance(connection, ssl.SSLSocket) else None
        self._login = Login(
            server.users,
            server.certificates,
            tls=tls,
            server=server.tls_certificate,
            keytab=server.keytabs.get(host),
            credssp=server.credssp,
        )
        self._login.stranger = host in server.strangers
        super().__init__(connection, peer, server)  # type: ignore[arg-type]  # it only hands it on

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def do_POST(self) -> None:
        with self._simulated.lock:
            self._simulated.exchanges += 1
        time.sleep(self._simulated.latency)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "WSMANIDENTIFY" in self.headers:
            self._answer(200, soap.identity())
            return
        try:
            token = self._login.step(self.headers.get("Authorization", ""))
        except Refused as refused:
            self._refuse(refused)
            return
        try:
            self._serve(body, token)
        except ConnectionAbortedError:
            self.close_connection = True

    def _refuse(self, refused: Refused) -> None:
        if refused.failed:
            with self._simulated.lock:
                self._simulated.refused.append(self._host)
        self.send_response(401)
        if refused.token:
            self._continue(refused.token)
        else:
            for scheme in self._schemes():
                self.send_header("WWW-Authenticate", scheme)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _schemes(self) -> list[str]:
        kerberos = ["Kerberos"] if self._host in self._simulated.keytabs else []
        credssp = ["CredSSP"] if self._simulated.credssp else []
        return ["Negotiate", *kerberos, 'Basic realm="WSMAN"', *credssp]

    def _continue(self, token: bytes) -> None:
        if token:
            scheme = self.headers.get("Authorization", "").partition(" ")[0]
            self.send_header("WWW-Authenticate", f"{scheme} {base64.b64encode(token).decode()}")

    def _serve(self, body: bytes, token: bytes) -> None:
        encrypted = self.headers.get("Content-Type", "").startswith(("multipart/encrypted", "multipart/x-multi-encrypted"))
        if self._login.delegated is not None:
            with self._simulated.lock:
                self._simulated.delegated.append((self._host, *self._login.delegated))
            self._login.delegated = None
        if not body:
            self._answer(200, b"", token)
            return
        if encrypted:
            body = self._login.decrypt(body)
        elif self._simulated.tls is None and not self._simulated.allow_unencrypted:
            self._answer(403, b"unencrypted traffic is disabled (AllowUnencrypted is false)")
            return
        message_id = ""
        try:
            request = soap.parse(body)
            message_id = request.message_id
            if self._simulated.delay is not None:
                self._simulated.delay(self._host, request.action)
            status, answer = 200, getattr(self, f"_{request.action}")(request)
        except soap.Fault as error:
            status, answer = 500, soap.fault(error, message_id)
        kind, answer = self._login.encrypt(answer) if encrypted else (_SOAP, answer)
        self._answer(status, answer, token, kind=kind)

    def _answer(self, status: int, body: bytes, token: bytes = b"", *, kind: str = _SOAP) -> None:
        self.send_response(status)
        self._continue(token)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _shell(self, request: soap.Request) -> Shell:
        with self._simulated.lock:
            shell = self._simulated.shells[self._host].get(request.shell_id)
        if shell is None or shell.resource != request.resource:
            raise soap.unknown_shell()
        return shell

    def _identify(self, request: soap.Request) -> bytes:
        return soap.identity()

    def _create(self, request: soap.Request) -> bytes:
        configuration = request.resource.removeprefix(f"{soap.PWSH}/")
        if configuration not in self._simulated.configurations:
            raise soap.no_such_configuration(request.resource)
        asked, content = request.find("rsp:Shell"), request.find("rsp:Shell/pwsh:creationXml")
        if asked is None or content is None:
            raise soap.bad_request("no rsp:Shell with creationXml")
        shell_id = asked.get("ShellId") or str(uuid.uuid4()).upper()
        user, host = self._login.user, self._host
        invoke = functools.partial(self._simulated.invoke, user, host, configuration)
        shell = Shell(request.resource, invoke, self._simulated.go)
        shell.feed(decode(content.text or ""))
        with self._simulated.lock:
            if shell_id in self._simulated.shells[host]:
                raise soap.bad_request(f"shell {shell_id} is there already")
            self._simulated.shells[host][shell_id] = shell
        described = soap.element("Shell", "", soap.element("ShellId", shell_id), soap.element("Owner", user))
        described.extend((soap.element("ResourceUri", request.resource), soap.element("State", "Connected")))
        return soap.respond(request, soap.created(request.resource, shell_id), described)

    def _command(self, request: soap.Request) -> bytes:
        line, argument = request.find("rsp:CommandLine"), request.find("rsp:CommandLine/rsp:Arguments")
        if line is None or argument is None:
            raise soap.bad_request("no rsp:CommandLine with rsp:Arguments")
        command_id = (line.get("CommandId") or str(uuid.uuid4())).upper()
        self._shell(request).command(command_id, decode(argument.text or ""))
        return soap.respond(request, soap.element("CommandResponse", "", soap.element("CommandId", command_id)))

    def _send(self, request: soap.Request) -> bytes:
        stream = request.find("rsp:Send/rsp:Stream")
        if stream is None:
            raise soap.bad_request("no rsp:Stream")
        self._shell(request).feed(decode(stream.text or ""))
        return soap.respond(request, soap.element("SendResponse"))

    def _receive(self, request: soap.Request) -> bytes:
        wanted = request.find("rsp:Receive/rsp:DesiredStream")
        command_id = (wanted.get("CommandId") or "").upper() if wanted is not None else ""
        told, done = self._shell(request).receive(command_id, request.timeout)
        of = {"CommandId": command_id} if command_id else {}
        streams = [soap.element("Stream", base64.b64encode(each).decode(), Name="stdout", **of) for each in told]
        answer = soap.element("ReceiveResponse", "", *streams)
        if command_id:
            state = f"{soap.RSP}/CommandState/{'Done' if done else 'Running'}"
            answer.append(soap.element("CommandState", CommandId=command_id, State=state))
        return soap.respond(request, answer)

    def _signal(self, request: soap.Request) -> bytes:
        signal, code = request.find("rsp:Signal"), request.find("rsp:Signal/rsp:Code")
        if signal is None or code is None:
            raise soap.bad_request("no rsp:Signal with rsp:Code")
        self._shell(request).signal((signal.get("CommandId") or "").upper(), code.text or "")
        return soap.respond(request, soap.element("SignalResponse"))

    def _get(self, request: soap.Request) -> bytes:
        if request.resource == soap.CONFIG:
            return soap.respond(request, soap.service_settings(self._simulated.envelope_kilobytes))
        with self._simulated.lock:
            known = request.shell_id in self._simulated.shells[self._host]
        if not known:
            raise soap.unknown_shell()
        state = soap.element("State", "Disconnected" if request.shell_id in self._simulated.idle else "Connected")
        return soap.respond(request, soap.element("Shell", "", soap.element("ShellId", request.shell_id), state))

    def _delete(self, request: soap.Request) -> bytes:
        shell = self._shell(request)
        with self._simulated.lock:
            self._simulated.shells[self._host].pop(request.shell_id, None)
        shell.close()
        return soap.respond(request)
