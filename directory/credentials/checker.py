"""The check of one credential: from the name that was typed to the identity.

find the account ─► lockout guard ─► before_bind ─► bind ─► groups ─► identity
     │ (any domain controller; the next one where it fails)    │
     └── nobody, or several by that name: the same with an       └── lost after it was sent: never repeated
         invented one, a change too, so that a stranger's clock
         learns nothing
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from msgspec.structs import replace

from directory.credentials.allowance import Allowances
from directory.credentials.judgement import judge_bind, judge_change, judge_loss
from directory.credentials.passwords import change_modifications, password_is_possible
from directory.errors import Abandoned, Ambiguous, DirectoryError, LdapConnectionError
from directory.ldap import Controller, Controllers, LdapConnection, codec, is_server_fault
from directory.model import CheckOutcome, CheckResult, Credential, DirectoryObject, PasswordRule
from directory.people import Account, AccountFinder, LoginName, parse_name
from directory.settings import DirectorySettings

log = structlog.get_logger()

BeforeBind = Callable[[], Awaitable[None]]
"""Awaited once, right before a password is sent; raising Abandoned forbids it."""

_MAY_CHANGE = frozenset({CheckOutcome.SUCCESS, CheckOutcome.MUST_CHANGE, CheckOutcome.PASSWORD_EXPIRED})
"""Outcomes of a bind after which a new password may be tried."""
_WANTS_CHANGE = frozenset({CheckOutcome.MUST_CHANGE, CheckOutcome.PASSWORD_EXPIRED})
_CONTROLLERS = 4
"""Domain controllers that are tried for one check."""


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


@dataclass(slots=True)
class _Check:
    name: LoginName
    password: str
    new_password: str | None
    give_up: float
    """time.monotonic()"""
    allow_bind: _BindOnce
    account: DirectoryObject | None = None
    """Whom the name belongs to, once that is known."""


class CredentialChecker:
    """One for a directory. clock: Unix seconds, that of the deadlines."""

    def __init__(
        self, settings: DirectorySettings, controllers: Controllers, finder: AccountFinder, clock: Callable[[], float]
    ) -> None:
        self._settings, self._controllers, self._finder, self._clock = settings, controllers, finder, clock
        self._allowances = Allowances(settings, clock)
        self._controls = codec.control(codec.PASSWORD_POLICY) if settings.kind == "ldap" else b""

    async def verify(self, credential: Credential, deadline: float, before_bind: BeforeBind | None) -> CheckResult:
        """Check a credential. Raises only what `before_bind` raises."""
        return await self._check(credential.name, credential.password, None, deadline, before_bind)

    async def change_password(
        self, name: str, old: str, new: str, deadline: float, before_bind: BeforeBind | None
    ) -> CheckResult:
        """Change a password, proving the old one. Raises only what `before_bind` raises."""
        if not password_is_possible(new):
            detail = "the new password has characters that no directory takes"
            return CheckResult(CheckOutcome.PASSWORD_REJECTED, detail=detail)
        return await self._check(name, old, new, deadline, before_bind)

    async def _check(
        self, text: str, password: str, new: str | None, deadline: float, before_bind: BeforeBind | None
    ) -> CheckResult:
        name = parse_name(text)
        if name is None or not password_is_possible(password):
            return CheckResult(CheckOutcome.WRONG_CREDENTIAL, detail="such a name or password cannot be")
        give_up = time.monotonic() + (deadline - self._clock())
        check = _Check(name, password, new, give_up, _BindOnce(before_bind))
        reason = "none is due for another try"
        for controller in itertools.islice(self._controllers.candidates(name.user), _CONTROLLERS):
            if time.monotonic() >= give_up:
                return CheckResult(CheckOutcome.TIMED_OUT, bound=check.allow_bind.sent, detail=reason, account=check.account)
            try:
                result = await self._check_at(controller, check)
            except LdapConnectionError as error:
                if is_server_fault(error):
                    controller.failed(error)
                reason = str(error)
                if error.sent and check.allow_bind.sent:
                    # The server may have judged it all the same: another bind would make one attempt count twice
                    return replace(judge_loss(error), account=check.account)
            except Abandoned:
                raise
            except DirectoryError as error:
                log.error("directory.unusable", directory=self._settings.name, error=str(error))  # noqa: TRY400
                reason = str(error)
            else:
                controller.succeeded()
                return replace(result, controller=str(controller), account=check.account)
        return CheckResult(CheckOutcome.NO_DIRECTORY, bound=False, detail=reason, account=check.account)

    async def _check_at(self, controller: Controller, check: _Check) -> CheckResult:
        controller.in_flight += 1
        try:
            read_at = time.monotonic()
            async with controller.searching() as connection:
                try:
                    account = await self._finder.find(connection, check.name)
                except Ambiguous as error:
                    # Nobody's outage: it stays so until somebody changes the directory, so `try again` would be no help
                    log.warning("directory.ambiguous", directory=self._settings.name, error=str(error))
                    return await self._pretend(controller, connection, check, str(error))
                if account is None:
                    return await self._pretend(controller, connection, check, "no such account")
                check.account = self._finder.reference(connection, account)
                allowance = await self._allowances.of(connection, account, read_at, controller.clock_skew)
                if allowance.refused is not None:
                    return allowance.refused
                async with self._allowances.reserve(account, allowance, check.give_up) as reservation:
                    if reservation is None:
                        detail = "other attempts for this account are under way"
                        return CheckResult(CheckOutcome.WOULD_LOCK_OUT, detail=detail)
                    result = await self._prove(controller, connection, account, check)
                    reservation.refused = result.outcome is CheckOutcome.WRONG_CREDENTIAL
                if result.outcome in _WANTS_CHANGE and result.password_proven:
                    return await self._with_requirements(connection, account, result, controller.clock_skew)
                if result.outcome is not CheckOutcome.SUCCESS or check.new_password is not None:
                    return result
                identity = await self._finder.identify(connection, account, check.give_up)
                requirements = self._allowances.known_requirements(account, controller.clock_skew)
                since = self._finder.password_set(account)
                return replace(result, identity=identity, requirements=requirements, password_set=since)
        finally:
            controller.in_flight -= 1

    async def _prove(
        self, controller: Controller, connection: LdapConnection, account: Account, check: _Check
    ) -> CheckResult:
        """Send the password, once."""
        if check.new_password is not None and self._settings.kind == "ad":
            await check.allow_bind()
            modifications = change_modifications(check.password, check.new_password)
            result = judge_change(await connection.modify(account.dn.encode(), modifications, self._patience(check)))
            if result.outcome is CheckOutcome.PASSWORD_REJECTED:
                result = await self._explain(controller, connection, account, check, result)
            return result
        async with controller.binding() as binding:
            await check.allow_bind()
            dn, password = account.dn.encode(), check.password.encode()
            result = judge_bind(await binding.bind(dn, password, self._patience(check), self._controls))
            if check.new_password is None or result.outcome not in _MAY_CHANGE:
                return result
            new, patience = check.new_password.encode(), self._patience(check)
            result = judge_change(await binding.change_password(dn, password, new, patience, self._controls))
            return replace(result, password_proven=result.outcome is not CheckOutcome.WRONG_CREDENTIAL)

    async def _explain(
        self, controller: Controller, connection: LdapConnection, account: Account, check: _Check, result: CheckResult
    ) -> CheckResult:
        """Which rule of Active Directory refused the new password: it tells those that know the old one alone."""
        if result.rule is PasswordRule.NOT_PERMITTED and not result.password_proven:
            # The old one was not looked at, so nothing was counted: a bind does that
            async with controller.binding() as binding:
                proof = judge_bind(await binding.bind(account.dn.encode(), check.password.encode(), self._patience(check)))
            return replace(result, password_proven=True) if proof.password_proven else proof
        if not result.password_proven:
            return result
        try:
            broken = await self._allowances.broken_rule(connection, account, check.new_password or "", controller.clock_skew)
        except DirectoryError as error:
            log.warning("password_policy.unreadable", directory=self._settings.name, error=str(error))
            return result
        if broken is None:
            return result
        return replace(result, rule=broken.rule, rule_value=broken.value, detail=f"{broken.detail}: {result.detail}")

    async def _with_requirements(
        self, connection: LdapConnection, account: Account, result: CheckResult, skew: float
    ) -> CheckResult:
        """What the next password has to be: it is about to be asked for."""
        try:
            return replace(result, requirements=await self._allowances.requirements(connection, account, skew))
        except DirectoryError as error:
            log.warning("password_policy.unreadable", directory=self._settings.name, error=str(error))
            return result

    async def _pretend(self, controller: Controller, connection: LdapConnection, check: _Check, reason: str) -> CheckResult:
        """Nobody answers to the name alone: do as with somebody, with a name and password that are nobody's."""
        name, invented = f"nobody-{secrets.token_hex(8)}", secrets.token_hex(16)
        if check.new_password is not None and self._settings.kind == "ad":
            await check.allow_bind()
            nobody = f"CN={name},{self._settings.base_dn}"
            modifications = change_modifications(invented, check.new_password)
            await connection.modify(nobody.encode(), modifications, self._patience(check))
        else:
            nobody = f"{name}@{self._settings.name}"
            if self._settings.kind == "ldap":
                nobody = f"uid={name},{self._settings.base_dn}"
            async with controller.binding() as binding:
                await check.allow_bind()
                await binding.bind(nobody.encode(), invented.encode(), self._patience(check))
        return CheckResult(CheckOutcome.WRONG_CREDENTIAL, detail=reason, password_checked=True)

    def _patience(self, check: _Check) -> float:
        return max(0.05, min(self._settings.bind_timeout, check.give_up - time.monotonic()))
