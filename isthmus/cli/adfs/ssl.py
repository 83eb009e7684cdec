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
    """Replace the SSL and Service-Communications certificate on every node, proxy and published application.

    After an interruption, run `apply` again; `rollback` restores the old certificate. To create a request for an enterprise
    CA, use `isthmus adfs rollover request`.
    """


acme_option = click.option(
    "--acme", is_flag=True, help="Request a new certificate from the ACME server under [acme] in the settings."
)
name_option = click.option(
    "--name",
    "names",
    multiple=True,
    metavar="DNS",
    help="Additional name that the certificate must cover, such as enterpriseregistration.example.com. Can be repeated.",
)


_wanted = options(certificate_options, acme_option, name_option)


async def _request(work: CertificateOperation, given: dict[str, Any], *, keep: bool = True) -> RolloverRequest:
    if sum(bool(given[way]) for way in ("pfx", "answer", "thumbprint", "acme")) != 1:
        raise Failure("choose a certificate with one of --pfx, --certificate, --thumbprint or --acme")
    return await work.request(source_of(given), keep=keep)


@command.command()
@certificate_command("ssl")
@_wanted
@save_option
@json_option
def plan(work: CertificateOperation, manner: Manner, save: Path | None, **given: Any) -> None:
    """Check a new certificate and show every step, without changing anything on the servers.

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
    """Replace the certificate, or continue an interrupted replacement.

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
    """Show the progress and what it is waiting for.

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
    """Restore the old certificate on all servers. Also possible after completion, while the old one is stored and valid.

    \b
    Example:
      isthmus adfs ssl rollback
    """
    undone = "is rolled back; every server gets its previous certificate"
    what, to = ("continues with the new certificate", "") if cancel else (undone, "start")
    certificates.roll_back(work, to, patience, what, manner, undo=True)
