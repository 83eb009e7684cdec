"""Two relay nodes on one store behind one public address, agents at both, and visitors whose requests alternate."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import aiohttp

from certs import MachineIdentity, Role
from demo.stand import free_port
from gateway.agent import Agent
from gateway.app import Relay, ServerSettings, load_keys
from gateway.relay import Verdict
from tests.support.relay_and_agent import agent, attempt, eventually


def address_of(node: Relay | NodeProcess) -> str:
    """Where this node itself listens; `public_url` is the address of both."""
    return f"https://{node.settings.listen}"


def trusting_client(home: Path) -> aiohttp.ClientSession:
    """Trusts the nodes' HTTPS certificate, keeps no cookies."""
    trust = ssl.create_default_context(cafile=str(home / "tls" / "ca.pem"))
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust), cookie_jar=aiohttp.DummyCookieJar())


def second_node(settings: ServerSettings, name: str = "relay2") -> ServerSettings:
    """Settings of one more node: the same authority, secret and public address, an identity of its own."""
    state = settings.state_dir.with_name(name)
    shutil.copytree(settings.state_dir, state, ignore=shutil.ignore_patterns("identity", "relay.lock", "control.sock"))
    now = time.time()
    authority = load_keys(settings, now).authority
    certificate = authority.issue(MachineIdentity.begin(state / "identity", name=name), name=name, role=Role.RELAY, now=now)
    MachineIdentity.install(state / "identity", certificate, authority.certificate_der, name=name, role=Role.RELAY, now=now)
    return replace(
        settings,
        state_dir=state,
        listen=f"127.0.0.1:{free_port()}",
        metrics_listen=f"127.0.0.1:{free_port()}",
    )


class NodeProcess:
    """Context manager: a node as a process of its own, which a test may kill. Its log is beside its state directory."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings, self._home = settings, settings.state_dir.parent
        self.name = load_keys(settings, time.time()).identity.name
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> NodeProcess:
        log = self._start()
        try:
            await eventually(lambda: "relay.started" in log.read_text(), 20)
        except TimeoutError:
            self.kill()
            raise AssertionError(log.read_text()[-2000:]) from None
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL: no goodbye, no clean-up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _start(self) -> Path:
        name = self.settings.state_dir.name
        config, log = self._home / f"{name}.toml", self._home / f"{name}.log"
        config.write_text(self._toml())
        command = [sys.executable, "-m", "isthmus", "relay", "run", "--config", str(config)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        return log

    def _toml(self) -> str:
        settings = self.settings
        fields = {
            "state_dir": settings.state_dir,
            "public_url": settings.public_url,
            "listen": settings.listen,
            "tls_certificate": settings.tls_certificate,
            "tls_key": settings.tls_key,
            "metrics_listen": settings.metrics_listen,
            "store_url": settings.store_url,
        }
        lines = ["[server]", *(f"{name} = {json.dumps(str(value))}" for name, value in fields.items())]
        return "\n".join([*lines, "[server.core]", f"canary_interval = {settings.core.canary_interval}", ""])


class Visitor:
    """A browser or a back end: each request goes to the other node than the one before. Cookies are kept by hand."""

    def __init__(self, client: aiohttp.ClientSession, nodes: tuple[Relay, ...], origin: str) -> None:
        self._client, self._turns, self._origin = client, itertools.cycle(nodes), origin
        self.cookies: dict[str, str] = {}
        self.asked: list[Relay] = []
        """Which node had each request, the first one first."""

    async def request(self, method: str, path: str, **kinds: Any) -> tuple[int, str, Any]:
        """Status, text and headers of the answer. A redirect is followed, to the other node."""
        node = next(self._turns)
        self.asked.append(node)
        headers = {"Origin": self._origin, **kinds.pop("headers", {})}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self._client.request(
            method, address_of(node) + path, headers=headers, allow_redirects=False, **kinds
        ) as response:
            self._keep(response.cookies)
            status, text, given = response.status, await response.text(), response.headers
        return await self.request("GET", given["Location"]) if status in {302, 303} else (status, text, given)

    async def get(self, path: str, **kinds: Any) -> tuple[int, str, Any]:
        return await self.request("GET", path, **kinds)

    async def post(self, path: str, **fields: str) -> tuple[int, str, Any]:
        """A form, with the token of the page that was shown before."""
        page = (await self.get("/signin?language=en"))[1]
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        assert found is not None
        return await self.request("POST", path, data={"csrf": found[1], **fields})

    async def sign_in(self, user_name: str, password: str) -> tuple[int, str, Any]:
        return await self.post("/signin", step="password", user_name=user_name, password=password)

    def _keep(self, cookies: SimpleCookie) -> None:
        for name, morsel in cookies.items():
            if morsel["max-age"] == "0" or not morsel.value:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value


class TwoNodes:
    """Two relays that serve, and what a test does with both. home: where their HTTPS certificate and the agents are."""

    def __init__(self, here: Relay, there: Relay, home: Path) -> None:
        self.here, self.there, self._home = here, there, home
        self._turns, self._numbers = itertools.cycle(self.relays), itertools.count()

    @property
    def relays(self) -> tuple[Relay, Relay]:
        return self.here, self.there

    @asynccontextmanager
    async def agent(
        self, directories: Any, name: str = "agent1", *, at: tuple[Relay, ...] = (), state_dir: Path | None = None
    ) -> AsyncIterator[Agent]:
        """An agent that is connected to both nodes, or to those that are named."""
        relays = at or self.relays

        async with agent(
            self._home,
            self.here,
            directories,
            name,
            state_dir,
            relays=tuple(address_of(relay) for relay in relays),
            connections=1,
            reconnect_ceiling=0.2,
            until=lambda: all(is_connected(relay, name) for relay in relays),
        ) as made:
            await eventually(lambda: all(made.state.connected.values()))
            yield made

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[Visitor]:
        """Somebody new."""
        async with trusting_client(self._home) as client:
            yield Visitor(client, self.relays, self.here.settings.public_url)

    async def check(self, user_name: str, password: str, **fields: Any) -> Verdict:
        """A credential check at the node whose turn it is."""
        given = {"correlation_id": f"c{next(self._numbers)}", **fields}
        return await next(self._turns).authenticator.authenticate(attempt(user_name, password, **given))


def is_connected(relay: Relay, name: str) -> bool:
    return any(connection.name == name for connection in relay.endpoint.connections)
