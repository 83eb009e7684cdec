"""What stands before every request to Graph: identifiers, faults, throttling, the token and its permissions."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Set
from typing import Any

import jwt
from aiohttp import web

from tests.fakes.graph.failure import GraphFailure
from tests.fakes.graph.faults import Fault, Faults
from tests.fakes.graph.identity import GRAPH, Identity

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gate:
    """Checks tokens; wraps handlers in Graph's manners. `log` has every request: method, path."""

    def __init__(self, identity: Identity, faults: Faults) -> None:
        self._identity = identity
        self._faults = faults
        self.log: list[tuple[str, str]] = []

    def check(self, request: web.Request, roles: Set[str]) -> None:
        """Raises GraphFailure 401 without a token that is good here, 403 where none of the roles is in it."""
        claims = self._claims(request)
        if not roles & set(claims.get("roles", ())):
            raise GraphFailure(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")

    def _claims(self, request: web.Request) -> dict[str, Any]:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise _unauthorised("Access token is empty.")
        try:
            claims = self._identity.read_token(token)
        except jwt.PyJWTError as error:
            raise _unauthorised("Access token validation failure. Invalid signature.") from error
        if claims["aud"] not in {self._identity.base, GRAPH}:
            raise _unauthorised("Access token validation failure. Invalid audience.")
        if not claims["nbf"] - 300 <= self._identity._clock() < claims["exp"]:
            raise _unauthorised("Lifetime validation failed, the token is expired.")
        return claims

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/v1.0/"):
            fault = self._faults.take(request)
            return await self._misbehave(fault, request, handler) if fault else await handler(request)
        self.log.append((request.method, request.path))
        request_id = str(uuid.uuid4())
        headers = {"request-id": request_id, "client-request-id": request.headers.get("client-request-id", request_id)}
        try:
            response = await self._answer(request, handler)
        except web.HTTPException as refused:
            failure = GraphFailure(refused.status, "BadRequest", "Resource not found for the segment.")
            response = self._enveloped(failure, headers)
        except GraphFailure as failure:
            response = self._enveloped(failure, headers)
        response.headers.update(headers)
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._faults.throttle()
        fault = self._faults.take(request)
        return await self._misbehave(fault, request, handler) if fault else await handler(request)

    async def _misbehave(self, fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
        if fault.after_effect:
            await handler(request)
        if fault.drop:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # goes nowhere: the connection is gone
        if fault.body is not None:
            return web.Response(body=fault.body, content_type="application/json")
        failure = fault.failure()
        if request.path.startswith("/v1.0/"):
            raise failure
        return web.Response(status=failure.status, headers=failure.headers)

    def _enveloped(self, failure: GraphFailure, ids: dict[str, str]) -> web.Response:
        now = self._identity._clock()
        body = failure.envelope(now, ids["request-id"], ids["client-request-id"])
        return web.json_response(body, status=failure.status, headers=failure.headers)


def _unauthorised(message: str) -> GraphFailure:
    return GraphFailure(401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": "Bearer"})


async def read_json(request: web.Request) -> Any:
    """The body. Raises GraphFailure."""
    if request.content_type != "application/json":
        raise GraphFailure(400, "BadRequest", "Write requests must contain the Content-Type header declaration.")
    try:
        return await request.json()
    except json.JSONDecodeError as error:
        raise GraphFailure(400, "BadRequest", "Unable to read JSON request payload.") from error
