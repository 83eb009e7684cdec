"""What `isthmus adfs rollover` and `isthmus adfs ssl` share: one farm with its journal, a plan, a run, words for people."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adfs_mgmt.farm.model import Use
from adfs_mgmt.farm.settings import FarmSettings
from adfs_mgmt.procedures.observation import FarmObservation
from adfs_mgmt.procedures.request import Kind, RolloverRequest, first_end
from adfs_mgmt.procedures.rollover import STATES, TRACKS, current, imported, plan, plan_data, procedure_of, work_data
from adfs_mgmt.procedures.token.state import NEW
from adfs_mgmt.procedures.view import RolloverPolicy
from adfs_mgmt.remoting import RemotingError
from adfs_mgmt.trust.errors import TrustError
from certs import CertsError, PendingKeys
from foundation import procedures
from foundation.graph import GraphError
from foundation.procedures import (
    End,
    FileJournal,
    Plan,
    PlanUnusable,
    ProcedureError,
    Progress,
    Record,
    RunResult,
    Step,
    Turned,
)
from isthmus.adfs_settings import AdfsSettings
from isthmus.cli.adfs.looking import echo_plan
from isthmus.cli.output import REFUSED, Failure, emit_json, reporting, run_async

if TYPE_CHECKING:
    from adfs_mgmt.procedures.executor import AdfsExecutor

DAY = 86400.0

yes_option = click.option("--yes", is_flag=True, help="Do it without asking. For programs.")
farm_option = click.option("--farm", default="", metavar="NAME", help="The farm, where the settings have several.")
patience_option = click.option(
    "--patience",
    type=click.FloatRange(0),
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="Wait so long for a time to come; for longer waits the command ends, and `apply` goes on later.",
)
cancel_option = click.option(
    "--cancel", is_flag=True, help="Give up a rollback that is under way: forward again, to the new certificate."
)
due_option = click.option(
    "--if-ends-within",
    "within",
    type=click.FloatRange(0),
    default=None,
    metavar="DAYS",
    help="Begin only where what is in use ends within so many days; what is under way goes on in any case. For timers.",
)
ERRORS = (ProcedureError, RemotingError, TrustError, GraphError, CertsError)


@dataclass(frozen=True, slots=True)
class Desk:
    """One farm, and one track of work on it: `token` or `ssl`."""

    settings: AdfsSettings
    farm: FarmSettings
    track: str

    @property
    def path(self) -> Path:
        """The journal."""
        safe = "".join(each if each.isalnum() or each in "-_." else "_" for each in self.farm.name)
        return self.settings.state_dir / "rollover" / f"{safe}-{self.track}.jsonl"

    @property
    def vault(self) -> PendingKeys:
        """Keys on their way."""
        return PendingKeys(self.settings.state_dir)

    @property
    def policy(self) -> RolloverPolicy:
        """With the settings' thresholds."""
        limits = self.settings.thresholds
        return RolloverPolicy(sync_seconds=limits.sync_seconds, clock_seconds=limits.clock_seconds)

    @property
    def record(self) -> Record[Any] | None:
        """What the journal says. Raises Failure; also where it is another farm's, whose name becomes the same file."""
        with reporting(*ERRORS):
            found = procedures.read(self.path, TRACKS[self.track])
        if found is not None and found.subject != self.farm.name:
            raise Failure(
                f"{self.path} is the journal of farm {found.subject}, not of {self.farm.name}. If the farm was renamed, "
                "give it its old name in the settings until its work is finished; if not, move the file away"
            )
        return found

    @property
    def under_way(self) -> Record[Any] | None:
        """The work that is not finished. Raises Failure."""
        record = self.record
        return record if record is not None and record.open else None

    def writing(self) -> FileJournal:
        """The journal, locked. Raises JournalError."""
        return FileJournal(self.path, TRACKS[self.track], now=time.time())

    def look(self) -> FarmObservation:
        """The farm and everything around it, now. Raises Failure."""

        async def looking() -> FarmObservation:
            async with self._executor() as executor:
                return await executor.observe()

        with reporting(*ERRORS):
            return run_async(looking())

    def run(self, journal: FileJournal, *, patience: float, progress: Callable[[Progress], None]) -> RunResult:
        """Go as far as can be gone. Raises Failure."""

        async def running() -> RunResult:
            kind = journal.record.kind if journal.record else self.track
            table = procedure_of(kind, self.policy)
            async with self._executor() as executor:
                return await procedures.run(table, executor, journal, patience=patience, progress=progress)

        with reporting(*ERRORS):
            outcome = run_async(running())
        if outcome.record.finished:
            self.tidy(outcome.record)
        return outcome

    def tidy(self, record: Record[Any]) -> None:
        """Keys are not kept after use, even where a run was killed between its last line in the journal and this."""
        for thumbprint in imported(record):
            self.vault.forget(thumbprint, put_before=record.finished)

    @asynccontextmanager
    async def _executor(self) -> AsyncIterator[AdfsExecutor]:
        """Connections to everything, closed afterwards."""
        from adfs_mgmt.procedures.executor import AdfsExecutor
        from adfs_mgmt.procedures.observer import observe
        from adfs_mgmt.trust.port import Entra
        from certs import Ledgers
        from foundation.graph import Graph
        from isthmus.cli.adfs.shells import open_shell

        async with AsyncExitStack() as stack:
            shell = open_shell(self.settings.remoting)
            stack.push_async_callback(shell.close)
            tenants = [each for each in self.settings.entra if each.farm in {"", self.farm.name}]
            trust = None
            if tenants:
                trust = Entra([Graph(each) for each in tenants], self.farm.federation_name, self.settings.state_dir)
                stack.push_async_callback(trust.close)
            ledgers = Ledgers(self.settings.state_dir)

            async def look_around() -> FarmObservation:
                return await observe(shell, self.farm, trust, ledgers.load(self.farm.name), time.time)

            yield AdfsExecutor(shell, look_around, trust, self.vault, time.time)


def desk(settings: AdfsSettings, name: str, track: str) -> Desk:
    """Of the farm of this name, or of the only one. Raises Failure."""
    from isthmus import logging

    known = {farm.name: farm for farm in settings.farms}
    if name and name not in known:
        raise Failure(f"no farm {name} in the settings; there is {', '.join(known) or 'none'}")
    if not name and len(known) != 1:
        raise Failure(f"name the farm with --farm: {', '.join(known) or 'there is none in the settings'}")
    farm = known[name] if name else next(iter(known.values()))
    if not farm.winrm or not farm.nodes:
        raise Failure(f"farm {farm.name} is looked at from outside only; name its nodes in the settings to change it")
    logging.set_up(settings.log.level, settings.log.format)
    at = Desk(settings, farm, track)
    with suppress(Failure):  # a damaged journal is reported by what needs it
        if (record := at.record) is not None and record.finished:
            at.tidy(record)
    return at


# -- plan, begin


def is_due(at: Desk, kind: Kind, uses: Sequence[Use], within: float | None, *, as_json: bool) -> bool:
    """Whether to begin; says why not. Raises Failure where that cannot be told."""
    if within is None:
        return True
    with reporting(*ERRORS):
        end = first_end(kind, uses, at.look())
    if end - time.time() <= within * DAY:
        return True
    if as_json:
        emit_json({"end": "not due", "ends": end})
    else:
        click.echo(f"Nothing is due: what farm {at.farm.name} uses ends {procedures.moment(end)}.")
    return False


def make_plan(at: Desk, request: RolloverRequest, previous: Record[Any] | None = None) -> Plan[Any]:
    """From a fresh look. Raises Failure, with every reason."""
    observed = at.look()
    with reporting(*ERRORS):
        return plan(request, observed, at.policy, time.time(), procedures.whoami(), previous)


def saved_plan(at: Desk, path: Path) -> Plan[Any]:
    """A saved plan, if the farm is still as it was. Raises Failure."""
    with reporting(*ERRORS):
        made = procedures.load(path, STATES)
        _check_is_for(at, made, path)
        current(made, at.look(), at.policy, time.time())
        return made


def _check_is_for(at: Desk, made: Plan[Any], path: Path) -> None:
    if made.subject != at.farm.name:
        raise PlanUnusable(path, f"is for farm {made.subject}, not {at.farm.name} (--farm)")
    command = {"token": "rollover", "ssl": "ssl"}.get(made.kind, made.kind)
    if made.kind != at.track:
        raise PlanUnusable(path, f"is a plan of another kind; apply it with `isthmus adfs {command} apply --plan {path}`")


def show_plan(made: Plan[Any], save: Path | None, *, as_json: bool) -> None:
    """Print it, and save it where asked. Raises Failure."""
    if save is not None:
        with reporting(*ERRORS):
            procedures.save(made, save)
    if as_json:
        emit_json(plan_data(made))
        return
    echo_plan(procedures.plan_text(made).replace(NEW, "<new>"))
    if save is not None:
        click.echo(f"Saved in {save}. It can be applied with --plan {save} while the farm stays as it is.")


def begin(at: Desk, journal: FileJournal, made: Plan[Any]) -> None:
    """Write down that it begins. Raises JournalError, Refused."""
    now = time.time()
    stamp = f"{dt.datetime.fromtimestamp(now, dt.UTC):%Y%m%d-%H%M%S}"
    id_ = f"{at.farm.name}-{made.kind}-{stamp}"
    for event in procedures.start(procedure_of(made.kind, at.policy), journal.record, id_, at.farm.name, made.state):
        record = journal.append(event, now)
        if not record.open:
            at.tidy(record)


def turning(at: Desk, record: Record[Any], to: str) -> Turned:
    """Whether it may go back so far (or forward, where that is empty), as an event for the journal. Raises Failure."""
    table = procedure_of(record.kind, at.policy)
    with reporting(*ERRORS):
        if not to:
            return procedures.turn_forward(table, record)
        turned = procedures.turn_back(table, record, to)
        procedures.check_harmless(table, at.look(), record, to, time.time())
        return turned


def standing(at: Desk, record: Record[Any], observed: FarmObservation | None = None) -> Step:
    """Where it really stands. Raises Failure."""
    with reporting(*ERRORS):
        return procedures.standing(procedure_of(record.kind, at.policy), observed or at.look(), record, time.time())


def confirm(farm: str, *, yes: bool, as_json: bool) -> None:
    """The name of the farm, typed; elsewhere than on a terminal only `--yes` will do. Raises Failure."""
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise Failure("nothing was changed: this is the plan; do it with --yes")
    if click.prompt("Type the name of the farm to do this", default="", show_default=False, err=True) != farm:
        raise Failure("that is not its name; nothing was changed")


# -- run


def go(at: Desk, journal: FileJournal, *, patience: float, as_json: bool) -> None:
    """Run, and say how it ended. Raises Failure; exits with 1 where something went wrong."""
    with _watching() as progress:
        outcome = at.run(journal, patience=patience, progress=progress)
    if as_json:
        emit_json(outcome_data(outcome))
    else:
        click.echo(outcome_text(outcome))
    if outcome.end in {End.REFUSED, End.STOPPED}:
        raise click.exceptions.Exit(REFUSED)


def outcome_data(outcome: RunResult) -> dict[str, Any]:
    """For programs."""
    return {
        "end": outcome.end.value,
        "problem": outcome.problem,
        "step": procedures.step_data(outcome.step),
        "record": work_data(outcome.record),
    }


def outcome_text(outcome: RunResult) -> str:
    """For people."""
    if outcome.end is End.DONE:
        return procedures.record_text(outcome.record, outcome.step)
    if outcome.end is End.STOPPED:
        return f"Stopped: {outcome.problem}\nNothing is lost: `apply` continues from here, `rollback` goes back."
    return procedures.step_text(outcome.step)


def show_status(at: Desk, *, as_json: bool) -> None:
    """Where it stands. Raises Failure."""
    record = at.record
    if record is None:
        if as_json:
            emit_json({"record": None, "step": None})
        else:
            click.echo(f"No {at.track} rollover of farm {at.farm.name} was ever begun here.")
        return
    step = standing(at, record)
    if as_json:
        emit_json({"record": work_data(record), "step": procedures.step_data(step)})
    else:
        click.echo(procedures.record_text(record, step))


@contextmanager
def _watching() -> Iterator[Callable[[Progress], None]]:
    """A line for each thing that happens; on a terminal a spinner with the last one below."""
    if not sys.stderr.isatty():
        import structlog

        log = structlog.get_logger()
        yield lambda each: log.info("adfs.rollover", stage=each.step.stage, text=each.text)
        return
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    with console.status("Reading the farm") as status:

        def tell(each: Progress) -> None:
            if each.event == "completed":
                console.print(f"[green]✓[/] {each.step.title}: {each.text}")
            status.update(f"{each.step.title}: {each.text[:100]}")

        yield tell
