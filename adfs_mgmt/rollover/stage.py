"""A stage: one row of a procedure, as pure functions over what is known. And how the next step comes out of the rows.

    for the first stage that has not held:
        an act of it is unresolved, too young ──► WAIT   (it may still be under way on the host)
        refuses ──────────────────────────────► REFUSE
        nothing missing ──────────────────────► NOTE     (write down that it holds; the next look is at the next stage)
        acts ─────────────────────────────────► DO
        asks ─────────────────────────────────► ASK
        otherwise ────────────────────────────► WAIT

Stages look at the farm, not at what was sent: an act whose effect is there is never done twice, whoever did it, and a
rollover that was interrupted anywhere goes on by the same functions as one that was not. Only a restart leaves nothing to
look at; it is remembered, and harmless twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from adfs_mgmt.farm import Farm, Served, Use
from adfs_mgmt.rollover.model import Act, Record, Snapshot, Step, StepKind
from adfs_mgmt.rollover.record import stage_act
from certs import policy


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloverPolicy:
    """When something is due, and what is too much. Seconds, but for `tries` and `polls`."""

    keys: policy.Policy = field(default_factory=policy.Policy)
    """Of the token certificates, by the state machine that every key here has."""
    sync_seconds: float = 900.0
    """A secondary whose last successful poll is older is not sure to have what the primary has."""
    clock_seconds: float = 60.0
    """By how much a server's clock may differ: tokens are valid from now."""
    ssl_seconds_left: float = 30 * 86400.0
    """A new SSL certificate that ends sooner is not worth the work."""
    polls: float = 2.0
    """Polls of a secondary within which it must show what the primary has."""
    restart_seconds: float = 180.0
    """A service that has not come back by then has not come back."""
    settle_seconds: float = 60.0
    """How long an act whose connection broke may still be under way on the host; looking sooner might miss its effect."""
    tries: int = 3
    """An act that was begun as often and left no trace is not tried again."""


@dataclass(frozen=True, slots=True)
class View:
    """What a stage decides on."""

    snapshot: Snapshot
    record: Record
    policy: RolloverPolicy
    now: float
    served: Mapping[str, Served] = field(init=False, repr=False, compare=False)
    """What each address serves, by host."""

    def __post_init__(self) -> None:
        outside = self.snapshot.outside
        object.__setattr__(self, "served", {row.host: row for row in outside.served} if outside else {})

    @property
    def farm(self) -> Farm:
        """The farm, as its servers say."""
        return self.snapshot.farm

    @property
    def uses(self) -> tuple[Use, ...]:
        """Of a token rollover: what is rolled."""
        return tuple(Use(value) for value in self.record.facts.get("uses", "").split(",") if value)

    def old(self, use: Use) -> str:
        """Thumbprint that is replaced."""
        return self.record.facts.get(f"old/{use.value}", "")

    def new(self, use: Use) -> str:
        """Thumbprint that replaces it; empty while nobody knows it."""
        return self.record.facts.get(f"new/{use.value}", "")

    @property
    def primary(self) -> str:
        """Host that takes changes; empty where it cannot be reached."""
        return self.farm.primary.host if self.farm.primary else ""

    def fact(self, name: str) -> str:
        """What was written down under that name; empty where nothing was."""
        return self.record.facts.get(name, "")

    def acted(self, stage: str, act: Act) -> bool:
        """Whether it came back without an error."""
        return stage_act(stage, act.id) in self.record.acted


Sentences = Callable[[View], Sequence[str]]


def _nothing(view: View) -> tuple[str, ...]:
    return ()


def _no_acts(view: View) -> tuple[Act, ...]:
    return ()


def _no_facts(view: View) -> Mapping[str, str]:
    return {}


def _never(view: View) -> float:
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One row."""

    name: str
    number: int
    title: str
    promise: str
    """The postcondition in words."""
    missing: Sentences
    """What of it does not hold, by place."""
    acts: Callable[[View], tuple[Act, ...]] = _no_acts
    """What is left to do; nothing where waiting is all there is."""
    foresees: Callable[[View], tuple[Act, ...]] | None = None
    """For a plan that is shown: its acts where they depend on what stages before it do; none means `acts`."""
    refuses: Sentences = _nothing
    """Preconditions that do not hold, each with its remedy."""
    asks: Callable[[View], Mapping[str, str]] = _no_facts
    """What a person must say, by name."""
    undo: Callable[[View], tuple[Act, ...]] = _no_acts
    learns: Callable[[View], Mapping[str, str]] = _no_facts
    until: Callable[[View], float] = _never
    patience: Callable[[View], float] = _never
    applies: Callable[[View], bool] = lambda view: True
    notes: Sentences = _nothing
    one_at_a_time: bool = False
    once: bool = True
    """Each of its acts leaves a trace to look at: one that was tried often without any is given up."""


def next_of(stages: Sequence[Stage], view: View) -> Step:
    """The next step."""
    for stage in stages:
        if stage.name in view.record.held or not stage.applies(view):
            continue
        return _step(stage, view)
    return Step(kind=StepKind.DONE, title="nothing is left to do")


def step_of(stage: Stage, view: View, kind: StepKind, **more: object) -> Step:
    """A step of this stage."""
    base: dict[str, object] = {
        "stage": stage.name,
        "number": stage.number,
        "title": stage.title,
        "promise": stage.promise,
        "notes": tuple(stage.notes(view)),
        "one_at_a_time": stage.one_at_a_time,
    }
    return Step(kind=kind, **{**base, **more})  # type: ignore[arg-type]


def _step(stage: Stage, view: View) -> Step:
    settled = view.record.begun_at + view.policy.settle_seconds
    missing = tuple(stage.missing(view))
    if view.record.begun and view.now < settled and missing:
        return step_of(stage, view, StepKind.WAIT, until=settled, missing=(f"{view.record.begun} may still be under way",))
    reasons = tuple(stage.refuses(view))
    if reasons:
        return step_of(stage, view, StepKind.REFUSE, reasons=reasons)
    if not missing:
        return step_of(stage, view, StepKind.NOTE, facts=dict(stage.learns(view)))
    acts = stage.acts(view)
    worn = _worn_out(stage, view, acts)
    if worn:
        return step_of(stage, view, StepKind.REFUSE, reasons=worn, missing=missing)
    if acts:
        return step_of(stage, view, StepKind.DO, acts=acts, missing=missing, undo=stage.undo(view))
    return _ask_or_wait(stage, view, missing)


def _ask_or_wait(stage: Stage, view: View, missing: tuple[str, ...]) -> Step:
    asked = {name: text for name, text in stage.asks(view).items() if name not in view.record.acknowledged}
    until = stage.until(view)
    if asked:
        return step_of(
            stage, view, StepKind.ASK, ask=tuple(asked), reasons=tuple(asked.values()), missing=missing, until=until
        )
    return step_of(stage, view, StepKind.WAIT, missing=missing, until=until, patience=stage.patience(view))


def _worn_out(stage: Stage, view: View, acts: tuple[Act, ...]) -> tuple[str, ...]:
    if not stage.once:
        return ()
    return tuple(
        f"{act} was tried {count} times and has left no trace{_last(view)}. "
        "Find out why on the host, then roll back, or do it by hand and apply again"
        for act in acts
        if (count := view.record.tries.get(stage_act(stage.name, act.id), 0)) >= view.policy.tries
    )


def _last(view: View) -> str:
    return f" (last: {view.record.problem})" if view.record.problem else ""


def converging(view: View) -> float:
    """Seconds until every secondary must have polled as often as the policy says."""
    return max((node.poll_seconds for node in view.farm.nodes), default=300.0) * view.policy.polls
