"""A state with a lease, and readings in one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sync.model import ChangeKind, ConfirmedAccount, LinkChange, LinkTarget, ObjectKind, SourceChange, SourceObject, Values
from sync.state import ReadingKind, ReadingSummary, SyncState, open_state

NOW = 1_750_000_000.0
COOKIE = b"opaque"


def new_state(path: Path) -> SyncState:
    state = open_state(path)
    state.take_lease("a test", NOW, 3600.0)
    return state


def whole(
    key: bytes,
    kind: ObjectKind = ObjectKind.USER,
    *,
    dn: str = "",
    parent: bytes = b"",
    links: Mapping[str, tuple[LinkTarget, ...]] | None = None,
    **values: object,
) -> SourceChange:
    told = {name: LinkChange(targets) for name, targets in (links or {}).items()}
    return SourceChange(ChangeKind.WHOLE, key, kind, dn, parent, values, links=told)  # type: ignore[arg-type]


def group(key: bytes, *members: bytes, dn: str = "") -> SourceChange:
    return whole(key, ObjectKind.GROUP, dn=dn, links={"member": keys(*members)})


def keys(*names: bytes) -> tuple[LinkTarget, ...]:
    return tuple(LinkTarget(key=name) for name in names)


def names(*names: str) -> tuple[LinkTarget, ...]:
    return tuple(LinkTarget(name=name) for name in names)


def changed(
    key: bytes, *, dn: str = "", cleared: tuple[str, ...] = (), restored: bool = False, **values: object
) -> SourceChange:
    return SourceChange(ChangeKind.CHANGED, key, dn=dn, values=values, cleared=frozenset(cleared), restored=restored)  # type: ignore[arg-type]


def linked(key: bytes, added: tuple[LinkTarget, ...] = (), removed: tuple[LinkTarget, ...] = ()) -> SourceChange:
    return SourceChange(ChangeKind.CHANGED, key, ObjectKind.GROUP, links={"member": LinkChange(None, added, removed)})


def deleted(key: bytes, dn: str = "") -> SourceChange:
    return SourceChange(ChangeKind.DELETED, key, dn=dn)


def read(
    state: SyncState,
    *changes: SourceChange,
    kind: ReadingKind = ReadingKind.DELTA,
    complete: bool = True,
    exhaustive: bool = False,
    source: str = "ad",
    now: float = NOW,
) -> ReadingSummary:
    reading = state.begin_reading(source, kind, 1, now)
    reading.apply(changes)
    return reading.finish(complete=complete, exhaustive=exhaustive, cookie=COOKIE, now=now)


def read_all(state: SyncState, *changes: SourceChange, source: str = "ad") -> ReadingSummary:
    return read(state, *changes, kind=ReadingKind.FULL, exhaustive=True, source=source)


def found(state: SyncState, key: bytes, source: str = "ad") -> SourceObject:
    known = state.objects.find(source, key)
    assert known is not None
    return known


def members(state: SyncState, key: bytes, attribute: str = "member", source: str = "ad") -> list[bytes]:
    return [target.key for target in state.objects.links_of(source, key, attribute)]


def join_all(state: SyncState, source: str = "ad") -> dict[bytes, int]:
    """A person for each object that has none."""
    persons = {}
    for known in state.objects.all(source):
        person = state.persons.of_object(source, known.key)
        if not person:
            person = state.persons.create(known.kind)
            state.persons.join(source, known.key, person, "by key", NOW)
        persons[known.key] = person
    return persons


def account(person: int, target: str = "app", kind: ObjectKind = ObjectKind.USER, **values: object) -> ConfirmedAccount:
    given: Values = values  # type: ignore[assignment]
    return ConfirmedAccount(person, target, kind, f"anchor{person}", f"remote{person}", given, given, since=NOW)


def settle(state: SyncState) -> None:
    """Whoever works on what is marked has done so."""
    for known in list(state.marks.changed_objects()):
        state.marks.settle_object(known)
    for affected in list(state.marks.affected_persons()):
        state.marks.settle_person(affected)


def affected(state: SyncState) -> set[int]:
    return {one.person for one in state.marks.affected_persons()}
