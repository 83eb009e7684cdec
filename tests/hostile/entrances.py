"""Every way into the product, each as a function that brings a text there and returns what comes out."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote_from_bytes

import aiohttp

from certs import Authority, MachineIdentity, Role
from demo.stand import free_port
from demo.throwaway_tls import write_certificates
from gateway.app import Relay, ServerSettings, init, serving
from gateway.protocol import SUBPROTOCOL, AgentFacts, AgentSession, MalformedFrame, PeerTrust
from gateway.protocol.events import Opened
from gateway.protocol.messages import Bye, decode_handshake
from gateway.relay import AdmissionSettings, RelayCoreSettings
from gateway.relay.administration.control import SOCKET_NAME
from gateway.relay.agents.endpoint import CONNECT_PATH
from gateway.store import AgentRecord
from isthmus import cli
from settings import split_address
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent

ANNA, RIGHT = "anna@corp.example.com", "Sommer-2026!"
GUESSED = "ben@corp.example.com"
"""Whose password is guessed: nobody else is locked out by it."""
SECRET = "s3cret-of-anna"
"""In every request, where a secret stands; it is in no log."""
_TEXT = "\0text\0"
"""Stands in a template for what is brought."""


class House:
    """A relay behind a proxy on this machine, its agent, and what a person needs to come in."""

    def __init__(self, relay: Relay, home: Path, people: FakeDirectories) -> None:
        self.relay, self.home, self.people = relay, home, people
        self.address = split_address(relay.settings.listen)
        self.metrics_address = split_address(relay.settings.metrics_listen)
        self.control = relay.settings.state_dir / SOCKET_NAME
        self.key = self.form_cookie = self.csrf = ""
        self.agent_identity: MachineIdentity | None = None

    async def furnish(self) -> None:
        """An API key, a form, an enrolled agent beside the one that is connected."""
        self.key = (await self.relay.administration.create_api_key("shop", None, "test")).secret
        page = (await self.send(b"GET /signin HTTP/1.1")).decode()
        self.form_cookie = re.findall(r"__Host-isthmus-form=([^;]+)", page)[0]
        self.csrf = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
        authority, now = Authority.load(self.relay.settings.state_dir / "authority"), time.time()
        where, name = self.home / "agent2", "agent2"
        issued = authority.issue(MachineIdentity.begin(where, name=name), name=name, role=Role.AGENT, now=now)
        identity = MachineIdentity.install(where, issued, authority.certificate_der, name=name, role=Role.AGENT, now=now)
        record = AgentRecord(name=name, serial=f"{identity.serial:x}", not_after=identity.not_after, issued_at=now)
        await self.relay.registry.enrol(record, self.relay.store.unit())
        self.agent_identity, self.authority = identity, authority.certificate

    async def send(self, head: bytes, body: bytes = b"", where: tuple[str, int] | Path | None = None) -> bytes:
        """All that comes back to a request of its own connection; empty where nothing does."""
        where = where or self.address
        opened = asyncio.open_unix_connection(where) if isinstance(where, Path) else asyncio.open_connection(*where)
        reader, writer = await opened
        host = b"" if b"\r\nHost: " in head else b"Host: 127.0.0.1\r\n"
        framing = b"%sConnection: close\r\nContent-Length: %d\r\n\r\n" % (host, len(body))
        answer = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(20):
                writer.write(head + b"\r\n" + framing + body)
                while piece := await reader.read(65536):
                    answer += piece
        writer.close()
        return answer

    async def is_in_order(self) -> bool:
        """Somebody else signs in, by the agent that was there all the time."""
        head, body = API.make(self, b"", user_name=ANNA, password=RIGHT)
        answer = await self.send(head, body)
        return b'"outcome":"success"' in answer and len(self.relay.endpoint.connections) == 2


@asynccontextmanager
async def house(home: Path) -> AsyncIterator[House]:
    """One for all tests: they may spray and guess as much as they like."""
    write_certificates(home / "tls", dns_name="localhost", address="127.0.0.1")
    port, front = free_port(), free_port()
    settings = ServerSettings(
        state_dir=home / "relay",
        public_url=f"https://127.0.0.1:{front}",
        listen=f"127.0.0.1:{port}",
        metrics_listen=f"127.0.0.1:{free_port()}",
        trusted_proxies=("127.0.0.1/32",),
        core=RelayCoreSettings(canary_interval=0.0, drain_timeout=0.5),
        admission=AdmissionSettings(address_failures=100_000, address_rate=100_000),
    )
    init(settings, name="relay1", now=time.time())
    (home / "relay.toml").write_text(
        f'[server]\nstate_dir = "{settings.state_dir}"\npublic_url = "{settings.public_url}"\nlisten = "{settings.listen}"\n'
    )
    people = FakeDirectories({ANNA: RIGHT}, domains=("corp.example.com", "corp", "*"))
    async with tls_front(home / "tls", front, port), serving(settings) as relay, agent(home, relay, people):
        made = House(relay, home, people)
        await made.furnish()
        yield made


@asynccontextmanager
async def tls_front(certificates: Path, port: int, target: int) -> AsyncIterator[None]:
    """What ends TLS before the relay, for the agent alone: everybody else here saves the handshakes."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                writer.write(piece)
        writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    server = await asyncio.start_server(pass_on, "127.0.0.1", port, ssl=tls)
    yield
    server.close()


# -- HTTP


@dataclass(frozen=True)
class Http:
    """An entrance over HTTP. The text goes wherever `_TEXT` stands."""

    line: str
    headers: tuple[str, ...] = ()
    form: tuple[tuple[str, str], ...] = ()
    order: tuple[tuple[str, object], ...] = ()
    where: str = "address"

    @property
    def public(self) -> bool:
        """Nobody but the relay's own user reaches the control socket, and no browser."""
        return self.where != "control"

    def make(self, house: House, text: bytes, **fields: object) -> tuple[bytes, bytes]:
        """Head, without its end, and body. Of a JSON body some fields may be others."""
        method, _, path = self.line.partition(" ")
        target = path.encode().replace(_TEXT.encode(), quote_from_bytes(text).encode())
        lines = [f"{method} ".encode() + target + b" HTTP/1.1"]
        for header in self.headers:
            header = header.replace("KEY", house.key).replace("COOKIE", f"__Host-isthmus-form={house.form_cookie}")
            lines.append(header.encode().replace(_TEXT.encode(), text))
        body = b""
        if self.form:
            given = {"csrf": house.csrf, **dict(self.form)}
            quoted = {name: quote_from_bytes(text if value == _TEXT else value.encode()) for name, value in given.items()}
            body = "&".join(f"{name}={value}" for name, value in quoted.items()).encode()
            lines += [b"Content-Type: application/x-www-form-urlencoded", b"Sec-Fetch-Site: same-origin"]
        if self.order:
            word = text.decode("utf-8", "surrogateescape")
            given_order = {**{name: word if value == _TEXT else value for name, value in self.order}, **fields}
            body = json.dumps(given_order).encode()
            lines.append(b"Content-Type: application/json")
        return b"\r\n".join(lines), body

    async def bring(self, house: House, text: bytes, header: bytes = b"") -> bytes:
        """What comes back. header: one more line."""
        head, body = self.make(house, text)
        return await house.send(head + (b"\r\n" + header if header else b""), body, getattr(house, self.where))


def page(path: str, *headers: str) -> Http:
    return Http(f"GET {path}", headers)


def form(path: str, *headers: str, cookie: str = "Cookie: COOKIE", **fields: str) -> Http:
    return Http(f"POST {path}", (cookie, *headers), form=tuple(fields.items()))


def api(path: str, **fields: object) -> Http:
    return Http(f"POST /api/v1/{path}", ("Authorization: Bearer KEY",), order=tuple(fields.items()))


def control(act: str, **fields: object) -> Http:
    return Http(f"POST /{act}", order=tuple(fields.items()), where="control")


API = api("authenticate", user_name=ANNA, password=RIGHT)
ACT = {"before": None, "limit": 5, "kind": "", "subject": ""}


# -- agents


async def strangers_frame(house: House, text: bytes) -> bytes:
    """A websocket's first word, of somebody who is no agent; the reason that the relay gives for its end."""
    said = b""
    async with _websocket(house) as ws:
        with contextlib.suppress(ConnectionError):
            await ws.send_bytes(text)
        async for message in ws:
            said = message.data
    try:
        goodbye = decode_handshake(said)
    except MalformedFrame:
        return b""
    return goodbye.reason.encode() if isinstance(goodbye, Bye) else b""


async def _agent(house: House, **facts: object) -> bytes:
    """An enrolled agent that says this of itself, and what an administrator then reads."""
    assert house.agent_identity is not None
    plain = AgentFacts(instance="i2", capacity=4, domains=("other.example",), software="0.1.0")
    said = replace(plain, **facts)  # type: ignore[arg-type]
    try:
        session = AgentSession(house.agent_identity, PeerTrust(house.authority, Role.RELAY), said, now=time.time())
    except UnicodeEncodeError:
        return b""  # it cannot be said at all
    opened = False
    async with _websocket(house) as ws:
        with contextlib.suppress(TimeoutError, UnicodeEncodeError):
            async for message in ws:
                opened |= any(isinstance(event, Opened) for event in session.receive(message.data, time.time()))
                for frame in session.frames():
                    await ws.send_bytes(frame)
                if opened:
                    break
        read = await command("relay", "agents")(house, b"") if opened else b""
    async with asyncio.timeout(10):
        while len(house.relay.endpoint.open) > 2:  # noqa: ASYNC110 - it leaves a moment later
            await asyncio.sleep(0.005)
    return read


async def agents_software(house: House, text: bytes) -> bytes:
    return await _agent(house, software=text.decode("utf-8", "surrogateescape"))


async def agents_domain(house: House, text: bytes) -> bytes:
    return await _agent(house, domains=(text.decode("utf-8", "surrogateescape"),))


async def persons_name(house: House, text: bytes) -> bytes:
    """What a directory says of somebody, on the page that shows it."""
    name = text[:65_536].decode("utf-8", "replace")  # what is longer is cut where directories are read
    house.people.about = {"display_name": name, "mail": name, "attributes": {"title": (name,)}}
    try:
        answer = await SIGN_IN.bring(house, RIGHT.encode())
        session = re.search(rb"__Host-isthmus=[^;]+", answer)
        if session is None:
            return answer
        return await house.send(b"GET /account HTTP/1.1\r\nCookie: " + session[0])
    finally:
        house.people.about = {}


@asynccontextmanager
async def _websocket(house: House) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    host, port = house.address
    url = f"http://{host}:{port}{CONNECT_PATH}"
    async with aiohttp.ClientSession() as client, client.ws_connect(url, protocols=(SUBPROTOCOL,)) as ws:
        yield ws


# -- the command line


def command(*words: str) -> Callable[[House, bytes], Awaitable[bytes]]:
    """An administrator's command, where the relay runs; what the terminal gets."""

    async def bring(house: House, text: bytes) -> bytes:
        if b"\0" in text:
            return b""  # no process can be given one
        given = [os.fsdecode(text) if word == _TEXT else word for word in words]
        settings = ["--config", str(house.home / "relay.toml")] if words[0] == "relay" else []
        return await asyncio.to_thread(_run, [*given, *settings])

    return bring


def _run(arguments: list[str]) -> bytes:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape", write_through=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), contextlib.suppress(SystemExit):
        cli.main(arguments)
    return out.buffer.getvalue()


# -- all of them

SIGN_IN = form("/signin", step="password", user_name=ANNA, password=_TEXT)
GUESS = form("/signin", step="password", user_name=GUESSED, password=_TEXT)
Bring = Callable[[House, bytes], Awaitable[bytes]]

HTTP: dict[str, Http] = {
    "page: address": page(f"/{_TEXT}"),
    "page: return": page(f"/signin?return_to=/{_TEXT}"),
    "page: return, elsewhere": page(f"/signin?return_to={_TEXT}"),
    "page: language": page(f"/signin?language={_TEXT}"),
    "page: static": page(f"/static/{_TEXT}/{_TEXT}"),
    "page: session": page("/account", f"Cookie: __Host-isthmus={_TEXT}"),
    "page: cookies": page("/account", f"Cookie: {_TEXT}"),
    "page: browser": page("/signin", f"User-Agent: {_TEXT}"),
    "page: user": form("/signin", step="user", user_name=_TEXT),
    "page: user and password": form("/signin", step="password", user_name=_TEXT, password=SECRET),
    "page: password": GUESS,
    "page: device": form(
        "/signin", cookie=f"Cookie: COOKIE; __Host-isthmus-device={_TEXT}", step="password", user_name=ANNA
    ),
    "page: new password": form(
        "/signin", step="change", user_name="new@corp.example.com", password=SECRET, new_password=_TEXT, again=_TEXT
    ),
    "page: step": page("/signin/password", f"Cookie: COOKIE; __Host-isthmus-step={_TEXT}"),
    "page: kept passwords": form("/signin", step="change", user_name=ANNA, kept=_TEXT, new_password=SECRET, again=SECRET),
    "page: problem": page(f"/signin?problem={_TEXT}"),
    "page: notice": page(f"/account?notice={_TEXT}&problem={_TEXT}"),
    "page: session to end": form("/account/end-session", session=_TEXT),
    "page: language of a step": page(f"/signin/refused?language={_TEXT}&return_to=/{_TEXT}"),
    "page: token of the form": form("/signin", step="user", user_name=ANNA, csrf=_TEXT),
    "page: field": form("/signin", step=_TEXT, user_name=GUESSED, password=SECRET),
    "page: sign out": form("/signout", notice=_TEXT),
    "page: change": form("/account/password", user_name=ANNA, password=SECRET, new_password=_TEXT, again=_TEXT),
    "proxy: address": page("/signin", f"X-Forwarded-For: {_TEXT}"),
    "API: key": Http("POST /api/v1/authenticate", (f"Authorization: Bearer isk_{_TEXT}",), order=(("user_name", ANNA),)),
    "API: user": api("authenticate", user_name=_TEXT, password=SECRET),
    "API: password": api("authenticate", user_name="api@corp.example.com", password=_TEXT),
    "API: address": api("authenticate", user_name="address@corp.example.com", password=SECRET, client_address=_TEXT),
    "API: field": api("authenticate", user_name=ANNA, password=SECRET, more=_TEXT),
    "API: change": api("change-password", user_name="change@corp.example.com", password=SECRET, new_password=_TEXT),
    "API: description": page(f"/api/v1/openapi.json?{_TEXT}"),
    "enrolment: token": Http("POST /agent/v1/enrol", order=(("token", _TEXT), ("csr", SECRET), ("proof", SECRET))),
    "enrolment: request": Http("POST /agent/v1/enrol", order=(("token", "t"), ("csr", _TEXT), ("proof", _TEXT))),
    "agents: protocol": page(
        CONNECT_PATH,
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Sec-WebSocket-Protocol: {_TEXT}",
    ),
    "monitoring: name": Http("GET /metrics", (f"Host: {_TEXT}",), where="metrics_address"),
    "monitoring: address": Http(f"GET /{_TEXT}", where="metrics_address"),
    "control: token": control("create_token", name=_TEXT, domains=[]),
    "control: revocation": control("revoke", name="nobody", why=_TEXT),
    "control: person": control("unlock", user=_TEXT),
    "control: sign-in": control("sign_in", user=_TEXT, password=SECRET),
    "control: trail": control("audit", **{**ACT, "subject": _TEXT}),
    "control: person in the trail": control("audit", **{**ACT, "person": _TEXT}),
    "control: reference": control("audit", correlation_id=_TEXT),
    "control: who sudo says it is": control("bindings", sudo_uid=_TEXT),
    "control: place in the trail": control("audit", **{**ACT, "before": _TEXT}),
}
OTHERS: dict[str, Bring] = {
    "agents: a stranger's frame": strangers_frame,
    "agents: software": agents_software,
    "agents: domain": agents_domain,
    "directory: name": persons_name,
    "command: token": command("relay", "token", "--name", _TEXT),
    "command: revoke": command("relay", "revoke", _TEXT),
    "command: unlock": command("relay", "unlock", _TEXT),
    "command: trail": command("relay", "audit", "list", "--subject", _TEXT),
    "command: API key": command("relay", "api-key", "revoke", _TEXT),
}
ENTRANCES: dict[str, Bring] = {**{name: entrance.bring for name, entrance in HTTP.items()}, **OTHERS}
