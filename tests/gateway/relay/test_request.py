"""What every request to the relay has: an id, an address, a body with an end."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from structlog.typing import EventDict

from gateway.app import (
    ServerSettings,
    serving,
)
from gateway.relay.request import client_address
from gateway.signin.pages import Pages
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent
from tests.support.visitors import browser, events, exchange

ANNA = "anna@corp.example.com"


async def test_every_answer_has_an_id_of_its_own(settings: ServerSettings) -> None:
    """The one that is in the log; a client cannot choose it."""
    async with serving(settings), browser(settings) as get:
        ids = []
        for path in ("/healthz", "/signin", "/", "/account", "/api/v1/openapi.json", "/agent/v1/enrol"):
            method = "POST" if path.endswith("enrol") else "GET"
            response, _ = await get(path, method, headers={"X-Correlation-Id": "mine"})
            ids.append(response.headers["X-Correlation-Id"])
    assert len(set(ids)) == 6
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in ids)


@pytest.mark.parametrize(("path", "method"), [("/nowhere", "GET"), ("/signin", "PUT"), ("/agent/v1/connect", "GET")])
async def test_an_answer_that_is_an_error_has_an_id_too(settings: ServerSettings, path: str, method: str) -> None:
    """Above all it is asked for."""
    async with serving(settings), browser(settings) as get:
        response, _ = await get(path, method)
        assert response.status >= 400
        assert response.headers["X-Correlation-Id"]


async def test_the_id_goes_all_the_way_into_the_trail(settings: ServerSettings) -> None:
    """What a person reads to the help desk finds the entry."""
    async with serving(settings) as running, browser(settings) as get:
        key = (await running.administration.create_api_key("crm", None, "test")).secret
        order = {"user_name": ANNA, "password": "right"}
        headers = {"Authorization": f"Bearer {key}"}
        response, _ = await get("/api/v1/authenticate", "POST", json=order, headers=headers)
        (entry,) = await running.administration.audit(limit=9, before=None, kind="signin", subject="")
    assert entry.correlation_id == response.headers["X-Correlation-Id"]


async def test_a_body_may_come_in_pieces(settings: ServerSettings) -> None:
    """TCP promises nothing else, and proxies cut as they like."""
    body = json.dumps({"user_name": ANNA, "password": "right"}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield body[:20]
        await asyncio.sleep(0.05)  # nothing tells that the relay has read this much
        yield body[20:]

    async with serving(settings) as running, browser(settings) as get:
        key = (await running.administration.create_api_key("crm", None, "test")).secret
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        response, answer = await get("/api/v1/authenticate", "POST", data=pieces(), headers=headers)
    assert (response.status, json.loads(answer)["detail"]) == (503, "no_agent")


async def test_a_body_that_never_ends_is_given_up(settings: ServerSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a few bytes would hold a connection permanently."""
    monkeypatch.setattr("gateway.relay.request.BODY_TIMEOUT", 0.05)

    async def half() -> AsyncIterator[bytes]:
        yield b'{"user_name"'
        await asyncio.sleep(5)
        yield b"}"

    async with serving(settings) as running, browser(settings) as get:
        key = (await running.administration.create_api_key("crm", None, "test")).secret
        for path in ("/api/v1/authenticate", "/agent/v1/enrol"):
            response, answer = await get(path, "POST", data=half(), headers={"Authorization": f"Bearer {key}"})
            assert response.status == 408
            assert "took longer" in json.loads(answer)["detail"]


async def test_a_defect_is_told_with_its_id_and_nothing_else(
    settings: ServerSettings, monkeypatch: pytest.MonkeyPatch, logs: list[EventDict]
) -> None:
    """The id finds it in the log."""

    def fail(*_args: Any, **_kinds: Any) -> Any:
        raise RuntimeError("a defect in /opt/isthmus")

    async with serving(settings), browser(settings) as get:
        monkeypatch.setattr(Pages, "render", fail)
        response, body = await get("/signin")
    assert response.status == 500
    assert response.headers["X-Correlation-Id"] in body.decode()
    assert "defect" not in body.decode()
    assert [entry["path"] for entry in events(logs, "request.failed")] == ["/signin"]


ODD = b"Mozilla/5.0 (Android 15) \xff\xfe Telefon/\xe4"
"""Some phones' apps name themselves in another character set than UTF-8."""


async def test_a_browser_with_an_odd_name_signs_in(settings: ServerSettings, tmp_path: Path) -> None:
    """Bytes that are no UTF-8 in its `User-Agent` cost nobody the session."""
    people = FakeDirectories({ANNA: "right"})
    kind = b"User-Agent: " + ODD + b"\r\nSec-Fetch-Site: same-origin\r\n"
    async with serving(settings) as running, agent(tmp_path, running, people):
        _, page = await exchange(settings, b"GET /signin HTTP/1.1\r\n" + kind)
        cookie = re.search(rb"__Host-isthmus-form=[^;]+", page)
        token = re.search(rb'name="csrf" value="([^"]+)"', page)
        assert cookie is not None
        assert token is not None
        form = {"csrf": token[1].decode(), "step": "password", "user_name": ANNA, "password": "right"}
        head = b"POST /signin HTTP/1.1\r\nCookie: " + cookie[0] + b"\r\n" + kind
        head += b"Content-Type: application/x-www-form-urlencoded\r\n"
        status, answer = await exchange(settings, head, urlencode(form).encode())
        session = re.search(rb"__Host-isthmus=[^;]+", answer)
        assert (status, session is not None) == (303, True)
        assert session is not None
        status, page = await exchange(settings, b"GET /account HTTP/1.1\r\nCookie: " + session[0] + b"\r\n" + kind)
    assert status == 200
    assert b"Anna" in page


@pytest.mark.parametrize("key", [b"isk_\xff", b"isk_\xff_\xff", b"isk_id_\xed\xa0\x80", "isk_schlüssel_x".encode()])
async def test_an_api_key_of_odd_bytes_is_one_that_is_unknown(settings: ServerSettings, key: bytes) -> None:
    """401, as for every other that is none."""
    async with serving(settings):
        head = b"POST /api/v1/authenticate HTTP/1.1\r\nAuthorization: Bearer " + key + b"\r\n"
        status, answer = await exchange(settings, head, json.dumps({"user_name": ANNA, "password": "x"}).encode())
    assert status == 401
    assert b"API key not accepted" in answer


MALFORMED = {
    "a header without a colon": b"GET /signin HTTP/1.1\r\nAuthorization: Bearer SECRET\r\nCookie: x=SECRET\r\nnonsense\r\n",
    "a control character": b"GET /signin HTTP/1.1\r\nAuthorization: Bearer SECRET\x00\r\n",
    "a header that goes on": b"GET /signin HTTP/1.1\r\nCookie: x=y\r\n  SECRET\r\n",
    "a long header": b"GET /signin HTTP/1.1\r\nCookie: SECRET" + b"x" * 9000 + b"\r\n",
    "many headers": b"GET /signin HTTP/1.1\r\n" + b"X-A: SECRET\r\n" * 200,
    "no method": b"SECRET /signin HTTP/1.1\r\n",
    "a space in a name": b"GET /signin HTTP/1.1\r\nCookie : SECRET\r\n",
    "two lengths": b"POST /signin HTTP/1.1\r\nX-Key: SECRET\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
    "another protocol": b"GET /signin?SECRET GOPHER/1.1\r\n",
    "an address that is none": b"GET http://[SECRET/ HTTP/1.1\r\n",
}


async def test_what_is_no_request_is_not_quoted(
    settings: ServerSettings, logs: list[EventDict], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the log, where it would be a stranger's text or an honest client's secret, nor in the answer."""
    caplog.set_level(logging.DEBUG)
    async with serving(settings):
        for kind, head in MALFORMED.items():
            status, answer = await exchange(settings, head, length=False)
            assert status == 400, kind
            assert b"SECRET" not in answer, kind
            assert b"X-Content-Type-Options: nosniff" in answer, kind
        status, _ = await exchange(settings, b"GET /healthz HTTP/1.1\r\n")
        assert status == 200
    assert "SECRET" not in repr(logs) + caplog.text
    assert "Traceback" not in caplog.text
    (told,) = events(logs, "request.malformed")  # for all of them: a flood must not fill the disk
    assert (told["address"], told["log_level"]) == ("127.0.0.1", "warning")


async def test_nothing_is_unpacked(settings: ServerSettings) -> None:
    """A few bytes that become megabytes stay a few bytes."""
    async with serving(settings) as running:
        key = (await running.administration.create_api_key("crm", None, "test")).secret
        head = f"POST /api/v1/authenticate HTTP/1.1\r\nAuthorization: Bearer {key}\r\nContent-Encoding: gzip\r\n"
        body = gzip.compress(json.dumps({"user_name": ANNA, "password": "x"}).encode())
        status, answer = await exchange(settings, head.encode(), body)
    assert status == 400
    assert b"body is not JSON" in answer


TRUSTED = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8:a::/48")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.5", ["1.2.3.4"], "203.0.113.5"),
        ("10.0.0.1", ["6.6.6.6, 203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5, 10.0.0.2"], "203.0.113.5"),
        ("10.0.0.1", ["6.6.6.6", "203.0.113.5,10.0.0.2"], "203.0.113.5"),
        ("10.0.0.1", [], "10.0.0.1"),
        (None, ["203.0.113.5"], "203.0.113.5"),
        (None, [], ""),
        ("10.0.0.1", ["203.0.113.5:4711"], "203.0.113.5"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ['"[2001:db8::1]:4711"'], "2001:db8::1"),
        ("10.0.0.1", ['"203.0.113.5"'], "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5:1, 10.0.0.2:2"], "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5, [2001:db8:a::7]:2"], "203.0.113.5"),
        ("::ffff:10.0.0.1", ["::ffff:203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["::ffff:203.0.113.5, ::ffff:10.0.0.2"], "203.0.113.5"),
        ("fe80::1%eth0", [], "fe80::1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ['fe80::1%"><b>'], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5, _hidden, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["203.0.113.5\x1b[2J"], "10.0.0.1"),
    ],
)
def test_the_client_is_whom_the_last_trusted_proxy_names(peer: str | None, forwarded: list[str], client: str) -> None:
    """In whatever form that proxy writes; what a client wrote itself is to the left of it and not looked at."""
    assert client_address(peer, forwarded, TRUSTED) == client


def test_nobody_is_believed_where_no_proxy_is_trusted() -> None:
    """A unix socket's other end has no address then."""
    assert client_address("10.0.0.1", ["203.0.113.5"], []) == "10.0.0.1"
    assert client_address(None, ["203.0.113.5"], []) == ""


def test_a_proxy_that_names_nobody_is_told_of_once(logs: list[EventDict]) -> None:
    """All its clients count as one: that has a remedy, and must not fill the log; a stranger's text is not in it."""
    for number in range(100):
        for proxy in ("10.20.0.1", "10.20.0.2"):
            assert client_address(proxy, [f"\x1b[2Junknown{number}"], TRUSTED) == proxy
    told = events(logs, "proxy.client_unknown")
    assert [(entry["proxy"], entry["log_level"]) for entry in told] == [("10.20.0.1", "warning"), ("10.20.0.2", "warning")]
    assert "unknown" not in repr([{**entry, "event": ""} for entry in told])
