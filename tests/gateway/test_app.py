"""The relay process: how it starts, what it serves, how it ends."""

from __future__ import annotations

import asyncio
import socket
import stat
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from structlog.typing import EventDict

from demo.stand import free_port
from gateway.app import (
    ServerError,
    ServerSettings,
    run,
    serving,
    split_address,
)
from gateway.relay.administration.control import SOCKET_NAME
from gateway.store import StoreError
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, attempt, eventually
from tests.support.visitors import browser, events

ANNA = "anna@corp.example.com"


# -- starting


@pytest.mark.parametrize("taken", ["listen", "metrics_listen"])
async def test_a_taken_port_is_told_so_and_nothing_is_left_behind(settings: ServerSettings, taken: str) -> None:
    """Whatever was opened before is closed again."""
    address = getattr(settings, taken)
    with socket.create_server(split_address(address)), pytest.raises(ServerError) as refused:
        async with serving(settings):
            pass
    assert str(refused.value).startswith(f"cannot listen on {address}: ")
    assert str(refused.value).endswith("is another server there?")
    assert not (settings.state_dir / SOCKET_NAME).exists()
    async with serving(settings) as running:
        assert running.endpoint.connections == []


async def test_a_damaged_database_is_told_so(settings: ServerSettings) -> None:
    """With the remedy."""
    (settings.state_dir / "relay.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match="restore it from the backup"):
        async with serving(settings):
            pass


async def test_a_state_directory_with_too_long_a_path_is_told_so(settings: ServerSettings) -> None:
    """A unix socket's address has some hundred bytes."""
    far = settings.state_dir.with_name("r" * 120)
    settings.state_dir.rename(far)
    with pytest.raises(ServerError, match="cannot make the control socket"):
        async with serving(replace(settings, state_dir=far)):
            pass


async def test_a_second_relay_on_the_same_state_directory_does_not_start(settings: ServerSettings) -> None:
    """And the first one does not notice."""
    port = free_port()
    other = replace(settings, listen=f"127.0.0.1:{port}", public_url=f"https://127.0.0.1:{port}", metrics_listen="")
    async with serving(settings):
        with pytest.raises((ServerError, StoreError)):
            async with serving(other):
                pass
        assert (settings.state_dir / SOCKET_NAME).is_socket()
    async with serving(other):
        pass  # the first one has ended: now it may


async def test_it_ends_when_told(settings: ServerSettings, logs: list[EventDict]) -> None:
    """And can be started again at once."""
    for _ in range(2):
        stop = asyncio.Event()
        task = asyncio.create_task(run(settings, stop))
        await eventually(lambda: events(logs, "relay.started"))
        stop.set()
        await task
        assert [entry["event"] for entry in logs][-1] == "relay.stopped"
        logs.clear()


# -- the control socket


async def test_only_this_user_reaches_the_control_socket(settings: ServerSettings) -> None:
    """Whoever may connect may do everything; it is gone with the relay."""
    path = settings.state_dir / SOCKET_NAME
    async with serving(settings):
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE((settings.state_dir / "relay.db").stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_control_socket_of_a_killed_relay_is_replaced(settings: ServerSettings) -> None:
    """kill -9 removes no files."""
    path = settings.state_dir / SOCKET_NAME
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with (
        serving(settings),
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as client,
        client.post("http://relay/agents", json={}) as response,
    ):
        assert await response.json() == []


# -- what it serves


async def test_metrics_are_for_the_operator_only(settings: ServerSettings, tmp_path: Path) -> None:
    """They count, and are not served where the public is."""
    people = FakeDirectories({ANNA: "right"})
    async with serving(settings) as running, browser(settings) as get, agent(tmp_path, running, people):
        for password in ("right", "wrong", "right"):
            await running.authenticator.authenticate(attempt(ANNA, password))
        response, body = await get(f"http://{settings.metrics_listen}/metrics")
        assert response.content_type == "text/plain"
        lines = body.decode().splitlines()
        for line in (
            "isthmus_pta_authentications_total 3.0",
            "isthmus_pta_successful_total 2.0",
            "isthmus_pta_failed_total 1.0",
            "isthmus_pta_errors_total 0.0",
            'isthmus_signin_total{kind="signin",outcome="success"} 2.0',
            'isthmus_agent_connections{agent="agent1"} 2.0',
            'isthmus_agent_outstanding{agent="agent1"} 0.0',
            "isthmus_signins_waiting 0.0",
        ):
            assert line in lines
        for path in ("/metrics", "/readyz"):
            assert (await get(path))[0].status == 404
