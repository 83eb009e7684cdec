"""Changes to the trust with Entra ID: certificates published, domains converted, backups restored. Each is planned first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from adfs_mgmt import trust
from adfs_mgmt.operations.context import FederatedTenant, OperationContext
from adfs_mgmt.operations.errors import NotPossible
from adfs_mgmt.operations.observation import read_trust
from adfs_mgmt.operations.tenants import live_key, signing_keys
from foundation.procedures import Plan, whoami

# -- certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustUpdate:
    """What would be written into the domains that are federated with a farm."""

    tenant: FederatedTenant
    domains: tuple[trust.FederatedDomain, ...]
    """Those that it was looked at for."""
    changes: tuple[trust.SlotChange, ...]
    problems: tuple[trust.DomainResult, ...]
    """Domains for which nothing can be done, and why."""

    @property
    def unchanged(self) -> tuple[str, ...]:
        """Domains that have it already."""
        touched = {change.domain for change in self.changes} | {problem.domain for problem in self.problems}
        return tuple(domain.name for domain in self.domains if domain.name not in touched)


async def plan_trust_update(
    context: OperationContext,
    tenant: FederatedTenant,
    *,
    domains: Sequence[str] = (),
    retire: str = "",
    external_only: bool = False,
) -> TrustUpdate:
    """The certificate that signs now, else its successor, into every domain, or into those that are named; or the old one
    with the thumbprint `retire` out, which some domain has to have. Raises LiveKeyUnknown, NotPossible, TrustError,
    GraphError."""
    keys = await signing_keys(context, tenant, external_only=external_only)
    live = live_key(keys)
    observed = await read_trust(tenant, context.now())
    chosen = _chosen(observed, keys.federation_name, domains)
    changes, problems = trust.plan_updates(chosen, keys, live, retire)
    if retire and not changes and not problems:
        names = ", ".join(domain.name for domain in chosen)
        raise NotPossible(
            f"Entra ID does not have {retire} for {names}: check the thumbprint with `isthmus adfs trust show`"
        )
    return TrustUpdate(tenant=tenant, domains=tuple(chosen), changes=tuple(changes), problems=tuple(problems))


async def apply_trust_update(context: OperationContext, update: TrustUpdate) -> tuple[trust.DomainResult, ...]:
    """One domain after the other, those with problems included; one that fails does not stop the rest. Raises
    SignInRefused: a credential that is refused is not tried for each domain."""
    name = update.tenant.entra.tenant
    backups, journals = trust.Backups(context.state_dir, name), trust.DomainJournals(context.state_dir, name)
    async with update.tenant.graph() as graph:
        done = await trust.apply_changes(graph, update.changes, backups, context.now(), journals.open)
    return (*done, *update.problems)


def _chosen(observed: trust.EntraTrust, federation_name: str, names: Sequence[str]) -> Sequence[trust.FederatedDomain]:
    domains, wanted = observed.federated_with(federation_name), {name.lower() for name in names}
    if not wanted and not domains:
        raise NotPossible(f"no domain of {observed.tenant} is federated with {federation_name}")
    if unknown := wanted - {domain.name.lower() for domain in domains}:
        raise NotPossible(f"not federated with {federation_name}: {', '.join(sorted(unknown))}")
    return [domain for domain in domains if not wanted or domain.name.lower() in wanted]


# -- managed or federated

Authentication = Literal["managed", "federated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A domain that is to be managed, or federated."""

    tenant: FederatedTenant
    domain: str
    to: Authentication
    plan: Plan[trust.ConversionState] | None
    """None: one that was interrupted continues."""


async def plan_conversion(
    context: OperationContext,
    tenant: FederatedTenant,
    domain: str,
    to: Authentication,
    *,
    source: Path | None = None,
    mfa: str = "",
    only_domain: bool = False,
    without_backup: bool = False,
    external_only: bool = False,
) -> Conversion:
    """Its checklist is among the plan's findings. `source`: a backup to federate by; `mfa`: federatedIdpMfaBehavior.

    Raises TrustError, GraphError, JournalError.
    """
    kind = trust.FEDERATED if to == "federated" else trust.MANAGED
    record = trust.DomainJournals(context.state_dir, tenant.entra.tenant).record(domain)
    if trust.is_converting(record, kind):
        return Conversion(tenant=tenant, domain=domain, to=to, plan=None)
    observed = await read_trust(tenant, context.now())
    if to == "managed":
        plan = trust.plan_managed(
            observed, domain, context.now(), without_backup=without_backup, by=whoami(), previous=record
        )
        return Conversion(tenant=tenant, domain=domain, to=to, plan=plan)
    keys = await signing_keys(context, tenant, external_only=external_only)
    values = (
        trust.configuration_for(domain, keys, mfa=mfa, only_domain=only_domain)
        if source is None
        else trust.configuration_from(trust.load_backup(source), domain, keys, mfa=mfa)
    )
    plan = trust.plan_federated(observed, domain, values, context.now(), keys=keys, by=whoami(), previous=record)
    return Conversion(tenant=tenant, domain=domain, to=to, plan=plan)


async def apply_conversion(context: OperationContext, conversion: Conversion) -> Path | None:
    """Do it, or continue it; the copy of the configuration that there was. Raises TrustError, GraphError, PlanOutdated,
    JournalError."""
    name, now = conversion.tenant.entra.tenant, context.now()
    backups = trust.Backups(context.state_dir, name)
    async with conversion.tenant.graph() as graph:
        with trust.DomainJournals(context.state_dir, name).open(conversion.domain, now) as journal:
            if conversion.plan is None:
                done = await trust.resume_conversion(graph, backups=backups, journal=journal, now=now)
            else:
                done = await trust.convert_domain(graph, conversion.plan, backups=backups, journal=journal, now=now)
    return done.backup


# -- backups


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """What of a backup differs from what the domain has; nothing where `values` is empty."""

    tenant: FederatedTenant
    domain: trust.FederatedDomain
    values: dict[str, Any]


async def plan_restoration(
    context: OperationContext,
    tenant: FederatedTenant,
    file: Path,
    *,
    with_mfa: bool = False,
    blind: bool = False,
    external_only: bool = False,
) -> Restoration:
    """`blind`: without looking which key signs now, because the farm may be gone. Raises TrustRefused where the backup does
    not hold that key, FileProblem, LiveKeyUnknown, GraphError."""
    taken = trust.load_backup(file)
    live = "" if blind else live_key(await signing_keys(context, tenant, external_only=external_only)).thumbprint
    async with tenant.graph() as graph:
        domain = await trust.read_domain(graph, taken.domain)
    values = trust.plan_restore(taken, domain, live=live, with_mfa=with_mfa)
    return Restoration(tenant=tenant, domain=domain, values=values)


async def plan_issuers(
    context: OperationContext, tenant: FederatedTenant, domains: Sequence[str] = ()
) -> tuple[Restoration, ...]:
    """For each domain (or those that are named) whose issuerUri is not what the farm issues: the right one. Raises
    NotPossible where that is not known, or the same for several; GraphError."""
    keys, found, names = await signing_keys(context, tenant), [], dict[str, str]()
    for domain in _chosen(await read_trust(tenant, context.now()), keys.federation_name, domains):
        issued = keys.issuer_for(domain.name)
        if not issued:
            raise NotPossible(
                f"the issuer that the farm uses for {domain.name} is not known: it cannot be determined from the claim rules"
            )
        if (other := names.setdefault(issued, domain.name)) != domain.name:
            reason = f"Entra ID accepts each issuer only once, and the farm uses {issued} for {other} and {domain.name}"
            raise NotPossible(
                f"{reason}: add this claim rule to its relying party trust for Microsoft Online: {trust.ISSUER_RULE}"
            )
        if domain.configuration is not None and domain.configuration.issuer_uri != issued:
            found.append(Restoration(tenant=tenant, domain=domain, values={"issuerUri": issued}))
    return tuple(found)


async def apply_restoration(context: OperationContext, restoration: Restoration) -> Path | None:
    """What is there now is saved before it is written over: where to. Raises TrustError, GraphError."""
    domain, saved = restoration.domain, None
    if domain.configuration is not None:
        backups = trust.Backups(context.state_dir, restoration.tenant.entra.tenant)
        saved = backups.save(
            domain.name, domain.configuration, f"before writing {', '.join(restoration.values)}", context.now()
        )
    async with restoration.tenant.graph() as graph:
        await trust.restore_domain(graph, domain, restoration.values)
    return saved
