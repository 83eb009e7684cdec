"""The relay process: how it starts, what it serves, how it ends."""

from __future__ import annotations

import asyncio
import json
import platform
import re
import socket
import ssl
import stat
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from structlog.typing import EventDict

from demo.stand import free_port
from gateway.alarms import ALERTS
from gateway.app import (
    Relay,
    ServerError,
    ServerSettings,
    serving,
)
from gateway.relay.administration.control import SOCKET_NAME
from gateway.relay.refusals import delay
from gateway.store import StoreError
from settings import split_address
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
    assert str(refused.value).startswith(f"server.{taken}: {address} is in use already; choose another port")
    assert not (settings.state_dir / SOCKET_NAME).exists()
    async with serving(settings) as running:
        assert running.endpoint.connections == []


async def test_a_damaged_database_is_told_so(settings: ServerSettings) -> None:
    """With the remedy."""
    database = settings.state_dir / "relay.db"
    database.touch(0o600)
    database.write_bytes(b"not a database" * 1000)
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
        async with serving(settings):
            assert events(logs, "relay.started")
            assert "organisation" in events(logs, "page.unnamed")[0]["problem"]
        assert [entry["event"] for entry in logs][-1] == "relay.draining"
        logs.clear()


# -- the control socket


async def test_refusals_that_wait_are_answered_when_the_relay_stops(
    settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And are in the trail. Whoever went away meanwhile takes no place for longer than the delay."""
    monkeypatch.setattr(delay, "STEP", 0.15)
    settings = replace(settings, core=replace(settings.core, drain_timeout=5.0))
    async with browser(settings) as get, browser(settings) as get_elsewhere:
        async with serving(settings) as running:
            gone = asyncio.create_task(get("/agent/v1/enrol", "POST", data=b"{}"))
            await eventually(lambda: running.refusals.waiting == 1)
            gone.cancel()
            await eventually(lambda: running.refusals.open == 0)
            waiting = asyncio.create_task(get_elsewhere("/agent/v1/enrol", "POST", data=b"{}"))
            await eventually(lambda: running.refusals.waiting == 1)
        assert (await waiting)[0].status == 400
        async with serving(settings) as running:
            entries = await running.store.audit.entries(kind="agent.enrolment_refused")
            assert [entry.event.detail["detail"] for entry in entries] == ["not an enrolment request"] * 2


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
            # what monitors watch for is there before it happens: the first one is an increase
            'isthmus_signin_total{kind="signin",outcome="would_lock_out"} 0.0',
            'isthmus_signin_total{kind="password_change",outcome="refused_by_admission"} 0.0',
            *(f'isthmus_alerts_total{{event="{event}"}} 0.0' for event in ALERTS),
            f'isthmus_build_info{{python="{platform.python_version()}",version="{version("isthmus")}"}} 1.0',
        ):
            assert line in lines
        assert any(line.startswith("process_resident_memory_bytes ") for line in lines)
        ends = {line.split()[0]: float(line.split()[1]) for line in lines if "_end_seconds " in line and line[0] != "#"}
        tls = settings.tls_certificate
        assert tls is not None
        https = x509.load_pem_x509_certificate(tls.read_bytes()).not_valid_after_utc.timestamp()
        assert ends.pop("isthmus_https_certificate_end_seconds") == https
        assert ends == {"isthmus_authority_end_seconds": pytest.approx(time.time() + 3650 * 86400, abs=5 * 86400)}
        for path in ("/metrics", "/readyz"):
            assert (await get(path))[0].status == 404


async def test_monitoring_asks_by_a_name_that_is_ours(settings: ServerSettings) -> None:
    """Any other is a web page's, which had it lead here."""
    named = replace(settings, metrics_hosts=("relay1.internal",))
    async with serving(named), browser(named) as get:
        for path in ("/metrics", "/healthz", "/readyz"):
            for host, refused in (("relay1.internal:9181", False), ("localhost", False), ("evil.example", True)):
                response, body = await get(f"http://{settings.metrics_listen}{path}", headers={"Host": host})
                assert (response.status == 421) == refused
                assert (b"metrics_hosts" in body) == refused
                assert (b"isthmus_" in body) == (path == "/metrics" and not refused)


async def test_one_address_does_not_take_every_connection(
    settings: ServerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 200 descriptors 100 are for connections; silent ones of one address leave people and agents theirs."""
    monkeypatch.setattr("foundation.listener.listener._descriptors", lambda: 200)
    host, port = split_address(settings.listen)
    async with AsyncExitStack() as held:
        running = await held.enter_async_context(serving(settings))
        await held.enter_async_context(agent(tmp_path, running, FakeDirectories({ANNA: "right"})))
        silent = []
        for _ in range(176):
            reader, writer = await asyncio.open_connection(host, port)
            held.callback(writer.close)
            silent.append(reader)
        async with browser(settings) as get:
            assert (await get("/signin"))[0].status == 200
        verdict = await running.authenticator.authenticate(attempt(ANNA, "right"))
        assert verdict.succeeded
        assert len(running.endpoint.connections) == 2
        await eventually(lambda: sum(reader.at_eof() for reader in silent) >= 176 + 2 - 50)  # half of 100, agents among them


def _raw(path: str, *headers: str, method: str = "POST", body: str = "", version: str = "HTTP/1.1") -> tuple[bytes, bytes]:
    framing = (
        () if any("Encoding" in header or "Length" in header for header in headers) else (f"Content-Length: {len(body)}",)
    )
    lines = (f"{method} {path} {version}", "Host: relay", "Connection: close", *framing, *headers, "", "")
    return "\r\n".join(lines).encode(), body.encode()


_PATH = "/api/v1/authenticate"
_KEY = "Authorization: Bearer KEY"
_BODY = json.dumps({"user_name": ANNA, "password": "right"})
_REQUESTS = {
    "a check": _raw(_PATH, _KEY, body=_BODY),
    "no key": _raw(_PATH, body=_BODY),
    "another key": _raw(_PATH, "Authorization: Bearer isk_no_such", body=_BODY),
    "no JSON": _raw(_PATH, _KEY, body="user_name=anna"),
    "no body": _raw(_PATH, _KEY),
    "a large body": _raw(_PATH, _KEY, body="x" * 17_000),
    "a huge body": _raw(_PATH, _KEY, body="x" * 70_000),
    "query": _raw(_PATH + "?a=b", _KEY, body=_BODY),
    "absolute": _raw("https://other" + _PATH, _KEY, body=_BODY),
    "two slashes": _raw("/" + _PATH, _KEY, body=_BODY),
    "a slash behind": _raw(_PATH + "/", _KEY, body=_BODY),
    "encoded slash": _raw("/api%2Fv1/authenticate", _KEY, body=_BODY),
    "encoded letter": _raw("/api/v1/%61uthenticate", _KEY, body=_BODY),
    "dots": _raw("/api/v1/../v1/authenticate", _KEY, body=_BODY),
    "capitals": _raw(_PATH.upper(), _KEY, body=_BODY),
    **{method: _raw(_PATH, _KEY, method=method) for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "post", "TRACE")},
    "waits for a word": _raw(_PATH, _KEY, "Expect: 100-continue", body=_BODY),
    "waits for another word": _raw(_PATH, _KEY, "Expect: 102-processing", body=_BODY),
    "chunks": _raw(_PATH, _KEY, "Transfer-Encoding: chunked", body=f"{len(_BODY):x}\r\n{_BODY}\r\n0\r\n\r\n"),
    "two lengths": _raw(_PATH, _KEY, "Content-Length: 4", "Transfer-Encoding: chunked", body=f"0\r\n\r\n{_BODY}"),
    "compressed": _raw(_PATH, _KEY, "Content-Encoding: gzip", f"Content-Length: {len(_BODY)}", body=_BODY),
    "two at once": _raw(
        _PATH, _KEY, f"Content-Length: {len(_BODY)}", body=_BODY + "GET /healthz HTTP/1.1\r\nHost: relay\r\n\r\n"
    ),
    "an old client": _raw(_PATH, _KEY, body=_BODY, version="HTTP/1.0"),
}


async def _answers(settings: ServerSettings) -> dict[str, bytes]:
    """What the relay answers to each request, but for what differs each time."""
    tls = ssl.create_default_context(cafile=str(settings.state_dir.parent / "tls" / "ca.pem"))
    host, port = split_address(settings.listen)
    answers = {}
    async with serving(settings) as running:
        key = (await running.administration.create_api_key(f"shop{running.settings.listen}", None, "test")).secret
        for name, (head, body) in _REQUESTS.items():
            reader, writer = await asyncio.open_connection(host, port, ssl=tls)
            async with asyncio.timeout(10):
                writer.write(head.replace(b"KEY", key.encode()))
                word = await reader.readuntil(b"\r\n\r\n") if b"Expect" in head else b""
                writer.write(body)
                answer = word + await reader.read()
            writer.close()
            answer = re.sub(rb"\r\n(Date|X-Correlation-Id): [^\r]*", rb"\r\n\1", answer)
            answers[name] = re.sub(rb'"correlation_id":"[0-9a-f]{16}"', b'"correlation_id"', answer)
    return answers


async def test_a_check_past_the_application_is_answered_as_through_it(
    settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the request looks like."""
    past = await _answers(settings)
    with monkeypatch.context() as without:
        without.setattr(Relay, "past_the_app", lambda _self, handle: handle)
        through = await _answers(settings)
    assert past == through
    assert past["a check"].startswith(b"HTTP/1.1 503 ")
    assert past["waits for a word"].startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 ")
    assert past["encoded slash"].startswith(b"HTTP/1.1 404 ")
