"""`isthmus adfs timeline`."""

from __future__ import annotations

from pathlib import Path

import click

from isthmus.cli.adfs import adfs_config, load
from isthmus.cli.adfs.looking import chosen, farm_option, look_at, outside_option
from isthmus.cli.output import Failure, emit_json, json_option, reporting


@click.command("timeline")
@adfs_config
@farm_option
@outside_option
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="HTML file to write.")
@json_option
def command(config: Path, names: tuple[str, ...], outside: bool, output: Path, as_json: bool) -> None:
    """Draw every certificate of a farm: now, thresholds, and what will happen by itself when. One page for any browser.

    \b
    Examples:
      isthmus adfs timeline --output certificates.html
      isthmus adfs timeline --farm prod --outside --output prod.html
    """
    from adfs_mgmt.health.inventory import certificate_inventory
    from adfs_mgmt.health.timeline import timeline

    settings = load(config)
    farms = chosen(settings, names)
    if len(farms) > 1:
        raise Failure(f"a page is for one farm; add --farm with one of {', '.join(farm.name for farm in farms)}")
    (look,) = look_at(settings, [farms[0].name], outside_only=outside)
    page = timeline(look.farm, look.outside, settings.thresholds, look.farm.read_at)
    with reporting(OSError):
        output.write_text(page, encoding="utf-8")
    count = len(certificate_inventory(look.farm, look.outside))
    if as_json:
        emit_json({"farm": look.farm.name, "file": str(output), "certificates": count})
    else:
        click.echo(f"{output}: {count} certificates of {look.farm.name}")
