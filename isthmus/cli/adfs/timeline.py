"""`isthmus adfs timeline`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isthmus.cli.adfs.context import external_option, farms_option, operation
from isthmus.cli.adfs.observation import observe
from isthmus.cli.output import FILE, emit_json, json_option, reporting

if TYPE_CHECKING:
    from adfs_mgmt.operations import OperationContext
    from isthmus.cli.flow import Manner


@click.command("timeline")
@operation
@farms_option
@external_option
@click.option("--output", type=FILE, required=True, help="HTML file to write.")
@json_option
def command(context: OperationContext, manner: Manner, names: tuple[str, ...], outside: bool, output: Path) -> None:
    """Draw a timeline of a farm's certificates, with thresholds and what AD FS will do automatically, as an HTML page.

    \b
    Examples:
      isthmus adfs timeline --output certificates.html
      isthmus adfs timeline --farm prod --outside --output prod.html
    """
    from adfs_mgmt.health import certificate_inventory, timeline_page
    from adfs_mgmt.operations import SelectionError

    if len(farms := context.farms(names)) > 1:
        raise SelectionError(f"the page shows one farm; choose it with --farm: {', '.join(farm.name for farm in farms)}")
    (observation,) = observe(context, names, external_only=outside)
    farm, external = observation.farm, observation.external
    with reporting(OSError):
        output.write_text(timeline_page(farm, external, context.settings.thresholds, farm.read_at), encoding="utf-8")
    count = len(certificate_inventory(farm, external))
    if manner.as_json:
        emit_json({"farm": farm.name, "file": str(output), "certificates": count})
    else:
        click.echo(f"{output}: {count} certificates of {farm.name}")
