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
    ConnectionTimedOut,
    DirectoryError,
    LdapConnectionError,
    NoDirectory,
    NotFound,
    ServerRefused,
)
from directory.ldap import codec
from directory.ldap.codec import LdapResult
from directory.ldap.connection import LdapConnection, parse_server
from directory.ldap.controller import Controller, is_server_fault
from directory.ldap.service_login import ServiceLogin
from directory.ldap.subcodes import judge_refusal
from directory.ldap.tls import make_context, normalise_fingerprint
from directory.model import CheckOutcome, CheckResult, Credential, DirectoryIdentity
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
        service = ServiceLogin(settings)
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

    async def verify(self, credential: Credential, deadline: float, before_bind: BeforeBind | None) -> CheckResult:
        """Check a credential. Raises only what `before_bind` raises."""
        return await self._checked(credential.name, credential.password, None, deadline, before_bind)

    async def change_password(
        self, name: str, old: str, new: str, deadline: float, before_bind: BeforeBind | None
    ) -> CheckResult:
        """Change a password, proving the old one."""
        if not password_is_possible(new):
            return CheckResult(
                CheckOutcome.PASSWORD_REJECTED, detail="the new password has characters that no directory takes"
            )
        return await self._checked(name, old, new, deadline, before_bind)

    async def find_user(self, text: str) -> DirectoryIdentity:
        """Who answers to a name. Raises NotFound, Ambiguous, NoDirectory."""
        name = parse_name(text)
        if name is None:
            raise NotFound(text)
        for controller in self._candidates(name):
            try:
                async with controller.searching() as connection:
                    account = await self._find(connection, name)
                    controller.succeeded()
                    if account is None:
                        raise NotFound(text)
                    return await self._identify(connection, account)
            except LdapConnectionError as error:
                controller.failed(error)
        raise NoDirectory(self.settings.name, tuple(map(str, self.controllers)), "none answered")

    async def reset_password(self, text: str, new: str, *, must_change: bool) -> None:
        """Set a password as the service account. Raises NotFound, Ambiguous, NoDirectory, ServerRefused."""
        name = parse_name(text)
        if name is None:
            raise NotFound(text)
        for controller in self._candidates(name):
            try:
                async with controller.searching() as connection:
                    account = await self._find(connection, name)
                    controller.succeeded()
                    if account is None:
                        raise NotFound(text)
                    await self._reset(connection, account, new, must_change=must_change)
                    return
            except LdapConnectionError as error:
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
    ) -> CheckResult:
        name = parse_name(text)
        if name is None or not password_is_possible(password):
            return CheckResult(CheckOutcome.WRONG_CREDENTIAL, detail="such a name or password cannot be")
        give_up = time.monotonic() + (deadline - self._clock())
        check = _Check(name, password, new, give_up, _BindOnce(before_bind))
        reason = "none is due for another try"
        for controller in itertools.islice(self._candidates(name), _ATTEMPTS):
            if time.monotonic() >= give_up:
                return CheckResult(CheckOutcome.TIMED_OUT, bound=check.allow_bind.sent, detail=reason)
            try:
                result = await self._check_at(controller, check)
            except LdapConnectionError as error:
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
                return replace(result, controller=str(controller))
        return CheckResult(CheckOutcome.NO_DIRECTORY, bound=False, detail=reason)

    async def _check_at(self, controller: Controller, check: _Check) -> CheckResult:
        controller.in_flight += 1
        try:
            read_at = time.monotonic()
            async with controller.searching() as connection:
                account = await self._find(connection, check.name)
                if account is None:
                    return await self._pretend(controller, check)
                guarded = await self._guard(controller, connection, account, read_at)
                if guarded.refused is not None:
                    return guarded.refused
                async with self._reserved(account, guarded, check.give_up) as reservation:
                    if reservation is None:
                        return CheckResult(
                            CheckOutcome.WOULD_LOCK_OUT, detail="other attempts for this account are under way"
                        )
                    result = await self._prove(controller, connection, account, check)
                    reservation.refused = result.outcome is CheckOutcome.WRONG_CREDENTIAL
                if result.outcome is not CheckOutcome.SUCCESS or check.new_password is not None:
                    return result
                return replace(result, identity=await self._identify(connection, account))
        finally:
            controller.in_flight -= 1

    async def _guard(self, controller: Controller, connection: LdapConnection, account: Account, read_at: float) -> _Guarded:
        settings = self.settings
        if settings.kind != "ad" or not settings.lockout_guard:
            return _Guarded(None, _NO_LIMIT, read_at)
        policy = await self._policies.of(connection, account.resultant_policy)
        if not await self._policies.counts_are_readable(connection, seen=account.shows_count):
            policy = self._policies.blind(policy)
            read_at -= policy.window
        decision = decide(account.counters, policy, settings.lockout_margin, self._clock() + controller.clock_skew)
        if decision.locked:
            return _Guarded(CheckResult(CheckOutcome.ACCOUNT_LOCKED, detail=decision.detail), 0, read_at)
        if decision.allowance == 0:
            return _Guarded(CheckResult(CheckOutcome.WOULD_LOCK_OUT, detail=decision.detail), 0, read_at)
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

    async def _prove(
        self, controller: Controller, connection: LdapConnection, account: Account, check: _Check
    ) -> CheckResult:
        """Send the password, once."""
        if check.new_password is not None and self.settings.kind == "ad":
            await check.allow_bind()
            return _judge_change(await connection.modify(account.dn.encode(), _ad_change(check), self._patience(check)))
        async with controller.binding() as binding:
            await check.allow_bind()
            dn, password = account.dn.encode(), check.password.encode()
            answer = await binding.bind(dn, password, self._patience(check), self._bind_controls)
            result = _judge_bind(answer)
            if check.new_password is None or result.outcome not in {CheckOutcome.SUCCESS, CheckOutcome.MUST_CHANGE}:
                return result
            changed = await binding.change_password(dn, password, check.new_password.encode(), self._patience(check))
            result = _judge_change(changed)
            return replace(result, password_proven=result.outcome is not CheckOutcome.WRONG_CREDENTIAL)

    async def _pretend(self, controller: Controller, check: _Check) -> CheckResult:
        """Nobody answers to the name: take as long as with somebody, with a name and password that are nobody's."""
        if check.new_password is None:
            nobody = f"nobody-{secrets.token_hex(8)}@{self.settings.name}"
            if self.settings.kind == "ldap":
                nobody = f"uid=nobody-{secrets.token_hex(8)},{self.settings.base_dn}"
            async with controller.binding() as binding:
                await check.allow_bind()
                await binding.bind(nobody.encode(), secrets.token_bytes(16).hex().encode(), self._patience(check))
        return CheckResult(CheckOutcome.WRONG_CREDENTIAL, detail="no such account", password_checked=True)

    def _patience(self, check: _Check) -> float:
        return max(0.05, min(self.settings.bind_timeout, check.give_up - time.monotonic()))

    # -- finding

    async def _find(self, connection: LdapConnection, name: LoginName) -> Account | None:
        """The account that answers to a name. Raises Ambiguous, LdapConnectionError, ServerRefused."""
        key = name.text.casefold().encode()
        known = self._found.get(key)
        if known is not None:
            dn, guid = known
            accounts = self._accounts
            wanted = accounts.attributes if self._groups.has(guid) else accounts.attributes_with_groups
            found = await self._search(connection, dn, codec.SCOPE_BASE, codec.ANYTHING, wanted)
            account = Account(*found[0]) if found else None
            if account is not None and self._accounts.answers_to(account, name):
                return account
            self._found.drop(key)
        found = await self._search(
            connection, self.settings.base_dn, codec.SCOPE_SUBTREE, self._accounts.matching(name), self._accounts.attributes
        )
        if not found:
            return None
        account = self._accounts.choose(name, [Account(*entry) for entry in found])
        self._found.put(key, (account.dn, account.guid))
        return account

    async def _identify(self, connection: LdapConnection, account: Account) -> DirectoryIdentity:
        return self._accounts.identity(account, await self._groups.of(connection, account))

    async def _search(
        self, connection: LdapConnection, base: str, scope: int, matching: bytes, attributes: bytes
    ) -> list[tuple[str, codec.Entry]]:
        timeout = self.settings.search_timeout
        return await connection.search(base.encode(), scope, matching, attributes, limit=3, timeout=timeout)

    async def _reset(self, connection: LdapConnection, account: Account, new: str, *, must_change: bool) -> None:
        timeout = self.settings.bind_timeout
        if self.settings.kind == "ldap":
            answer = await connection.change_password(account.dn.encode(), None, new.encode(), timeout)
        else:
            changes = [(codec.MODIFY_REPLACE, b"unicodePwd", _quoted(new))]
            if must_change:
                changes.append((codec.MODIFY_REPLACE, b"pwdLastSet", b"0"))
            answer = await connection.modify(account.dn.encode(), changes, timeout)
        if answer.code != 0:
            raise ServerRefused(connection.server, "reset a password", answer.code, answer.text)

    def _candidates(self, name: LoginName) -> Iterator[Controller]:
        """Whom to ask, in order: those that are due for a probe, then the healthy ones.

        The same first one for the same account, however it is spelt: each counts its own wrong passwords.
        """
        for controller in self.controllers:
            if not controller.is_up and controller.may_probe():
                yield controller
        healthy = [controller for controller in self.controllers if controller.is_up]
        turn = zlib.crc32(name.user.casefold().encode())
        yield from (healthy[(turn + n) % len(healthy)] for n in range(len(healthy)))


class _Guarded(NamedTuple):
    """What the lockout guard says."""

    refused: CheckResult | None
    """Where nothing may be bound."""
    allowance: int
    """Wrong passwords that may be spent …"""
    read_at: float
    """… beside those that are in AD's count, or older than this (time.monotonic())."""


@dataclass(slots=True)
class _Reservation:
    refused: bool = True
    """Until the answer is here, it may have been counted."""


def _lost(error: LdapConnectionError, controller: Controller) -> CheckResult:
    """The password was sent and nobody knows what came of it: a second bind could cost a bad-password count."""
    outcome = CheckOutcome.TIMED_OUT if isinstance(error, ConnectionTimedOut) else CheckOutcome.NO_DIRECTORY
    return CheckResult(outcome, bound=True, controller=str(controller), detail=str(error))


_POLICY_ERRORS = {
    0: (CheckOutcome.PASSWORD_EXPIRED, True),
    1: (CheckOutcome.ACCOUNT_LOCKED, False),
    2: (CheckOutcome.MUST_CHANGE, True),
}
"""Of the password policy control (draft-behera section 6.2): outcome, and whether the password was found right."""


def _judge_bind(answer: LdapResult) -> CheckResult:
    policy = codec.read_password_policy(answer.controls) if answer.controls else None
    if policy in _POLICY_ERRORS and answer.code in {0, 49}:
        outcome, proven = _POLICY_ERRORS[policy]
        detail = f"password policy error {policy}"
        return CheckResult(outcome, password_proven=proven, bound=True, detail=detail, password_checked=proven)
    if answer.code == 0:
        return CheckResult(CheckOutcome.SUCCESS, password_proven=True, bound=True, password_checked=True)
    if answer.code == 49:
        outcome, proven, detail = judge_refusal(answer.text)
        return CheckResult(outcome, password_proven=proven, bound=True, detail=detail, password_checked=True)
    if answer.code == 53:  # OpenLDAP's and 389's word for an account that may not bind
        return CheckResult(CheckOutcome.WRONG_CREDENTIAL, bound=True, detail=answer.text, password_checked=True)
    return CheckResult(CheckOutcome.NO_DIRECTORY, bound=True, detail=f"bind: LDAP answer {answer.code}, {answer.text}")


def _judge_change(answer: LdapResult) -> CheckResult:
    if answer.code == 0:
        return CheckResult(CheckOutcome.SUCCESS, password_proven=True, bound=True, password_checked=True)
    if any(mark in answer.text for mark in _REJECTED):
        return CheckResult(
            CheckOutcome.PASSWORD_REJECTED, password_proven=True, bound=True, detail=answer.text, password_checked=True
        )
    if "00000056" in answer.text or answer.code == 49:  # ERROR_INVALID_PASSWORD: the old one is wrong
        return CheckResult(CheckOutcome.WRONG_CREDENTIAL, bound=True, detail=answer.text, password_checked=True)
    if answer.code in {19, 53}:  # constraintViolation, unwillingToPerform
        return CheckResult(
            CheckOutcome.PASSWORD_REJECTED, password_proven=False, bound=True, detail=answer.text, password_checked=True
        )
    return CheckResult(CheckOutcome.NO_DIRECTORY, bound=True, detail=f"change: LDAP answer {answer.code}, {answer.text}")


def _ad_change(check: _Check) -> list[tuple[int, bytes, bytes]]:
    """Delete the old, add the new: a change, for which policy and history hold (MS-ADTS section 3.1.1.3.1.5)."""
    old, new = _quoted(check.password), _quoted(check.new_password or "")
    return [(codec.MODIFY_DELETE, b"unicodePwd", old), (codec.MODIFY_ADD, b"unicodePwd", new)]


def _quoted(password: str) -> bytes:
    return f'"{password}"'.encode("utf-16-le")
