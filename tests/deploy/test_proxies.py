"""The relay behind nginx and HAProxy with the files of `deploy/`, and agents that go out through a company's proxy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import ssl
import subprocess
import time
import traceback
import warnings
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from demo.stand import free_port
from gateway.agent import Agent, AgentError, EnrolmentFailed, RelayUnreachable, make_routes
from gateway.app import Relay, init, serving
from gateway.protocol import Outcome
from tests.support.connect_proxy import ConnectProxy
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, agent_settings, attempt, enrolled, eventually, relay, server_settings

pytestmark = pytest.mark.proxy

DEPLOY = Path(__file__).parents[2] / "deploy"
ANNA = "anna@corp.example.com"
VISITOR = "127.0.0.2"
"""A person's own address: loopback too, but not the proxy's."""
FORGED = "203.0.113.9"
PER_REQUEST = {"date", "server", "connection", "keep-alive", "set-cookie", "x-correlation-id", "content-length"}
"""Headers that differ from one request or hop to the next."""


class ReverseProxy:
    """nginx or HAProxy with the file of `deploy/`; only its names, ports and paths are replaced."""

    def __init__(self, home: Path, relay_port: int) -> None:
        self.home, self.port, self.plain_port = home / "proxy", free_port(), free_port()
        self.home.mkdir()
        self._tls, self._relay_port = home / "tls", relay_port
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        raise NotImplementedError

    def write(self, **changes: str) -> None:
        """Write the configuration; changes: more replacements, for one test."""
        raise NotImplementedError

    async def start(self) -> None:
        with (self.home / "log").open("ab") as log:
            command = self.command()
            self._process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        async with asyncio.timeout(10):
            while True:
                assert self._process.returncode is None, (self.home / "log").read_text()
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    await writer.wait_closed()
                    return
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), 10)
            self._process = None

    def _substitute(self, file: str, changes: dict[str, str]) -> str:
        text = (DEPLOY / file).read_text()
        for old, new in changes.items():
            assert old in text, f"{file} no longer says {old!r}"
            text = text.replace(old, new)
        return text


class Nginx(ReverseProxy):
    def command(self) -> list[str]:
        return [_binary("nginx"), "-p", str(self.home), "-e", "stderr", "-c", str(self.home / "nginx.conf")]

    def write(self, **changes: str) -> None:
        text = self._substitute(
            "nginx/isthmus.conf",
            {
                "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
                "listen [::]:80;": "",
                "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
                "listen [::]:443 ssl;": "",
                "signin.example.com$request_uri": f"127.0.0.1:{self.port}$request_uri",
                "/etc/ssl/certs/signin.example.com.pem": f"{self._tls}/cert.pem",
                "/etc/ssl/private/signin.example.com.key": f"{self._tls}/key.pem",
                "server_name signin.example.com": "server_name 127.0.0.1",
                "127.0.0.1:8443": f"127.0.0.1:{self._relay_port}",
                **changes,
            },
        )
        (self.home / "isthmus.conf").write_text(text)
        paths = "".join(
            f"{kind}_temp_path {self.home}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (self.home / "nginx.conf").write_text(
            ("user root;\n" if os.geteuid() == 0 else "")
            + f"daemon off;\nmaster_process on;\nworker_processes 1;\npid {self.home}/pid;\nevents {{}}\n"
            + f"error_log stderr warn;\nhttp {{\ngzip on;\naccess_log {self.home}/access.log;\n{paths}"
            + f"include {self.home}/isthmus.conf;\n}}\n"
        )


class HAProxy(ReverseProxy):
    def command(self) -> list[str]:
        return [_binary("haproxy"), "-W", "-db", "-f", str(self.home / "haproxy.cfg")]

    def write(self, **changes: str) -> None:
        both = (self._tls / "cert.pem").read_text() + (self._tls / "key.pem").read_text()
        (self.home / "both.pem").write_text(both)
        privileged = {f"    {line}\n": "" for line in ("user haproxy", "group haproxy", "chroot /var/lib/haproxy")}
        text = self._substitute(
            "haproxy/isthmus.cfg",
            {
                "bind :80\n": f"bind 127.0.0.1:{self.plain_port}\n",
                "    bind [::]:80 v6only\n": "",
                "bind :443 ssl": f"bind 127.0.0.1:{self.port} ssl",
                "    bind [::]:443 v6only ssl crt /etc/ssl/private/signin.example.com.pem alpn http/1.1\n": "",
                "https://signin.example.com": f"https://127.0.0.1:{self.port}",
                "/etc/ssl/private/signin.example.com.pem": f"{self.home}/both.pem",
                "127.0.0.1:8443": f"127.0.0.1:{self._relay_port}",
                "maxconn 4000": "maxconn 200",
                "/dev/log": str(self.home / "none"),
                **privileged,
                **changes,
            },
        )
        (self.home / "haproxy.cfg").write_text(text)


def _binary(name: str) -> str:
    found = shutil.which(name, path=f"/usr/sbin:{os.environ.get('PATH', '')}")
    assert found is not None, f"{name} is missing: deploy/ensure-packages proxy"
    return found


@pytest.fixture(params=[Nginx, HAProxy])
def kind(request: pytest.FixtureRequest) -> type[ReverseProxy]:
    made: type[ReverseProxy] = request.param
    return made


@pytest.fixture
def people() -> FakeDirectories:
    return FakeDirectories({ANNA: "right"})


@asynccontextmanager
async def behind(kind: type[ReverseProxy], home: Path, **changes: str) -> AsyncIterator[tuple[Relay, ReverseProxy]]:
    """A relay on plain HTTP, as the files of `deploy/` want it, and the proxy in front of it."""
    settings = server_settings(home)
    front = kind(home, int(settings.listen.rpartition(":")[2]))
    settings = replace(settings, public_url=front.url, tls_certificate=None, tls_key=None, trusted_proxies=("127.0.0.1/32",))
    init(settings, name="relay1", now=time.time())
    async with serving(settings) as running:
        front.write(**changes)
        await front.start()
        try:
            yield running, front
        finally:
            await front.stop()


class Visitor:
    """A browser without JavaScript, at an address of its own, that claims to be elsewhere."""

    def __init__(self, home: Path, origin: str, claims: str = "") -> None:
        self._origin = origin
        self._headers = {"X-Forwarded-For": claims, "Forwarded": f"for={claims}", "X-Real-IP": claims} if claims else {}
        self._tls = trusting(home)

    async def __aenter__(self) -> Visitor:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            connector=aiohttp.TCPConnector(local_addr=(VISITOR, 0), ssl=self._tls),
            headers=self._headers,
        )
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._session.close()

    async def get(self, path: str) -> tuple[aiohttp.ClientResponse, str]:
        async with self._session.get(self._origin + path) as response:
            return response, await response.text()

    async def post(self, path: str, **fields: str) -> tuple[aiohttp.ClientResponse, str]:
        headers = {"Origin": self._origin, "Sec-Fetch-Site": "same-origin"}
        async with self._session.post(self._origin + path, data=fields, headers=headers) as response:
            return response, await response.text()

    async def sign_in(self, user_name: str, password: str) -> tuple[aiohttp.ClientResponse, str]:
        _, text = await self.get("/signin")
        _, text = await self.post("/signin", csrf=_csrf(text), step="user", user_name=user_name)
        fields = {"csrf": _csrf(text), "step": "password", "user_name": user_name, "password": password}
        return await self.post("/signin", **fields)


def _csrf(text: str) -> str:
    found = re.search(r'name="csrf" value="([^"]*)"', text)
    assert found is not None, text
    return unescape(found.group(1))


def trusting(home: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(home / "tls" / "ca.pem"))


async def addresses(running: Relay, kind: str) -> set[str]:
    entries = await running.administration.audit(limit=50, before=None, kind=kind, subject="")
    return {entry.address for entry in entries}


# -- nginx, HAProxy


async def test_the_page_comes_over_https_with_the_relays_own_headers(tmp_path: Path, kind: type[ReverseProxy]) -> None:
    """Nothing is dropped, nothing is said twice."""
    async with behind(kind, tmp_path) as (running, front), Visitor(tmp_path, front.url) as visitor:
        response, text = await visitor.get("/signin")
        async with aiohttp.request("GET", f"http://{running.settings.listen}/signin") as direct:
            expected = {name: direct.headers.getall(name) for name in direct.headers if name.lower() not in PER_REQUEST}
    assert response.status == 200
    assert 'name="user_name"' in text
    assert {name: response.headers.getall(name, []) for name in expected} == expected
    assert response.headers.getall("Strict-Transport-Security") == ["max-age=63072000; includeSubDomains"]
    assert "Content-Security-Policy" in expected
    assert "Content-Encoding" not in response.headers


async def test_plain_http_is_sent_to_https(tmp_path: Path, kind: type[ReverseProxy]) -> None:
    """To the relay's own name, whatever Host the client sent."""
    async with behind(kind, tmp_path) as (_, front), aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{front.plain_port}/signin?language=de"
        async with session.get(url, headers={"Host": "evil.example.net"}, allow_redirects=False) as response:
            assert response.status == 301
            assert response.headers["Location"] == f"{front.url}/signin?language=de"


async def test_an_agent_enrols_connects_and_signs_people_in(
    tmp_path: Path, kind: type[ReverseProxy], people: FakeDirectories
) -> None:
    """Everything through the proxy's address, the websockets included."""
    async with (
        behind(kind, tmp_path) as (running, front),
        agent(tmp_path, running, people),
        Visitor(tmp_path, front.url) as visitor,
    ):
        assert {connection.name for connection in running.endpoint.connections} == {"agent1"}
        refused, why = await visitor.sign_in(ANNA, "wrong")
        response, text = await visitor.sign_in(ANNA, "right")
    assert (refused.url.path, "Incorrect user name or password" in why) == ("/signin/password", True)
    assert (response.status, response.url.path) == (200, "/account")
    assert ANNA in text
    assert people.binds == [ANNA, ANNA]


async def test_the_audit_trail_has_the_persons_own_address(
    tmp_path: Path, kind: type[ReverseProxy], people: FakeDirectories
) -> None:
    """What a client claims in its headers changes nothing."""
    async with behind(kind, tmp_path) as (running, front), agent(tmp_path, running, people):
        for claims in ("", FORGED, f"{FORGED}, 127.0.0.1"):
            async with Visitor(tmp_path, front.url, claims) as visitor:
                response, _ = await visitor.sign_in(ANNA, "right")
                assert response.url.path == "/account"
        assert await addresses(running, "signin") == {VISITOR}
        assert await addresses(running, "agent.enrolled") == {"127.0.0.1"}


async def test_an_agent_comes_back_after_the_proxy_was_restarted(
    tmp_path: Path, kind: type[ReverseProxy], people: FakeDirectories
) -> None:
    """By itself, on all its connections."""
    async with behind(kind, tmp_path) as (running, front), agent(tmp_path, running, people, reconnect_ceiling=0.3):
        await front.stop()
        await eventually(lambda: not running.endpoint.connections)
        assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.NO_AGENT
        await front.start()
        await eventually(lambda: len(running.endpoint.connections) == 2)
        assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS


async def test_old_tls_is_refused(tmp_path: Path, kind: type[ReverseProxy]) -> None:
    """TLS 1.1 meets the proxy's own refusal; TLS 1.2 and 1.3 are served."""
    async with behind(kind, tmp_path) as (_, front):
        for version, served in (("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)):
            context = trusting(tmp_path)
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
            if served:
                _, writer = await asyncio.open_connection("127.0.0.1", front.port, ssl=context)
                assert writer.get_extra_info("ssl_object").version() == version.replace("_", ".")
                writer.close()
            else:
                with pytest.raises(ssl.SSLError, match="alert protocol version"):
                    await asyncio.open_connection("127.0.0.1", front.port, ssl=context)


async def test_a_huge_body_stops_at_the_proxy(tmp_path: Path, kind: type[ReverseProxy]) -> None:
    """413, and the relay never sees it."""
    async with (
        behind(kind, tmp_path) as (_, front),
        aiohttp.request("POST", f"{front.url}/signin", data=b"a" * 65537, ssl=trusting(tmp_path)) as response,
    ):
        assert response.status == 413
        assert "X-Correlation-Id" not in response.headers


async def test_a_slow_sender_is_cut_off(tmp_path: Path, kind: type[ReverseProxy]) -> None:
    """A head that never ends costs the proxy one timeout (shortened here), and the relay nothing."""
    changes = {
        Nginx: {"client_header_timeout 10s": "client_header_timeout 1s"},
        HAProxy: {"timeout http-request 10s": "timeout http-request 1s"},
    }
    async with behind(kind, tmp_path, **changes[kind]) as (_, front):
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port, ssl=trusting(tmp_path))
        writer.write(b"GET /signin HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        async with asyncio.timeout(8):
            answer = await reader.read()
        writer.close()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408")


async def test_a_password_never_touches_the_proxys_disk(tmp_path: Path, kind: type[ReverseProxy]) -> None:
    """Neither in a log nor in a temporary file, however much comes with it."""
    async with behind(kind, tmp_path) as (_, front), Visitor(tmp_path, front.url) as visitor:
        _, text = await visitor.get("/signin")
        fields = {"csrf": _csrf(text), "step": "password", "user_name": ANNA, "password": "never-on-any-disk"}
        response, said = await visitor.post("/signin", **fields, padding="x" * 60000)
        assert (response.status, "couldn&#39;t check your password" in said) == (200, True)
        said = (front.home / "log").read_text()
        files = [file for file in front.home.rglob("*") if file.is_file()]
        assert files
        assert not [file for file in files if b"never-on-any-disk" in file.read_bytes()]
    assert "temporary file" not in said


# -- a forward proxy on the agent's side

SECRET = "pr0xy:p@ss/w%rd"
"""A password with everything in it that a URL would take for something else."""


@pytest.fixture
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "WSS_PROXY", "WS_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def by_settings(home: Path, forward: ConnectProxy, password: str = SECRET) -> dict[str, Any]:
    file = home / "proxy.password"
    file.write_text(password + "\n")
    file.chmod(0o600)
    return {"proxy": f"http://{forward.address}", "proxy_user": "svc-isthmus", "proxy_password_file": file}


def by_environment(monkeypatch: pytest.MonkeyPatch, forward: ConnectProxy, password: str = SECRET) -> dict[str, Any]:
    quoted = URL.build(scheme="http", host="127.0.0.1", port=forward.port, user="svc-isthmus", password=password)
    monkeypatch.setenv("HTTPS_PROXY", str(quoted))
    return {"proxy": None}


@pytest.mark.usefixtures("_no_proxies")
@pytest.mark.parametrize("source", ["settings", "environment"])
async def test_an_agent_goes_out_through_a_proxy_that_wants_a_password(
    tmp_path: Path, people: FakeDirectories, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """Enrolment and both websockets, and a sign-in over them."""
    async with relay(tmp_path) as running, ConnectProxy("svc-isthmus", SECRET) as forward:
        how = by_settings(tmp_path, forward) if source == "settings" else by_environment(monkeypatch, forward)
        state = await enrolled(tmp_path, running, "agent1", **how)
        assert forward.tunnels == [running.settings.listen]
        async with agent(tmp_path, running, people, state_dir=state, **how):
            verdict = await running.authenticator.authenticate(attempt(ANNA, "right"))
        assert verdict.outcome is Outcome.SUCCESS
        assert forward.tunnels == [running.settings.listen] * 3
        assert forward.refusals == 0


@pytest.mark.usefixtures("_no_proxies")
async def test_no_proxy_goes_straight(tmp_path: Path, people: FakeDirectories, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY of the environment counts for the enrolment and for the websockets."""
    async with relay(tmp_path) as running, ConnectProxy("svc-isthmus", SECRET) as forward:
        monkeypatch.setenv("NO_PROXY", "intranet.example.com,127.0.0.1")
        how = by_environment(monkeypatch, forward)
        async with agent(tmp_path, running, people, **how):
            assert len(running.endpoint.connections) == 2
        assert (forward.tunnels, forward.refusals) == ([], 0)


@pytest.mark.usefixtures("_no_proxies")
async def test_the_setting_none_ignores_the_environment(
    tmp_path: Path, people: FakeDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`proxy = "none"`."""
    async with relay(tmp_path) as running, ConnectProxy("svc-isthmus", SECRET) as forward:
        by_environment(monkeypatch, forward)
        async with agent(tmp_path, running, people, proxy="none"):
            assert len(running.endpoint.connections) == 2
        assert (forward.tunnels, forward.refusals) == ([], 0)


@pytest.mark.usefixtures("_no_proxies")
@pytest.mark.parametrize("source", ["settings", "environment"])
async def test_a_wrong_proxy_password_is_named_but_not_shown(
    tmp_path: Path, people: FakeDirectories, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """407 is in the error, the password in none of its forms, whichever part of the agent met it."""
    wrong = "wr0ng:p@ss/w%rd"
    async with relay(tmp_path) as running, ConnectProxy("svc-isthmus", SECRET) as forward:
        state = await enrolled(tmp_path, running, "agent1")
        how = by_settings(tmp_path, forward, wrong) if source == "settings" else by_environment(monkeypatch, forward, wrong)
        with pytest.raises(EnrolmentFailed, match="407") as enrolment:
            await enrolled(tmp_path, running, "agent2", **how)
        error = await _connection_error(tmp_path, state, people, **how)
        assert isinstance(error, RelayUnreachable)
        assert "407" in str(error)
        assert forward.refusals == 2
        for said in (enrolment.value, error):
            assert _leaks(said, wrong) == []


@pytest.mark.usefixtures("_no_proxies")
async def test_a_dead_proxy_is_named_but_its_password_is_not_shown(tmp_path: Path, people: FakeDirectories) -> None:
    """Nobody listens there any more."""
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with ConnectProxy("svc-isthmus", SECRET) as forward:
            how = by_settings(tmp_path, forward)
        with pytest.raises(EnrolmentFailed) as enrolment:
            await enrolled(tmp_path, running, "agent2", **how)
        error = await _connection_error(tmp_path, state, people, **how)
        for said in (enrolment.value, error):
            assert str(forward.port) in str(said)
            assert _leaks(said, SECRET) == []


async def _connection_error(home: Path, state: Path, people: FakeDirectories, **how: Any) -> AgentError:
    """What one try of an agent to connect came to."""
    settings = agent_settings(home, **how)
    made = Agent(settings, state, people, software="test")
    route = make_routes(settings, state)[0]
    connection = made.make_connection(route)
    with pytest.raises(AgentError) as caught:
        await asyncio.wait_for(connection.run(), 15)
    return caught.value


def _leaks(error: BaseException, password: str) -> list[str]:
    """The lines that the agent or `--debug` would print of an error and its causes and that show a password."""
    forms = {password, quote(password, safe=""), quote(password), b64encode(f"svc-isthmus:{password}".encode()).decode()}
    lines = "".join(traceback.format_exception(error)).splitlines()
    return [line for line in lines if any(form in line for form in forms)]
