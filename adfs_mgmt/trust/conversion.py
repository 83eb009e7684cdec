"""A domain between managed and federated, as a procedure: what was interrupted continues, and can be undone.

    managed:   backup ─► set authenticationType to Managed, which drops the configuration   (undo: federate as it was)
    federated: create the configuration, which converts the domain by itself                (undo: make it managed)

`authenticationType` cannot be set to Federated (Graph v1.0, "Create internalDomainFederation", "Update domain"). Both
change the sign-in of every user of the domain and its subdomains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adfs_mgmt.trust import domain_executor
from adfs_mgmt.trust.backup import Backups, properties_of
from adfs_mgmt.trust.checklist import check_federate, check_manage
from adfs_mgmt.trust.comparison import FarmKeys
from adfs_mgmt.trust.domain_executor import FEDERATED, MANAGED, BackupWanted, DomainExecutor, DomainObservation, GraphChange
from adfs_mgmt.trust.errors import TrustRefused
from adfs_mgmt.trust.model import Authentication, EntraTrust, FederatedDomain
from adfs_mgmt.trust.reader import VISIBLE_WITHIN, parse_configuration
from foundation import procedures
from foundation.procedures import Act, Condition, Journal, Plan, PlanOutdated, Procedure, Record, Stage, View

if TYPE_CHECKING:
    from foundation.graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionState:
    """What a conversion remembers. No secret: certificates without keys, addresses."""

    domain: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The configuration that federates it, or did so before."""
    without_backup: bool = False
    """To managed, even where the configuration cannot be read."""
    backup: str = ""
    """Path of the copy that was made before; empty where there was nothing to copy."""


ConversionView = View[DomainObservation, ConversionState]


def _saved(view: ConversionView) -> list[Condition]:
    observed, name = view.observed, view.state.domain
    act = Act(place=name, what=BackupWanted(f"before making {name} managed"), changes=False)
    missing = observed.configuration is not None and observed.backup is None
    return [Condition("", "its configuration has not been backed up yet" if missing else "", act)]


def _no_backup(view: ConversionView) -> list[str]:
    """Graph answers 500 for a configuration that was made without a certificate: only managed leads out of that."""
    observed = view.observed
    if not observed.error or view.state.without_backup:
        return []
    remedy = "Try again, or use --without-backup to continue anyway"
    return [f"its configuration cannot be backed up ({observed.error}). {remedy}"]


def _remember(view: ConversionView) -> ConversionState:
    configuration, backup = view.observed.configuration, view.observed.backup
    values = properties_of(configuration) if configuration else view.state.values
    return replace(view.state, values=values, backup=str(backup) if backup else "")


def _managed(view: ConversionView) -> list[Condition]:
    name, observed = view.state.domain, view.observed
    body = {"authenticationType": Authentication.MANAGED.value}
    act = Act(place=name, what=GraphChange(f"making {name} managed", "PATCH", ("domains", name), body))
    federated = observed.domain is None or observed.domain.federated
    return [Condition("", f"{name} is federated" if federated else "", act)]


def _federated(view: ConversionView) -> list[Condition]:
    name, values, observed = view.state.domain, view.state.values, view.observed
    change = GraphChange(f"federating {name}", "POST", ("domains", name, "federationConfiguration"), values)
    wanted = parse_configuration({**values, "id": "wanted"}, name).slots()
    if observed.configuration is not None:
        others = observed.configuration.slots() != wanted
        return [Condition("", f"{name} is federated with different certificates" if others else "")]
    unread = observed.domain is not None and observed.domain.federated
    if unread:  # it was made, and is not shown (yet)
        return [Condition("", observed.error or f"Entra ID does not return the configuration of {name}")]
    return [Condition("", f"{name} is managed", Act(place=name, what=change))]


def _stage(name: str, conditions: Any, title: str, promise: str) -> Stage[ConversionView]:
    return Stage(
        name=name, title=title, promise=promise, conditions=conditions, patience=lambda view: VISIBLE_WITHIN, repeats=False
    )


_MANAGE = _stage("manage", _managed, "make it managed", "Entra ID checks the passwords of its users")
_FEDERATE = _stage("federate", _federated, "federate it", "its users are sent to the federation service")
_BACKUP: Stage[ConversionView] = Stage(
    name="backup",
    title="back up the current configuration",
    promise="its configuration, as far as it can be read, is saved in a file",
    conditions=_saved,
    refuses=_no_backup,
    learns=_remember,
)
CONVERSIONS: Mapping[str, Procedure[ConversionView]] = {
    MANAGED: domain_executor.make_procedure(MANAGED, ConversionState, _BACKUP, replace(_MANAGE, back=_FEDERATE)),
    FEDERATED: domain_executor.make_procedure(FEDERATED, ConversionState, replace(_FEDERATE, back=_MANAGE)),
}
"""By kind."""


# -- plan, convert, continue


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A domain afterwards, and the copy of its configuration that was made before."""

    domain: FederatedDomain
    backup: Path | None


def plan_managed(
    trust: EntraTrust, name: str, now: float, *, without_backup: bool = False, **more: Any
) -> Plan[ConversionState]:
    """What making a domain managed needs; its checklist is among the findings. `more`: who plans it (`by`), and what work it
    gives up (`previous`). Pure."""
    state = ConversionState(domain=name, without_backup=without_backup)
    return _plan(MANAGED, trust, state, check_manage(trust, name), now, more)


def plan_federated(
    trust: EntraTrust, name: str, values: Mapping[str, Any], now: float, *, keys: FarmKeys | None = None, **more: Any
) -> Plan[ConversionState]:
    """What federating a domain with this configuration needs; otherwise as `plan_managed`. Pure."""
    state = ConversionState(domain=name, values=dict(values))
    return _plan(FEDERATED, trust, state, check_federate(trust, name, values, now, keys), now, more)


async def convert_domain(
    graph: Graph, plan: Plan[ConversionState], *, backups: Backups, journal: Journal, now: float
) -> Converted:
    """Do it. Raises TrustError, GraphError, PlanOutdated, JournalError."""
    name = plan.state.domain
    if plan.failed:
        raise TrustRefused(plan.title, [f"{line.seen}. {line.remedy}" for line in plan.failed])
    executor = DomainExecutor(graph, name, backups, now)
    observed = await executor.observe()
    if observed.domain is None:
        raise executor.error or TrustRefused(plan.title, [observed.error])
    if differences := procedures.differing(plan, replace(plan, marks=_marks(observed.domain))):
        raise PlanOutdated(plan.subject, differences)
    await domain_executor.start(journal, CONVERSIONS[plan.kind], name, plan.state, now)
    return await _run(executor, journal, plan.kind)


async def resume_conversion(
    graph: Graph, *, backups: Backups, journal: Journal, now: float, undo: bool = False
) -> Converted:
    """Continue the conversion that is open in the journal, or undo it. Raises as `convert_domain`."""
    record = journal.record
    if record is None or not is_converting(record):
        raise TrustRefused("continuing", ["no conversion of this domain is in progress"])
    if undo and not record.back:
        await journal.write(procedures.turn_back(CONVERSIONS[record.kind], record, "start"), now)
    return await _run(DomainExecutor(graph, record.state.domain, backups, now), journal, record.kind)


def is_converting(record: Record[Any] | None, kind: str = "") -> bool:
    """Whether a conversion (of this kind, and not on its way back) was interrupted and can continue."""
    if record is None or not record.open or record.kind not in CONVERSIONS:
        return False
    return not kind or (record.kind == kind and not record.back)


async def _run(executor: DomainExecutor, journal: Journal, kind: str) -> Converted:
    result = await domain_executor.run(CONVERSIONS[kind], executor, journal)
    domain_executor.raise_for(result, executor, "the conversion")
    domain, backup = (await executor.observe()).domain, result.record.state.backup
    if domain is None:
        raise executor.error or TrustRefused(kind, [])
    return Converted(domain=domain, backup=Path(backup) if backup else None)


def _plan(
    kind: str,
    trust: EntraTrust,
    state: ConversionState,
    findings: Any,
    now: float,
    more: Mapping[str, Any],
) -> Plan[ConversionState]:
    domain = trust.domain(state.domain)
    verb = "making {} managed" if kind == MANAGED else "federating {}"
    return procedures.make(
        CONVERSIONS[kind],
        DomainObservation(domain=domain),
        subject=state.domain,
        title=verb.format(state.domain),
        state=state,
        marks=_marks(domain) if domain else {},
        now=now,
        findings=findings,
        **{"by": "", **more},
    )


def _marks(domain: FederatedDomain) -> dict[str, str]:
    """What a conversion depends on."""
    return {"authentication": domain.authentication.value, "certificates": ", ".join(domain.certificates)}
