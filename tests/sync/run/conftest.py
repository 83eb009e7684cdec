"""A source in memory, and everything around it: the state is real, the target is in memory."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from findings import Finding
from sync.model import ChangeKind, LinkChange, LinkTarget, ObjectKind, Plain, SourceChange
from sync.plan import DeletionPolicy, GuardLimits
from sync.rules import RuleSet, SourceDescription, read_rules
from sync.run import Synchronisation, TargetAccess
from sync.source import SourceOutcome, SourceReading, Tally, Wait
from sync.state import SyncState, open_state
from sync.target import NULL_PROFILE, NullTarget, Profile

NOW = 1_800_000_000.0


def key_of(name: str) -> bytes:
    return uuid.uuid5(uuid.NAMESPACE_DNS, name).bytes


def user(name: str, *, manager: str = "", **values: Plain) -> SourceChange:
    """As Active Directory's source tells it."""
    own: dict[str, Plain] = {
        "sAMAccountName": name,
        "userPrincipalName": f"{name}@example.com",
        "displayName": name.title(),
        "name": name,
        "userAccountControl": 512,
        **values,
    }
    links = {"manager": LinkChange(all=(LinkTarget(key=key_of(manager)),))} if manager else {}
    dn = f"CN={name},OU=people,DC=example,DC=com"
    return SourceChange(ChangeKind.WHOLE, key_of(name), ObjectKind.USER, dn=dn, values=own, links=links)


def group(name: str, *members: str) -> SourceChange:
    values: dict[str, Plain] = {"sAMAccountName": name, "displayName": name, "name": name, "groupType": -2147483646}
    links = {"member": LinkChange(all=tuple(LinkTarget(key=key_of(member)) for member in members))}
    dn = f"CN={name},OU=groups,DC=example,DC=com"
    return SourceChange(ChangeKind.WHOLE, key_of(name), ObjectKind.GROUP, dn=dn, values=values, links=links)


def gone(name: str) -> SourceChange:
    return SourceChange(ChangeKind.DELETED, key_of(name))


class MemorySource:
    """Everything first; then what was put into `changes` since."""

    delta = True

    def __init__(self, name: str = "corp") -> None:
        self.name = name
        self.objects: dict[bytes, SourceChange] = {}
        self.changes: list[SourceChange] = []
        self.fails = ""
        self.refuses_cookies = False

    def put(self, *changes: SourceChange) -> None:
        for change in changes:
            if change.kind is ChangeKind.DELETED:
                self.objects.pop(change.key, None)
            else:
                self.objects[change.key] = change
            self.changes.append(change)

    def read(self, cookie: bytes | None) -> SourceReading:
        async def produce(tally: Tally) -> AsyncGenerator[SourceChange, None]:
            if cookie is not None and self.refuses_cookies:
                tally.end(SourceOutcome.COOKIE_REFUSED, "it is another database")
                return
            told = list(self.objects.values()) if cookie is None else self.changes[int(cookie) :]
            for number, change in enumerate(told):
                if self.fails and number == len(told) // 2:
                    tally.broken(self.fails, cookie)
                    return
                yield change
            tally.complete(b"%d" % len(self.changes), "memory", exhaustive=cookie is None)

        return SourceReading(produce)

    def fetch(self, keys: Sequence[bytes]) -> SourceReading:
        async def produce(tally: Tally) -> AsyncGenerator[SourceChange, None]:
            for key in keys:
                yield self.objects.get(key, SourceChange(ChangeKind.DELETED, key))
            tally.complete(None, "memory", exhaustive=False)

        return SourceReading(produce)

    async def wait(self, seconds: float, cookie: bytes | None = None, begun: Callable[[], None] = lambda: None) -> Wait:
        raise NotImplementedError

    async def check(self) -> list[Finding]:
        return []

    async def close(self) -> None:
        pass


@dataclass
class World:
    """A source, a state, a target."""

    folder: Path
    state: SyncState
    source: MemorySource = field(default_factory=MemorySource)
    target: NullTarget = field(default_factory=NullTarget)
    policy: DeletionPolicy = field(default_factory=DeletionPolicy)
    limits: GuardLimits = field(default_factory=GuardLimits)
    now: float = NOW
    edition: str = "1"
    profile: Profile = NULL_PROFILE
    rules: RuleSet = field(default_factory=lambda: read_rules(None))

    def sync(self) -> Synchronisation:
        access = TargetAccess(self.target, self.profile, self.policy)
        description = SourceDescription(name="corp", parameters={"Domain.FQDN": "example.com"})
        return Synchronisation(
            self.state,
            [self.source],
            self.rules,
            {"null": access},
            edition=self.edition,
            limits=self.limits,
            descriptions=[description],
            clock=lambda: self.now,
        )

    def accounts(self, kind: ObjectKind = ObjectKind.USER) -> dict[str, object]:
        """State of each account, by display name."""
        found = self.target._accounts.of(kind)
        return {str(account.values["displayName"]): account.state.value for account in found}

    def members(self, name: str) -> set[str]:
        """Display names of a group's members at the target."""
        by_remote = {account.remote: account for kind in ObjectKind for account in self.target._accounts.of(kind)}
        found = next(one for one in by_remote.values() if one.values.get("displayName") == name)
        linked = self.target._links.get((found.remote, "member"), {})
        return {str(by_remote[remote].values["displayName"]) for remote in linked}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    state = open_state(tmp_path / "state.db")
    state.take_lease("test", NOW, 1e9)
    yield World(tmp_path, state)
    state.close()
