"""Whatever happened in a directory: what deltas have told is what a full reading tells."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.model import ChangeKind, LinkChange, LinkTarget, ObjectKind, SourceChange
from sync.state import ReadingKind, SyncState
from tests.sync.state.support import NOW, deleted, join_all, new_state, read

NUMBERS = st.integers(0, 7)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NUMBERS, NUMBERS),
        st.tuples(st.just("delete"), NUMBERS, NUMBERS),
        st.tuples(st.just("set"), NUMBERS, NUMBERS),
        st.tuples(st.just("clear"), NUMBERS, NUMBERS),
        st.tuples(st.just("rename"), NUMBERS, NUMBERS),
        st.tuples(st.just("move"), NUMBERS, NUMBERS),
        st.tuples(st.just("link"), NUMBERS, NUMBERS),
        st.tuples(st.just("unlink"), NUMBERS, NUMBERS),
        st.tuples(st.just("read"), NUMBERS, NUMBERS),
    ),
    max_size=30,
)
Style = Literal["keys", "names"]


@dataclass
class Thing:
    """An object of the directory. Number 0 to 2 are OUs."""

    name: str
    parent: int | None
    value: int = 0
    links: set[str] = field(default_factory=set)
    """Keys as numbers, or DNs."""


class Directory:
    """Tells changes as Active Directory does (`keys`: links follow their object), or as OpenLDAP (`names`: they do not)."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.things: dict[int, Thing] = {}
        self.told: list[SourceChange] = []

    def dn(self, number: int) -> str:
        thing = self.things[number]
        above = "DC=x" if thing.parent is None else self.dn(thing.parent)
        return f"{'OU' if number < 3 else 'CN'}={thing.name},{above}"

    def whole(self, number: int) -> SourceChange:
        thing = self.things[number]
        values = {"n": thing.value} if thing.value else {}
        links = {"member": LinkChange(tuple(map(self.target, sorted(thing.links))))} if thing.links else {}
        return SourceChange(
            ChangeKind.WHOLE, key(number), kind(number), self.dn(number), self.parent(number), values, links=links
        )

    def parent(self, number: int) -> bytes:
        above = self.things[number].parent
        return key(above) if above is not None and self.style == "keys" else b""

    def target(self, link: str) -> LinkTarget:
        return LinkTarget(key=key(int(link))) if self.style == "keys" else LinkTarget(name=link)

    def tell(self, number: int, **what: object) -> None:
        """A delta of AD says what changed; syncrepl sends the whole entry."""
        if self.style == "names":
            self.told.append(self.whole(number))
        else:
            change = SourceChange(ChangeKind.CHANGED, key(number), kind(number), self.dn(number))
            self.told.append(replace_struct(change, **what))

    def step(self, what: str, number: int, other: int) -> None:
        if what == "create" and number not in self.things:
            parent = next((ou for ou in range(min(number, 3)) if ou in self.things and other % 2), None)
            self.things[number] = Thing(self.free_name(number, parent, f"t{other}"), parent)
            self.told.append(self.whole(number))
        elif number in self.things and what != "create":
            getattr(self, what)(number, other)

    def free_name(self, number: int, parent: int | None, wanted: str) -> str:
        taken = {thing.name for one, thing in self.things.items() if one != number and thing.parent == parent}
        return wanted if wanted not in taken else f"own{number}"

    def delete(self, number: int, _: int) -> None:
        if any(thing.parent == number for thing in self.things.values()):
            return
        del self.things[number]
        if self.style == "keys":
            for thing in self.things.values():
                thing.links.discard(str(number))
        self.told.append(deleted(key(number)))

    def set(self, number: int, other: int) -> None:
        self.things[number].value = other + 1
        self.tell(number, values={"n": other + 1})

    def clear(self, number: int, _: int) -> None:
        self.things[number].value = 0
        self.tell(number, cleared=frozenset({"n"}))

    def rename(self, number: int, other: int) -> None:
        thing = self.things[number]
        thing.name = self.free_name(number, thing.parent, f"r{other}")
        self.tell(number, parent=self.parent(number))

    def move(self, number: int, other: int) -> None:
        above = other % 3
        if above in self.things and number >= 3:
            thing = self.things[number]
            thing.name, thing.parent = self.free_name(number, above, thing.name), above
            self.tell(number, parent=self.parent(number))

    def link(self, number: int, other: int) -> None:
        if other in self.things or self.style == "names":
            link = str(other) if self.style == "keys" else self.dn(other) if other in self.things else f"CN=t{other},DC=x"
            self.things[number].links.add(link)
            self.tell(number, links={"member": LinkChange(None, (self.target(link),))})

    def unlink(self, number: int, other: int) -> None:
        links = sorted(self.things[number].links)
        if links:
            link = links[other % len(links)]
            self.things[number].links.remove(link)
            self.tell(number, links={"member": LinkChange(None, (), (self.target(link),))})


def replace_struct(change: SourceChange, **what: object) -> SourceChange:
    fields = {name: getattr(change, name) for name in change.__struct_fields__}
    return SourceChange(**{**fields, **what})


def key(number: int) -> bytes:
    return b"%016d" % number


def kind(number: int) -> ObjectKind:
    return ObjectKind.OTHER if number < 3 else ObjectKind.GROUP


def known(state: SyncState) -> dict[bytes, object]:
    """All that can be seen of living objects."""
    return {
        one.key: (
            one.kind,
            one.dn,
            one.path,
            one.values,
            {target.key or target.name.casefold() for target in state.objects.links_of("ad", one.key, "member")},
        )
        for one in state.objects.all("ad")
    }


@contextmanager
def temporary_state() -> Iterator[SyncState]:
    with tempfile.TemporaryDirectory() as folder:
        state = new_state(Path(folder) / "state.db")
        try:
            yield state
        finally:
            state.close()


def expected(directory: Directory) -> dict[bytes, object]:
    """What a first full reading gives, in an order that has nothing to do with what happened."""
    with temporary_state() as state:
        read(state, *(directory.whole(number) for number in sorted(directory.things, reverse=True)), kind=ReadingKind.FULL)
        return known(state)


@settings(max_examples=60)
@given(STEPS, st.sampled_from(["keys", "names"]), st.booleans())
def test_deltas_come_to_what_a_full_reading_tells(steps: list[tuple[str, int, int]], style: Style, joined: bool) -> None:
    """Values, places, names and links, whether told one by one or together, with persons joined or not."""
    directory = Directory(style)
    with temporary_state() as state:
        for what, number, other in steps:
            if what == "read":
                read(state, *directory.told)
                directory.told.clear()
                if joined:
                    join_all(state)
            else:
                directory.step(what, number, other)
        read(state, *directory.told)
        assert known(state) == expected(directory)
        state.verify()


@settings(max_examples=40)
@given(STEPS, STEPS, st.sampled_from(["keys", "names"]))
def test_a_full_reading_corrects_whatever_was_known(
    before: list[tuple[str, int, int]], after: list[tuple[str, int, int]], style: Style
) -> None:
    """The cookie was lost: what happened meanwhile was never told, and what is gone is asked for."""
    directory = Directory(style)
    with temporary_state() as state:
        for what, number, other in before:
            if what != "read":
                directory.step(what, number, other)
        read(state, *directory.told)
        for what, number, other in after:
            if what != "read":
                directory.step(what, number, other)
        everything = [directory.whole(number) for number in sorted(directory.things)]
        if style == "keys":  # DirSync says `changed` even at the first reading
            everything = [replace_struct(change, kind=ChangeKind.CHANGED) for change in everything]
        read(state, *everything, kind=ReadingKind.FULL, exhaustive=True)
        gone = [deleted(candidate.key) for candidate in state.objects.absence_candidates("ad")]
        read(state, *gone, kind=ReadingKind.FETCH)
        assert known(state) == expected(directory)
        assert list(state.objects.absence_candidates("ad")) == []


def test_times_are_those_of_the_reading() -> None:
    """The evidence of a deletion says when."""
    with temporary_state() as state:
        read(state, SourceChange(ChangeKind.WHOLE, key(9)))
        read(state, deleted(key(9)), now=NOW + 5)
        evidence = state.objects.deletion("ad", key(9))
        assert evidence is not None
        assert evidence.at == NOW + 5
