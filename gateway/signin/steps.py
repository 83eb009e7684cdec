"""Where a person stands between two pages: what a form came to is carried to the page that shows it.

    POST /signin  ──303──►  GET /signin/password            reload and Back ask for this page again, and send nothing
       │  the step, sealed, in a cookie ──────►  │
       ◄──────────── kept passwords, sealed, in the form

The cookie is bound to the browser's form cookie, holds for ten minutes, and is worth nothing to whoever reads it. A password
that was typed and need not be typed again is in it, and then in the form that asks for the rest. Kind of state: carried.

Every path that people return to has a cookie of its own, for two tabs are in two sign-ins: an application's path differs
each time. The browser sends all of them with every request, so there are few: servers take no header above 8190 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web
from msgspec.structs import replace

from gateway.protocol import NewPasswordRules
from gateway.signin.cookies import FORM, STEP, cookie_names, delete_cookie, digest, read_cookie, set_cookie
from gateway.signin.departures import Departure
from gateway.signin.messages import ASKED, FINAL, Message
from gateway.signin.seal import Seal

LIFETIME = 600.0
"""Seconds: time to think of a password."""
_LARGEST = 1200
"""Bytes of passwords that are kept: a browser takes cookies of 4096. Longer ones are asked for again."""

MOST = 8
"""Sign-ins of one browser that are in progress at a time."""
TOGETHER = 4000
"""Characters of all their cookies."""
_ACCOUNT: Final = "/account"


class KeptPasswords(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was typed for one account and need not be typed again."""

    user_name: str
    old: str = ""
    new: str = ""
    proven: bool = False
    """The old one was right, and a new one is wanted: only then may a change be asked for without a session."""
    rules: NewPasswordRules | None = None
    """What a new password has to be."""
    keep: bool = False
    """The person wants to stay signed in."""

    def __repr__(self) -> str:
        return f"KeptPasswords({self.user_name!r}, …)"

    def __rich_repr__(self) -> Any:
        yield "user_name", self.user_name


class SignInStep(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What the next page shows."""

    page: str
    """Its path."""
    kept: KeptPasswords
    message: str = ""
    """Name of a `Message`."""
    value: float = 0
    """A number or seconds, for the message."""
    reference: str = ""
    field: str = ""
    """Name of the field that is wrong."""
    changed: bool = False
    """The password was changed before what is told."""
    departures: tuple[Departure, ...] = ()
    """What came of applications when a session ended."""
    until: float = 0
    """Unix seconds at which it is over, and what is kept with it."""

    @property
    def told(self) -> Message | None:
        """The message itself; None where there is none, or where a newer node has one that is not known here."""
        return Message.__members__.get(self.message)


_T = TypeVar("_T")
_encode = msgspec.msgpack.Encoder().encode
_step = msgspec.msgpack.Decoder(SignInStep)
_kept = msgspec.msgpack.Decoder(KeptPasswords)


class Steps:
    """Carries steps and kept passwords. steps, passwords: seals of two uses, so that neither is taken for the other."""

    def __init__(self, steps: Seal, passwords: Seal) -> None:
        self._steps, self._passwords = steps, passwords

    def put(self, request: web.Request, response: web.StreamResponse, step: SignInStep, return_to: str = _ACCOUNT) -> None:
        """Have the browser carry it to its page, and drop others that are too many beside it."""
        until = self._steps.clock() + LIFETIME
        step = replace(step, until=until, kept=_bounded(step.kept))
        name = cookie_of(return_to)
        sealed = self._steps.close(_encode(step), bound=read_cookie(request, FORM), until=until)
        for other in self._surplus(request, name, len(sealed)):
            delete_cookie(response, other)
        set_cookie(response, name, sealed, LIFETIME)

    def _surplus(self, request: web.Request, name: str, size: int) -> Iterator[str]:
        """Other steps that would be too many beside one of that size: the oldest ones, and whatever is none."""
        others = {other: read_cookie(request, other) for other in cookie_names(request, STEP) if other != name}
        ends = {other: self._end(request, sealed) for other, sealed in others.items()}
        count = 1
        for other in sorted(others, key=lambda other: (-ends[other], other)):
            count, size = count + 1, size + len(others[other])
            if not ends[other] or count > MOST or size > TOGETHER:
                yield other

    def _end(self, request: web.Request, sealed: str) -> float:
        step = self._open(request, sealed)
        return step.until if step is not None else 0.0

    def put_notice(
        self,
        request: web.Request,
        response: web.StreamResponse,
        page: str,
        message: Message,
        return_to: str = _ACCOUNT,
        *,
        departures: Sequence[Departure] = (),
    ) -> None:
        """Have a page say what was done in this browser. An address could be linked to by anybody, when nothing was."""
        nobody = KeptPasswords(user_name="")
        step = SignInStep(page=page, kept=nobody, message=message.name, departures=_worst(departures))
        self.put(request, response, step, return_to)

    def notice(self, request: web.Request, page: str, return_to: str = _ACCOUNT) -> Message | None:
        """What `put_notice` left for this page, if anything."""
        step = self.of(request, return_to)
        return step.told if step is not None and step.page == page else None

    def of(self, request: web.Request, return_to: str = _ACCOUNT) -> SignInStep | None:
        """The one that this browser carries on its way to a path of ours, if any."""
        return self._open(request, read_cookie(request, cookie_of(return_to)))

    def _open(self, request: web.Request, sealed: str) -> SignInStep | None:
        return _decode(_step, self._steps.open(sealed, bound=read_cookie(request, FORM)))

    def drop(self, response: web.StreamResponse, return_to: str = _ACCOUNT) -> None:
        """It is over: nothing of it stays in the browser."""
        delete_cookie(response, cookie_of(return_to))

    def seal(self, request: web.Request, step: SignInStep) -> str:
        """What its form carries, no longer than the step."""
        return self._passwords.close(_encode(step.kept), bound=read_cookie(request, FORM), until=step.until)

    def values(self, request: web.Request, step: SignInStep) -> dict[str, Any]:
        """What its template needs."""
        told, asked = step.told, step.told in ASKED
        return {
            "user_name": step.kept.user_name,
            "error": None if asked else told,
            "info": told if asked else None,
            "notice": Message.CHANGED if step.changed else None,
            "value": step.value,
            "reference": step.reference,
            "field": step.field,
            "kept": self.seal(request, step) if step.kept.old or step.kept.new or step.kept.proven else "",
            "ask_old": not step.kept.old,
            "ask_new": not step.kept.new,
            "rules": step.kept.rules,
            "keep": step.kept.keep,
            "final": told in FINAL,
        }

    def kept(self, request: web.Request, sealed: str, user_name: str) -> KeptPasswords | None:
        """What a form brought back, where it is this person's and of this browser."""
        kept = _decode(_kept, self._passwords.open(sealed, bound=read_cookie(request, FORM)))
        return kept if kept is not None and kept.user_name == user_name else None


def cookie_of(return_to: str) -> str:
    """Name of the cookie that carries the step of a sign-in, by where it leads."""
    return STEP if return_to == _ACCOUNT else f"{STEP}-{digest(return_to).hex()[:12]}"


def _decode(decoder: msgspec.msgpack.Decoder[_T], data: bytes | None) -> _T | None:
    """Another node's, of another version, may be none that can be read here: then there is none."""
    try:
        return decoder.decode(data) if data is not None else None
    except msgspec.DecodeError:
        return None


def _worst(departures: Sequence[Departure]) -> tuple[Departure, ...]:
    """As many as a cookie holds; those that want something of the person first."""
    ordered = sorted(departures, key=lambda departure: departure.outcome == "told")
    held: list[Departure] = []
    for departure in ordered:
        if len(_encode([*held, departure])) > _LARGEST:
            break
        held.append(departure)
    return tuple(held)


def _bounded(kept: KeptPasswords) -> KeptPasswords:
    """Without what makes it larger than a cookie may be; what is left out is asked for again."""
    if len((kept.old + kept.new).encode()) > _LARGEST:
        kept = replace(kept, new="")
    return replace(kept, old="") if len(kept.old.encode()) > _LARGEST else kept
