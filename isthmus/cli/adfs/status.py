"""`isthmus adfs status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isthmus.cli.adfs import adfs_config, load
from isthmus.cli.adfs.looking import farm_option, look_at, outside_option, plain
from isthmus.cli.output import UNREACHABLE, emit_json, json_option

if TYPE_CHECKING:
    from adfs_mgmt.farm.model import Outside


@click.command("status")
@adfs_config
@farm_option
@outside_option
@json_option
def command(config: Path, names: tuple[str, ...], outside: bool, as_json: bool) -> None:
    """Show farms as a whole: servers, certificates, bindings, proxies, partners, what each host serves, contradictions.

    Nothing is changed. Hosts that do not answer are shown with the reason. Exit code 3 where nothing of a farm was seen.

    \b
    Examples:
      isthmus adfs status
      isthmus adfs status --farm prod --outside
      isthmus adfs status --json | jq '.farms[].contradictions'
    """
    from adfs_mgmt.farm.contradictions import contradictions
    from isthmus.cli.adfs import tables

    looks = look_at(load(config), names, outside_only=outside)
    if as_json:
        emit_json(
            {
                "farms": [
                    {
                        "farm": plain(look.farm),
                        "outside": _outside_data(look.outside),
                        "contradictions": plain(contradictions(look.farm, look.outside)),
                    }
                    for look in looks
                ]
            }
        )
    else:
        for number, look in enumerate(looks):
            if number:
                click.echo()
            tables.show(look.farm, look.outside)
    if any(look.blind for look in looks):
        raise SystemExit(UNREACHABLE)


def _outside_data(outside: Outside) -> dict[str, Any]:
    """For programs: what did not work at an address is one text there."""
    data: dict[str, Any] = plain(outside)
    for row, served in zip(data["served"], outside.served, strict=True):
        del row["errors"]
        row["error"] = served.error
    return data
