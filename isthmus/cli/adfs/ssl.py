"""`isthmus adfs ssl`: a new SSL and Service-Communications certificate, on nodes, proxies and published applications."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isthmus.cli.adfs import certificates
from isthmus.cli.adfs.certificates import cancel_option, certificate_command, certificate_options, due_option, source_of
from isthmus.cli.flow import Manner, patience_option, plan_option, save_option, yes_option
from isthmus.cli.output import Failure, json_option, options, run_async

if TYPE_CHECKING:
    from adfs_mgmt.operations import CertificateOperation, RolloverRequest


@click.group("ssl")
def command() -> None:
    """Renew the SSL and Service-Communications certificate: every node, every proxy, every published application.

    Interrupted anywhere, `apply` continues; `rollback` puts the old certificate back. A request for an enterprise CA is made
    with `isthmus adfs rollover request`.
    """


acme_option = click.option("--acme", is_flag=True, help="Have a new one issued by the ACME server of the settings, [acme].")
name_option = click.option(
    "--name",
    "names",
    multiple=True,
    metavar="DNS",
    help="One more name that it must cover, such as enterpriseregistration.example.com; may be given again.",
)


_wanted = options(certificate_options, acme_option, name_option)


async def _request(work: CertificateOperation, given: dict[str, Any], *, keep: bool = True) -> RolloverRequest:
    if sum(bool(given[way]) for way in ("pfx", "answer", "thumbprint", "acme")) != 1:
        raise Failure("say which certificate: one of --pfx, --certificate, --thumbprint, --acme")
    return await work.request(source_of(given), keep=keep)


@command.command()
@certificate_command("ssl")
@_wanted
@save_option
@json_option
def plan(work: CertificateOperation, manner: Manner, save: Path | None, **given: Any) -> None:
    """Check a new certificate and show every step. Nothing is changed on the servers.

    \b
    Examples:
      isthmus adfs ssl plan --pfx fs.pfx --password-file fs.password
      isthmus adfs ssl plan --acme --save plan.json
    """
    certificates.only_plan(work, run_async(_request(work, given, keep=save is not None)), save, manner)


@command.command()
@certificate_command("ssl")
@_wanted
@plan_option
@due_option
@patience_option
@yes_option
@json_option
def apply(
    work: CertificateOperation, manner: Manner, plan_file: Path | None, within: float | None, patience: float, **given: Any
) -> None:
    """Begin, or go on with what is under way, to the end.

    \b
    Examples:
      isthmus adfs ssl apply --pfx fs.pfx --password-file fs.password
      isthmus adfs ssl apply --plan plan.json --yes

    \b
    From a timer, once a day:
      isthmus adfs ssl apply --acme --if-ends-within 30 --yes
    """
    certificates.apply(
        work,
        source_of(given),
        lambda: _request(work, given),
        plan_file=plan_file,
        due=((), within),
        patience=patience,
        manner=manner,
    )


@command.command()
@certificate_command("ssl")
@json_option
def status(work: CertificateOperation, manner: Manner) -> None:
    """Show where it stands, and what it waits for. Nothing is changed.

    \b
    Example:
      isthmus adfs ssl status
    """
    certificates.show_status(work, manner)


@command.command()
@certificate_command("ssl")
@cancel_option
@patience_option
@yes_option
@json_option
def rollback(work: CertificateOperation, manner: Manner, cancel: bool, patience: float) -> None:
    """Put the old certificate back, everywhere. Possible after the end, too, while the old one is in the stores and valid.

    \b
    Example:
      isthmus adfs ssl rollback
    """
    undone = "is undone, every server gets the certificate that it had before"
    what, to = ("goes forward again", "") if cancel else (undone, "start")
    certificates.roll_back(work, to, patience, what, manner, undo=True)
