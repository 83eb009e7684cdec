"""What `isthmus adfs rollover` and `isthmus adfs ssl` share: one farm with its journal, a plan, a run, words for people."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adfs_mgmt.farm import FarmSettings, Use
from adfs_mgmt.remoting import RemotingError
from adfs_mgmt.rollover import journal as journals
from adfs_mgmt.rollover import plan as plans
from adfs_mgmt.rollover import showing
from adfs_mgmt.rollover.beginning import Kind, Request
from adfs_mgmt.rollover.due import first_end
from adfs_mgmt.rollover.errors import PlanUnusable, Refused, RolloverError
from adfs_mgmt.rollover.journal import Journal
from adfs_mgmt.rollover.model import Record, Snapshot
from adfs_mgmt.rollover.plan import Plan
from adfs_mgmt.rollover.run import End, Outcome, Progress, Rollover, apply
from adfs_mgmt.rollover.stage import RolloverPolicy
from adfs_mgmt.trust.errors import TrustError
from certs import CertsError, PendingKeys
from foundation.graph import GraphError
from isthmus.adfs_settings import AdfsSettings
from isthmus.cli.adfs.looking import echo_plan
from isthmus.cli.output import REFUSED, Failure, emit_json, reporting, run_async

if TYPE_CHECKING:
    from adfs_mgmt.rollover.hands import Hands

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
ERRORS = (RolloverError, RemotingError, TrustError, GraphError, CertsError)


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
    def record(self) -> Record | None:
        """What the journal says. Raises Failure; also where it is another farm's, whose name becomes the same file."""
        with reporting(*ERRORS):
            found = journals.read(self.path)
        if found is not None and found.farm != self.farm.name:
            raise Failure(
                f"{self.path} is the journal of farm {found.farm}, not of {self.farm.name}. If the farm was renamed, "
                "give it its old name in the settings until its work is finished; if not, move the file away"
            )
        return found

    @property
    def under_way(self) -> Record | None:
        """The work that is not finished. Raises Failure."""
        record = self.record
        return record if record is not None and record.open else None

    def writing(self) -> Journal:
        """The journal, locked. Raises JournalError."""
        return Journal(self.path, now=time.time())

    def look(self) -> Snapshot:
        """The farm and everything around it, now. Raises Failure."""

        async def looking() -> Snapshot:
            async with self._hands() as hands:
                return await hands.look()

        with reporting(*ERRORS):
            return run_async(looking())

    def run(self, journal: Journal, *, patience: float, progress: Callable[[Progress], None]) -> Outcome:
        """Go as far as can be gone. Raises Failure."""

        async def running() -> Outcome:
            async with self._hands() as hands:
                return await apply(Rollover(self.policy), hands, journal, patience=patience, progress=progress)

        with reporting(*ERRORS):
            outcome = run_async(running())
        if outcome.record.finished:
            self.tidy(outcome.record)
        return outcome

    def tidy(self, record: Record) -> None:
        """Keys are not kept after use, even where a run was killed between its last line in the journal and this."""
        for name, value in record.facts.items():
            if name.startswith("new/") and record.facts.get("material") == "yes":
                self.vault.forget(value, put_before=record.finished)

    @asynccontextmanager
    async def _hands(self) -> AsyncIterator[Hands]:
        """Connections to everything, closed afterwards."""
        from adfs_mgmt.rollover.hands import Hands
        from adfs_mgmt.rollover.looking import look
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

            async def look_around() -> Snapshot:
                return await look(shell, self.farm, trust, ledgers.load(self.farm.name), time.time)

            yield Hands(shell, look_around, trust, self.vault, time.time)


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
        click.echo(f"Nothing is due: what farm {at.farm.name} uses ends {showing.moment(end)}.")
    return False


def make_plan(at: Desk, request: Request, previous: Record | None = None) -> Plan:
    """From a fresh look. Raises Failure, with every reason."""
    snapshot = at.look()
    with reporting(*ERRORS):
        made = plans.plan(request, snapshot, at.policy, time.time(), journals.whoami())
        return replace(made, facts=plans.supersede(made.facts, previous))


def saved_plan(at: Desk, path: Path) -> Plan:
    """A saved plan, if the farm is still as it was. Raises Failure."""
    with reporting(*ERRORS):
        made = showing.load(path)
        _check_is_for(at, made, path)
        snapshot = at.look()
        plans.check_unchanged(made, snapshot)
        record = Record(id="", kind=made.kind, farm=made.farm, started=time.time(), by="", facts=made.facts)
        return replace(made, steps=plans.foresee(snapshot, record, at.policy, time.time()))


def _check_is_for(at: Desk, made: Plan, path: Path) -> None:
    if made.farm != at.farm.name:
        raise PlanUnusable(path, f"is for farm {made.farm}, not {at.farm.name} (--farm)")
    command = {"token": "rollover", "ssl": "ssl"}.get(made.kind, made.kind)
    if made.kind != at.track:
        raise PlanUnusable(path, f"is a plan of another kind; apply it with `isthmus adfs {command} apply --plan {path}`")


def show_plan(made: Plan, save: Path | None, *, as_json: bool) -> None:
    """Print it, and save it where asked. Raises Failure."""
    if save is not None:
        with reporting(*ERRORS):
            showing.save(made, save)
    if as_json:
        emit_json(showing.plan_data(made))
        return
    echo_plan(showing.plan_text(made))
    if save is not None:
        click.echo(f"Saved in {save}. It can be applied with --plan {save} while the farm stays as it is.")


def begin(at: Desk, journal: Journal, made: Plan) -> None:
    """Write down that it begins. Raises JournalError, Refused."""
    now = time.time()
    if journal.record is not None and journal.record.open:
        if made.kind != "emergency" or journal.record.kind == "emergency":
            raise Refused(
                f"a new plan for {at.farm.name}", [f"{journal.record.id} is under way; apply or roll it back first"]
            )
        at.tidy(journal.finish("superseded by an emergency", now=now))
    stamp = f"{dt.datetime.fromtimestamp(now, dt.UTC):%Y%m%d-%H%M%S}"
    journal.start(f"{at.farm.name}-{made.kind}-{stamp}", made.kind, at.farm.name, made.facts, now=now)


def turning(at: Desk, record: Record, to: str) -> tuple[str, tuple[str, ...]]:
    """Whether it may go back so far (or forward, where that is empty), and what is forgotten then. Raises Failure."""
    with reporting(*ERRORS):
        if not to:
            return to, plans.turn_forward(record)
        forget = plans.turn_back(record, to)
        plans.check_way_back(at.look(), record, to, at.policy, time.time())
        return to, forget


def confirm(farm: str, *, yes: bool, as_json: bool) -> None:
    """The name of the farm, typed; elsewhere than on a terminal only `--yes` will do. Raises Failure."""
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise Failure("nothing was changed: this is the plan; do it with --yes")
    if click.prompt("Type the name of the farm to do this", default="", show_default=False, err=True) != farm:
        raise Failure("that is not its name; nothing was changed")


# -- run


def go(at: Desk, journal: Journal, *, patience: float, as_json: bool) -> None:
    """Run, and say how it ended. Raises Failure; exits with 1 where something went wrong."""
    with _watching() as progress:
        outcome = at.run(journal, patience=patience, progress=progress)
    if as_json:
        emit_json(outcome_data(outcome))
    else:
        click.echo(outcome_text(outcome))
    if outcome.end in {End.REFUSED, End.STOPPED}:
        raise click.exceptions.Exit(REFUSED)


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """For programs."""
    return {
        "end": outcome.end.value,
        "problem": outcome.problem,
        "step": showing.step_data(outcome.step),
        "record": showing.record_data(outcome.record),
    }


def outcome_text(outcome: Outcome) -> str:
    """For people."""
    if outcome.end is End.DONE:
        return showing.standing(outcome.record, outcome.step)
    lines = showing.next_lines(outcome.step)
    if outcome.end is End.STOPPED:
        lines = [f"Stopped: {outcome.problem}", "Nothing is lost: `apply` goes on from here, `rollback` goes back."]
    return "\n".join(lines)


def show_status(at: Desk, *, as_json: bool) -> None:
    """Where it stands. Raises Failure."""
    record = at.record
    if record is None:
        if as_json:
            emit_json({"record": None, "step": None})
        else:
            click.echo(f"No {at.track} rollover of farm {at.farm.name} was ever begun here.")
        return
    with reporting(*ERRORS):
        snapshot = at.look()
        step = plans.standing_at(snapshot, record, at.policy, time.time())
    if as_json:
        emit_json({"record": showing.record_data(record), "step": showing.step_data(step)})
    else:
        click.echo(showing.standing(record, step))


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
            if each.text.startswith("holds: "):
                console.print(f"[green]✓[/] {each.step.title}: {each.text.removeprefix('holds: ')}")
            status.update(f"{each.step.title}: {each.text[:100]}")

        yield tell
