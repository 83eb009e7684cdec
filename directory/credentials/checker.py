"""One directory: a check from the name that was typed to the identity.

find the account ─► lockout guard ─► before_bind ─► bind ─► groups ─► identity
     │ (any domain controller; the next one where it fails)    │
     └── nobody by that name: a bind with an invented name     └── lost after it was sent: never repeated
         all the same, so that a stranger's clock learns nothing
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import structlog

from directory.credentials.guard import decide
from directory.credentials.policies import Policies
from directory.credentials.reservations import Reservations
from directory.errors import (
    Abandoned,
    DirectoryError,
    LinkError,
    LinkTimedOut,
    NoDirectory,
    NotFound,
    ServerRefused,
)
from directory.ldap import codec
from directory.ldap.codec import Result
from directory.ldap.connection import Link, parse_server
from directory.ldap.controller import Controller, is_server_fault
from directory.ldap.service_login import ServiceAccount
from directory.ldap.subcodes import judge_refusal
from directory.ldap.tls import make_context, normalise_fingerprint
from directory.model import Credential, Identity, Outcome, Verdict
from directory.people.accounts import Account, Accounts
from directory.people.groups import Cache, Groups
from directory.people.names import LoginName, parse_name, password_is_possible
from directory.settings import DirectorySettings

log = structlog.get_logger()

BeforeBind = Callable[[], Awaitable[None]]
"""Awaited once, right before a password is sent; raising Abandoned forbids it."""

_ATTEMPTS = 4
"""Domain controllers that are tried for one check."""
_NO_LIMIT = 1_000_000
_REJECTED = ("0000052D", "00000524", "data 52d")  # ERROR_PASSWORD_RESTRICTION: length, history, age, complexity


class _BindOnce:
    """Calls the caller's `before_bind` once, and knows that a password may be out from then on."""

    def __init__(self, before_bind: BeforeBind | None) -> None:
        self._before_bind = before_bind
        self.sent = False

    async def __call__(self) -> None:
        if not self.sent:
            if self._before_bind is not None:
                await self._before_bind()
            self.sent = True


@dataclass(frozen=True, slots=True)
class _Check:
    name: LoginName
    password: str
    new_password: str | None
    give_up: float
    """time.monotonic()"""
    allow_bind: _BindOnce


class OneDirectory:
    """clock: Unix seconds. servers: `host:port` of each."""

    def __init__(self, settings: DirectorySettings, servers: tuple[str, ...], clock: Callable[[], float]) -> None:
        self.settings = settings
        self._clock = clock
        context = make_context(settings.tls)
        pins = tuple(map(normalise_fingerprint, settings.tls.pinned_sha256))
        allow_plain = settings.send_passwords_unencrypted_over_the_network
        service = ServiceAccount(settings)
        self.controllers = [
            Controller(settings, parse_server(server, allow_plain=allow_plain), context, pins, clock, service)
            for server in servers
        ]
        self._bind_controls = codec.control(codec.PASSWORD_POLICY) if settings.kind == "ldap" else b""
        self._accounts = Accounts(settings)
        self._groups = Groups(settings)
        self._policies = Policies(settings)
        self._reservations = Reservations()
        self._found: Cache[tuple[str, bytes]] = Cache(settings.cache_entries, settings.policy_cache_seconds)

    # -- what is asked

    async def verify(self, credential: Credential, deadline: float, before_bind: BeforeBind | None) -> Verdict:
        """Check a credential. Raises only what `before_bind` raises."""
        return await self._checked(credential.name, credential.password, None, deadline, before_bind)

    async def change_password(
        self, name: str, old: str, new: str, deadline: float, before_bind: BeforeBind | None
    ) -> Verdict:
        """Change a password, proving the old one."""
        if not password_is_possible(new):
            return Verdict(Outcome.PASSWORD_REJECTED, detail="the new password has characters that no directory takes")
        return await self._checked(name, old, new, deadline, before_bind)

    async def find_user(self, text: str) -> Identity:
        """Who answers to a name. Raises NotFound, Ambiguous, NoDirectory."""
        name = parse_name(text)
        if name is None:
            raise NotFound(text)
        for controller in self._candidates(name):
            try:
                async with controller.searching() as link:
                    account = await self._find(link, name)
                    controller.succeeded()
                    if account is None:
                        raise NotFound(text)
                    return await self._identify(link, account)
            except LinkError as error:
                controller.failed(error)
        raise NoDirectory(self.settings.name, tuple(map(str, self.controllers)), "none answered")

    async def reset_password(self, text: str, new: str, *, must_change: bool) -> None:
        """Set a password as the service account. Raises NotFound, Ambiguous, NoDirectory, ServerRefused."""
        name = parse_name(text)
        if name is None:
            raise NotFound(text)
        for controller in self._candidates(name):
            try:
                async with controller.searching() as link:
                    account = await self._find(link, name)
                    controller.succeeded()
                    if account is None:
                        raise NotFound(text)
                    await self._reset(link, account, new, must_change=must_change)
                    return
            except LinkError as error:
                controller.failed(error)
                if error.sent:
                    raise
        raise NoDirectory(self.settings.name, tuple(map(str, self.controllers)), "none answered")

    async def close(self) -> None:
        """Hang up."""
        await asyncio.gather(*(controller.close() for controller in self.controllers))

    # -- the check

    async def _checked(
        self, text: str, password: str, new: str | None, deadline: float, before_bind: BeforeBind | None
    ) -> Verdict:
        name = parse_name(text)
        if name is None or not password_is_possible(password):
            return Verdict(Outcome.WRONG_CREDENTIAL, detail="such a name or password cannot be")
        give_up = time.monotonic() + (deadline - self._clock())
        check = _Check(name, password, new, give_up, _BindOnce(before_bind))
        reason = "none is due for another try"
        for controller in itertools.islice(self._candidates(name), _ATTEMPTS):
            if time.monotonic() >= give_up:
                return Verdict(Outcome.TIMED_OUT, bound=check.allow_bind.sent, detail=reason)
            try:
                verdict = await self._check_at(controller, check)
            except LinkError as error:
                if is_server_fault(error):
                    controller.failed(error)
                reason = str(error)
                if error.sent and check.allow_bind.sent:
                    return _lost(error, controller)
            except Abandoned:
                raise
            except DirectoryError as error:
                log.error("directory.unusable", directory=self.settings.name, error=str(error))  # noqa: TRY400
                reason = str(error)
            else:
                controller.succeeded()
                return replace(verdict, controller=str(controller))
        return Verdict(Outcome.NO_DIRECTORY, bound=False, detail=reason)

    async def _check_at(self, controller: Controller, check: _Check) -> Verdict:
        controller.in_flight += 1
        try:
            read_at = time.monotonic()
            async with controller.searching() as link:
                account = await self._find(link, check.name)
                if account is None:
                    return await self._pretend(controller, check)
                guarded = await self._guard(controller, link, account, read_at)
                if guarded.refused is not None:
                    return guarded.refused
                async with self._reserved(account, guarded, check.give_up) as reservation:
                    if reservation is None:
                        return Verdict(Outcome.WOULD_LOCK_OUT, detail="other attempts for this account are under way")
                    verdict = await self._prove(controller, link, account, check)
                    reservation.refused = verdict.outcome is Outcome.WRONG_CREDENTIAL
                if verdict.outcome is not Outcome.SUCCESS or check.new_password is not None:
                    return verdict
                return replace(verdict, identity=await self._identify(link, account))
        finally:
            controller.in_flight -= 1

    async def _guard(self, controller: Controller, link: Link, account: Account, read_at: float) -> _Guarded:
        settings = self.settings
        if settings.kind != "ad" or not settings.lockout_guard:
            return _Guarded(None, _NO_LIMIT, read_at)
        policy = await self._policies.of(link, account.resultant_policy)
        if not await self._policies.counts_are_readable(link, seen=account.shows_count):
            policy = self._policies.blind(policy)
            read_at -= policy.window
        decision = decide(account.counters, policy, settings.lockout_margin, self._clock() + controller.clock_skew)
        if decision.locked:
            return _Guarded(Verdict(Outcome.ACCOUNT_LOCKED, detail=decision.detail), 0, read_at)
        if decision.allowance == 0:
            return _Guarded(Verdict(Outcome.WOULD_LOCK_OUT, detail=decision.detail), 0, read_at)
        return _Guarded(None, decision.allowance if decision.allowance is not None else _NO_LIMIT, read_at)

    @asynccontextmanager
    async def _reserved(self, account: Account, guarded: _Guarded, give_up: float) -> AsyncIterator[_Reservation | None]:
        taken = self._reservations.take(account.guid, guarded.allowance, read_at=guarded.read_at, give_up=give_up)
        if not await taken:
            yield None
            return
        reservation = _Reservation()
        try:
            yield reservation
        finally:
            self._reservations.give_back(account.guid, refused=reservation.refused)

    async def _prove(self, controller: Controller, link: Link, account: Account, check: _Check) -> Verdict:
        """Send the password, once."""
        if check.new_password is not None and self.settings.kind == "ad":
            await check.allow_bind()
            return _judge_change(await link.modify(account.dn.encode(), _ad_change(check), self._patience(check)))
        async with controller.binding() as binding:
            await check.allow_bind()
            dn, password = account.dn.encode(), check.password.encode()
            result = await binding.bind(dn, password, self._patience(check), self._bind_controls)
            verdict = _judge_bind(result)
            if check.new_password is None or verdict.outcome not in {Outcome.SUCCESS, Outcome.MUST_CHANGE}:
                return verdict
            changed = await binding.change_password(dn, password, check.new_password.encode(), self._patience(check))
            verdict = _judge_change(changed)
            return replace(verdict, password_proven=verdict.outcome is not Outcome.WRONG_CREDENTIAL)

    async def _pretend(self, controller: Controller, check: _Check) -> Verdict:
        """Nobody answers to the name: take as long as with somebody, with a name and password that are nobody's."""
        if check.new_password is None:
            nobody = f"nobody-{secrets.token_hex(8)}@{self.settings.name}"
            if self.settings.kind == "ldap":
                nobody = f"uid=nobody-{secrets.token_hex(8)},{self.settings.base_dn}"
            async with controller.binding() as binding:
                await check.allow_bind()
                await binding.bind(nobody.encode(), secrets.token_bytes(16).hex().encode(), self._patience(check))
        return Verdict(Outcome.WRONG_CREDENTIAL, detail="no such account", password_checked=True)

    def _patience(self, check: _Check) -> float:
        return max(0.05, min(self.settings.bind_timeout, check.give_up - time.monotonic()))

    # -- finding

    async def _find(self, link: Link, name: LoginName) -> Account | None:
        """The account that answers to a name. Raises Ambiguous, LinkError, ServerRefused."""
        key = name.text.casefold().encode()
        known = self._found.get(key)
        if known is not None:
            dn, guid = known
            accounts = self._accounts
            wanted = accounts.attributes if self._groups.has(guid) else accounts.attributes_with_groups
            found = await self._search(link, dn, codec.SCOPE_BASE, codec.ANYTHING, wanted)
            account = Account(*found[0]) if found else None
            if account is not None and self._accounts.answers_to(account, name):
                return account
            self._found.drop(key)
        found = await self._search(
            link, self.settings.base_dn, codec.SCOPE_SUBTREE, self._accounts.matching(name), self._accounts.attributes
        )
        if not found:
            return None
        account = self._accounts.choose(name, [Account(*each) for each in found])
        self._found.put(key, (account.dn, account.guid))
        return account

    async def _identify(self, link: Link, account: Account) -> Identity:
        return self._accounts.identity(account, await self._groups.of(link, account))

    async def _search(
        self, link: Link, base: str, scope: int, matching: bytes, attributes: bytes
    ) -> list[tuple[str, codec.Entry]]:
        timeout = self.settings.search_timeout
        return await link.search(base.encode(), scope, matching, attributes, limit=3, timeout=timeout)

    async def _reset(self, link: Link, account: Account, new: str, *, must_change: bool) -> None:
        timeout = self.settings.bind_timeout
        if self.settings.kind == "ldap":
            result = await link.change_password(account.dn.encode(), None, new.encode(), timeout)
        else:
            changes = [(codec.MODIFY_REPLACE, b"unicodePwd", _quoted(new))]
            if must_change:
                changes.append((codec.MODIFY_REPLACE, b"pwdLastSet", b"0"))
            result = await link.modify(account.dn.encode(), changes, timeout)
        if result.code != 0:
            raise ServerRefused(link.server, "reset a password", result.code, result.text)

    def _candidates(self, name: LoginName) -> Iterator[Controller]:
        """Whom to ask, in order: those that are due for a trial, then the healthy ones.

        The same first one for the same account, however it is spelt: each counts its own wrong passwords.
        """
        for controller in self.controllers:
            if not controller.is_closed and controller.may_trial():
                yield controller
        healthy = [controller for controller in self.controllers if controller.is_closed]
        turn = zlib.crc32(name.user.casefold().encode())
        yield from (healthy[(turn + n) % len(healthy)] for n in range(len(healthy)))


class _Guarded(NamedTuple):
    """What the lockout guard says."""

    refused: Verdict | None
    """Where nothing may be bound."""
    allowance: int
    """Wrong passwords that may be spent …"""
    read_at: float
    """… beside those that are in AD's count, or older than this (time.monotonic())."""


@dataclass(slots=True)
class _Reservation:
    refused: bool = True
    """Until the answer is here, it may have been counted."""


def _lost(error: LinkError, controller: Controller) -> Verdict:
    """The password was sent and nobody knows what came of it: a second bind could cost a bad-password count."""
    outcome = Outcome.TIMED_OUT if isinstance(error, LinkTimedOut) else Outcome.NO_DIRECTORY
    return Verdict(outcome, bound=True, controller=str(controller), detail=str(error))


_POLICY_ERRORS = {
    0: (Outcome.PASSWORD_EXPIRED, True),
    1: (Outcome.ACCOUNT_LOCKED, False),
    2: (Outcome.MUST_CHANGE, True),
}
"""Of the password policy control (draft-behera section 6.2): outcome, and whether the password was found right."""


def _judge_bind(result: Result) -> Verdict:
    policy = codec.read_password_policy(result.controls) if result.controls else None
    if policy in _POLICY_ERRORS and result.code in {0, 49}:
        outcome, proven = _POLICY_ERRORS[policy]
        detail = f"password policy error {policy}"
        return Verdict(outcome, password_proven=proven, bound=True, detail=detail, password_checked=proven)
    if result.code == 0:
        return Verdict(Outcome.SUCCESS, password_proven=True, bound=True, password_checked=True)
    if result.code == 49:
        outcome, proven, detail = judge_refusal(result.text)
        return Verdict(outcome, password_proven=proven, bound=True, detail=detail, password_checked=True)
    if result.code == 53:  # OpenLDAP's and 389's word for an account that may not bind
        return Verdict(Outcome.WRONG_CREDENTIAL, bound=True, detail=result.text, password_checked=True)
    return Verdict(Outcome.NO_DIRECTORY, bound=True, detail=f"bind: LDAP result {result.code}, {result.text}")


def _judge_change(result: Result) -> Verdict:
    if result.code == 0:
        return Verdict(Outcome.SUCCESS, password_proven=True, bound=True, password_checked=True)
    if any(mark in result.text for mark in _REJECTED):
        return Verdict(
            Outcome.PASSWORD_REJECTED, password_proven=True, bound=True, detail=result.text, password_checked=True
        )
    if "00000056" in result.text or result.code == 49:  # ERROR_INVALID_PASSWORD: the old one is wrong
        return Verdict(Outcome.WRONG_CREDENTIAL, bound=True, detail=result.text, password_checked=True)
    if result.code in {19, 53}:  # constraintViolation, unwillingToPerform
        return Verdict(
            Outcome.PASSWORD_REJECTED, password_proven=False, bound=True, detail=result.text, password_checked=True
        )
    return Verdict(Outcome.NO_DIRECTORY, bound=True, detail=f"change: LDAP result {result.code}, {result.text}")


def _ad_change(check: _Check) -> list[tuple[int, bytes, bytes]]:
    """Delete the old, add the new: a change, for which policy and history hold (MS-ADTS section 3.1.1.3.1.5)."""
    old, new = _quoted(check.password), _quoted(check.new_password or "")
    return [(codec.MODIFY_DELETE, b"unicodePwd", old), (codec.MODIFY_ADD, b"unicodePwd", new)]


def _quoted(password: str) -> bytes:
    return f'"{password}"'.encode("utf-16-le")
