"""Fakes that refuse what the real things refuse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

import directory
from gateway.protocol import Identity, Outcome
from gateway.relay.credentials.attempt import Attempt, Verdict

_RULES = directory.PasswordRequirements(least_characters=8, kinds=3, history=24)


@dataclass
class FakeDirectories:
    """A directory in memory with the interface of `directory.Directories`; every bind is on record."""

    people: dict[str, str]
    clock: Callable[[], float] = time.time
    domains: tuple[str, ...] = ("corp.example.com", "corp")
    delay: float = 0.0
    accept_anything: bool = False
    outcome: directory.CheckOutcome | None = None
    expired: set[str] = field(default_factory=set)
    """Whose password has expired, until they change it."""
    disabled: set[str] = field(default_factory=set)
    young: set[str] = field(default_factory=set)
    """Whose password has not reached its minimum age."""
    about: dict[str, Any] = field(default_factory=dict)
    """More of everybody's identity."""
    binds: list[str] = field(default_factory=list)
    password_set: float = 1_700_000_000.0
    """Of everybody."""
    offered: tuple[str, ...] = ()
    """The attributes that the settings let out."""
    status: dict[str, directory.AccountStatus] = field(default_factory=dict)
    """What is the matter with accounts, as a look-up says it; `live` where nothing stands here."""
    looked_up: list[directory.PersonReference] = field(default_factory=list)
    condition: directory.DirectoryCondition = "ready"
    on_change: Callable[[], None] = lambda: None
    """What the agent wants to be called when something has changed."""

    async def verify(
        self, credential: directory.Credential, *, deadline: float, before_bind: Callable[[], Awaitable[None]] | None = None
    ) -> directory.CheckResult:
        if self.outcome is not None:
            return directory.CheckResult(self.outcome)
        if before_bind is not None:
            await before_bind()
        self.binds.append(credential.name)
        await asyncio.sleep(self.delay)
        name = _upn(credential.name)
        right = self.people.get(name) == credential.password
        guid = self._guid_of(name)
        whose = directory.DirectoryObject(self.about.get("directory", "9d1c"), guid)
        account = whose if name in self.people or self.accept_anything else None
        if not right and not self.accept_anything:
            return directory.CheckResult(directory.CheckOutcome.WRONG_CREDENTIAL, detail="data 52e", account=account)
        if name in self.disabled:
            return directory.CheckResult(directory.CheckOutcome.ACCOUNT_DISABLED, password_proven=True, account=account)
        if name in self.expired:
            return directory.CheckResult(
                directory.CheckOutcome.PASSWORD_EXPIRED,
                password_proven=True,
                account=account,
                requirements=_RULES,
            )
        identity = self._identity_of(name)
        account = directory.DirectoryObject(identity.directory, identity.object_guid)
        rules = _RULES._replace(wait=70_000) if name in self.young else _RULES
        return directory.CheckResult(
            directory.CheckOutcome.SUCCESS,
            identity,
            password_proven=True,
            account=account,
            requirements=rules,
            password_set=self.password_set,
        )

    async def look_up(
        self, person: directory.PersonReference, *, deadline: float, may_tell: Callable[[directory.DirectoryObject], bool]
    ) -> directory.FoundPerson | None:
        self.looked_up.append(person)
        whose = (name for name in self.people if person.text in {self._guid_of(name), name})
        name = next(whose, "")
        guid = self._guid_of(name) if name else person.object_guid
        account = directory.DirectoryObject(self.about.get("directory", "9d1c"), guid)
        if not may_tell(account):
            return None
        status = self.status.get(name, directory.AccountStatus.LIVE if name else directory.AccountStatus.GONE)
        if status is directory.AccountStatus.GONE:
            return directory.FoundPerson(status, account)
        return directory.FoundPerson(status, account, self._identity_of(name), self.password_set, "dc1:636", self.offered)

    def _guid_of(self, name: str) -> str:
        return str(self.about.get("object_guid", "3f1c" + name.encode().hex()))

    def _identity_of(self, name: str) -> directory.DirectoryIdentity:
        groups = (directory.DirectoryGroup("S-1-5-21-1-2-3-1000", "Engineering"),)
        identity = directory.DirectoryIdentity(
            object_guid=self._guid_of(name),
            directory="9d1c",
            user_name=name,
            domain="corp.example.com",
            account_name=name.partition("@")[0],
            display_name=name.partition("@")[0].title(),
            groups=groups,
        )
        return replace(identity, **self.about)

    async def change_password(
        self,
        name: str,
        old: str,
        new: str,
        *,
        deadline: float,
        before_bind: Callable[[], Awaitable[None]] | None = None,
    ) -> directory.CheckResult:
        verdict = await self.verify(directory.Credential(name, old), deadline=deadline, before_bind=before_bind)
        if verdict.outcome not in {directory.CheckOutcome.SUCCESS, directory.CheckOutcome.PASSWORD_EXPIRED}:
            return verdict
        if len(new) < 8:
            return replace(verdict, outcome=directory.CheckOutcome.PASSWORD_REJECTED, identity=None, password_proven=True)
        self.people[_upn(name)] = new
        self.expired.discard(_upn(name))
        return replace(verdict, outcome=directory.CheckOutcome.SUCCESS, password_proven=True)

    def health(self) -> list[directory.ControllerHealth]:
        return []

    def readiness(self) -> list[directory.DirectoryReadiness]:
        return [directory.DirectoryReadiness("corp.example.com", self.domains or ("*",), self.condition)]

    async def watch(self, on_change: Callable[[], None]) -> None:
        self.on_change = on_change
        await asyncio.get_running_loop().create_future()

    def become(self, condition: directory.DirectoryCondition) -> None:
        """From now on it is so, and the agent is told."""
        self.condition = condition
        self.on_change()

    async def close(self) -> None:
        pass


class FakeAuthenticator:
    """For `gateway.relay.credentials.attempt.Authenticator`; answers what it is told, records what it is asked."""

    def __init__(self) -> None:
        self.people = {"anna@corp.example.com": "Sommer-2026!"}
        self.next: Verdict | None = None
        self.after_change: Verdict | None = None
        """What comes next after a password was changed."""
        self.attempts: list[Attempt] = []

    async def authenticate(self, attempt: Attempt) -> Verdict:
        self.attempts.append(attempt)
        if self.next is not None:
            verdict, self.next = self.next, None
            return verdict
        if self.people.get(_upn(attempt.user_name).lower()) != attempt.password:
            return Verdict(outcome=Outcome.WRONG_CREDENTIAL)
        return Verdict(outcome=Outcome.SUCCESS, identity=identity_of(attempt.user_name), password_proven=True)

    async def change_password(self, attempt: Attempt, new_password: str) -> Verdict:
        verdict = await self.authenticate(attempt)
        if verdict.succeeded:
            if len(new_password) < 8:
                return Verdict(outcome=Outcome.PASSWORD_REJECTED, password_proven=True)
            self.people[_upn(attempt.user_name).lower()] = new_password
            self.next, self.after_change = self.after_change, None
        return verdict


def identity_of(user_name: str) -> Identity:
    guid = f"guid-{user_name.lower()}"
    account_name = user_name.partition("@")[0]
    domain = "corp.example.com"
    return Identity(
        object_guid=guid, user_name=user_name, domain=domain, account_name=account_name, display_name="Anna Berg"
    )


def _upn(name: str) -> str:
    """`corp.example.com\\anna` is another name for `anna@corp.example.com`, as in a directory."""
    domain, backslash, user = name.partition("\\")
    return f"{user}@{domain}" if backslash and domain == "corp.example.com" else name
