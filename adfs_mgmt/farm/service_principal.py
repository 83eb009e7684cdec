"""Reads who has the service principal name, on one node: it is the directory that answers, for the whole forest."""

from __future__ import annotations

from collections.abc import Sequence

from adfs_mgmt.farm.model import Node, PrincipalHolder, ServicePrincipal, SyncRole
from adfs_mgmt.farm.queries import HostQuery
from adfs_mgmt.remoting import CommandFailed, NotInCatalogue, PSObject, RemotingError, flag_of, text_of, texts_of

_ABSENT = "CommandNotFoundException"
"""Without our JEA endpoint, or with one of before it had this function."""


async def read_principal(hosts: Sequence[tuple[HostQuery, Node]], name: str) -> ServicePrincipal | None:
    """Ask the primary, else the first node that answered; another one where it is gone meanwhile. None where none could be
    asked. `name` is the federation name."""
    for host, node in sorted(hosts, key=lambda pair: pair[1].role is not SyncRole.PRIMARY):
        if not node.service_account or node.error:
            continue
        try:
            rows = await host.run("Get-IsthmusServicePrincipal", Name=name)
        except NotInCatalogue:
            return ServicePrincipal(name=name, service_account=node.service_account, error=f"{name!r} is not a host name")
        except CommandFailed as error:
            if error.error_id.startswith(_ABSENT):
                return None
            return ServicePrincipal(name=name, service_account=node.service_account, error=error.reason)
        except RemotingError:
            continue
        return ServicePrincipal(name=name, service_account=node.service_account, holders=tuple(map(_holder, rows)))
    return None


def _holder(row: PSObject) -> PrincipalHolder:
    return PrincipalHolder(
        account=text_of(row, "Account"),
        names=texts_of(row, "Names"),
        is_service=flag_of(row, "IsService"),
    )
