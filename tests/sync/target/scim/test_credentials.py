"""Bearer tokens from a file, the environment, or a token endpoint: none of them is ever told."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from foundation.http import open_session
from sync.target import CredentialsRefused, TargetUnavailable
from sync.target.scim import OAuthSettings, ScimSettings
from sync.target.scim.credentials import FetchedToken, GivenToken, token_source

SECRET = "cl1ent: s%cret"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session


class TokenEndpoint:
    """Gives tokens one after another, or `answer`."""

    def __init__(self) -> None:
        self.answer: tuple[int, object] | None = None
        self.asked: list[tuple[str, str]] = []
        self.lasts: float | None = 600

    async def handle(self, request: web.Request) -> web.Response:
        credentials = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        self.asked.append((credentials, await request.text()))
        body = {"access_token": f"t{len(self.asked)}", "token_type": "bearer", "expires_in": self.lasts}
        status, told = self.answer or (200, {name: value for name, value in body.items() if value is not None})
        text = told if isinstance(told, str) else json.dumps(told)
        return web.Response(status=status, text=text, headers={"Location": "http://localhost/elsewhere"})


@pytest.fixture
async def endpoint() -> AsyncIterator[tuple[TokenEndpoint, str]]:
    made = TokenEndpoint()
    application = web.Application()
    application.router.add_post("/token", made.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    await runner.cleanup()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _oauth(url: str, directory: Path, scope: str = "") -> OAuthSettings:
    secret = directory / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    return OAuthSettings(token_url=url, client_id="isthmus sync", client_secret_file=secret, scope=scope)


async def test_a_token_of_the_environment(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """Read once; one that is missing is named, one that no header can hold is refused without being told."""
    settings = ScimSettings(url="https://scim.example.com", token_variable="SCIM_TOKEN")
    environment = {"SCIM_TOKEN": " abc\n"}
    source = GivenToken("t", settings, environment)
    assert await source.token(session) == "abc"
    environment["SCIM_TOKEN"] = "new"
    assert await source.token(session) == "abc"
    assert await source.token(session, refused="abc") == "new"
    with pytest.raises(CredentialsRefused, match="SCIM_TOKEN"):
        await GivenToken("t", settings, {}).token(session)
    for wrong in ("two words", "line\r\nX-Header: 1", "ümlaut"):
        with pytest.raises(CredentialsRefused) as caught:
            await GivenToken("t", settings, {"SCIM_TOKEN": wrong}).token(session)
        assert wrong not in str(caught.value)


async def test_a_token_file_that_others_can_read(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """Is refused by name, without its content."""
    file = tmp_path / "token"
    file.write_text("abcdef")
    file.chmod(0o644)
    settings = ScimSettings(url="https://scim.example.com", token_file=file)
    with pytest.raises(CredentialsRefused, match="chmod 600") as caught:
        await token_source("t", settings).token(session)
    assert "abcdef" not in str(caught.value)


async def test_client_credentials(
    session: aiohttp.ClientSession, endpoint: tuple[TokenEndpoint, str], tmp_path: Path
) -> None:
    """In the header, both form-encoded (RFC 6749 section 2.3.1); kept until shortly before the end, shared by all tasks."""
    server, url = endpoint
    clock = Clock()
    source = FetchedToken("t", _oauth(url, tmp_path, "scim.read scim.write"), 5.0, clock=clock)
    assert await asyncio.gather(*(source.token(session) for _ in range(5))) == ["t1"] * 5
    assert server.asked == [("isthmus+sync:cl1ent%3A+s%25cret", "grant_type=client_credentials&scope=scim.read+scim.write")]
    clock.now += 539
    assert await source.token(session) == "t1"
    clock.now += 2
    assert await source.token(session) == "t2"
    assert await source.token(session, refused="t1") == "t2"
    assert await source.token(session, refused="t2") == "t3"


async def test_a_short_life_is_not_asked_for_all_the_time(
    session: aiohttp.ClientSession, endpoint: tuple[TokenEndpoint, str], tmp_path: Path
) -> None:
    """Half of it is used, at least; without one, some minutes are taken."""
    server, url = endpoint
    server.lasts = 60
    clock = Clock()
    source = FetchedToken("t", _oauth(url, tmp_path), 5.0, clock=clock)
    await source.token(session)
    clock.now += 29
    assert await source.token(session) == "t1"
    server.lasts = None
    clock.now += 2
    assert await source.token(session) == "t2"
    clock.now += 200
    assert await source.token(session) == "t2"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((401, {"error": "invalid_client"}), "invalid_client"),
        ((400, {"error": "invalid_scope <script>"}), "HTTP 400"),
        ((200, {}), "no token"),
        ((200, "<html>"), "no token"),
        ((307, {}), "HTTP 307"),
        ((200, {"access_token": "x y", "token_type": "Bearer"}), "blanks"),
        ((200, {"access_token": "xy", "token_type": "mac"}), "another type"),
    ],
)
async def test_no_token(
    answer: tuple[int, object],
    told: str,
    session: aiohttp.ClientSession,
    endpoint: tuple[TokenEndpoint, str],
    tmp_path: Path,
) -> None:
    """A refusal that says what to check, without the secret or what the server put into its error."""
    server, url = endpoint
    server.answer = answer
    with pytest.raises(CredentialsRefused, match=told) as caught:
        await FetchedToken("t", _oauth(url, tmp_path), 5.0).token(session)
    assert SECRET not in str(caught.value)
    assert "script" not in str(caught.value)


@pytest.mark.parametrize("answer", [(500, {}), (429, {}), (200, "x" * 100_000)])
async def test_a_token_endpoint_in_trouble(
    answer: tuple[int, object], session: aiohttp.ClientSession, endpoint: tuple[TokenEndpoint, str], tmp_path: Path
) -> None:
    """Is no refusal: later."""
    server, url = endpoint
    server.answer = answer
    with pytest.raises(TargetUnavailable, match="token endpoint"):
        await FetchedToken("t", _oauth(url, tmp_path), 5.0).token(session)
