"""What `isthmus adfs jea` writes, registered on simulated hosts: the simulation lets through what those files say."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from adfs_mgmt.remoting import HostKind
from adfs_mgmt.remoting.jea import role_file
from tests.adfs.simulator.endpoint import Guard, Role, jea, ordinary

NAME = "IsthmusAdfs"
"""One for nodes and proxies, as the settings have it."""


@cache
def role(kind: HostKind) -> Role:
    """As the file has it."""
    return Role(role_file(kind))


def configurations(hosts: Iterable[str]) -> dict[str, Guard]:
    """The ordinary one, and ours; hosts called wap… are proxies."""
    roles = {host: role(HostKind.PROXY if host.startswith("wap") else HostKind.NODE) for host in hosts}
    return {"Microsoft.PowerShell": ordinary, NAME: jea(roles)}
