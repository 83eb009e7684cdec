"""Which pages of other origins may read an answer (CORS, Fetch section 3.2): those of registered browser clients."""

from __future__ import annotations

from aiohttp import web

from foundation.listener import Handler
from gateway.federation.oidc.context import TRUST
from gateway.federation.oidc.ports import TrustSource

_DAY = "86400"


class CrossOrigin:
    """For endpoints that scripts ask with `fetch`. No cookie counts there, so none is allowed along."""

    def __init__(self, trusts: TrustSource) -> None:
        self._trusts = trusts

    async def preflight(self, request: web.Request) -> web.Response:
        """Says whether the script's request may be sent: which client it is for is not known yet."""
        origin = request.headers.get("Origin", "")
        if not self._is_registered(origin, ""):
            return web.Response(status=403)
        allowed = {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": _DAY,
            "Vary": "Origin",
        }
        return web.Response(status=204, headers=allowed)

    def readable(self, handler: Handler) -> Handler:
        """Let the client's own origins read what the handler answers, errors too."""

        async def answered(request: web.Request) -> web.StreamResponse:
            return self.let_read(request, await handler(request))

        return answered

    def let_read(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        """The same of one answer."""
        origin = request.headers.get("Origin", "")
        if origin:
            response.headers["Vary"] = "Origin"
            if self._is_registered(origin, request.get(TRUST, "")):
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Access-Control-Expose-Headers"] = "Retry-After, WWW-Authenticate"
        return response

    def _is_registered(self, origin: str, trust_id: str) -> bool:
        """trust_id: whose origin it has to be; empty: anybody's."""
        if not origin or origin == "null":
            return False
        if trust_id:
            trust = self._trusts.get(trust_id)
            return trust is not None and origin in trust.oidc.origins
        return any(origin in trust.oidc.origins for trust in self._trusts.all())
