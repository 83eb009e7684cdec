"""Device codes (RFC 8628): what a device polls with, and what a person types.

    device ─► device code ───────────────────────────────────────► polls: pending … ─► tokens, once
                │ sealed: what was asked for, and until when              ▲
                └─ user code ─► a person types it ─► answers ─────────────┘ kept under the request's id

The device code is carried; the user code and the answer are of the kind that happens once; polls are seen before.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final, TypeVar

import msgspec

from gateway.federation.oidc.grant_details import GrantDetails
from gateway.signin import Seal
from gateway.store import OnceStore, SeenStore

T = TypeVar("T")

INTERVAL: Final = 5
"""Seconds that a device is told to wait between two polls."""
_WINDOW: Final = 3.0
"""Seconds in which a second poll comes too soon: less than `INTERVAL`, for networks are not even."""
_ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no words come of it, and nothing that looks like something else (RFC 8628 section 6.1)."""
_LENGTH: Final = 8
REMEMBERED: Final = 600.0
"""Seconds after its end within which a device code is still known for one that is over."""
_BOUND: Final = "device code"
_CODE, _ANSWER, _POLL = "device user code", "device answer", "device poll"


class DeviceRequest(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a device asked for."""

    id: str
    trust: str
    scope: tuple[str, ...]
    resources: tuple[str, ...] = ()
    address: str = ""
    """Where it asked from."""
    begun_at: float
    until: float
    """Unix seconds."""

    def __repr__(self) -> str:
        return f"DeviceRequest(trust={self.trust!r}, …)"


class DeviceAnswer(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What the person said."""

    grant: GrantDetails | None = None
    """None: no."""
    checked_at: float = 0.0
    """When an agent last said that the account lives."""

    def __repr__(self) -> str:
        return f"DeviceAnswer(allowed={self.grant is not None})"


_encode = msgspec.msgpack.Encoder().encode
_request = msgspec.msgpack.Decoder(DeviceRequest)
_answer = msgspec.msgpack.Decoder(DeviceAnswer)


class DeviceCodes:
    """seal: of a use of its own."""

    def __init__(self, seal: Seal, once: OnceStore, seen: SeenStore) -> None:
        self._seal, self._once, self._seen = seal, once, seen

    async def begin(self, request: DeviceRequest) -> tuple[str, str]:
        """A device code, and the user code as people read it. Raises StoreFull, StoreUnavailable."""
        value = _encode(request)
        while True:
            user_code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
            key = _digest(user_code)
            if await self._once.put(_CODE, key, value, until=request.until, now=request.begun_at):
                break
        device_code = self._seal.close(value, bound=_BOUND, until=request.until + REMEMBERED)
        return device_code, shown_code(user_code)

    def read(self, device_code: str) -> DeviceRequest | None:
        """What it stands for, perhaps over; None for what is no device code of ours."""
        return _decoded(self._seal.open(device_code, bound=_BOUND), _request)

    async def look(self, user_code: str, now: float) -> DeviceRequest | None:
        """What a user code stands for; it stays. Of two who look at the same moment one may find nothing."""
        found = await self.take(user_code, now)
        if found is not None:
            await self._once.put(_CODE, _digest(folded_code(user_code)), _encode(found), until=found.until, now=now)
        return found

    async def take(self, user_code: str, now: float) -> DeviceRequest | None:
        """The same, and it is gone: of two who answer one counts. Raises StoreUnavailable."""
        folded = folded_code(user_code)
        return _decoded(await self._once.take(_CODE, _digest(folded), now), _request) if folded else None

    async def answer(self, request: DeviceRequest, answer: DeviceAnswer, now: float) -> None:
        """For the next poll. Raises StoreFull, StoreUnavailable."""
        until = request.until + REMEMBERED
        await self._once.put(_ANSWER, request.id, _encode(answer), until=until, now=now)

    async def take_answer(self, request: DeviceRequest, now: float) -> DeviceAnswer | None:
        """What was said, once; None while nobody has, or after it was taken. Raises StoreUnavailable."""
        return _decoded(await self._once.take(_ANSWER, request.id, now), _answer)

    async def is_too_soon(self, request: DeviceRequest, now: float) -> bool:
        """Whether the device has polled a moment ago (RFC 8628 section 3.5). Raises StoreFull, StoreUnavailable."""
        window = int((now - request.begun_at) / _WINDOW)
        key = f"{request.id} {window}"
        return not await self._seen.add(_POLL, key, until=now + 2 * _WINDOW, now=now)


def new_request_id() -> str:
    """Random."""
    return secrets.token_hex(16)


def folded_code(text: str) -> str:
    """A user code as it is compared: in whatever case, with dashes and blanks or without; empty for what is none."""
    code = re.sub(r"[\s\u2010-\u2015\u2212_.-]", "", text[:100]).upper()
    return code if len(code) == _LENGTH and set(code) <= set(_ALPHABET) else ""


def shown_code(code: str) -> str:
    """As people read it: in two halves."""
    return f"{code[: _LENGTH // 2]}-{code[_LENGTH // 2 :]}"


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _decoded(data: bytes | None, decoder: msgspec.msgpack.Decoder[T]) -> T | None:
    """None for nothing, and for what a node of another version has written."""
    try:
        return decoder.decode(data) if data is not None else None
    except msgspec.MsgspecError:
        return None
