"""`isthmus adfs rollover`: new token-signing and token-decrypting certificates, without an outage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foundation.times import DAY
from isthmus.cli import flow
from isthmus.cli.adfs import certificates
from isthmus.cli.adfs.certificates import cancel_option, certificate_command, certificate_options, due_option, source_of
from isthmus.cli.flow import Manner, patience_option, plan_option, save_option, yes_option
from isthmus.cli.output import FILE, FiniteRange, emit_said, json_option, options, run_async

if TYPE_CHECKING:
    from adfs_mgmt.farm import Use
    from adfs_mgmt.operations import CertificateOperation, Gate, RolloverRequest

_USES = ("signing", "decrypting")

use_option = click.option(
    "--use",
    "uses",
    multiple=True,
    type=click.Choice(_USES),
    default=_USES,
    show_default="both",
    help="Which certificates to roll over. Can be repeated.",
)
wait_option = click.option(
    "--wait-days", type=FiniteRange(0), default=None, help="Days that partners get before promotion. Default: 5."
)
soak_option = click.option(
    "--soak-days",
    type=FiniteRange(0),
    default=None,
    help="Days for which the old certificate is kept after promotion. Default: 2.",
)


@click.group("rollover")
def command() -> None:
    """Roll over token-signing and token-decrypting certificates.

    Every step is checked beforehand, recorded in a journal, and verified on every node afterwards. `apply` stops whenever it
    has to wait; run it again to continue, also after an interruption. Until `retire` you can roll back.
    """


_wanted = options(use_option, certificate_options, wait_option, soak_option)


def _uses(names: Sequence[str]) -> tuple[Use, ...]:
    from adfs_mgmt.farm import Use

    known = {"signing": Use.SIGNING, "decrypting": Use.DECRYPTING}
    return tuple(known[name] for name in names)


async def _request(work: CertificateOperation, given: dict[str, Any], *, keep: bool = True) -> RolloverRequest:
    wait, soak = (None if given[name] is None else given[name] * DAY for name in ("wait_days", "soak_days"))
    uses = _uses(given["uses"])
    return await work.request(source_of(given), keep=keep, uses=uses, publish_for=wait, retire_after=soak)


@command.command()
@certificate_command("token")
@_wanted
@save_option
@json_option
def plan(work: CertificateOperation, manner: Manner, save: Path | None, **given: Any) -> None:
    """Show every step of a rollover, without changing anything.

    \b
    Examples:
      isthmus adfs rollover plan             # AD FS creates the certificates
      isthmus adfs rollover plan --use signing --pfx new.pfx \\
          --password-file new.password --save plan.json
    """
    certificates.only_plan(work, run_async(_request(work, given, keep=save is not None)), save, manner)


@command.command()
@certificate_command("token")
@_wanted
@plan_option
@click.option(
    "--unattended",
    is_flag=True,
    help="Promote the new certificate and remove the old one as soon as allowed, without further approval.",
)
@due_option
@patience_option
@yes_option
@json_option
def apply(
    work: CertificateOperation,
    manner: Manner,
    plan_file: Path | None,
    unattended: bool,
    within: float | None,
    patience: float,
    **given: Any,
) -> None:
    """Start a rollover, or continue the one in progress, as far as possible now.

    It stops before the new certificate is promoted (`promote`) and before the old one is removed (`retire`).

    \b
    Examples:
      isthmus adfs rollover apply
      isthmus adfs rollover apply --plan plan.json --yes

    \b
    From a timer, once an hour:
      isthmus adfs rollover apply --unattended --if-ends-within 30 --yes
    """
    from adfs_mgmt.operations import GATES

    certificates.apply(
        work,
        source_of(given),
        lambda: _request(work, given),
        plan_file=plan_file,
        due=(_uses(given["uses"]), within),
        patience=patience,
        manner=manner,
        gates=tuple(GATES) if unattended else (),
    )


@command.command()
@certificate_command("token")
@json_option
def status(work: CertificateOperation, manner: Manner) -> None:
    """Show the progress of the rollover and what it is waiting for.

    \b
    Example:
      isthmus adfs rollover status --json
    """
    certificates.show_status(work, manner)


@command.command()
@certificate_command("token")
@click.argument("names", nargs=-1, required=True)
@json_option
def acknowledge(work: CertificateOperation, manner: Manner, names: tuple[str, ...]) -> None:
    """Confirm that a partner has the new certificate, or that another requested action has been done.

    \b
    Example:
      isthmus adfs rollover acknowledge "Intranet" "Payroll"
    """
    run_async(work.acknowledge(names))
    text = f"Recorded: {', '.join(names)}. `isthmus adfs rollover status` shows what else is needed."
    emit_said(text, as_json=manner.as_json, acknowledged=list(names))


@command.command()
@certificate_command("token")
@click.option(
    "--acknowledge", "names", multiple=True, metavar="PARTNER", help="Partner that has the new certificate. Can be repeated."
)
@patience_option
@yes_option
@json_option
def promote(work: CertificateOperation, manner: Manner, names: tuple[str, ...], patience: float) -> None:
    """Make the new certificate primary, and check that every node uses it.

    Refused while an automatic or manual partner does not have it, or the waiting period is not over.

    \b
    Example:
      isthmus adfs rollover promote --acknowledge "Payroll"
    """
    _open_gate(work, "promote", names, "this makes the new certificate primary", patience, manner)


@command.command()
@certificate_command("token")
@patience_option
@yes_option
@json_option
def retire(work: CertificateOperation, manner: Manner, patience: float) -> None:
    """Remove the old certificate from the farm and from Entra ID. After that you cannot roll back.

    \b
    Example:
      isthmus adfs rollover retire
    """
    _open_gate(work, "retire", (), "this removes the old certificate, and you cannot roll back afterwards", patience, manner)


def _open_gate(
    work: CertificateOperation, gate: Gate, names: tuple[str, ...], what: str, patience: float, manner: Manner
) -> None:
    run_async(work.check_gate(gate, names))
    if not manner.as_json:
        click.echo(f"Farm {work.farm.name}: {what}.")
    certificates.confirm(work, manner)
    said = (*names, gate)
    result = flow.follow(lambda tell: work.apply(acknowledged=said, patience=patience, progress=tell))
    certificates.finish(result, manner)


@command.command()
@certificate_command("token")
@click.option(
    "--to",
    type=click.Choice(["published", "start"]),
    default="published",
    show_default=True,
    help="published: make the old certificate primary again, keep the new one published. start: undo everything.",
)
@cancel_option
@patience_option
@yes_option
@json_option
def rollback(work: CertificateOperation, manner: Manner, to: str, cancel: bool, patience: float) -> None:
    """Roll back to the old certificate. Possible until `retire`, as long as the old certificate has not expired; also if
    AD FS itself or another administrator has promoted the new one and the old one is still in the farm.

    \b
    Example:
      isthmus adfs rollover rollback --to start
    """
    what = "continues with the new certificate" if cancel else f"is rolled back to {to}"
    certificates.roll_back(work, "" if cancel else to, patience, what, manner)


@command.command()
@certificate_command("token")
@use_option
@click.option(
    "--without-entra",
    is_flag=True,
    help="Use if Entra ID cannot be queried: replace the farm's keys first, and update Entra ID at the end.",
)
@patience_option
@yes_option
@json_option
def emergency(
    work: CertificateOperation, manner: Manner, uses: tuple[str, ...], without_entra: bool, patience: float
) -> None:
    """Replace certificates immediately after a key was stolen, without waiting for partners and without a way to roll back.

    Sign-in to partners other than Entra ID fails until they have the new certificate.

    \b
    Example:
      isthmus adfs rollover emergency --use signing
    """
    from adfs_mgmt.operations import WITHOUT_ENTRA, RolloverRequest

    plan = None
    if work.under_way is None or work.under_way.kind != "emergency":
        wanted = RolloverRequest(kind="emergency", uses=_uses(uses), without_entra=without_entra)
        plan = run_async(work.plan(wanted))
        certificates.propose(work, plan, manner)
    said = (WITHOUT_ENTRA,) if without_entra else ()
    result = flow.follow(lambda tell: work.apply(plan, acknowledged=said, patience=patience, progress=tell))
    certificates.finish(result, manner)


@command.command()
@certificate_command("token")
@click.option(
    "--name",
    "names",
    multiple=True,
    help="DNS name for the certificate. Default: the federation service name. Can be repeated.",
)
@click.option("--out", type=FILE, required=True, help="File to write the request to (PEM).")
@json_option
def request(work: CertificateOperation, manner: Manner, names: tuple[str, ...], out: Path) -> None:
    """Create a private key and a certificate request for an enterprise CA. Pass the issued certificate with --certificate.

    \b
    Example:
      isthmus adfs rollover request --out fs.csr
    """
    wanted = work.make_request(names, out)
    text = f"Wrote {out} for {', '.join(wanted)}. The private key is in {work.context.state_dir}/keys: keep that directory."
    emit_said(text, as_json=manner.as_json, request=str(out), names=list(wanted))
