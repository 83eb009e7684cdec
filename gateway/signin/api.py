"""The authentication API for trusted back ends.

    POST /api/v1/authenticate      POST /api/v1/change-password      GET /api/v1/openapi.json

A refused credential is an answer (200 with its outcome), not an error: 401 means a bad API key.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import structlog
from aiohttp import web

from foundation.addresses import Network, lies_within, parse_address
from gateway.protocol import Identity, Outcome
from gateway.relay import (
    API_KEY_PREFIX,
    CLIENT_ADDRESS,
    CORRELATION_ID,
    Attempt,
    Authenticator,
    Verdict,
    header_text,
    read_body,
)
from gateway.signin.errors import ApiProblem
from gateway.signin.forms import MAX_NAME
from gateway.signin.settings import SignInSettings
from gateway.store import ApiKeyStore, StoreError

log = structlog.get_logger()

T = TypeVar("T")

AUTHENTICATE_PATH = "/api/v1/authenticate"
MAX_BODY = 16 * 1024
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern="^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME, pattern="^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
_Address = Annotated[str, msgspec.Meta(max_length=64)]


class AuthenticateRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /api/v1/authenticate."""

    user_name: _Name
    password: _Text
    client_address: _Address = ""
    familiar: bool = False

    def __repr__(self) -> str:
        return f"AuthenticateRequest(user_name={self.user_name!r}, …)"


class ChangePasswordRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /api/v1/change-password."""

    user_name: _Name
    password: _Text
    new_password: _Text
    client_address: _Address = ""

    def __repr__(self) -> str:
        return f"ChangePasswordRequest(user_name={self.user_name!r}, …)"


class ApiAnswer(msgspec.Struct, omit_defaults=True):
    """Body of a 200: what came of a check, whatever it is."""

    outcome: Outcome
    correlation_id: str
    password_proven: bool = False
    identity: Identity | None = None
    rule: str = ""
    """With `password_rejected` and the right old password: which rule refused the new one."""
    rule_value: int = 0


_authenticate = msgspec.json.Decoder(AuthenticateRequest)
_change = msgspec.json.Decoder(ChangePasswordRequest)
_encode = msgspec.json.Encoder().encode
_MOST_KNOWN = 1000
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class _Caller(msgspec.Struct, frozen=True):
    """Whoever holds an API key. until: Unix seconds up to which that need not be read anew."""

    until: float
    id: str
    name: str
    scopes: tuple[str, ...]
    networks: tuple[Network, ...]
    rate: float


class Api:
    """The endpoints, for callers with an API key. clock: Unix seconds."""

    def __init__(
        self, settings: SignInSettings, authenticator: Authenticator, keys: ApiKeyStore, clock: Callable[[], float]
    ) -> None:
        self._settings, self._authenticator, self._keys, self._clock = settings, authenticator, keys, clock
        self._known: dict[tuple[bytes, str], _Caller] = {}
        """By the key's digest and an address that it may be used from."""
        self._changes = 0
        """How often keys were changed: what was read before is not kept after."""

    def use(self, settings: SignInSettings) -> None:
        """Settings were read anew."""
        self._settings = settings

    def add_routes(self, app: web.Application) -> None:
        """The three addresses of this module's header."""
        app.router.add_post(AUTHENTICATE_PATH, self.authenticate)
        app.router.add_post("/api/v1/change-password", self.change_password)
        app.router.add_get("/api/v1/openapi.json", self.openapi)

    async def forget_all(self) -> None:
        """Another node has changed the keys: each is looked up again."""
        self._known, self._changes = {}, self._changes + 1

    def forget(self, key_id: str) -> None:
        """An API key was revoked: it does not count from now on."""
        self._known = {used: known for used, known in self._known.items() if known.id != key_id}
        self._changes += 1

    async def authenticate(self, request: web.Request) -> web.Response:
        """Check a credential: 200 with its outcome, 401 for a bad API key, 403 for one that is not for this, 429 to wait,
        503 where nobody can judge it."""
        correlation_id = request[CORRELATION_ID]
        try:
            caller = await self._caller(request, "check")
            order = await _read(request, _authenticate)
            attempt = _attempt(request, order, caller, correlation_id, familiar=order.familiar)
            return _answer(await self._authenticator.authenticate(attempt), correlation_id)
        except ApiProblem as problem:
            return _problem(problem, correlation_id)
        except StoreError as error:
            return _problem(_store_failed(error), correlation_id)

    async def change_password(self, request: web.Request) -> web.Response:
        """Change a password, proving the old one."""
        correlation_id = request[CORRELATION_ID]
        try:
            caller = await self._caller(request, "change")
            order = await _read(request, _change)
            attempt = _attempt(request, order, caller, correlation_id)
            return _answer(await self._authenticator.change_password(attempt, order.new_password), correlation_id)
        except ApiProblem as problem:
            return _problem(problem, correlation_id)
        except StoreError as error:
            return _problem(_store_failed(error), correlation_id)

    async def openapi(self, _request: web.Request) -> web.Response:
        """The description of this API (OpenAPI 3.1)."""
        text = Path(__file__).with_name("static").joinpath("openapi.json").read_text(encoding="utf-8")
        return web.json_response(json.loads(text), headers=_HEADERS)

    # -- API keys

    async def _caller(self, request: web.Request, scope: str) -> _Caller:
        """Whose API key it is. Raises ApiProblem where it is none, or not for this, or not from there."""
        scheme, _, token = header_text(request, "Authorization").partition(" ")
        if scheme.lower() != "bearer" or not token.startswith(API_KEY_PREFIX) or len(token) > 256:
            raise ApiProblem(401, "API key missing", "send Authorization: Bearer isk_…")
        digest = hashlib.sha256(token.encode()).digest()
        address = request[CLIENT_ADDRESS]
        caller = self._known.get((digest, address))
        if caller is None or caller.until < self._clock():
            caller = await self._look_up(token)
            if caller.networks and not lies_within(address, caller.networks):
                raise self._refusal(caller, address, f"it may not be used from {address or 'there'}")
            self._known = self._known if len(self._known) < _MOST_KNOWN else {}
            self._known[digest, address] = caller
        if scope not in caller.scopes:
            raise self._refusal(caller, address, f"it is not for this: its scope is {', '.join(caller.scopes)}")
        return caller

    def _refusal(self, caller: _Caller, address: str, reason: str) -> ApiProblem:
        log.warning("api.key_refused", key=caller.name, id=caller.id, address=address, reason=reason)
        return ApiProblem(403, "API key not allowed", reason)

    async def _look_up(self, token: str) -> _Caller:
        """Read the key; again where keys were changed meanwhile: it may be the one that was revoked."""
        while True:
            changes = self._changes
            caller = await self._read_key(token)
            if changes == self._changes:
                return caller

    async def _read_key(self, token: str) -> _Caller:
        key_id, _, secret = token[len(API_KEY_PREFIX) :].partition("_")
        record = await self._keys.get(key_id)
        now = self._clock()
        expected = record.digest if record is not None else bytes(32)
        fits = hmac.compare_digest(hashlib.sha256(secret.encode()).digest(), expected)
        if record is None or not fits:
            raise ApiProblem(401, "API key not accepted", "it is unknown")
        if record.revoked_at is not None or (record.expires_at is not None and record.expires_at < now):
            raise ApiProblem(401, "API key not accepted", "it was revoked or has expired")
        until = now + self._settings.api_key_cache
        if record.expires_at is not None:
            until = min(until, record.expires_at)
        networks = tuple(ipaddress.ip_network(network) for network in record.networks)
        return _Caller(until, record.id, record.name, record.scopes, networks, record.rate)


async def _read(request: web.Request, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(await read_body(request, MAX_BODY))
    except web.HTTPException as unread:
        raise ApiProblem(unread.status, unread.reason, unread.text or "") from None
    except msgspec.ValidationError as error:
        raise ApiProblem(400, "body not as described", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiProblem(400, "body is not JSON in UTF-8") from None


def _attempt(
    request: web.Request,
    order: AuthenticateRequest | ChangePasswordRequest,
    caller: _Caller,
    correlation_id: str,
    *,
    familiar: bool = False,
) -> Attempt:
    user_name = order.user_name.strip()
    if not user_name:
        raise ApiProblem(400, "body not as described", "user_name is blank")
    return Attempt(
        user_name=user_name,
        password=order.password,
        address=_client_of(order) or request[CLIENT_ADDRESS],
        familiar=familiar,
        throttled=bool(order.client_address),
        correlation_id=correlation_id,
        via=f"api:{caller.name}",
        caller=caller.id,
        caller_rate=caller.rate,
    )


def _client_of(order: AuthenticateRequest | ChangePasswordRequest) -> str:
    """The address that the caller names, as it is counted and kept; empty for none. Raises ApiProblem."""
    parsed = parse_address(order.client_address)
    if order.client_address and parsed is None:
        raise ApiProblem(400, "body not as described", "client_address is not an IP address")
    return str(parsed or "")


def _answer(verdict: Verdict, correlation_id: str) -> web.Response:
    if verdict.outcome is None:
        raise ApiProblem(
            429, "too many attempts", "smart lockout, or the rate of the API key, refused this attempt", verdict.retry_after
        )
    if verdict.outcome.is_infrastructure:
        raise ApiProblem(503, "nobody could check the credential", verdict.outcome.value, 1.0)
    answer = ApiAnswer(verdict.outcome, correlation_id, verdict.password_proven, verdict.identity)
    if verdict.password_proven:
        answer.rule, answer.rule_value = verdict.rule, verdict.rule_value
    return web.Response(body=_encode(answer), content_type="application/json", headers=_HEADERS)


def _store_failed(error: StoreError) -> ApiProblem:
    log.error("api.store_failed", error=str(error))
    return ApiProblem(503, "the relay cannot use its database at present", "store", 1.0)


def _problem(problem: ApiProblem, correlation_id: str) -> web.Response:
    body = {"type": "about:blank", "title": problem.title, "status": problem.status, "correlation_id": correlation_id}
    if problem.detail:
        body["detail"] = problem.detail
    headers = dict(_HEADERS)
    if problem.retry_after:
        headers["Retry-After"] = str(int(-(-problem.retry_after // 1)))
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="isthmus"'
    return web.Response(body=_encode(body), status=problem.status, content_type="application/problem+json", headers=headers)
