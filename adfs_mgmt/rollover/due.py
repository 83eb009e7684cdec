"""When the certificates end that a piece of work would replace, for those who let a timer begin it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from adfs_mgmt.farm import Use
from adfs_mgmt.rollover import bindings, tokens
from adfs_mgmt.rollover.beginning import Kind
from adfs_mgmt.rollover.errors import Refused
from adfs_mgmt.rollover.model import Snapshot


def first_end(kind: Kind, uses: Sequence[Use], snapshot: Snapshot) -> float:
    """The earliest of them, Unix seconds. Raises Refused where that cannot be told: not to be due must never be a guess."""
    farm = snapshot.farm
    if farm.error or farm.primary is None:
        raise Refused("telling what is due", [f"the farm cannot be read ({farm.error or 'no primary answers'})"])
    if kind == "ssl":
        bound = {row.thumbprint for host in farm.hosts for row in bindings.ours(host.bindings)}
        used = bound | {tokens.primary_of(farm.primary, Use.SERVICE)}
        away = [f"{host.host} cannot be read ({host.error})" for host in farm.hosts if host.error]
    else:
        used, away = {tokens.primary_of(farm.primary, use) for use in uses}, []
    found = {name: snapshot.certificate(name) for name in used if name}
    unknown = [f"the end of {name} is not known" for name, each in found.items() if each is None or not each.not_after]
    if away or unknown or not found:
        raise Refused("telling what is due", [*away, *unknown] or ["no certificate is in use"])
    return min(each.not_after for each in found.values() if each is not None)
