"""Certificates of a whole farm, replaced: token-signing and token-decrypting, planned or in an emergency, and SSL.

One journal for each track of a farm, in `state_dir/rollover`; one piece of work at a time. Work may wait for days: whoever
applies it again, a person or a timer, continues where it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from adfs_mgmt.farm import FarmSettings, Use
from adfs_mgmt.operations.context import OnProgress, OperationContext, silent
from adfs_mgmt.operations.errors import NotPossible
from adfs_mgmt.procedures import (
    TRACKS,
    AdfsExecutor,
    FarmObservation,
    RolloverPolicy,
    RolloverRequest,
    current,
    first_end,
    imported,
    names_bound,
    observe,
    plan,
    procedure_of,
    promoted_elsewhere,
)
from certs import Ledgers, Material, PendingKeys, from_pem, from_pfx, parse_thumbprint
from foundation import procedures as engine

Track = Literal["token", "ssl"]
Gate = Literal["promote", "retire"]
GATES: dict[str, str] = {"promote": "approve", "retire": "retire"}
"""What a person opens, and the stage before which it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSource:
    """Where a new certificate comes from. None of these: AD FS makes it, or it is known already."""

    pfx: Path | None = None
    password_file: Path | None = None
    """With the PFX's password."""
    answer: Path | None = None
    """What a CA made of a request."""
    thumbprint: str = ""
    """Of one that is in every server's LocalMachine\\My already."""
    acme: bool = False
    """Have it issued by the ACME server of the settings."""
    names: tuple[str, ...] = ()
    """More names that it must cover."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateOperation:
    """One farm, and one track of work on its certificates."""

    context: OperationContext
    farm: FarmSettings
    track: Track

    @property
    def keys(self) -> PendingKeys:
        """Keys on their way to the servers."""
        return PendingKeys(self.context.state_dir)

    @property
    def record(self) -> engine.Record[Any] | None:
        """What the journal says. Raises JournalError; NotPossible where it is another farm's, whose name becomes the same
        file."""
        return self._own(engine.read(self._path, TRACKS[self.track]))

    @property
    def under_way(self) -> engine.Record[Any] | None:
        """The work that is not finished. Raises as `record`."""
        record = self.record
        return record if record is not None and record.open else None

    async def observe(self) -> FarmObservation:
        """The farm and everything around it, now. Raises RemotingError for settings that cannot work, CertsError."""
        async with self._executor() as executor:
            return await executor.observe()

    # -- plan

    async def plan(self, request: RolloverRequest) -> engine.Plan[Any]:
        """From a fresh observation; nothing is changed. Raises Refused, with every reason; NotPossible while other work is
        under way, which only an emergency supersedes."""
        previous = self.under_way
        if previous is not None and request.kind != "emergency":
            raise NotPossible(f"{previous.id} is in progress; `apply` continues it, `status` shows where it stands")
        return plan(request, await self.observe(), self._policy, self.context.now(), engine.whoami(), previous)

    async def load(self, path: Path) -> engine.Plan[Any]:
        """A saved plan, if the farm is still as it was. Raises PlanUnusable, PlanOutdated."""
        made = engine.load(path, {kind: state for states in TRACKS.values() for kind, state in states.items()})
        if made.subject != self.farm.name:
            raise engine.PlanUnusable(path, f"is for farm {made.subject}, not {self.farm.name} (--farm)")
        if made.kind != self.track:
            command = {"token": "rollover"}.get(made.kind, made.kind)
            use = f"apply it with `isthmus adfs {command} apply --plan {path}`"
            raise engine.PlanUnusable(path, f"is a different kind of plan; {use}")
        return current(made, await self.observe(), self._policy, self.context.now(), self.under_way)

    async def first_end(self, uses: Sequence[Use] = ()) -> float:
        """When the first certificate ends that would be replaced, Unix seconds. Raises Refused where that is not known."""
        return first_end(self.track, uses, await self.observe())

    # -- where the certificate comes from

    async def request(self, source: CertificateSource, *, keep: bool = True, **wanted: Any) -> RolloverRequest:
        """What somebody wants, with its certificate; `wanted`: what else RolloverRequest has. A key that was given waits in
        the state directory until the servers have it, unless `keep` is False. Raises NotPossible, SourceError, AcmeError."""
        if source.thumbprint:
            found = (await self.observe()).certificate(parse_thumbprint(source.thumbprint))
            if found is None:
                place = f"no server of {self.farm.name} has {source.thumbprint} in LocalMachine\\My"
                raise NotPossible(f"{place}; `isthmus adfs status` shows them")
            return RolloverRequest(kind=self.track, certificate=found, names=source.names, **wanted)
        material = await self._obtained(source) if source.acme else self.supply(source, keep=keep)
        if material is None:
            return RolloverRequest(kind=self.track, names=source.names, **wanted)
        return RolloverRequest(
            kind=self.track,
            certificate=material.model,
            chain=material.issuers,
            material=True,
            names=source.names,
            **wanted,
        )

    def supply(self, source: CertificateSource, *, keep: bool = True) -> Material | None:
        """The certificate and key of files; None where none was given. Raises NotPossible, SourceError."""
        if source.pfx is not None and source.answer is not None:
            raise NotPossible("give --pfx or --certificate, not both")
        if source.pfx is not None:
            material = from_pfx(source.pfx, source.password_file)
        elif source.answer is not None:
            material = self.keys.answer(source.answer)
        else:
            return None
        if keep:
            self.keys.put(material)
        return material

    async def _obtained(self, source: CertificateSource) -> Material:
        """Of the ACME server, for the names that are bound now and those that were given. Always kept: it was issued."""
        from certs.acme import obtain

        bound = names_bound((await self.observe()).farm)
        wanted = sorted({*bound, *(name.lower() for name in source.names)})
        key, chain = await obtain(wanted, self.context.settings.acme, self.context.state_dir)
        material = from_pem("the ACME server", key, chain)
        self.keys.put(material)
        return material

    # -- apply

    async def apply(
        self,
        plan: engine.Plan[Any] | None = None,
        *,
        acknowledged: Sequence[str] = (),
        patience: float = 900.0,
        progress: OnProgress = silent,
    ) -> engine.RunResult:
        """Start what was planned, or continue what is under way, as far as can be gone now.

        `acknowledged`: what a person has said, gates included. `patience`: seconds that are waited for a time to come.
        Raises Refused, PlanOutdated, JournalError, RemotingError; NotPossible for a plan or a journal of something else.
        Cancelled or killed, the same call continues.
        """
        now = self.context.now()
        if plan is not None and (plan.subject != self.farm.name or plan.kind not in TRACKS[self.track]):
            raise NotPossible(f"plan {plan.digest} is for {plan.kind} of farm {plan.subject}, not for {self.farm.name}")
        with self._journal() as journal:
            if plan is not None:
                events = self._started(plan, journal.record, now)
                current(plan, await self.observe(), self._policy, now)  # it may have been made long ago
                for event in events:
                    self._append(journal, event)
            for name in acknowledged:
                self._append(journal, engine.Acknowledged(name=name))
            return await self._run(journal, patience, progress)

    def _started(self, plan: engine.Plan[Any], record: engine.Record[Any] | None, now: float) -> Sequence[engine.Event]:
        procedure = procedure_of(plan.kind, self._policy)
        return engine.start(procedure, record, self._id(plan.kind, now), plan.subject, plan.state)

    def _id(self, kind: str, now: float) -> str:
        return f"{self.farm.name}-{kind}-{dt.datetime.fromtimestamp(now, dt.UTC):%Y%m%d-%H%M%S}"

    async def roll_back(
        self, to: str, *, patience: float = 900.0, progress: OnProgress = silent, undo: bool = False
    ) -> engine.RunResult:
        """Go back as far as `to`; forward again where that is empty. `undo`: work that is over, too. Raises as `apply`,
        NotPossible."""
        before, record = self.record, await self.check_way_back(to, undo=undo)
        with self._journal() as journal:
            if journal.record != before:  # while the farm was looked at: it may have passed what has no way back
                raise NotPossible(
                    f"{record.id} has made progress in the meantime, so the direction was not "
                    "changed. Check its status, then try again"
                )
            if before is None or not before.open:
                id_ = f"{record.id}-undo" if undo else record.id
                for event in engine.start(self._procedure(record), before, id_, record.subject, record.state):
                    self._append(journal, event)
            self._append(journal, self._turned(record, to))
            return await self._run(journal, patience, progress)

    async def check_way_back(self, to: str, *, undo: bool = False) -> engine.Record[Any]:
        """The work that would be turned round; where none is under way, as if a rollover had promoted what AD FS promoted by
        itself. Raises NotPossible where there is neither, Refused where there is no way."""
        record = self.record
        if not undo and to and (record is None or not record.open):
            record = await self._promoted_elsewhere()
        if record is None or (record.outcome == "rolled back" if undo else not record.open):
            raise NotPossible(
                f"no SSL certificate of farm {self.farm.name} has been applied from here that could be rolled back"
                if undo
                else self._nothing
            )
        self._turned(record, to)
        if to:
            procedure, now = self._procedure(record), self.context.now()
            engine.check_harmless(procedure, await self.observe(), record, to, now)
        return record

    async def _promoted_elsewhere(self) -> engine.Record[Any] | None:
        state, now = promoted_elsewhere(await self.observe()), self.context.now()
        if state is None:
            return None
        procedure = procedure_of("token", self._policy)
        return engine.Record(
            id=self._id("token", now),
            kind="token",
            subject=self.farm.name,
            started=now,
            by=engine.whoami(),
            state=state,
            table=procedure.table,
        )

    def _turned(self, record: engine.Record[Any], to: str) -> engine.Event:
        procedure = self._procedure(record)
        return engine.turn_back(procedure, record, to) if to else engine.turn_forward(procedure, record)

    # -- what people say

    async def standing(self) -> tuple[engine.Record[Any], engine.Step] | None:
        """Where it stands, and what it waits for; None where nothing was ever started. Raises as `record`."""
        record = self.record
        return None if record is None else (record, self._step(record, await self.observe()))

    def titles(self, record: engine.Record[Any]) -> Mapping[str, str]:
        """Of the stages of this work, by name."""
        return self._procedure(record).titles

    async def acknowledge(self, names: Sequence[str]) -> None:
        """Note what people have said. A typing error must not be noted as somebody's word. Raises NotPossible."""
        record = self._needed()
        self._check_names(record, await self.observe(), names)
        with self._journal() as journal:
            for name in names:
                self._append(journal, engine.Acknowledged(name=name))

    async def check_gate(self, gate: Gate, names: Sequence[str] = ()) -> None:
        """Whether it is what is next, with what people say now (`names`). Raises NotPossible."""
        record = self._needed()
        if record.back or record.kind != "token":
            state = "being rolled back" if record.back else "an emergency"
            raise NotPossible(f"{record.id} is {state}: apply continues it")
        observed = await self.observe()
        self._check_names(record, observed, names)
        told = replace(record, acknowledged={**record.acknowledged, **dict.fromkeys(names, self.context.now())})
        step, stage = self._step(told, observed), GATES[gate]
        if step.stage != stage and gate not in record.acknowledged and stage not in record.completed:
            raise NotPossible(f"not yet: {gate} is not the next step.\n{engine.step_text(step)}")

    def _check_names(self, record: engine.Record[Any], observed: FarmObservation, names: Sequence[str]) -> None:
        if set(GATES) & set(names):
            raise NotPossible("promotion and retirement have their own commands: isthmus adfs rollover promote, retire")
        asked = self._step(record, observed).ask
        known = {*asked, *(partner.name for partner in observed.partners), *record.acknowledged}
        if unknown := [name for name in names if name not in known]:
            waited = f"to be acknowledged: {', '.join(asked)}" if asked else "nothing needs to be acknowledged now"
            raise NotPossible(f"unknown: {', '.join(unknown)}; {waited}. Nothing was recorded")

    def make_request(self, names: Sequence[str], out: Path) -> tuple[str, ...]:
        """A key that stays here, and a request for a CA in the file `out`; for which names. Raises SourceError."""
        wanted = tuple(names) or (self.farm.federation_name,)
        self.keys.request(wanted, out)
        return wanted

    # -- within

    @property
    def _path(self) -> Path:
        safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in self.farm.name)
        return self.context.state_dir / "rollover" / f"{safe}-{self.track}.jsonl"

    @property
    def _policy(self) -> RolloverPolicy:
        limits = self.context.settings.thresholds
        return RolloverPolicy(sync_seconds=limits.sync_seconds, clock_seconds=limits.clock_seconds)

    @property
    def _nothing(self) -> str:
        return f"no rollover of farm {self.farm.name} is in progress; start one: isthmus adfs rollover apply"

    def _needed(self) -> engine.Record[Any]:
        record = self.under_way
        if record is None:
            raise NotPossible(self._nothing)
        return record

    def _procedure(self, record: engine.Record[Any]) -> engine.Procedure[Any]:
        return procedure_of(record.kind, self._policy)

    def _step(self, record: engine.Record[Any], observed: FarmObservation) -> engine.Step:
        return engine.standing(self._procedure(record), observed, record, self.context.now())

    @contextmanager
    def _journal(self) -> Iterator[engine.FileJournal]:
        """Locked."""
        with engine.FileJournal(self._path, TRACKS[self.track], now=self.context.now()) as journal:
            self._own(journal.record)
            yield journal

    def _own(self, found: engine.Record[Any] | None) -> engine.Record[Any] | None:
        """Two farms' names may become the same file. Raises NotPossible for the other's."""
        if found is not None and found.subject != self.farm.name:
            raise NotPossible(
                f"{self._path} is the journal of farm {found.subject}, not of {self.farm.name}. If the farm was renamed, "
                "use its old name in the settings until this work is completed; otherwise move the file away"
            )
        return found

    def _append(self, journal: engine.FileJournal, event: engine.Event) -> None:
        record = journal.append(event, self.context.now())
        if record.finished:
            self.tidy(record)

    async def _run(self, journal: engine.FileJournal, patience: float, progress: OnProgress) -> engine.RunResult:
        record = journal.record
        if record is None:
            raise NotPossible(self._nothing)
        async with self._executor() as executor:
            procedure = self._procedure(record)
            result = await engine.run(
                procedure, executor, journal, clock=self.context.clock, patience=patience, progress=progress
            )
        if result.record.finished:
            self.tidy(result.record)
        return result

    def tidy(self, record: engine.Record[Any]) -> None:
        """Keys are not kept after use, even where a run was killed between its last line in the journal and this."""
        for thumbprint in imported(record):
            self.keys.forget(thumbprint, put_before=record.finished)

    @asynccontextmanager
    async def _executor(self) -> AsyncIterator[AdfsExecutor]:
        """Connections to everything, closed afterwards."""
        from adfs_mgmt.trust import Entra
        from foundation.graph import Graph

        context, farm = self.context, self.farm
        async with AsyncExitStack() as stack:
            shell = await stack.enter_async_context(context.shell())
            tenants = [entra for entra in context.settings.entra if entra.farm in {"", farm.name}]
            trust = None
            if tenants:
                trust = Entra([Graph(entra) for entra in tenants], farm.federation_name, context.state_dir)
                stack.push_async_callback(trust.close)
            ledgers = Ledgers(context.state_dir)

            async def observe_all() -> FarmObservation:
                return await observe(shell, farm, trust, ledgers.load(farm.name), context.now)

            yield AdfsExecutor(shell, observe_all, trust, self.keys, context.now)


def certificate_operation(context: OperationContext, farm: str, track: Track) -> CertificateOperation:
    """Of the farm of this name, or of the only one. Raises SelectionError, NotPossible."""
    operation = CertificateOperation(context=context, farm=context.managed_farm(farm), track=track)
    with suppress(engine.ProcedureError, NotPossible):  # a damaged journal is reported by what needs it
        if (record := operation.record) is not None and record.finished:
            operation.tidy(record)
    return operation
