"""The trust with Entra ID: what each tenant knows of its farm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adfs_mgmt.operations.context import FederatedTenant, OperationContext
from adfs_mgmt.operations.errors import NotPossible
from adfs_mgmt.operations.observation import observe_farms, read_trust
from adfs_mgmt.trust import Backups, FarmKeys, compare_trust, keys_of
from certs import Certificate
from findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustComparison:
    """One tenant against its farm."""

    tenant: str
    farm: str
    findings: tuple[Finding, ...]


class LiveKeyUnknown(NotPossible):
    """Which certificate signs now at a farm is not known, so no slot is known to be free."""

    def __init__(self, federation_name: str) -> None:
        super().__init__(federation_name)
        self.federation_name = federation_name

    def __str__(self) -> str:
        return (
            f"the current token-signing certificate of {self.federation_name} is not known, and so neither is the free "
            "slot: check `isthmus adfs status`"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupResult:
    """`saved`: the file of each domain. `problems`: why another one was not saved, by domain."""

    saved: dict[str, Path]
    problems: dict[str, str]


async def compare_trusts(
    context: OperationContext, tenants: Sequence[FederatedTenant], *, external_only: bool = False
) -> list[TrustComparison]:
    """What each tenant knows against what its farm signs with. Raises TrustError, RemotingError."""
    found = []
    for tenant in tenants:
        trust = await read_trust(tenant, context.now())
        keys = await signing_keys(context, tenant, external_only=external_only)
        findings = tuple(compare_trust(trust, keys, context.now()))
        found.append(TrustComparison(tenant=trust.tenant, farm=tenant.farm.name, findings=findings))
    return found


async def signing_keys(context: OperationContext, tenant: FederatedTenant, *, external_only: bool = False) -> FarmKeys:
    """What the tenant's farm signs with now: over WinRM, else as its metadata says. Raises RemotingError."""
    (observation,) = await observe_farms(context, [tenant.farm], external_only=external_only)
    return keys_of(observation.farm, observation.external)


def live_key(keys: FarmKeys) -> Certificate:
    """The certificate that signs now. Raises LiveKeyUnknown."""
    if keys.live is None:
        raise LiveKeyUnknown(keys.federation_name)
    return keys.live


async def back_up(context: OperationContext, tenant: FederatedTenant, domains: Sequence[str] = ()) -> BackupResult:
    """Copy the federation of these domains (of all, for none) into files below `state_dir`. Raises TrustError."""
    trust = await read_trust(tenant, context.now())
    backups = Backups(context.state_dir, tenant.entra.tenant)
    problems = {name: f"{name} is not federated, or is not in the tenant" for name in sorted(domains)}
    saved = {}
    for domain in trust.domains:
        if domain.federated and (not domains or domain.name in domains):
            problems.pop(domain.name, "")
            if domain.configuration is not None:
                saved[domain.name] = backups.save(domain.name, domain.configuration, "by hand", context.now())
            if domain.error:
                problems[domain.name] = f"{domain.name}: {domain.error}"
    return BackupResult(saved=saved, problems=problems)
