"""Browser sessions: who is signed in, since when, by which proof, and for how long.

A session has two names. Its id is in the cookie, is new after every sign-in, and only its digest is kept. Its `sid` stays
when the same person proves themselves anew in the same browser: what applications were given hangs on that one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from msgspec.structs import replace

from gateway.protocol import AccountId, Identity, NewPasswordRules
from gateway.relay import CORRELATION_ID, Verdict, header_text
from gateway.signin.account_checks import PATIENCE, USED_EVERY, AccountChecks, AccountVerdict, HeldAccount, is_due
from gateway.signin.cookies import SESSION, VISIT, delete_cookie, digest, new_secret, read_cookie, set_cookie
from gateway.signin.departures import Departure, Farewell, NoDependents, SessionDependents
from gateway.signin.settings import SignInSettings
from gateway.store import SessionRecord, SessionStore


class _Kept(Identity, frozen=True, omit_defaults=True, kw_only=True):
    """What the store keeps of a session. A node of another version reads of it what it knows."""

    rules: NewPasswordRules | None = None
    may_change_at: float = 0.0
    session: str = ""
    """`Session.sid`; empty in what older versions kept."""
    auth_time: float = 0.0
    amr: tuple[str, ...] = ("pwd",)
    agent: str = ""
    password_set: float = 0.0
    kept: bool = False

    def __repr__(self) -> str:
        return f"_Kept({self.user_name!r}, …)"

    def __rich_repr__(self) -> Any:
        yield "user_name", self.user_name


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode
TOUCH_EVERY = 60.0
"""Seconds: a session's last sight is not written more often."""
_ROUNDS = 3
SKEW = 4.0
"""Seconds between the clocks of two nodes that serve."""


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is signed in with this browser."""

    identity: Identity
    record: SessionRecord
    rules: NewPasswordRules | None = None
    """What a new password had to be at the sign-in, where that was known."""
    may_change_at: float = 0.0
    """Unix seconds from when on the minimum age allows a change, as of the sign-in."""
    sid: str = field(default="", repr=False)
    """Random; the same for as long as this person stays signed in with this browser. Applications are told `index`."""
    auth_time: float = 0.0
    """Unix seconds at which the person last proved who they are; 0 where that is ahead, by a clock that was wrong: how long
    ago it was is not known then, and it is too long ago for whoever wants to know."""
    amr: tuple[str, ...] = ("pwd",)
    """By what (RFC 8176)."""
    agent: str = ""
    """Name of the agent that checked it; empty where that is not known."""
    password_set: float = 0.0
    """Unix seconds at which the password was set that was proved, as the directory says; 0 where that is not known."""
    checked_at: float = 0.0
    """Unix seconds at which an agent last said that the account lives."""
    ends_at: float = 0.0
    """Unix seconds at which it ends however much it is used."""
    kept: bool = False
    """Whether the person chose to stay signed in: then it outlives the browser, and need not be used."""

    @property
    def key(self) -> bytes:
        """By which participants and grants hang on it (`ParticipantRecord.session`, `GrantRecord.session`)."""
        return _key_of(self.sid)

    def index(self, trust: str) -> str:
        """What one application calls it: OpenID Connect `sid`, SAML SessionIndex. Two applications cannot compare theirs."""
        name = b"isthmus session index\0" + self.key + trust.encode()
        return "_" + hashlib.sha256(name).hexdigest()[:40]

    @property
    def name(self) -> str:
        """What forms and addresses call it: neither its secret nor what the store finds it by. New after every sign-in."""
        return name_of(self.record)

    @property
    def held(self) -> HeldAccount:
        """What is known of the account."""
        return HeldAccount(
            account=self.record.account,
            user_name=self.identity.user_name,
            domain=self.identity.domain,
            agent=self.agent,
            password_set=self.password_set,
            checked_at=self.checked_at,
        )

    def is_since(self, moment: float, other_than: str = "") -> bool:
        """Whether the person proved who they are at that moment or later.

        other_than: name of the session that the browser had at that moment. Any other was begun afterwards, by a node whose
        clock may be behind by `SKEW`.
        """
        return self.auth_time >= moment - (0.0 if self.name == other_than else SKEW)


class Sessions:
    """Makes, finds and ends sessions. The cookie holds 256 random bits, the store only their digest.

    dependents: what ends with them; nothing, unless given. checks: say whether accounts live; nobody does, unless given.
    """

    def __init__(
        self,
        settings: SignInSettings,
        store: SessionStore,
        clock: Callable[[], float],
        dependents: SessionDependents | None = None,
        checks: AccountChecks | None = None,
    ) -> None:
        self._settings, self._store, self._clock = settings, store, clock
        self._dependents, self._checks = dependents or NoDependents(), checks

    def use(self, settings: SignInSettings) -> None:
        """Settings were read anew; a session that is there ends as they say from its next use on."""
        self._settings = settings

    async def begin(
        self, request: web.Request, response: web.StreamResponse, verdict: Verdict, address: str, *, keep: bool = False
    ) -> None:
        """Sign in the person of a verdict that is a success. keep: whether the person wants to stay signed in.

        An older session of this browser ends, and its id with it: no id survives a sign-in. What hangs on it continues where
        it is the same person's, and so does the wish to stay signed in.
        """
        identity = verdict.identity
        if identity is None:
            raise RuntimeError("a success without an identity")
        now = self._clock()
        old = await self._take(request)
        goes_on = old is not None and old.record.account == identity.account
        if old is not None and not goes_on:
            await self._dependents.end([old])
        secret = new_secret()
        stays = self._may_stay(keep or (old is not None and goes_on and old.kept))
        kept = _Kept(
            **msgspec.structs.asdict(identity),
            rules=verdict.new_password,
            may_change_at=now + verdict.new_password.wait if verdict.new_password and verdict.new_password.wait else 0.0,
            session=old.sid if old is not None and goes_on else new_secret(),
            auth_time=now,
            agent=verdict.agent,
            password_set=verdict.password_set,
            kept=stays,
        )
        record = SessionRecord(
            digest=digest(secret),
            account=identity.account,
            identity=_encode(kept),
            created_at=now,
            seen_at=now,
            expires_at=self._expiry(now, now, kept=stays),
            address=address,
            user_agent=header_text(request, "User-Agent")[:256],
            checked_at=now,
        )
        await self._store.add(record)
        age = self._settings.session_kept if stays else None
        set_cookie(response, SESSION, secret, max_age=age)
        set_cookie(response, VISIT, kept.session, max_age=age)

    def _may_stay(self, wanted: bool) -> bool:
        return wanted and self._settings.session_kept > 0

    def _expiry(self, begun: float, now: float, *, kept: bool) -> float:
        """When a session ends unless it is used again."""
        end = begun + self._lifetime(kept=kept)
        return end if self._may_stay(kept) else min(now + self._settings.session_idle, end)

    def _lifetime(self, *, kept: bool) -> float:
        return self._settings.session_kept if self._may_stay(kept) else self._settings.session_lifetime

    async def _take(self, request: web.Request) -> Session | None:
        """End the session that this browser has had, if any, but nothing that hangs on it; what it was."""
        old = read_cookie(request, SESSION)
        if not old:
            return None
        record = await self._store.get(digest(old), self._clock())
        await self._store.delete(digest(old))
        return self.read(record) if record is not None else None

    def read(self, record: SessionRecord) -> Session:
        """What the store keeps of a session, as one."""
        kept = _decode(record.identity)
        return Session(
            identity=kept,
            record=record,
            rules=kept.rules,
            may_change_at=kept.may_change_at,
            sid=kept.session or name_of(record),
            auth_time=self._past(kept.auth_time or record.created_at),
            amr=kept.amr,
            agent=kept.agent,
            password_set=kept.password_set,
            checked_at=record.checked_at or record.created_at,
            ends_at=record.created_at + self._lifetime(kept=kept.kept),
            kept=kept.kept,
        )

    def _past(self, moment: float) -> float:
        return moment if moment <= self._clock() + SKEW else 0.0

    def readable(self, records: Iterable[SessionRecord]) -> list[Session]:
        """As sessions, without those that this release cannot read: nothing is known that hangs on them."""
        found: list[Session] = []
        for record in records:
            with contextlib.suppress(msgspec.DecodeError):  # of shape, too
                found.append(self.read(record))
        return found

    async def find(self, request: web.Request) -> Session | None:
        """Who is signed in with this browser, if anybody: the account is checked now and then (`check`)."""
        secret = read_cookie(request, SESSION)
        if not secret:
            return None
        now = self._clock()
        record = await self._store.get(digest(secret), now)
        if record is None:
            return None
        session = self.read(record)
        if now - record.seen_at >= TOUCH_EVERY:
            await self._store.touch(record.digest, now, self._expiry(record.created_at, now, kept=session.kept))
        if is_due(session.checked_at, now, USED_EVERY):
            return await self.check(session, patience=PATIENCE, correlation_id=request.get(CORRELATION_ID, ""))
        return session

    async def check(self, session: Session, *, patience: float = 0.0, correlation_id: str = "") -> Session | None:
        """Ask whether its account still lives; None where the session has ended by that, and all that hangs on it.

        The session that is returned has the person as the directory says now, groups and attributes.

        patience: see `AccountChecks.check`. Raises StoreError.
        """
        if self._checks is None:
            return session
        verdict = await self._checks.check(session.held, patience=patience, correlation_id=correlation_id)
        if verdict.ends:
            await self.end_these([session])
            await self._checks.tell_end("session.ended", session.held, verdict.ends)
            return None
        return await self._note_check(session, verdict) if verdict.checked_at else session

    async def _note_check(self, session: Session, verdict: AccountVerdict) -> Session:
        """Where nobody has said before when the password was set, it is known from now on."""
        before = _decode(session.record.identity)
        person = msgspec.structs.asdict(verdict.renewed(before))
        kept = replace(before, **{name: person[name] for name in Identity.__struct_fields__})
        kept = replace(kept, password_set=before.password_set or verdict.password_set)
        identity = _encode(kept) if kept != before else None
        record = session.record
        await self._store.note_check(record.digest, verdict.checked_at, identity)
        checked = dataclasses.replace(record, checked_at=verdict.checked_at, identity=identity or record.identity)
        return self.read(checked)

    async def after_change(self, session: Session) -> None:
        """The person has set another password: this session continues with that one. Raises StoreError."""
        identity = _encode(replace(_decode(session.record.identity), password_set=0.0))
        await self._store.note_check(session.record.digest, self._clock(), identity)  # an agent has proved the old one
        if self._checks is not None and (record := await self._store.get(session.record.digest, self._clock())):
            await self.check(self.read(record))

    def wait_for_change(self, session: Session) -> float:
        """Seconds until the minimum age of the password lets the person change it; 0 where it does, as far as is known."""
        return max(0.0, session.may_change_at - self._clock())

    async def end(self, request: web.Request, response: web.StreamResponse) -> Farewell:
        """Sign out, here and in the store; what came of each application that was signed in to."""
        session = await self._take(request)
        delete_cookie(response, SESSION)
        return await self._dependents.end_here(session) if session is not None else Farewell()

    @staticmethod
    def had(request: web.Request, keys: Collection[bytes]) -> bool:
        """Whether this browser has, or had last, the session with one of these `Session.key`s."""
        return _key_of(read_cookie(request, VISIT)) in keys

    async def forget(self, account: AccountId, key: bytes) -> None:
        """End the session with this `Session.key`. What hangs on it is for the caller to end."""
        for session in await self.of_account(account):
            if session.key == key:
                await self._store.delete(session.record.digest)

    async def others(self, session: Session) -> list[Session]:
        """All live sessions of the person, this one included, newest first."""
        return await self.of_account(session.record.account)

    async def of_account(self, account: AccountId) -> list[Session]:
        """All live sessions of a person, newest first."""
        return [self.read(record) for record in await self._store.of_user(account, self._clock())]

    async def applications(self, session: Session) -> list[str]:
        """Names of those that were signed in to with it."""
        return await self._dependents.names(session)

    async def end_these(self, sessions: Sequence[Session]) -> list[Departure]:
        """End sessions, and what hangs on them."""
        for session in sessions:
            await self._store.delete(session.record.digest)
        return await self._dependents.end(sessions) if sessions else []

    async def end_others(self, session: Session) -> list[Departure]:
        """Sign the person out everywhere else."""
        return await self.end_all(session.record.account, keep=session)

    async def end_all(self, account: AccountId, *, keep: Session | None = None) -> list[Departure]:
        """Sign a person out everywhere, but for one session."""
        ended: list[Session] = []
        for _ in range(_ROUNDS):  # what begins meanwhile ends in the next one, with all that hangs on it
            found = await self.of_account(account)
            found = [session for session in found if keep is None or session.name != keep.name]
            for session in found:
                await self._store.delete(session.record.digest)
            ended += found
            if not found:
                break
        return await self._dependents.end([session for session in ended if keep is None or session.sid != keep.sid])


def session_key(record: SessionRecord) -> bytes | None:
    """See `Session.key`; None for what this release cannot read."""
    try:
        return _key_of(_decode(record.identity).session or name_of(record))
    except msgspec.DecodeError:  # of shape, too
        return None


def _key_of(sid: str) -> bytes:
    return hashlib.sha256(b"isthmus session\0" + sid.encode("utf-8", "surrogatepass")).digest()


def name_of(record: SessionRecord) -> str:
    """See `Session.name`."""
    return digest(record.digest.hex()).hex()[:32]
