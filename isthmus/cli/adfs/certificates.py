"""Where a new certificate comes from, on the command line: what `rollover` and `ssl` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from certs import Certificate, Material, from_pfx
from isthmus.cli.adfs import rolling
from isthmus.cli.adfs.rolling import Desk
from isthmus.cli.adfs.thumbprints import thumbprint as pasted
from isthmus.cli.output import Failure, reporting

F = TypeVar("F", bound=Callable[..., Any])

save_option = click.option(
    "--save", type=click.Path(path_type=Path, dir_okay=False), help="Save the plan, to be reviewed and applied later."
)
plan_option = click.option("--plan", "plan_file", type=click.Path(path_type=Path, dir_okay=False), help="A saved plan.")

_OPTIONS = (
    click.option("--pfx", type=click.Path(path_type=Path, dir_okay=False), help="A PFX file with the new one."),
    click.option(
        "--password-file", type=click.Path(path_type=Path, dir_okay=False), help="File with the PFX's password, mode 0600."
    ),
    click.option(
        "--certificate",
        type=click.Path(path_type=Path, dir_okay=False),
        help="What a CA made of a request (`request`): PEM or DER, its chain after it.",
    ),
    click.option("--thumbprint", type=pasted, default="", help="One that is in every server's LocalMachine\\My already."),
)


def certificate_options(function: F) -> F:
    """`pfx`, `password_file`, `certificate` and `thumbprint`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def supplied(at: Desk, given: dict[str, Any], *, keep: bool = True) -> Material | None:
    """The certificate and key that were given. `keep`: they wait in the state directory until the servers have them. Raises
    Failure."""
    pfx, answer = given["pfx"], given["certificate"]
    if pfx is not None and answer is not None:
        raise Failure("give --pfx or --certificate, not both")
    with reporting(*rolling.ERRORS):
        material = from_pfx(pfx, given["password_file"]) if pfx else at.vault.answer(answer) if answer else None
        if material is not None and keep:
            at.vault.put(material)
    return material


def in_stores(at: Desk, thumbprint: str) -> Certificate:
    """A certificate that the servers have, by its thumbprint. Raises Failure."""
    found = at.look().certificate(thumbprint)
    if found is None:
        raise Failure(f"no server of {at.farm.name} has {thumbprint} in LocalMachine\\My; `isthmus adfs status` shows them")
    return found
