"""The runner's eyes: the farm over WinRM and from outside, Entra ID, the ledger of partners, all at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from adfs_mgmt.farm import FarmSettings, read_external_view, read_farm
from adfs_mgmt.remoting import Shell
from adfs_mgmt.rollover.model import Domain, Snapshot
from adfs_mgmt.rollover.partners import known
from adfs_mgmt.rollover.ports import Trust
from adfs_mgmt.trust import model as trust_model
from adfs_mgmt.trust.errors import TrustError
from certs import Ledger
from foundation.graph import GraphError


async def look(
    shell: Shell, settings: FarmSettings, trust: Trust | None, ledger: Ledger, now: Callable[[], float]
) -> Snapshot:
    """Everything as it is now. What cannot be read is in the snapshot. Changes nothing."""
    farm, outside, (domains, problems) = await asyncio.gather(
        read_farm(shell, settings, now()), read_external_view(settings, now()), _domains(trust, now())
    )
    return Snapshot(
        farm=farm,
        outside=outside,
        domains=domains,
        partners=known(farm, ledger, entra=trust is not None),
        problems=problems,
    )


async def _domains(trust: Trust | None, now: float) -> tuple[tuple[Domain, ...], tuple[str, ...]]:
    if trust is None:
        return (), ()
    try:
        found: Sequence[trust_model.FederatedDomain] = await trust.domains(now)
    except (TrustError, GraphError) as error:
        return (), (f"Entra ID cannot be asked ({error})",)
    problems = tuple(f"domain {each.name} cannot be read ({each.error})" for each in found if each.error)
    return tuple(domain(each) for each in found if not each.error), problems


def domain(each: trust_model.FederatedDomain) -> Domain:
    """As the planner sees it."""
    configuration = each.configuration
    if configuration is None:
        return Domain(name=each.name, certificates=())
    status = configuration.update.result if configuration.update else ""
    return Domain(name=each.name, certificates=configuration.thumbprints(), update_status=status)
