"""What every request to the relay has: an id, an address, a body with an end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.typing import EventDict

from gateway.app import (
    ServerSettings,
    serving,
)
from gateway.signin.pages import Pages
from tests.support.visitors import browser, events

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
