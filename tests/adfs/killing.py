"""A simulated site whose servers kill whoever changes something: for tests that start the real commands again and again.

test ── Caller ──► python -m tests.adfs.hurried ──fork──► isthmus adfs … ──WinRM, Graph──► Site ── Killer ─┐
                                                               ▲                                           │
                                                               └──────────────── SIGKILL ──────────────────┘
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from aiohttp import web

from adfs_mgmt.procedures.rollover import STATES
from adfs_mgmt.remoting import CATALOGUE
from demo.adfs import PASSWORD, write_settings
from foundation.procedures import read
from tests.adfs import endpoints
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.simulator import ADMIN, Simulator
from tests.adfs.simulator.state import SERVICE, Farm, Host, Node
from tests.adfs.simulator.wsman import WsManServer
from tests.adfs.simulator.x509 import Cert
from tests.fakes.graph import FakeGraph
from tests.fakes.graph.validation import SLOTS

Moment = Literal["", "before", "after"]
When = Literal["never", "before", "after", "in turns"]
T = TypeVar("T")
DOMAIN = "corp.example.com"
PRIMARY, NEW_NODE, NEW_PROXY = f"adfs1.{DOMAIN}", f"adfs9.{DOMAIN}", f"wap9.dmz.{DOMAIN}"
NAME, OWN_NAME = "fs.example.com", "login.example.com"
POLL = 0.2
"""Seconds between the polls of a secondary."""
_WAIT = 300.0
"""Seconds that one command may take, on a busy machine: two or three is usual."""


class Caller:
    """Starts commands, one at a time, and knows which process runs."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._pids: queue.Queue[int] = queue.Queue()
        self._ends: queue.Queue[int] = queue.Queue()

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.adfs.hurried"],
            env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},  # they are killed
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._listen, name="hurried", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(_WAIT)
        self._thread.join(_WAIT)
        assert self._server.stdout is not None
        self._server.stdout.close()

    def _listen(self) -> None:
        assert self._server.stdout is not None
        for line in self._server.stdout:
            kind, number = line.split()
            (self._pids if kind == "pid" else self._ends).put(int(number))

    def run(self, *words: str) -> int:
        """One command line; its exit code, negative where a signal ended it."""
        assert self._server.stdin is not None
        self._output.write_bytes(b"")
        self._server.stdin.write(json.dumps([str(self._output), *words]) + "\n")
        self._server.stdin.flush()
        code = self._ends.get(timeout=_WAIT)
        while not self._pids.empty():  # nobody asked who it was
            self._pids.get()
        return code

    @property
    def said(self) -> str:
        """What the last one wrote."""
        return self._output.read_text()

    def kill(self) -> None:
        """As `kill -9`. From any thread."""
        os.kill(self._pids.get(timeout=_WAIT), signal.SIGKILL)


@dataclass
class Killer:
    """Kills at each change, the next time lets the same change pass, then kills again."""

    caller: Caller
    when: When = "never"
    only: str = ""
    """The one command that it kills at; empty for all."""
    kills: int = 0
    _turn: Moment = "before"
    effects: list[tuple[str, str]] = field(default_factory=list)
    """What took effect: where, what."""
    _spared: set[tuple[str, str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def chooses(self, host: str, what: str, detail: str) -> Moment:
        """When somebody dies of this one; empty for never."""
        key = (host, what, detail)
        with self._lock:
            if self.when == "never" or self.only not in {"", what} or key in self._spared:
                self._spared.discard(key)
                return ""
            self._spared.add(key)
            if self.when != "in turns":
                return self.when
            self._turn = "after" if self._turn == "before" else "before"
            return self._turn

    def kill(self) -> None:
        """The one that runs."""
        self.kills += 1
        self.caller.kill()

    def around(self, host: str, what: str, detail: str, effect: Callable[[], T]) -> T:
        """Let it take effect, unless somebody dies before. Raises ConnectionAbortedError for one who cannot be answered."""
        chosen = self.chooses(host, what, detail)
        if chosen == "before":
            self.kill()
            raise ConnectionAbortedError
        answer = effect()
        with self._lock:
            self.effects.append((host, what))
        if chosen:
            self.kill()
            raise ConnectionAbortedError
        return answer


@dataclass
class Site:
    """What a story needs."""

    simulator: Simulator
    farm: Farm
    graph: FakeGraph
    killer: Killer
    caller: Caller
    network: Network
    home: Path
    config: Path
    supplied: Cert
    """A token certificate that is nowhere yet."""
    new_ssl: Cert
    """Likewise, for TLS."""
    own_ssl: Cert
    """Of a farm that is not there yet; the new node has it."""
    known: dict[str, str] = field(default_factory=dict)
    """What certificates are, by thumbprint; those that AD FS makes meanwhile are not among them."""

    @property
    def ssl(self) -> Cert:
        """The certificate that is bound when it begins."""
        return next(each.certificate for each in self.farm.shared.certificates if each.use == SERVICE)

    def isthmus(self, *words: str) -> int:
        """`isthmus adfs …`, once."""
        return self.caller.run("adfs", *words, "--config", str(self.config))

    def keep_on(self, *words: str, then: tuple[str, ...] = ()) -> None:
        """Start it until it is not killed any more: with the same words again, or, once it was begun, with others."""
        for _ in range(60):
            code = self.isthmus(*words)
            if code != -signal.SIGKILL:
                assert code == 0, self.caller.said
                return
            words = then or words
        raise AssertionError(f"{words} is killed again and again: {self.killer.effects}")

    def outcome(self, track: str) -> str:
        """How the last rollover ended, by its journal; empty where it is not over."""
        record = read(self.home / "state" / "rollover" / f"prod-{track}.jsonl", STATES)
        return record.outcome if record is not None else ""

    def asked(self) -> list[str]:
        """What a person must say before the rollover goes on."""
        assert self.isthmus("rollover", "status", "--json") == 0, self.caller.said
        found: list[str] = json.loads(self.caller.said)["step"]["ask"]
        return found

    def place(self, host: str) -> str:
        """`host=address`."""
        return f"{host}={self.network.address(host)}"

    def secret(self, name: str, text: str) -> str:
        """A file with it."""
        path = self.home / name
        path.touch(mode=0o600)
        path.write_text(text + "\n")
        return str(path)

    def pfx(self, certificate: Cert) -> tuple[str, ...]:
        """Options that supply it."""
        file = self.home / "new.pfx"
        file.write_bytes(certificate.pfx("Pfx-Passw0rd"))
        return ("--pfx", str(file), "--password-file", self.secret("new.password", "Pfx-Passw0rd"))

    def failures(self) -> set[tuple[str, str]]:
        """The checks that fail, and where."""
        assert self.isthmus("check", "--json") in {0, 1}, self.caller.said
        checks = [check for farm in json.loads(self.caller.said)["farms"] for check in farm["checks"]]
        return {(check["name"], check["where"]) for check in checks if check["status"] == "fail"}

    @property
    def keys(self) -> list[str]:
        """What is in the place for keys on their way."""
        return sorted(path.name for path in (self.home / "state" / "keys").glob("*"))

    def state(self) -> dict[str, Any]:
        """Everything that a story may change, certificates by what they are."""
        self.simulator.settle()
        hosts = {host.fqdn: self._host(host) for host in self.simulator.world.hosts.values()}
        slots = {
            domain.name: sorted(
                self._name(hashlib.sha1(base64.b64decode(str(text))).hexdigest().upper())  # noqa: S324 - Windows's names
                for slot in SLOTS
                if (text := (domain.configuration or {}).get(slot))
            )
            for domain in self.graph.domains.all.values()
        }
        return {"hosts": hosts, "domains": slots}

    def _host(self, host: Host) -> dict[str, Any]:
        found: dict[str, Any] = {
            "features": sorted(host.features),
            "bindings": sorted((row.host_name, row.port, self._name(row.thumbprint)) for row in host.bindings),
            "store": sorted(
                (self._name(thumbprint), entry.has_key, sorted(entry.readers))
                for thumbprint, entry in host.store.items()
                if "ProxyTrust" not in entry.certificate.subject
            ),
            "running": sorted(name for name in host.services if host.running(name)),
            "proxy": host.proxy is not None,
        }
        return found | (self._node(host.node) if host.node else {})

    def _node(self, node: Node) -> dict[str, Any]:
        configuration = node.configuration
        return {
            "farm": node.farm.name,
            "primary": node.primary_name if node.secondary else "itself",
            "serves with": self._name(node.loaded_service_certificate),
            "properties": {name: str(value) for name, value in configuration.properties.items()},
            "certificates": sorted(
                (each.use, self._name(each.certificate.thumbprint), each.is_primary) for each in configuration.certificates
            ),
            "table": sorted(configuration.nodes),
            "applications": sorted((each.name, self._name(each.thumbprint)) for each in configuration.applications),
        }

    def _name(self, thumbprint: str) -> str:
        if thumbprint in self.known or not thumbprint:
            return self.known.get(thumbprint, "")
        for host in self.simulator.world.nodes(self.farm):
            for each in host.node.configuration.certificates if host.node else ():
                if each.certificate.thumbprint == thumbprint:
                    return f"made, {each.use}, {'primary' if each.is_primary else 'secondary'}"
        return "unknown"


def plain(parameters: Mapping[str, object]) -> str:
    """What tells one command from another: no secrets, and no keys, which are packed anew each time."""
    return repr({name: value for name, value in parameters.items() if isinstance(value, str | bool | int | list)})


@contextmanager
def site(home: Path, caller: Caller, *, nodes: int = 2, proxies: int = 0, domains: int = 1) -> Iterator[Site]:
    """A farm, servers beside it that are in no farm, Entra ID, settings. Nobody is killed yet."""
    simulator = Simulator(time.time)
    farm = simulator.farm("2019", nodes, proxies, signing_days=21.0, relying_parties=1)
    for host in simulator.world.nodes(farm):
        if host.node is not None:
            host.node.configuration.poll = POLL
    own_ssl = _add_servers(simulator, farm)
    killer = Killer(caller)

    def invoke(user: str, host: str, command: str, parameters: dict[str, object]) -> list[dict[str, object]]:
        if not CATALOGUE[command].changes:
            return simulator.invoke(user, host, command, parameters)
        return killer.around(host, command, plain(parameters), lambda: simulator.invoke(user, host, command, parameters))

    with Network(simulator) as network, _graph(killer) as graph:
        made = Site(
            simulator=simulator,
            farm=farm,
            graph=graph,
            killer=killer,
            caller=caller,
            network=network,
            home=home,
            config=home / "adfs.toml",
            supplied=simulator.issue(NAME, days=400, server_auth=False),
            new_ssl=simulator.issue(*_ssl_names(farm), days=400),
            own_ssl=own_ssl,
        )
        made.known = _known(made)
        hosts = {fqdn: network.address(fqdn) for fqdn in simulator.world.hosts}
        offered = endpoints.configurations(hosts)
        with WsManServer(invoke, hosts=hosts, users={ADMIN: PASSWORD}, configurations=offered) as winrm:
            write_settings(home, farm, simulator, network, winrm, graph)
            if domains == 1:
                del graph.domains.all["example.org"]
            yield made


def other_farm(made: Site) -> Path:
    """Settings of a farm that is to be made of the new node; nobody answers for it yet."""
    (farm,) = re.findall(r"(?s)\[\[farms\]\].*?(?=\[remoting\])", made.config.read_text())
    (entra,) = re.findall(r"(?s)\[\[entra\]\].*?(?=\[log\])", made.config.read_text())
    network = made.network
    own = f"""\
[[farms]]
name = "other"
federation_name = "{OWN_NAME}"
federation_address = "{network.address(NEW_NODE)}"
nodes = ["{made.place(NEW_NODE)}"]
https_port = {network.https_port}
http_port = {network.http_port}
tls_ca_file = "{network.ca_file}"
"""
    path = made.home / "other.toml"
    path.write_text(made.config.read_text().replace(farm, own).replace(entra, ""))
    return path


def _add_servers(simulator: Simulator, farm: Farm) -> Cert:
    """Prepared as the runbook says: the certificate is there, the account may be used, the proxy finds the primary."""
    ssl = simulator[PRIMARY].store[simulator[PRIMARY].bindings[0].thumbprint].certificate
    for host, domain in ((NEW_NODE, DOMAIN), (NEW_PROXY, "")):
        simulator.host(host, domain=domain)
        simulator.put(host, ssl)
    farm.gmsa_hosts.add(NEW_NODE)
    simulator[NEW_PROXY].resolves[NAME] = PRIMARY
    own = simulator.issue(OWN_NAME, f"certauth.{OWN_NAME}")
    simulator.put(NEW_NODE, own)
    return own


def _ssl_names(farm: Farm) -> tuple[str, ...]:
    applications = (each.external_url.split("/")[2] for each in farm.shared.applications)
    return (NAME, f"certauth.{NAME}", "enterpriseregistration.example.com", *applications)


def _known(made: Site) -> dict[str, str]:
    old = {each.certificate.thumbprint: f"old {each.use}" for each in made.farm.shared.certificates}
    return (
        old
        | {made.supplied.thumbprint: "supplied", made.new_ssl.thumbprint: "new SSL"}
        | {made.own_ssl.thumbprint: "own SSL"}
    )


@contextmanager
def _graph(killer: Killer) -> Iterator[FakeGraph]:
    """Entra ID, whose changes count as commands."""
    graph = FakeGraph()
    inner = graph.gate.middleware

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.method == "GET" or not request.path.startswith("/v1.0/"):
            return await inner(request, handler)
        chosen = killer.chooses("Entra ID", request.method, request.path + await request.text())
        answer = web.Response() if chosen == "before" else await inner(request, handler)
        if chosen != "before":
            killer.effects.append(("Entra ID", f"{request.method} {request.path.partition('/federationConfiguration')[0]}"))
        if chosen:
            killer.kill()
            if request.transport is not None:
                request.transport.abort()
        return answer

    graph.gate.middleware = middleware  # type: ignore[method-assign]
    with graph:
        yield graph
