"""Requests to a SCIM service: bounded answers, no redirects, verified TLS, a pace, a token, and what came of each.

A question is repeated for a few seconds whatever happens. A write is repeated only where the service says that it has not
begun (429, 503 with Retry-After, 401); what else happens to it leaves its outcome unknown, and whoever sent it asks.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec
from msgspec import Struct
from yarl import URL

from foundation.http import FetchFailed, explain_failure, open_session, read_bounded
from sync.target.errors import CredentialsRefused, TargetError, TargetUnavailable, UnusableAnswer
from sync.target.scim.credentials import BearerTokens, token_source
from sync.target.scim.guard import check_patch, check_put
from sync.target.scim.rate import Pace, Rate, read_retry_after
from sync.target.scim.settings import ScimSettings

TRIES: Final = 4
"""Of one request, the first among them."""
LONGEST_WAIT: Final = 10.0
"""Seconds that a request waits here in all before it is tried again; beyond that, whoever has the journal waits."""
_BACK_OFF: Final = 0.5
_LONGEST_DETAIL: Final = 200
_MIB: Final = 1 << 20

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Sleep = Callable[[float], Awaitable[None]]


class ServiceAnswer(Struct, frozen=True):
    """What a service answered. A status of 0: nothing came back; then `sent` says whether it may have been done."""

    status: int
    content: bytes = b""
    problem: str = ""
    """Why the body cannot be used; empty where it can, or there is none."""
    retry_after: float = 0.0
    """Seconds that the service wants to be left alone."""
    version: str = ""
    """ETag."""
    sent: bool = True

    @property
    def done(self) -> bool:
        """Whether the service says so."""
        return 200 <= self.status < 300

    @property
    def absent(self) -> bool:
        """Whether the service says that it does not have it. A page of HTML says so of everything: a proxy, a wrong url."""
        return self.status in {404, 410} and not self.problem

    @property
    def begun(self) -> bool:
        """Whether it may have done something: not where it said that it has no time."""
        return self.sent and self.status != 429 and not (self.status == 503 and self.retry_after > 0)

    def json(self) -> Any:
        """The body; None where it cannot be used, or there is none."""
        try:
            return msgspec.json.decode(self.content) if self.content and not self.problem else None
        except (msgspec.DecodeError, RecursionError):
            return None

    def resource(self) -> dict[str, Any] | None:
        """The body where it is one resource."""
        value = self.json()
        return value if isinstance(value, dict) else None

    def scim_type(self) -> str:
        """Of an error (RFC 7644 section 3.12), in lower case."""
        found = (self.resource() or {}).get("scimType")
        return found.casefold() if isinstance(found, str) else ""

    def explain(self) -> str:
        """For the operator: the status and what the service said of it, printable, and not all of a long text."""
        if not self.status:
            return self.problem
        said = (self.resource() or {}).get("detail") if not self.done else ""
        text = "".join(c if c.isprintable() else " " for c in said) if isinstance(said, str) else ""
        text = text if len(text) <= _LONGEST_DETAIL else text[: _LONGEST_DETAIL - 1] + "…"
        return f"HTTP {self.status}" + "".join(f": {part}" for part in (text, self.problem) if part)


class ScimClient:
    """One service. Safe to use from several tasks at once."""

    def __init__(
        self,
        target: str,
        settings: ScimSettings,
        *,
        tokens: BearerTokens | None = None,
        sleep: Sleep = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._target, self._settings = target, settings
        self._base = settings.url.rstrip("/")
        self._tokens = tokens or token_source(target, settings)
        self._sleep, self._now = sleep, now
        rate = Rate(settings.requests_a_second, settings.slow, time.monotonic())
        self._pace = Pace(rate, settings.concurrency, sleep=sleep)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def address(self, endpoint: str, remote: str = "") -> str:
        """Of a resource or an endpoint. Raises UnusableAnswer for an identifier that would lead elsewhere."""
        if not remote:
            return self._base + endpoint
        if remote in {".", ".."} or not remote.isprintable():
            raise UnusableAnswer(
                self._target, f"it has an account with the identifier {remote!r}, which no address can hold"
            )
        return f"{self._base}{endpoint}/{quote(remote, safe='')}"

    async def ask(self, address: str, parameters: Mapping[str, str] | None = None, *, absent: bool = False) -> ServiceAnswer:
        """GET. Success with a body that can be used, or 404 where `absent` is allowed; else raises TargetError."""
        answer = await self._repeat("GET", address, parameters, None, "")
        if answer.done and not answer.problem and answer.content:
            return answer
        if answer.absent and absent:
            return answer
        raise self._error(answer)

    async def write(self, method: Method, address: str, body: Any = None, version: str = "") -> ServiceAnswer:
        """Whatever comes of it. Raises TargetError only where it has not begun: no token.

        A group is never sent without naming its members: raises UnsafeRequest. version: only if the resource has this one.
        """
        if method == "PATCH":
            check_patch(body)
        elif method == "PUT":
            check_put(body)
        # what is answered to a group need not tell its members: there may be 250,000
        parameters = {"excludedAttributes": "members"} if method in {"PATCH", "PUT"} else None
        return await self._repeat(method, address, parameters, body, version)

    def _error(self, answer: ServiceAnswer) -> TargetError:
        said = answer.explain()
        if answer.status == 401:
            return CredentialsRefused(self._target, f"it does not take the token ({said}): issue a new one")
        if answer.status == 403:
            return CredentialsRefused(self._target, f"the token does not permit this ({said})", forbidden=True)
        if answer.status in {0, 429} or answer.status >= 500:
            busy = answer.status != 0
            return TargetUnavailable(self._target, said, busy=busy, retry_after=answer.retry_after)
        return UnusableAnswer(self._target, said if answer.problem or not answer.done else f"{said}, and nothing else")

    async def _repeat(
        self, method: Method, address: str, parameters: Mapping[str, str] | None, body: Any, version: str
    ) -> ServiceAnswer:
        content = None if body is None else msgspec.json.encode(body)
        token = await self._tokens.token(self._opened())
        renewed, waited = False, 0.0
        for number in range(TRIES):
            answer = await self._once(method, URL(address, encoded=True).update_query(parameters), token, content, version)
            if answer.status == 401 and not renewed:
                renewed = True
                token = await self._tokens.token(self._opened(), refused=token)
                continue
            if answer.status == 429 or (answer.status == 503 and answer.retry_after > 0):
                self._pace.refused(answer.retry_after)
            elif not _may_be_repeated(method, answer):
                return answer
            wait = answer.retry_after or _BACK_OFF * 2**number
            waited += wait
            if number == TRIES - 1 or waited > LONGEST_WAIT:
                return answer
            await self._sleep(wait)
        return answer

    async def _once(self, method: Method, url: URL, token: str, content: bytes | None, version: str) -> ServiceAnswer:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/scim+json, application/json;q=0.9"}
        if content is not None:
            headers["Content-Type"] = "application/scim+json"
        if version:
            headers["If-Match"] = version
        try:
            async with (
                self._pace.request(),
                asyncio.timeout(self._settings.timeout),
                self._opened().request(method, url, data=content, headers=headers, allow_redirects=False) as response,
            ):
                return await self._read(response)
        except FetchFailed as error:
            return ServiceAnswer(0, problem=str(error))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return ServiceAnswer(0, problem=explain_failure(error, self._settings.timeout), sent=not _unsent(error))

    async def _read(self, response: aiohttp.ClientResponse) -> ServiceAnswer:
        status = response.status
        retry_after = read_retry_after(response.headers.get("Retry-After", ""), self._now())
        version = response.headers.get("ETag", "")
        try:
            content = await read_bounded(response, self._settings.largest_answer_mb * _MIB)
        except FetchFailed as error:
            return ServiceAnswer(status, problem=str(error), retry_after=retry_after)
        except aiohttp.ClientPayloadError:
            return ServiceAnswer(status, problem="the answer is cut off", retry_after=retry_after)
        return ServiceAnswer(status, content, _problem(response, content), retry_after, version)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            ca_file = self._settings.tls_ca_file
            try:
                context = ssl.create_default_context(cafile=ca_file) if ca_file else None
            except (OSError, ssl.SSLError) as error:
                problem = f"{ca_file} cannot be read as CA certificates ({error}): see tls_ca_file"
                raise TargetUnavailable(self._target, problem) from error
            self._session = open_session(context=context, by_proxy=True)
        return self._session


def _problem(response: aiohttp.ClientResponse, content: bytes) -> str:
    """Why a body is not JSON."""
    if 300 <= response.status < 400:
        where = urlsplit(response.headers.get("Location", "")).hostname or "another address"
        return f"it redirects to {where}, and redirects are not followed: set url to where the service is"
    if not content:
        return ""
    if response.content_type not in {"application/scim+json", "application/json"}:
        return f"the answer is {response.content_type}, not JSON: is url the address of a SCIM service?"
    try:
        msgspec.json.decode(content, type=msgspec.Raw)  # its form: what is in it is made into objects by whoever wants it
        content.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "the answer is not valid JSON"
    return ""


def _may_be_repeated(method: Method, answer: ServiceAnswer) -> bool:
    """Without 429 and the like: a question that got no answer, and a write that never left."""
    if not answer.sent:
        return True
    return method == "GET" and (answer.status in {0, 500, 502, 503, 504} or bool(answer.done and answer.problem))


def _unsent(error: Exception) -> bool:
    """Whether the connection was never made."""
    return isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
