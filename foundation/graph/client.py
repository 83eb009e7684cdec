"""Microsoft Graph v1.0: requests, retries, and answers that are what they should be. Nothing here knows what a domain is.

A GET is repeated after 429, 5xx and a broken connection. A change is repeated after 429 only, because then it was not
begun; anything else leaves its outcome unknown, and the caller looks. Redirects are not followed and pages are taken from
the same origin only: the token goes nowhere else. HTTPS_PROXY of the environment is honoured.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp

from foundation.graph.credential import ApplicationCredential, TokenSource
from foundation.graph.errors import (
    Conflict,
    CredentialUnusable,
    GraphError,
    MalformedAnswer,
    NotThere,
    OutcomeUnknown,
    PermissionMissing,
    Rejected,
    Throttled,
    Unreachable,
)
from foundation.graph.settings import GraphSettings

MAX_BYTES = 4 * 1024 * 1024
"""Of one answer. A page of domains has some 50 KB."""
MAX_PAGES = 200
TRIES = 4
"""Of one request, the first among them."""
LONGEST_WAIT = 60.0
"""Seconds. A Retry-After beyond that is handed to the person at the keyboard."""
_BACK_OFF = 1.0

Sleep = Callable[[float], Awaitable[None]]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Graph:
    """One tenant's Graph. Use as an async context manager. Safe to use from several tasks at once."""

    def __init__(self, settings: GraphSettings, *, tokens: TokenSource | None = None, sleep: Sleep = asyncio.sleep) -> None:
        self.tenant = settings.tenant
        self._base = settings.graph.rstrip("/")
        self._timeout = settings.timeout
        self._ca_file = settings.tls_ca_file
        self._tokens = tokens or ApplicationCredential(settings)
        self._session: aiohttp.ClientSession | None = None
        self.sleep = sleep

    async def __aenter__(self) -> Graph:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of connections."""
        self._tokens.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, what: str, *path: str) -> Json:
        """One object. `what` is being done, for errors. Path segments are quoted here. Raises GraphError."""
        return await self._read(what, self._url(path))

    async def get_all(self, what: str, *path: str) -> list[Json]:
        """A collection, every page of it. Raises GraphError."""
        found: list[Json] = []
        url: str | None = self._url(path)
        for _ in range(MAX_PAGES):
            if url is None:
                return found
            page = await self._read(what, url)
            found += _objects(what, page)
            url = self._next(what, page)
        raise MalformedAnswer(what, f"more than {MAX_PAGES} pages")

    async def patch(self, what: str, body: Mapping[str, Any], *path: str) -> None:
        """Change an object. Raises GraphError; OutcomeUnknown where it may have taken effect.

        Cancelling leaves the outcome unknown as well.
        """
        await self._change("PATCH", what, path, body)

    async def post(self, what: str, body: Mapping[str, Any], *path: str) -> None:
        """Make an object. Raises as `patch`."""
        await self._change("POST", what, path, body)

    async def _read(self, what: str, url: str) -> Json:
        answer = await self._send("GET", what, url, None)
        return _parsed(what, answer)

    async def _change(self, method: str, what: str, path: tuple[str, ...], body: Mapping[str, Any]) -> None:
        await self._send(method, what, self._url(path), body)

    async def _send(self, method: str, what: str, url: str, body: Mapping[str, Any] | None) -> _Answer:
        """With retries, a fresh token once, and errors for whatever is not success."""
        renewed = False
        tried = 0
        while True:
            tried += 1
            token = await self._tokens.token()
            try:
                answer = await self._once(method, url, token, body)
            except MalformedAnswer as error:
                raise (error if method == "GET" else _unknown(what, error.reason)) from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if method != "GET" and not _unsent(error):
                    raise _unknown(what, "the connection broke before the answer") from error
                if tried >= TRIES or isinstance(error, aiohttp.ClientConnectorCertificateError):
                    raise self._unreachable(what, error) from error
                await self.sleep(_BACK_OFF * 2 ** (tried - 1))
                continue
            if answer.status == 401 and not renewed:
                renewed = True
                await self._tokens.token(fresh=True)
                continue
            wait = _wait(what, method, answer, tried)
            if wait is None:
                return answer
            await self.sleep(wait)

    async def _once(self, method: str, url: str, token: str, body: Mapping[str, Any] | None) -> _Answer:
        session = self._opened()
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "client-request-id": str(uuid.uuid4()),
        }
        async with session.request(method, url, headers=headers, json=body, allow_redirects=False) as response:
            return _Answer(response.status, dict(response.headers), await _bounded(response))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._context(), limit=8),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                trust_env=True,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # a few bytes that unpack to gigabytes stay a few bytes
                headers={"Accept-Encoding": "identity", "User-Agent": "isthmus"},
            )
        return self._session

    def _context(self) -> ssl.SSLContext:
        if self._ca_file is None:
            return ssl.create_default_context()
        try:
            return ssl.create_default_context(cafile=str(self._ca_file))
        except OSError as error:
            problem = "cannot be read as a CA certificate in PEM"
            raise CredentialUnusable(self._ca_file, problem, "correct tls_ca_file in [[entra]]") from error

    def _url(self, path: tuple[str, ...]) -> str:
        return f"{self._base}/v1.0/" + "/".join(quote(part, safe="") for part in path)

    def _next(self, what: str, page: Json) -> str | None:
        link = page.get("@odata.nextLink")
        if link is None:
            return None
        if not isinstance(link, str) or _origin(link) != _origin(self._base):
            raise MalformedAnswer(what, "its next page is on another server; the token is not sent there")
        return link

    def _unreachable(self, what: str, error: Exception) -> Unreachable:
        host = urlsplit(self._base).hostname
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            remedy = "A proxy that inspects TLS has a CA of its own: set tls_ca_file in [[entra]]"
            return Unreachable(what, f"the TLS certificate of {host} is not trusted here", remedy)
        return Unreachable(what, f"{host} does not answer", "Check the network, the proxy (HTTPS_PROXY) and `graph`")


def _unsent(error: Exception) -> bool:
    """Whether no connection was made, so that nothing can have been changed."""
    return isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))


def _wait(what: str, method: str, answer: _Answer, tried: int) -> float | None:
    """Seconds until the next try; None for a success. Raises GraphError where there is none."""
    if 200 <= answer.status < 300:
        return None
    details = _details(answer.headers, answer.body)
    if answer.status == 429 or (answer.status == 503 and method == "GET"):
        wait = _retry_after(answer, tried)
        if tried < TRIES and wait <= LONGEST_WAIT:
            return wait
        if answer.status == 429:
            raise Throttled(what, wait, code=details.code, request_id=details.request_id)
    if answer.status >= 500:
        if method != "GET":
            raise _unknown(what, f"Graph answered {answer.status}", details)
        if tried < TRIES:
            return _BACK_OFF * 2.0 ** (tried - 1)
        raise Unreachable(what, f"Graph answered {answer.status} {tried} times", "Try again in a while", **details.ids())
    raise failure_of(what, answer.status, answer.headers, answer.body)


def _retry_after(answer: _Answer, tried: int) -> float:
    """Graph gives seconds. A date, or rubbish, counts as absent."""
    text = next((value for name, value in answer.headers.items() if name.lower() == "retry-after"), "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 9 else _BACK_OFF * 2.0 ** (tried - 1)


@dataclass(frozen=True, slots=True)
class _Details:
    code: str = ""
    message: str = ""
    request_id: str = ""

    def ids(self) -> dict[str, str]:
        return {"code": self.code, "request_id": self.request_id}


def _details(headers: Mapping[str, str], body: bytes) -> _Details:
    """Of an error envelope, as far as there is one. Bounded, and without line ends: it goes to a terminal."""
    request_id = next((value for name, value in headers.items() if name.lower() == "request-id"), "")
    try:
        error = json.loads(body)["error"]
        return _Details(_clean(error.get("code")), _clean(error.get("message")), _clean(request_id))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _Details(request_id=_clean(request_id))


def _clean(value: object) -> str:
    return "".join(character for character in str(value or "")[:300] if character.isprintable())


def failure_of(what: str, status: int, headers: Mapping[str, str], body: bytes) -> GraphError:
    """The error for an answer that is no success and is not waited for. Its text is fit for a terminal."""
    details = _details(headers, body)
    ids = details.ids()
    if status == 401:
        return PermissionMissing(what, "Graph does not accept our token", "Check `graph` and `authority`: one cloud", **ids)
    if status == 403:
        remedy = (
            "Give the application Domain.Read.All and Domain-InternalFederation.ReadWrite.All (to convert a domain: "
            "Domain.ReadWrite.All) as application permissions, and an administrator's consent"
        )
        return PermissionMissing(what, "the application lacks a permission", remedy, **ids)
    if status == 404:
        return NotThere(what, details.message or "there is no such thing", "", **ids)
    if status == 409:
        return Conflict(what, details.message or "it contradicts what is there", "", **ids)
    if 300 <= status < 400:
        return MalformedAnswer(what, "Graph answered with a redirect, which it never does; it was not followed", "", **ids)
    return Rejected(what, details.message or f"Graph answered {status}", "", **ids)


def _unknown(what: str, reason: str, details: _Details | None = None) -> OutcomeUnknown:
    ids = (details or _Details()).ids()
    return OutcomeUnknown(what, f"{reason}; whether it took effect is not known", "Look before doing it again", **ids)


def _parsed(what: str, answer: _Answer) -> Json:
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise MalformedAnswer(what, "the answer is not JSON") from error
    if not isinstance(value, dict):
        raise MalformedAnswer(what, "the answer is not a JSON object")
    return value


def _objects(what: str, page: Json) -> list[Json]:
    values = page.get("value")
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise MalformedAnswer(what, "the answer is not a collection")
    return values


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body. Raises aiohttp.ClientPayloadError for one that is too long: an answer that is not used."""
    data = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        data += chunk
        if len(data) > MAX_BYTES:
            raise MalformedAnswer("reading from Graph", f"an answer of more than {MAX_BYTES} bytes")
    return bytes(data)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port
