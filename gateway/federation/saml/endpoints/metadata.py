"""The identity provider's metadata: where it is reached, and by which keys it is known."""

from __future__ import annotations

import asyncio
import hashlib

from aiohttp import web

from gateway.federation.keys import SigningKeyError
from gateway.federation.saml.checks import FORMATS
from gateway.federation.saml.context import METADATA, SIGN_ON, SINGLE_LOGOUT, SamlContext
from gateway.federation.saml.documents import ProviderDescription, write_metadata
from gateway.federation.saml.names import BINDING_POST, BINDING_REDIRECT, BINDING_SOAP

_VALID = 7 * 86400.0
"""Seconds: far longer than a partner may cache it."""
_TYPE = "application/samlmetadata+xml"
_SOON = {"Retry-After": "60", "Cache-Control": "no-store"}
_NO_KEY = "There is no metadata yet: its signing key is made with the first application. Try again in a minute.\n"


class MetadataEndpoint:
    """Serves it, signed. It is written anew when a key changes, or a part of its validity has passed."""

    def __init__(self, context: SamlContext) -> None:
        self._context = context
        self._written: tuple[tuple[str, ...], float, bytes] | None = None
        self._writing = asyncio.Lock()

    def add_routes(self, app: web.Application) -> None:
        """Serve it."""
        app.router.add_get(METADATA, self.show)

    async def show(self, request: web.Request) -> web.Response:
        """For partners: `Cache-Control` says what the rollover of keys counts on."""
        try:
            document = await self.document()
        except SigningKeyError as error:  # not logged for each request: whoever makes or reads the keys tells of it
            raise web.HTTPServiceUnavailable(headers=_SOON, text=_NO_KEY) from error
        tag = f'"{hashlib.sha256(document).hexdigest()[:32]}"'
        headers = {
            "Cache-Control": f"public, max-age={int(self._context.keys.settings.max_age)}",
            "ETag": tag,
            "X-Content-Type-Options": "nosniff",
            "Content-Disposition": 'inline; filename="metadata.xml"',
        }
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=document, content_type=_TYPE, headers=headers)

    async def document(self) -> bytes:
        """The signed metadata as it is now. Raises SigningKeyError."""
        async with self._writing:
            now, own = self._context.clock(), self._context.keys
            keys = tuple(key.id for key in (*own.published("saml"), *own.encryptable()))
            if self._written is None or self._written[0] != keys or not 0 <= now - self._written[1] < _VALID / 4:
                self._written = keys, now, await asyncio.to_thread(self._write, now)
            return self._written[2]

    def _write(self, now: float) -> bytes:
        context = self._context
        own = {BINDING_REDIRECT: context.public_url + SIGN_ON, BINDING_POST: context.public_url + SIGN_ON}
        description = ProviderDescription(
            id=f"_{hashlib.sha256(context.entity_id.encode()).hexdigest()[:40]}",
            entity_id=context.entity_id,
            sign_on=own,
            logout=dict.fromkeys((BINDING_REDIRECT, BINDING_POST, BINDING_SOAP), context.public_url + SINGLE_LOGOUT),
            signing=context.signing_certificates(),
            encryption=context.encryption_certificates(),
            name_id_formats=FORMATS,
            valid_until=now + _VALID,
            cache_seconds=int(context.keys.settings.max_age),
        )
        return context.sign_own(write_metadata(description), description.id)
