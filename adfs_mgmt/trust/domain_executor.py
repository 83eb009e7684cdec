"""What procedures about one domain share: how it is observed, what Graph is told, their journals and limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from adfs_mgmt.trust.backup import Backups
from adfs_mgmt.trust.errors import NotTaken, TrustError, TrustRefused
from adfs_mgmt.trust.model import Configuration, FederatedDomain
from adfs_mgmt.trust.reader import VISIBLE_WITHIN, parse_domain, read_configuration
from foundation import procedures
from foundation.graph import GraphError, MalformedAnswer, OutcomeUnknown, SignInRefused, Throttled, Unreachable
from foundation.procedures import Act, ActFailed, Condition, Effect, End, Journal, Procedure, Rules, RunResult, View

if TYPE_CHECKING:
    from foundation.graph import Graph

UPDATE_KIND, MANAGED, FEDERATED = "trust update", "trust managed", "trust federated"
"""Kinds of procedures. Each that starts gives up what was under way about the same domain."""
RULES = Rules(settle=VISIBLE_WITHIN, poll=10.0, least_patience=VISIBLE_WITHIN)
"""A request is over when its connection is, unlike a command at a host."""


@dataclass(frozen=True, slots=True)
class GraphChange:
    """A request that changes something at Entra ID."""

    text: str
    """What is being done, in words: names and properties, no values."""
    method: Literal["PATCH", "POST"]
    path: tuple[str, ...]
    body: Mapping[str, Any] = field(repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class BackupWanted:
    """A copy of a domain's configuration, in a file."""

    why: str

    def __str__(self) -> str:
        return "copy its configuration into a file of state_dir/backups"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainObservation:
    """A domain at one moment. None: it could not be read; without a configuration, that could not be, or it has none."""

    domain: FederatedDomain | None
    error: str = ""
    backup: Path | None = None
    """That was made in this run."""

    @property
    def configuration(self) -> Configuration | None:
        """Its federation."""
        return self.domain.configuration if self.domain else None


class DomainExecutor:
    """Reads a domain, and changes it."""

    def __init__(self, graph: Graph, name: str, backups: Backups, now: float) -> None:
        self.graph, self.name, self.backups, self.clock = graph, name, backups, SleptClock(now, graph.sleep)
        self.error: GraphError | None = None
        """Why it could not be read when it was observed last."""
        self._configuration: Configuration | None = None
        self._backup: Path | None = None

    async def observe(self) -> DomainObservation:
        """As it is now. Raises SignInRefused, after which nothing can be said of any domain."""
        domain, self.error = None, None
        try:
            domain = parse_domain(await self.graph.get(f"reading domain {self.name}", "domains", self.name))
            if domain.federated:
                domain = replace(domain, configuration=await read_configuration(self.graph, self.name))
        except SignInRefused:
            raise
        except GraphError as error:
            self.error = error
        self._configuration = domain.configuration if domain else None
        return DomainObservation(domain=domain, error=str(self.error or ""), backup=self._backup)

    async def do(self, act: Act) -> None:
        """Make a copy, or send a request. Raises ActFailed. Cancelling leaves the effect of a request unknown."""
        try:
            if isinstance(act.what, BackupWanted):
                if self._configuration is not None:
                    self._backup = self.backups.save(self.name, self._configuration, act.what.why, self.clock.now())
            else:
                send = self.graph.patch if act.what.method == "PATCH" else self.graph.post
                await send(act.what.text, act.what.body, *act.what.path)
        except (TrustError, GraphError) as error:
            raise ActFailed(self.name, str(error), effect_of(error)) from error


def effect_of(error: Exception) -> Effect:
    """What a change that failed left behind."""
    if isinstance(error, OutcomeUnknown | MalformedAnswer):
        return "unknown"
    return "none" if isinstance(error, SignInRefused | Throttled | Unreachable | TrustError) else "refused"


@dataclass(slots=True)
class SleptClock:
    """Time as far as it was waited for: what requests take is bounded by themselves."""

    time: float
    nap: Callable[[float], Awaitable[None]]

    def now(self) -> float:
        """Unix seconds."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Cancelling ends it."""
        self.time += seconds
        await self.nap(seconds)


def unreadable(view: View[DomainObservation, Any]) -> list[Condition]:
    """A domain that cannot be read just now is waited for."""
    return [Condition("", view.observed.error)] if view.observed.domain is None else []


def change_configuration(view: View[DomainObservation, Any], domain: str, values: Mapping[str, Any]) -> Act | None:
    """Write these properties of its federation; None where it has none that can be read."""
    configuration = view.observed.configuration
    if configuration is None:
        return None
    path = ("domains", domain, "federationConfiguration", configuration.id)
    change = GraphChange(f"writing {', '.join(values)} of {domain}", "PATCH", path, values)
    return Act(place=domain, what=change, name="write")


def make_procedure(kind: str, state: type, *stages: procedures.Stage[View[DomainObservation, Any]]) -> Procedure[Any]:
    """About one domain."""
    return Procedure(
        kind=kind,
        state=state,
        view=View,
        stages=stages,
        rollbacks=(procedures.Rollback(to="start"),),
        unavailable=unreadable,
        unavailable_patience=VISIBLE_WITHIN,
        supersedes=dict.fromkeys((UPDATE_KIND, MANAGED, FEDERATED), "given up"),
        rules=RULES,
    )


async def run(procedure: Procedure[Any], executor: DomainExecutor, journal: Journal) -> RunResult:
    """As far as it goes. Raises SignInRefused, JournalError."""
    return await procedures.run(procedure, executor, journal, clock=executor.clock)


def raise_for(result: RunResult, executor: DomainExecutor, missing: str) -> None:
    """Nothing where it came to its end; else the error behind. `missing`: what Entra ID was to take."""
    if result.end is End.DONE:
        return
    if result.end is End.REFUSED:
        raise TrustRefused(f"{result.step.title} of {executor.name}", result.step.reasons)
    cause = result.error.__cause__ if result.error else executor.error
    if isinstance(cause, TrustError | GraphError) and not isinstance(cause, OutcomeUnknown):
        raise cause
    raise NotTaken(executor.name, missing, str(cause or result.record.failure).rstrip(".")) from cause


async def start(journal: Journal, procedure: Procedure[Any], subject: str, state: Any, now: float) -> None:
    """Write down that work starts; what was open before about the same domain is over. Raises JournalError."""
    for event in procedures.start(procedure, journal.record, f"{procedure.kind} {subject}@{now:.0f}", subject, state):
        await journal.write(event, now)
