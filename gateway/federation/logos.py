"""Logos of applications: the relay's own copies, shown on its pages from its own address.

A browser that fetched a logo from the application would tell it who is about to sign in, before the user has decided to. PNG
and JPEG only: an SVG is a document with scripts and references, not a picture. Kind of state: the index is a copy of the
store's, by the generation `trusts`; pictures are read when a browser asks, once a day.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from aiohttp import web

from gateway.federation.trusts import UnknownTrust
from gateway.relay import Order, OrderHandler, RelayError, order_handler
from gateway.store import AuditEvent, LogoRecord, Store, StoreUnavailable

LARGEST_LOGO: Final = 100 * 1024
"""Bytes."""
_MOST_PIXELS: Final = 2048
"""Width and height: a few bytes of PNG can be gigabytes in a browser's memory."""
_PATH: Final = "/logos/"
_HEADERS: Final = {
    "Cache-Control": "public, max-age=86400, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG_BARE: Final = frozenset({0x00, 0x01, *range(0xD0, 0xDA), 0xFF})
"""Codes after which no length comes: none stands before the size of a picture, and whoever took one for a segment would look
for the size in another place than a browser."""
_JPEG_SIZES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of frames (ITU T.81, table B.1), which hold height and width."""


class LogoUnusable(RelayError):
    """A file that is not a logo."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the logo cannot be used: {self.reason}"


class LogoView(msgspec.Struct, kw_only=True):
    """A logo that is kept, or was removed."""

    trust: str
    digest: str
    """SHA-256; empty: there is none now."""
    media_type: str = ""


class Logos:
    """clock: Unix seconds."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._digests: Mapping[str, str] = {}

    async def load(self) -> None:
        """Read the index. Raises StoreError."""
        self._digests = await self._store.logos.index()

    def path(self, trust: str) -> str:
        """Where the logo of a trust is, on this relay; empty where it has none."""
        digest = self._digests.get(trust)
        return f"{_PATH}{digest}" if digest else ""

    def add_routes(self, app: web.Application) -> None:
        """By digest of the content: nobody learns from it which applications there are."""
        app.router.add_get(_PATH + "{digest:[0-9a-f]{64}}", self.show)

    async def show(self, request: web.Request) -> web.Response:
        """The picture, or that the browser has it already (RFC 9110 section 13.1.2)."""
        digest = request.match_info["digest"]
        if digest not in self._digests.values():
            raise web.HTTPNotFound
        headers = {**_HEADERS, "ETag": f'"{digest}"'}
        if any(tag.value in {digest, "*"} for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        try:
            record = await self._store.logos.find(digest)
        except StoreUnavailable as error:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"}) from error
        if record is None:
            raise web.HTTPNotFound
        return web.Response(body=record.content, content_type=record.media_type, headers=headers)

    async def put(self, trust: str, content: bytes, source: str, actor: str) -> LogoView:
        """Keep a logo. source: where it came from, for the trail. Raises LogoUnusable, UnknownTrust, StoreError."""
        digest, media_type = hashlib.sha256(content).hexdigest(), media_type_of(content)
        if not await self._store.logos.put(LogoRecord(trust=trust, digest=digest, media_type=media_type, content=content)):
            raise UnknownTrust(trust)
        await self._record(trust, actor, {"sha256": digest, "source": source[:500]})
        return LogoView(trust=trust, digest=digest, media_type=media_type)

    async def remove(self, trust: str, actor: str) -> LogoView:
        """Show none. Raises UnknownTrust, StoreError."""
        if await self._store.logos.remove(trust):
            await self._record(trust, actor, {"sha256": ""})
        elif await self._store.trusts.get(trust) is None:
            raise UnknownTrust(trust)
        return LogoView(trust=trust, digest="")

    async def _record(self, trust: str, actor: str, detail: dict[str, str]) -> None:
        await self.load()
        event = AuditEvent(time=self._clock(), kind="trust.logo_changed", actor=actor, subject=trust, detail=detail)
        await self._store.audit.append(event)


def media_type_of(content: bytes) -> str:
    """Of a picture that may be shown, by what it is and not by its name. Pure. Raises LogoUnusable."""
    if len(content) > LARGEST_LOGO:
        raise LogoUnusable(f"it has {len(content)} bytes, more than {LARGEST_LOGO}; make it smaller")
    media_type, size = "image/png", _png_size(content)
    if size is None:
        media_type, size = "image/jpeg", _jpeg_size(content)
    if size is None:
        raise LogoUnusable("it is neither PNG nor JPEG; convert it (SVG, too) to PNG")
    if not all(0 < length <= _MOST_PIXELS for length in size):
        raise LogoUnusable(f"it has {size[0]} by {size[1]} pixels, more than {_MOST_PIXELS} in a direction; make it smaller")
    return media_type


def _png_size(content: bytes) -> tuple[int, int] | None:
    """PNG specification, section 11.2.2: the header comes first."""
    if not content.startswith(_PNG) or content[12:16] != b"IHDR" or len(content) < 24:
        return None
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """ITU T.81, annex B: segments with their lengths, up to the one that says how large it is."""
    if not content.startswith(b"\xff\xd8\xff"):
        return None
    place = 2
    while place + 9 <= len(content) and content[place] == 0xFF:
        if content[place + 1] in _JPEG_SIZES:
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return width, height
        if content[place + 1] in _JPEG_BARE:
            return None
        place += 2 + int.from_bytes(content[place + 2 : place + 4])
    return None


class PutLogo(Order):
    """content: base64; empty: none."""

    trust: str
    content: str
    source: str = ""


def logo_orders(logos: Logos) -> Mapping[str, OrderHandler]:
    """The act by name, as `control_app` takes it."""
    return {"put_logo": order_handler(PutLogo, lambda order, actor: put_logo(logos, order, actor))}


async def put_logo(logos: Logos, order: PutLogo, actor: str) -> LogoView:
    """Keep or remove. Raises as `Logos.put`."""
    if not order.content:
        return await logos.remove(order.trust, actor)
    try:
        content = base64.b64decode(order.content, validate=True)
    except binascii.Error as error:
        raise LogoUnusable("it is not base64") from error
    return await logos.put(order.trust, content, order.source, actor)
