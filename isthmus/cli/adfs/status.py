"""`isthmus adfs status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isthmus.cli.adfs.context import external_option, farms_option, operation
from isthmus.cli.adfs.observation import observe
from isthmus.cli.output import UNREACHABLE, emit_json, json_option
from isthmus.cli.tables import wide_option

if TYPE_CHECKING:
    from adfs_mgmt.operations import OperationContext
    from isthmus.cli.flow import Manner


@click.command("status")
@operation
@farms_option
@external_option
@wide_option
@json_option
def command(context: OperationContext, manner: Manner, names: tuple[str, ...], outside: bool) -> None:
    """Show farms: servers, certificates, bindings, trusts, what each host serves, and inconsistencies.

    Hosts that do not answer are shown with the reason. The exit code is 3 if nothing of a farm could be read.

    \b
    Examples:
      isthmus adfs status
      isthmus adfs status --farm prod --outside
      isthmus adfs status --json | jq '.farms[].inconsistencies'
    """
    from isthmus.cli.adfs import farm_tables

    observations = observe(context, names, external_only=outside)
    if manner.as_json:
        emit_json({"farms": [farm_tables.farm_data(observation) for observation in observations]})
    else:
        for number, observation in enumerate(observations):
            if number:
                click.echo()
            farm_tables.show(observation.farm, observation.external)
    if any(observation.blind for observation in observations):
        raise SystemExit(UNREACHABLE)
