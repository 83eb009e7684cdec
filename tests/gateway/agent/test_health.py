"""The agent's local endpoint, over real HTTP on loopback."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from demo.stand import free_port
from directory import DirectoryCondition, DirectoryReadiness
from gateway.agent.health import HealthServer, HealthUnavailable
from gateway.agent.state import AgentState

NOW = 1_800_000_000.0
RELAY = "https://relay.example.com"


async def get(address: str, path: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}{path}") as response:
        return response.status, response.headers["Content-Type"], await response.text()


def state(*conditions: DirectoryCondition, connections: int = 1, **fields: Any) -> AgentState:
    """Of an agent with a directory in each of these conditions."""
    directories = tuple(
        DirectoryReadiness(f"{number}.example.com", (), condition) for number, condition in enumerate(conditions)
    )
    return AgentState({RELAY: connections}, NOW + 60, 0, directories, **fields)


def serve(address: str, found: AgentState | None = None, metrics: bytes = b"") -> HealthServer:
    return HealthServer(address, lambda: found or state(), lambda: metrics, clock=lambda: NOW)


@pytest.mark.parametrize(
    ("found", "defect"),
    [
        (state("no_controller", connections=0), ""),
        (state(draining=True), "draining"),
        (replace(state(), certificate_ends=NOW), ""),
        (replace(state(), certificate_ends=NOW - 1), "the agent's certificate has expired"),
    ],
)
async def test_healthz_is_about_this_process_alone(found: AgentState, defect: str) -> None:
    """Not about relays and directories, which another agent would find no better."""
    address = f"127.0.0.1:{free_port()}"
    async with serve(address, found):
        status, kind, body = await get(address, "/healthz")
    assert (status, json.loads(body)) == (503 if defect else 200, {"status": defect or "ok"})
    assert kind.startswith("application/json")


@pytest.mark.parametrize(
    ("found", "obstacle"),
    [
        (state(), ""),
        (state("ready", "ready"), ""),
        (state("ready", connections=0), "no relay is connected"),
        (state("ready", "no_controller"), "no domain controller of 1.example.com answers"),
        (state("service_account"), "0.example.com refuses the service account"),
        (state("base_dn"), "0.example.com has nothing at `base_dn`"),
        (state("not_checked"), "0.example.com has not been checked yet"),
    ],
)
async def test_readyz_wants_a_relay_and_every_directory(found: AgentState, obstacle: str) -> None:
    """A monitor takes the status, an operator the words."""
    address = f"127.0.0.1:{free_port()}"
    async with serve(address, found):
        status, _, body = await get(address, "/readyz")
    assert status == (503 if obstacle else 200)
    directories = {one.directory: one.condition for one in found.directories}
    assert json.loads(body) == {"status": obstacle or "ready", "relays": found.connected, "directories": directories}


async def test_readyz_follows_the_state() -> None:
    """It is asked anew each time."""
    address, states = f"127.0.0.1:{free_port()}", [state(), state(connections=0), state()]
    async with HealthServer(address, lambda: states.pop(0), bytes):
        assert [(await get(address, "/readyz"))[0] for _ in range(3)] == [200, 503, 200]


async def test_metrics_are_handed_out_as_prometheus_wants_them() -> None:
    """The text as it is, with the format's content type."""
    address, text = f"127.0.0.1:{free_port()}", b'# TYPE isthmus_up gauge\nisthmus_up{agent="a"} 1\n'
    async with serve(address, metrics=text):
        status, kind, body = await get(address, "/metrics")
    assert (status, body.encode()) == (200, text)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"


async def test_a_name_that_leads_here_reads_nothing() -> None:
    """A web page can have its own name lead to loopback; no version is told to anybody."""
    address = f"127.0.0.1:{free_port()}"
    served = HealthServer(address, state, lambda: b"secret", ("agent1.internal",))
    async with served, aiohttp.ClientSession() as session:
        for host, status in (("evil.example", 421), ("localhost", 200), (address, 200), ("agent1.internal:9180", 200)):
            async with session.get(f"http://{address}/metrics", headers={"Host": host}) as response:
                assert response.status == status
                assert response.headers["Server"] == "isthmus"
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                body = await response.read()
                assert (body == b"secret", b"setting health_hosts" in body) == (status == 200, status == 421)


async def test_nothing_else_is_there() -> None:
    """Neither other paths nor other methods."""
    address = f"127.0.0.1:{free_port()}"
    async with serve(address), aiohttp.ClientSession() as session:
        assert (await get(address, "/"))[0] == 404
        async with session.post(f"http://{address}/readyz") as response:
            assert response.status == 405


async def test_an_empty_address_opens_nothing() -> None:
    """Then there is nothing to close either."""
    server = HealthServer("", lambda: pytest.fail("asked"), lambda: pytest.fail("asked"))
    async with server as entered:
        assert entered is server


async def test_it_is_gone_after_the_block() -> None:
    """The port is free again."""
    port = free_port()
    async with serve(f"127.0.0.1:{port}"):
        assert (await get(f"127.0.0.1:{port}", "/healthz"))[0] == 200
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_ipv6_addresses_stand_in_brackets() -> None:
    """As in a URL."""
    try:
        port = free_port_6()
    except OSError:
        pytest.skip("no IPv6 on this machine's loopback")
    async with serve(f"[::1]:{port}"):
        assert (await get(f"[::1]:{port}", "/healthz"))[0] == 200


def free_port_6() -> int:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_port_that_is_taken_is_told_with_the_way_out() -> None:
    """Two agents on one machine."""
    address = f"127.0.0.1:{free_port()}"
    async with serve(address):
        with pytest.raises(HealthUnavailable) as raised:
            async with serve(address):
                pytest.fail("opened twice")
        assert (await get(address, "/healthz"))[0] == 200
    assert raised.value.address == address
    assert str(raised.value).startswith(f"health_listen: {address} is in use already; choose another port")
    assert str(raised.value).endswith('; or set "" for none')
    assert "Errno" not in str(raised.value)


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", ":::x"])
async def test_an_address_without_a_port_is_told(address: str) -> None:
    """It names the setting and its value."""
    with pytest.raises(HealthUnavailable) as raised:
        async with serve(address):
            pytest.fail("opened")
    assert str(raised.value).startswith(f"health_listen: {address} cannot be used (")


@pytest.mark.parametrize("port", [65536, -1])
async def test_a_port_out_of_range_is_told(port: int) -> None:
    """A slip of the finger is no traceback."""
    with pytest.raises(HealthUnavailable):
        async with serve(f"127.0.0.1:{port}"):
            pytest.fail("opened")
