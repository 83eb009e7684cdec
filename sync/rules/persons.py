"""The person that objects together are: values, each with its lineage, from the contributions of all its objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from sync.model import Lineage, LinkFlow, ObjectKind, Person
from sync.rules.anchor import check_anchor
from sync.rules.flows import CompiledFlow, Contribution, Contributions, Contributor, Given, Merged, contributors_of, settle
from sync.rules.schema import SOURCE_ANCHOR

_RANK: Final = (ObjectKind.USER, ObjectKind.GROUP, ObjectKind.CONTACT, ObjectKind.OTHER)
"""A user with a contact in another forest is a user."""


class MergedPerson(Struct, frozen=True):
    """What the rules make of the objects that are joined."""

    person: Person
    links: Mapping[str, tuple[LinkFlow, ...]]
    """By attribute of the person."""
    kept_by: tuple[tuple[str, bytes], ...]
    """Source and key of the objects that keep it there. Without any, it has no account."""
    contributors: Mapping[str, tuple[Contributor, ...]] = {}
    """By attribute, in the order of precedence; only where everything was asked for."""


def merge_person(
    person: int,
    contributions: Sequence[Contributions],
    *,
    previous: Person | None,
    now: float,
    has_links: Callable[[LinkFlow], bool],
    explain: bool = False,
) -> MergedPerson:
    """contributions: of every object that is joined and in scope, in the order of their sources, then keys.

    previous: the person as it was, for what is applied once, what is ignored, the anchor, and since when a value is there.
    Raises ObjectHeld.
    """
    there: Mapping[str, Any] = previous.values if previous is not None else {}
    values: dict[str, Any] = {}
    lineage: dict[str, tuple[Lineage, ...]] = {}
    links: dict[str, tuple[LinkFlow, ...]] = {}
    contributors: dict[str, tuple[Contributor, ...]] = {}
    quick = contributions[0].undisputed() if len(contributions) == 1 and not explain else {}
    if quick:
        values = {name: value for name, (_, value) in quick.items()}
        lineage = _quick_lineage(contributions[0], quick, previous, now)
    for name, rows, merged in settle(contributions, there, has_links, quick):
        value: Any = merged.value
        if merged.keeps and previous is not None and name in there:
            values[name], lineage[name] = there[name], previous.lineage.get(name, ())
        elif value.__class__ is tuple and isinstance(value[0], LinkFlow):
            links[name] = value
        elif value is not None:
            values[name] = value
            lineage[name] = _lineage(merged, name, previous, now)
        if explain:
            contributors[name] = contributors_of(rows, merged)
    if previous is not None and SOURCE_ANCHOR in there:  # set once, and kept
        check_anchor(previous, {(found.source, found.key): found.anchor for found in contributions})
        values[SOURCE_ANCHOR] = there[SOURCE_ANCHOR]
        lineage[SOURCE_ANCHOR] = previous.lineage.get(SOURCE_ANCHOR, ())
    kinds = {found.kind for found in contributions}
    kind = next((kind for kind in _RANK if kind in kinds), previous.kind if previous else ObjectKind.OTHER)
    return MergedPerson(
        person=Person(person, kind, values, lineage),
        links=links,
        kept_by=tuple((found.source, found.key) for found in contributions if found.keeps),
        contributors=contributors,
    )


def _quick_lineage(
    found: Contributions, quick: Mapping[str, tuple[CompiledFlow, Given]], previous: Person | None, now: float
) -> dict[str, tuple[Lineage, ...]]:
    """Nearly every person has one object: all that a rule gave it anew has one lineage."""
    before = previous.lineage if previous is not None else {}
    values = previous.values if previous is not None else {}
    new: dict[str, tuple[Lineage, ...]] = {}
    lineage: dict[str, tuple[Lineage, ...]] = {}
    origin = (found.source, found.key)
    for name, (flow, value) in quick.items():
        old = before.get(name, ())
        if (
            len(old) == 1
            and (old[0].source, old[0].key) == origin
            and old[0].rule == flow.rule
            and values.get(name) == value
        ):
            lineage[name] = old
            continue
        if flow.rule not in new:
            new[flow.rule] = (Lineage(found.source, found.key, flow.rule, now),)
        lineage[name] = new[flow.rule]
    return lineage


def _lineage(merged: Merged, name: str, previous: Person | None, now: float) -> tuple[Lineage, ...]:
    """As before, where value and origin are as before."""
    before = previous.lineage.get(name, ()) if previous is not None and previous.values.get(name) == merged.value else ()
    if len(before) == len(merged.winners) and all(map(_same, before, merged.winners)):
        return before
    return tuple(Lineage(one.source, one.key, one.flow.rule, now) for one in merged.winners)


def _same(before: Lineage, one: Contribution) -> bool:
    return (before.source, before.key, before.rule) == (one.source, one.key, one.flow.rule)
