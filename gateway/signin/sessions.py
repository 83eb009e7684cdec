"""Browser sessions: who is signed in, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from aiohttp import web

from gateway.protocol import AccountId, Identity, NewPasswordRules
from gateway.relay import header_text
from gateway.signin.cookies import SESSION, delete_cookie, digest, new_secret, read_cookie, set_cookie
from gateway.signin.settings import SignInSettings
from gateway.store import SessionRecord, SessionStore


class _Kept(Identity, frozen=True, omit_defaults=True, kw_only=True):
    """What the store keeps of a session. A node of another version reads of it what it knows."""

    rules: NewPasswordRules | None = None
    may_change_at: float = 0.0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode
TOUCH_EVERY = 60.0
"""Seconds: a session's last sight is not written more often."""


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is signed in with this browser."""

    identity: Identity
    record: SessionRecord
    rules: NewPasswordRules | None = None
    """What a new password had to be at the sign-in, where that was known."""
    may_change_at: float = 0.0
    """Unix seconds from when on the minimum age allows a change, as of the sign-in."""


class Sessions:
    """Makes, finds and ends sessions. The cookie holds 256 random bits, the store only their digest."""

    def __init__(self, settings: SignInSettings, store: SessionStore, clock: Callable[[], float]) -> None:
        self._settings, self._store, self._clock = settings, store, clock

    def use(self, settings: SignInSettings) -> None:
        """Settings were read anew; a session that is there ends as they say from its next use on."""
        self._settings = settings

    async def begin(
        self,
        request: web.Request,
        response: web.StreamResponse,
        identity: Identity,
        address: str,
        rules: NewPasswordRules | None = None,
    ) -> None:
        """Sign a person in. rules: for their next password.

        An older session of this browser ends, and its id with it: no id survives a sign-in.
        """
        old = read_cookie(request, SESSION)
        if old:
            await self._store.delete(digest(old))
        secret, now = new_secret(), self._clock()
        record = SessionRecord(
            digest=digest(secret),
            account=identity.account,
            identity=_encode(
                _Kept(
                    **msgspec.structs.asdict(identity),
                    rules=rules,
                    may_change_at=now + rules.wait if rules is not None and rules.wait else 0.0,
                )
            ),
            created_at=now,
            seen_at=now,
            expires_at=now + min(self._settings.session_idle, self._settings.session_lifetime),
            address=address,
            user_agent=header_text(request, "User-Agent")[:256],
        )
        await self._store.add(record)
        set_cookie(response, SESSION, secret)

    async def find(self, request: web.Request) -> Session | None:
        """Who is signed in with this browser, if anybody."""
        secret = read_cookie(request, SESSION)
        if not secret:
            return None
        now = self._clock()
        record = await self._store.get(digest(secret), now)
        if record is None:
            return None
        if now - record.seen_at >= TOUCH_EVERY:
            end = record.created_at + self._settings.session_lifetime
            await self._store.touch(record.digest, now, min(now + self._settings.session_idle, end))
        kept = _decode(record.identity)
        return Session(kept, record, kept.rules, kept.may_change_at)

    def wait_for_change(self, session: Session) -> float:
        """Seconds until the minimum age of the password lets the person change it; 0 where it does, as far as is known."""
        return max(0.0, session.may_change_at - self._clock())

    async def end(self, request: web.Request, response: web.StreamResponse) -> None:
        """Sign out, here and in the store."""
        secret = read_cookie(request, SESSION)
        if secret:
            await self._store.delete(digest(secret))
        delete_cookie(response, SESSION)

    async def others(self, session: Session) -> list[SessionRecord]:
        """All live sessions of the person, this one included, newest first."""
        return await self._store.of_user(session.record.account, self._clock())

    async def end_one(self, record: SessionRecord) -> None:
        """End one session."""
        await self._store.delete(record.digest)

    async def end_others(self, session: Session) -> int:
        """Sign the person out everywhere else."""
        return await self._store.delete_of_user(session.record.account, keep=session.record.digest)

    async def end_all(self, account: AccountId) -> int:
        """Sign a person out everywhere."""
        return await self._store.delete_of_user(account)
