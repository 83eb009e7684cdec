"""Observes the farm over WinRM and from outside, Entra ID, and the ledger of partners, all at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from adfs_mgmt.farm import FarmSettings, read_external_view, read_farm
from adfs_mgmt.procedures.executor import FederatedDomains
from adfs_mgmt.procedures.observation import FarmObservation, partners_of
from adfs_mgmt.remoting import Shell
from adfs_mgmt.trust import FederatedDomain, TrustError
from certs import Ledger
from foundation.graph import GraphError


async def observe(
    shell: Shell, settings: FarmSettings, trust: FederatedDomains | None, ledger: Ledger, now: Callable[[], float]
) -> FarmObservation:
    """Everything as it is now. What cannot be read is in the observation. Changes nothing; cancelling stops it."""
    farm, outside, (domains, problems) = await asyncio.gather(
        read_farm(shell, settings, now()), read_external_view(settings, now()), _domains(trust, now())
    )
    return FarmObservation(
        farm=farm,
        outside=outside,
        domains=domains,
        partners=partners_of(farm, ledger, entra=trust is not None),
        problems=problems,
    )


async def _domains(trust: FederatedDomains | None, now: float) -> tuple[tuple[FederatedDomain, ...], tuple[str, ...]]:
    if trust is None:
        return (), ()
    try:
        found = await trust.domains(now)
    except (TrustError, GraphError) as error:
        return (), (f"Entra ID cannot be queried ({error})",)
    problems = tuple(f"domain {domain.name} cannot be read ({domain.error})" for domain in found if domain.error)
    return tuple(domain for domain in found if not domain.error), problems
