"""What flows give, and who wins: precedence, merge types, apply once, NULL, AuthoritativeNull, IgnoreThisFlow.

    object ── flows of the rules in scope ──► Contributions ─┐
    object ── …                            ──► Contributions ─┴─ merge ──► values with their lineage

An empty text, bytes without any and an empty list are no value, as NULL is. The rule of the lowest precedence that gives a
value wins; of one rule for several objects, the object whose source comes first, then the lower key. AuthoritativeNull wins
as a value would, and leaves the attribute without one. IgnoreThisFlow gives nothing; if nobody else does, what is there
stays.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from msgspec import Struct

from sync.model import LinkFlow, ObjectKind, Plain
from sync.rules.errors import ObjectHeld
from sync.rules.expressions import (
    AuthoritativeNull,
    Bindings,
    EvaluationFailed,
    IgnoreThisFlow,
    Sentinel,
    StoppedByRule,
)

Given: TypeAlias = Plain | tuple[Plain, ...] | LinkFlow | Sentinel
"""What a flow gave; NULL is not held."""
_VALUES: Final = frozenset({str, int, bool, bytes, tuple})


@dataclass(frozen=True, slots=True)
class CompiledFlow:
    """A flow, ready for many objects."""

    rule: str
    precedence: int
    to: str
    merges: bool
    folds: bool
    """Values that differ only in case are one."""
    once: bool
    run: Callable[[Bindings], Any]
    """Raises EvaluationFailed."""
    direct: str = ""
    """The attribute that flows as it is; else, `run` gives the value."""
    links: str = ""
    nested: bool = False
    compute: str = ""
    """What is computed for each target (`Computation`); then `run` depends on the target."""
    said: str = ""
    """Where the value comes from, for people."""

    def link(self, source: str, key: bytes) -> LinkFlow:
        """Of a flow of links, for one object."""
        return LinkFlow(attribute=self.to, object=(source, key), links=self.links, nested=self.nested, rule=self.rule)


class Contribution(Struct, frozen=True):
    """What one flow gave for one object."""

    flow: CompiledFlow
    value: Given | None
    source: str
    key: bytes


@dataclass(slots=True)
class Contributions:
    """What the rules in scope give for one object."""

    source: str
    key: bytes
    kind: ObjectKind
    rules: tuple[str, ...]
    """Ids of those in scope, by precedence."""
    keeps: bool
    """Whether one of them keeps the person there (provision, sticky join)."""
    anchor: str
    """Source anchor of the object; empty where it has none."""
    winners: dict[str, tuple[CompiledFlow, Given]] = field(default_factory=dict)
    """By attribute: of flows that do not merge, the first that gives something."""
    others: list[Contribution] = field(default_factory=list)
    """Of flows that merge, or give IgnoreThisFlow; where everything was asked for, all the others, too."""

    def collect(self, flows: Iterable[CompiledFlow], bindings: Bindings, *, everything: bool = False) -> None:
        """What the flows of one rule give; rules come in the order of precedence. Raises ObjectHeld.

        everything: also of flows that cannot win. This is called for each rule of each object: it is written to be fast.
        """
        winners, attribute = self.winners, bindings.attributes.get
        for flow in flows:
            name = flow.to
            if name in winners and not (flow.merges or everything):
                continue
            value: Any
            if flow.direct:
                value = attribute(flow.direct)
            elif flow.links:
                value = flow.link(self.source, self.key)
            else:
                try:
                    value = flow.run(bindings)
                except EvaluationFailed as failed:
                    raise held_by(failed, flow.rule, [(self.source, self.key)]) from failed
            value = (value or None) if value.__class__ is str else usable(value)
            if value is None and not everything:
                continue
            if value is None or value is IgnoreThisFlow or flow.merges or name in winners:
                self.others.append(Contribution(flow, value, self.source, self.key))
            else:
                winners[name] = flow, value

    def all(self, without: Collection[str]) -> Iterator[Contribution]:
        """Winners and others, but for some attributes."""
        for name, (flow, value) in self.winners.items():
            if name not in without:
                yield Contribution(flow, value, self.source, self.key)
        yield from (other for other in self.others if other.flow.to not in without)

    def undisputed(self) -> dict[str, tuple[CompiledFlow, Given]]:
        """Winners of attributes of which nothing else is to be asked, where this is the only object."""
        disputed = {other.flow.to for other in self.others}
        return {
            name: found
            for name, found in self.winners.items()
            if not found[0].once and name not in disputed and found[1].__class__ in _VALUES
        }


class FlowVerdict(enum.StrEnum):
    """What became of a contribution."""

    WON = "won"
    MERGED = "merged"
    OUTRANKED = "outranked"
    NO_VALUE = "no value"
    IGNORED = "ignored"
    KEPT = "kept"
    """Apply once: the value that is there already stays."""


class Contributor(Struct, frozen=True):
    """A contribution, for explain."""

    rule: str
    precedence: int
    source: str
    key: bytes
    origin: str
    """Where the rule takes the value from: the attribute, constant or expression."""
    value: Given | None
    verdict: FlowVerdict


class Merged(Struct, frozen=True):
    """One attribute."""

    value: Plain | tuple[Plain, ...] | tuple[LinkFlow, ...] | None
    """None: no value."""
    winners: tuple[Contribution, ...]
    keeps: bool = False
    """What is there already stays."""


def usable(value: Any) -> Any:
    """A result of a flow as it is kept: None for no value; several values once each."""
    if value.__class__ is tuple:
        return tuple(dict.fromkeys(item for item in value if item not in {"", b""})) or None
    return None if value == "" or value == b"" else value


def held_by(failed: EvaluationFailed, rule: str, objects: Sequence[tuple[str, bytes]] = ()) -> ObjectHeld:
    """The error of an object, from that of an expression."""
    place = f"at {failed.place}: " if not isinstance(failed, StoppedByRule) else ""
    return ObjectHeld(
        "ExpressionError", f"{place}{failed.problem}", failed.remedy, rule=rule, objects=objects, value=failed.value
    )


def settle(
    contributions: Iterable[Contributions],
    there: Mapping[str, object],
    has_links: Callable[[LinkFlow], bool],
    without: Collection[str] = (),
) -> Iterator[tuple[str, list[Contribution], Merged]]:
    """Every attribute that somebody speaks of, with all that was given, in order.

    contributions: objects in the order of their sources.
    there: what has a value already. without: attributes that are left out.
    """
    candidates: dict[str, list[Contribution]] = {}
    for found in contributions:
        for one in found.all(without):
            candidates.setdefault(one.flow.to, []).append(one)
    for name, rows in candidates.items():
        rows.sort(key=_precedence)  # which keeps the order of the objects
        yield name, rows, merge_attribute(rows, there=name in there, has_links=has_links)


def verdict_of(one: Contribution, merged: Merged) -> FlowVerdict:
    """What became of a contribution to an attribute."""
    if one.value is None:
        return FlowVerdict.NO_VALUE
    if one.value is IgnoreThisFlow:
        return FlowVerdict.IGNORED
    if not any(one is winner for winner in merged.winners):
        return FlowVerdict.OUTRANKED
    if merged.keeps:
        return FlowVerdict.KEPT
    return FlowVerdict.MERGED if len(merged.winners) > 1 else FlowVerdict.WON


def contributors_of(rows: Sequence[Contribution], merged: Merged) -> tuple[Contributor, ...]:
    """What became of each of them."""
    return tuple(
        Contributor(
            one.flow.rule, one.flow.precedence, one.source, one.key, one.flow.said, one.value, verdict_of(one, merged)
        )
        for one in rows
    )


def _precedence(one: Contribution) -> int:
    return one.flow.precedence


def merge_attribute(candidates: Sequence[Contribution], *, there: bool, has_links: Callable[[LinkFlow], bool]) -> Merged:
    """Of one attribute, from all contributions in the order of their precedence. there: whether it has a value already."""
    giving = [one for one in candidates if one.value is not None and one.value is not IgnoreThisFlow]
    if not giving:
        return Merged(None, (), keeps=any(one.value is IgnoreThisFlow for one in candidates))
    first = giving[0]
    if isinstance(first.value, LinkFlow):
        return _merged_links(giving, has_links)
    if first.flow.merges:
        return _merged_values(giving)
    if first.flow.once and there:
        return Merged(None, (first,), keeps=True)
    return Merged(None if first.value is AuthoritativeNull else first.value, (first,))  # type: ignore[arg-type]  # no link


def _merged_values(giving: Iterable[Contribution]) -> Merged:
    """Those of the winner first; of values that count as the same, its spelling."""
    values: dict[object, Plain] = {}
    winners = []
    for one in giving:
        if one.value is AuthoritativeNull:  # nobody of lower precedence may give anything
            break
        before = len(values)
        found: Any = one.value if isinstance(one.value, tuple) else (one.value,)
        for value in found:
            values.setdefault(_identity(value, one.flow), value)
        if len(values) > before:
            winners.append(one)
    return Merged(tuple(values.values()) or None, tuple(winners))


def _merged_links(giving: Sequence[Contribution], has_links: Callable[[LinkFlow], bool]) -> Merged:
    """An object that names nobody leaves the attribute to the next one, as NULL does."""
    links = [(one, one.value) for one in giving if isinstance(one.value, LinkFlow)]
    if not giving[0].flow.merges:
        links = [next((pair for pair in links if len(links) == 1 or has_links(pair[1])), links[0])]
    return Merged(tuple(link for _, link in links), tuple(one for one, _ in links))


def _identity(value: Any, flow: CompiledFlow) -> object:
    """What makes two values the same: their kind, too, since True equals 1."""
    return (str, value.casefold()) if flow.folds and isinstance(value, str) else (type(value), value)
