"""A relay and an agent in one process, over real HTTPS and websockets, with a directory of the test's choice."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from demo.stand import free_port
from demo.throwaway_tls import write_certificates
from gateway.agent import Agent, AgentCoreSettings, LookUpSettings, enrol
from gateway.app import Relay, ServerSettings, init, serving
from gateway.federation import FederationSettings
from gateway.relay import Attempt, RelayCoreSettings
from gateway.relay.administration import AuditView

LOOPBACK = ("127.0.0.0/8", "::1")
"""Where the servers of the tests' applications are."""


def server_settings(home: Path, **core: Any) -> ServerSettings:
    """Settings of a relay on a free loopback port, its HTTPS certificate made."""
    write_certificates(home / "tls", dns_name="localhost", address="127.0.0.1")
    port = free_port()
    return ServerSettings(
        state_dir=home / "relay",
        public_url=f"https://127.0.0.1:{port}",
        listen=f"127.0.0.1:{port}",
        tls_certificate=home / "tls" / "cert.pem",
        tls_key=home / "tls" / "key.pem",
        metrics_listen="",
        federation=FederationSettings(application_networks=LOOPBACK),
        core=RelayCoreSettings(**{"canary_interval": 0.0, "drain_timeout": 0.5, **core}),
    )


@asynccontextmanager
async def relay(home: Path, *, clock: Callable[[], float] = time.time, **core: Any) -> AsyncIterator[Relay]:
    """A relay that has been set up and serves. clock: Unix seconds."""
    settings = server_settings(home, **core)
    init(settings, name="relay1", now=clock())
    async with serving(settings, clock=clock) as running:
        yield running


def agent_settings(home: Path, **core: Any) -> AgentCoreSettings:
    """Settings of an agent that trusts the relay's HTTPS certificate."""
    return replace(AgentCoreSettings(tls_ca_file=home / "tls" / "ca.pem", proxy="none", drain_timeout=2.0), **core)


async def enrolled(home: Path, running: Relay, name: str, domains: tuple[str, ...] = (), **core: Any) -> Path:
    """Enrol an agent, for these domains or for any; its state directory."""
    token = await running.administration.create_token(name, "test", domains, any_domain=not domains)
    await enrol(agent_settings(home, **core), home / name, token.text, time.time())
    return home / name


@asynccontextmanager
async def agent(
    home: Path,
    running: Relay,
    directories: Any,
    name: str = "agent1",
    state_dir: Path | None = None,
    *,
    until: Callable[[], Any] | None = None,
    look_up: LookUpSettings | None = None,
    **core: Any,
) -> AsyncIterator[Agent]:
    """An agent that is enrolled, connected (or as far as `until` says), and drained at the end."""
    state = state_dir or await enrolled(home, running, name, **core)
    before = len(running.endpoint.connections)
    settings = agent_settings(home, **core)
    made = Agent(settings, state, directories, software="test", look_up=look_up, directory_clock=time.time)
    task = asyncio.create_task(made.run())
    try:
        own = agent_settings(home, **core).connections

        def connected() -> bool:
            """At both ends: the relay is there first."""
            return len(running.endpoint.connections) >= before + own and sum(made.state.connected.values()) >= own

        await eventually(until or (lambda: connected() or task.done()))
        yield made
    finally:
        made.stop()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until a condition, which may be a coroutine function, holds; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not (await holds if inspect.isawaitable(holds := condition()) else holds):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.005)


async def alarms(running: Relay, event: str) -> list[AuditView]:
    """What the trail has of an alarm, as soon as it has it: whoever raises one does not wait for the store."""
    found: list[AuditView] = []

    async def are_written() -> bool:
        found[:] = await running.administration.audit(limit=50, before=None, kind=f"alert.{event}", subject="")
        return bool(found)

    await eventually(are_written)
    return found


def attempt(user_name: str, password: str, **fields: Any) -> Attempt:
    """An attempt from somewhere."""
    given = {"user_name": user_name, "password": password, "address": "192.0.2.7", "correlation_id": "c0ffee"}
    return Attempt(**{**given, **fields})
