"""A toy procedure over lamps: one act for each condition, a gate, a rolling restart, a time, and a way back.

wire ─► light ─► cycle (one at a time) ─► cool (a time) ─► agree (a person) ─► cut (no way back)
  ▲       ▲         ▲
  └───────┴─────────┴── back
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from foundation.procedures import (
    Act,
    ActFailed,
    Condition,
    Event,
    FileJournal,
    Procedure,
    Record,
    Rollback,
    Stage,
    View,
    blank,
)
from foundation.procedures.events import kind_of

NOW = 1_800_000_000.0
COOLING = 7200.0


class Killed(BaseException):
    """The process is gone."""


class LampState(msgspec.Struct, frozen=True):
    """What the procedure remembers."""

    colour: str
    before: dict[str, str]
    made: str = ""


@dataclass
class World:
    """Lamps, each with a colour, a wire and a count of restarts. Also the executor and the clock."""

    lamps: dict[str, str] = field(default_factory=lambda: {"a": "grey", "b": "grey"})
    wires: set[str] = field(default_factory=set)
    restarts: list[str] = field(default_factory=list)
    time: float = NOW
    log: list[str] = field(default_factory=list)
    event: Callable[[str], None] = lambda what: None
    fails: dict[str, ActFailed] = field(default_factory=dict)
    """What a command fails with, once each; with effect `unknown` it takes effect all the same."""
    delay: float = 0.0
    """Seconds until an effect shows."""
    deaf: set[str] = field(default_factory=set)
    """Commands that come back without an error, and do nothing."""
    away: str = ""
    _later: list[tuple[float, str]] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.event("sleep")
        self.time += seconds

    async def observe(self) -> World:
        for when, what in list(self._later):
            if when <= self.time:
                self._later.remove((when, what))
                self._take_effect(what)
        return copy.copy(self)

    async def do(self, act: Act) -> None:
        what = str(act)
        self.event(f"before {what}")
        failed = self.fails.pop(what, None)
        if failed is not None and failed.effect != "unknown":
            raise failed
        self.log.append(what)
        if what not in self.deaf:
            if self.delay:
                self._later.append((self.time + self.delay, what))
            else:
                self._take_effect(what)
        self.event(f"after {what}")
        if failed is not None:
            raise failed

    def _take_effect(self, what: str) -> None:
        lamp, _, command = what.partition(": ")
        verb, _, value = command.partition(" ")
        if verb == "wire":
            self.wires.add(lamp)
        elif verb == "unwire" or verb == "cut":
            self.wires.discard(lamp)
        elif verb == "paint":
            self.lamps[lamp] = value
        elif verb == "restart":
            self.restarts.append(lamp)


class LampView(View[World, LampState]):
    """In the lamps' terms."""

    @property
    def lamps(self) -> dict[str, str]:
        return self.observed.lamps


def act(lamp: str, what: str, **more: Any) -> Act:
    return Act(place=lamp, what=what, **more)


def wires(view: LampView) -> list[Condition]:
    return [Condition(lamp, "" if lamp in view.observed.wires else "has no wire", act(lamp, "wire")) for lamp in view.lamps]


def no_wires(view: LampView) -> list[Condition]:
    return [Condition(lamp, "has a wire" if lamp in view.observed.wires else "", act(lamp, "unwire")) for lamp in view.lamps]


def colours(view: LampView) -> list[Condition]:
    wanted = view.state.colour
    return [
        Condition(lamp, "" if colour == wanted else f"is {colour}", act(lamp, f"paint {wanted}"))
        for lamp, colour in view.lamps.items()
    ]


def old_colours(view: LampView) -> list[Condition]:
    return [
        Condition(lamp, "" if view.lamps[lamp] == colour else f"is {view.lamps[lamp]}", act(lamp, f"paint {colour}"))
        for lamp, colour in view.state.before.items()
    ]


def restarted(stage: str) -> Callable[[LampView], list[Condition]]:
    def conditions(view: LampView) -> list[Condition]:
        found = []
        for lamp in view.lamps:
            restart = act(lamp, "restart")
            done = restart.id(stage) in view.record.acted
            found.append(Condition(lamp, "" if done else "was not restarted", restart))
        return found

    return conditions


def cooled(view: LampView) -> list[Condition]:
    return [Condition("", "" if view.now >= cooled_at(view) else "they are hot")]


def cooled_at(view: LampView) -> float:
    return view.record.completed.get("cycle", view.now) + COOLING


def agreed(view: LampView) -> list[Condition]:
    return [Condition("", "" if "cut" in view.record.acknowledged else "an administrator must approve this")]


def cut(view: LampView) -> list[Condition]:
    return [Condition(lamp, "has a wire" if lamp in view.observed.wires else "", act(lamp, "cut")) for lamp in view.lamps]


def broken(view: LampView) -> list[str]:
    return [f"{lamp} is broken; replace it" for lamp, colour in view.lamps.items() if colour == "broken"]


STAGES: tuple[Stage[LampView], ...] = (
    Stage(
        name="wire",
        number=1,
        title="wire the lamps",
        promise="every lamp has a wire",
        conditions=wires,
        refuses=broken,
        learns=lambda view: msgspec.structs.replace(view.state, made="wired"),
        back=Stage(name="unwire", title="take the wires away", promise="no lamp has a wire", conditions=no_wires),
    ),
    Stage(
        name="light",
        number=2,
        title="paint the lamps",
        promise="every lamp has the colour",
        conditions=colours,
        refuses=broken,
        back=Stage(
            name="paint back",
            title="paint them as before",
            promise="every lamp is as before",
            conditions=old_colours,
            refuses=broken,
        ),
    ),
    Stage(
        name="cycle",
        number=3,
        title="restart them",
        promise="every lamp was restarted",
        conditions=restarted("cycle"),
        one_at_a_time=True,
        leaves_trace=False,
        back=Stage(
            name="cycle back",
            title="restart them",
            promise="every lamp was restarted",
            conditions=restarted("cycle back"),
            one_at_a_time=True,
            leaves_trace=False,
        ),
    ),
    Stage(name="cool", number=4, title="let them cool", promise="they are cool", conditions=cooled, until=cooled_at),
    Stage(
        name="agree",
        number=5,
        title="a person says: cut",
        promise="everything has been acknowledged",
        conditions=agreed,
        asks=lambda view: {"cut": "Say that the wires may go"},
    ),
    Stage(
        name="cut",
        number=6,
        title="cut the wires",
        promise="no lamp has a wire",
        conditions=cut,
        final="the wires are being cut",
        lasts=True,
    ),
)
LAMPS: Procedure[LampView] = Procedure(
    kind="lamps",
    state=LampState,
    stages=STAGES,
    view=LampView,
    back_order=("paint back", "cycle back", "unwire"),
    rollbacks=(Rollback(to="start"), Rollback(to="painted", reopens=True)),
    undone=("light", "cycle", "cool", "agree"),
)
TYPES = {"lamps": LampState}


def state(world: World, colour: str = "red") -> LampState:
    return LampState(colour=colour, before=dict(world.lamps))


def record(world: World, **more: Any) -> Record[LampState]:
    """Of work that has started."""
    return replace(blank(LAMPS, "house", state(world), world.time), id="r1", by="ann", **more)


class Fuse:
    """Kills at one event, once; counts them all."""

    def __init__(self, at: int = -1) -> None:
        self.at, self.count, self.where = at, 0, ""

    def __call__(self, what: str) -> None:
        self.count += 1
        if self.count - 1 == self.at:
            self.where = what
            raise Killed(what)


class FusedJournal(FileJournal):
    """Dies before a line is written, with half of it on disk, or right after."""

    fuse: Callable[[str], None] = staticmethod(lambda what: None)

    def append(self, event: Event, now: float) -> Record[Any]:
        kind = kind_of(event)
        self.fuse(f"before journal {kind}")
        try:
            self.fuse(f"torn journal {kind}")
        except Killed:
            os.write(self._descriptor, b'{"v":3,"n":')
            raise
        changed = super().append(event, now)
        self.fuse(f"after journal {kind}")
        return changed


def opened(path: Path, world: World, fuse: Callable[[str], None] | None = None) -> FusedJournal:
    journal = FusedJournal(path, TYPES, now=world.time, who="ann@ws1")
    journal.fuse = fuse or (lambda what: None)
    return journal
