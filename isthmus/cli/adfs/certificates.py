"""What `isthmus adfs rollover` and `isthmus adfs ssl` share: where a new certificate comes from, plan, apply, status."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from foundation.times import DAY, minute
from isthmus.cli import flow
from isthmus.cli.adfs.context import farm_option, operation
from isthmus.cli.flow import Manner
from isthmus.cli.output import FILE, FiniteRange, emit_json, emit_said, options, run_async
from isthmus.cli.thumbprints import thumbprint as pasted

if TYPE_CHECKING:
    from adfs_mgmt.farm import Use
    from adfs_mgmt.operations import CertificateOperation, CertificateSource, OperationContext, RolloverRequest, Track
    from foundation.procedures import Plan, RunResult

F = TypeVar("F", bound=Callable[..., Any])

certificate_options = options(
    click.option("--pfx", type=FILE, help="PFX file with the new certificate."),
    click.option("--password-file", type=FILE, help="File with the PFX's password, mode 0600."),
    click.option(
        "--certificate",
        "answer",
        type=FILE,
        help="Certificate that a CA issued for a request (`rollover request`): PEM or DER, "
        "optionally followed by its chain.",
    ),
    click.option(
        "--thumbprint", type=pasted, default="", help="Certificate that is already in LocalMachine\\My on every server."
    ),
)
"""`pfx`, `password_file`, `answer` and `thumbprint`."""
cancel_option = click.option(
    "--cancel", is_flag=True, help="Cancel a rollback that is in progress, and continue with the new certificate."
)
due_option = click.option(
    "--if-ends-within",
    "within",
    type=FiniteRange(0),
    default=None,
    metavar="DAYS",
    help="Start only if a certificate in use expires within this many days. A rollover in progress "
    "always continues. For timers.",
)


def certificate_command(track: Track) -> Callable[[F], F]:
    """A command about one farm's certificates: the function gets the work and the manner."""

    def decorated(function: F) -> F:
        @functools.wraps(function)
        def call(context: OperationContext, manner: Manner, farm: str, **given: Any) -> Any:
            from adfs_mgmt.operations import certificate_operation

            return function(certificate_operation(context, farm, track), manner, **given)

        return operation(farm_option(call))  # type: ignore[return-value]

    return decorated


def source_of(given: dict[str, Any]) -> CertificateSource:
    """Out of these options."""
    from adfs_mgmt.operations import CertificateSource

    names = ("pfx", "password_file", "answer", "thumbprint", "acme", "names")
    return CertificateSource(**{name: given[name] for name in names if name in given})


def show_plan(plan: Plan[Any], manner: Manner) -> None:
    """For people, or for programs."""
    from isthmus.cli.procedure_data import plan_data

    if manner.as_json:
        emit_json(plan_data(plan, "farm"))
    else:
        flow.show_plan(plan)


def only_plan(work: CertificateOperation, request: RolloverRequest, save: Path | None, manner: Manner) -> None:
    """A plan that is shown, and saved where asked."""
    plan = run_async(work.plan(request))
    show_plan(plan, manner)
    if save is not None:
        flow.save_plan(plan, save, manner)


def apply(
    work: CertificateOperation,
    source: CertificateSource,
    requested: Callable[[], Awaitable[RolloverRequest]],
    *,
    plan_file: Path | None,
    due: tuple[Sequence[Use], float | None],
    patience: float,
    manner: Manner,
    gates: Sequence[str] = (),
) -> None:
    """Start, or continue what is under way. `due`: uses of certificates, and the days within which one of them must end for
    it to be started. `gates`: what is not asked for any more."""
    from adfs_mgmt.operations import NotPossible

    under_way, plan = work.under_way, None
    if under_way is not None:
        if plan_file is not None:
            raise NotPossible(f"{under_way.id} is in progress; apply continues it without --plan")
        work.supply(source)
        if not manner.as_json:
            text = f"{under_way.id} is in progress and continues as planned; options for a new rollover are ignored."
            click.echo(text, err=True)
    elif _is_due(work, *due, manner):
        if plan_file is not None:
            work.supply(source)
            plan = run_async(work.load(plan_file))
        else:
            plan = run_async(_planned(work, requested))
        propose(work, plan, manner)
    else:
        return
    finish(flow.follow(lambda tell: work.apply(plan, acknowledged=gates, patience=patience, progress=tell)), manner)


async def _planned(work: CertificateOperation, requested: Callable[[], Awaitable[RolloverRequest]]) -> Plan[Any]:
    return await work.plan(await requested())


def propose(work: CertificateOperation, plan: Plan[Any], manner: Manner) -> None:
    """Show it, and have it confirmed."""
    if manner.shows_plan:
        show_plan(plan, manner)
    confirm(work, manner)


def confirm(work: CertificateOperation, manner: Manner) -> None:
    """By the farm's name."""
    flow.confirm("Type the name of the farm to confirm", work.farm.name, manner)


def finish(result: RunResult, manner: Manner) -> None:
    """How a run ended."""
    from isthmus.cli.procedure_data import result_data

    flow.show_result(result, result_data(result, "farm"), manner)


def show_status(work: CertificateOperation, manner: Manner) -> None:
    """Where it stands."""
    from isthmus.cli.procedure_data import standing_data

    standing = run_async(work.standing())
    nothing = f"No {work.track} rollover of farm {work.farm.name} has been started from here."
    titles = work.titles(standing[0]) if standing else {}
    flow.show_standing(standing, titles, nothing, standing_data(standing, "farm"), manner)


def roll_back(
    work: CertificateOperation, to: str, patience: float, what: str, manner: Manner, *, undo: bool = False
) -> None:
    """Say what it comes to, have it confirmed, do it. `to`: how far; empty for forward again."""
    record = run_async(work.check_way_back(to, undo=undo))
    if not manner.as_json:
        click.echo(f"Farm {work.farm.name}: {record.id} {what}.")
        if not undo and work.under_way is None:
            text = "The current certificate was not promoted by Isthmus. Previous certificate:"
            click.echo("\n".join([text, *(f"  {use:<16}  {thumbprint}" for use, thumbprint in record.state.old.items())]))
    confirm(work, manner)
    finish(flow.follow(lambda tell: work.roll_back(to, patience=patience, progress=tell, undo=undo)), manner)


def _is_due(work: CertificateOperation, uses: Sequence[Use], within: float | None, manner: Manner) -> bool:
    """Says why not."""
    if within is None:
        return True
    end = run_async(work.first_end(uses))
    if end - work.context.now() <= within * DAY:
        return True
    text = f"Nothing is due: the first certificate of farm {work.farm.name} to expire is valid until {minute(end)}."
    emit_said(text, as_json=manner.as_json, end="not due", ends=end)
    return False
