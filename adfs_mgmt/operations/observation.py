"""Farms observed from both sides: over WinRM and as anybody on the network sees them; and what is found wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from adfs_mgmt.farm import (
    ExternalView,
    Farm,
    FarmSettings,
    TestAccount,
    Use,
    read_external_view,
    read_farm,
    read_test_account,
    sign_in,
    unread_farm,
)
from adfs_mgmt.health import check_farm, check_partners
from adfs_mgmt.operations.certificates import CertificateOperation, Track
from adfs_mgmt.operations.context import FederatedTenant, OperationContext
from adfs_mgmt.operations.errors import NotPossible
from adfs_mgmt.procedures import partners_of
from adfs_mgmt.remoting import Shell
from adfs_mgmt.trust import EntraTrust, TrustError, read_tenant
from certs import CertsError, Ledgers
from findings import Finding, passed, warned
from foundation.graph import GraphError
from foundation.procedures import ProcedureError
from foundation.saml import SyntheticSignIn
from foundation.times import minute

_COMMANDS: Mapping[Track, str] = {"token": "rollover", "ssl": "ssl"}
OnHost = Callable[[str], None]
"""Hears of each host that is done."""


def _silent(host: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedFarm:
    """One farm, from both sides."""

    settings: FarmSettings
    farm: Farm
    external: ExternalView

    @property
    def blind(self) -> bool:
        """Nothing at all was seen."""
        return all(host.error for host in self.farm.hosts) and not any(
            served.tls or served.probe_ok for served in self.external.served
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmReport:
    """A farm, and everything that was found of it, passes too."""

    observation: ObservedFarm
    findings: tuple[Finding, ...]


def steps_of(farms: Sequence[FarmSettings], *, external_only: bool, sign_in: bool = False) -> int:
    """How often `on_host` will be called."""
    steps = 0
    for farm in farms:
        hosts = len(farm.nodes) + len(farm.proxies)
        steps += hosts + 1 + (hosts if farm.winrm and farm.nodes and not external_only else 0)
        steps += len(farm.nodes) + 1 if sign_in and farm.synthetic_user else 0
    return steps


async def observe_farms(
    context: OperationContext, farms: Sequence[FarmSettings], *, external_only: bool = False, on_host: OnHost = _silent
) -> list[ObservedFarm]:
    """One after the other. What could not be read is in the answer. Raises RemotingError for settings that cannot work.

    `external_only`: no command is sent and no credential is read.
    """
    if external_only or not any(farm.winrm and farm.nodes for farm in farms):
        return [await _observe(context, None, farm, on_host) for farm in farms]
    async with context.shell() as shell:
        return [await _observe(context, shell if farm.winrm else None, farm, on_host) for farm in farms]


async def _observe(context: OperationContext, shell: Shell | None, settings: FarmSettings, on_host: OnHost) -> ObservedFarm:
    """Both sides at the same time."""
    now = context.now()
    observing = read_external_view(settings, now, on_host=on_host)
    if shell is None:
        external, farm = await observing, unread_farm(settings, now)
    else:
        reading = read_farm(shell, settings, now, on_host=on_host, trust_stores=True)
        external, farm = await asyncio.gather(observing, reading)
    return ObservedFarm(settings=settings, farm=farm, external=external)


async def read_trust(tenant: FederatedTenant, now: float) -> EntraTrust:
    """Every domain of a tenant, as Entra ID has it. Raises TrustError, GraphError."""
    async with tenant.graph() as graph:
        return await read_tenant(graph, now)


async def check_farms(
    context: OperationContext, farms: Sequence[FarmSettings], *, external_only: bool = False, on_host: OnHost = _silent
) -> list[FarmReport]:
    """Observe and check: servers, tenants that are federated with them, and a sign-in where there is a test account.

    With `external_only` neither tenants nor test accounts are used. Raises Unreadable for a test account that cannot be
    read, before anything is observed; RemotingError for settings that cannot work.
    """
    accounts = {} if external_only else _accounts(farms)
    reports = []
    for observation in await observe_farms(context, farms, external_only=external_only, on_host=on_host):
        name, now = observation.settings.name, observation.farm.read_at
        trusts, troubles = ([], []) if external_only else await _trusts(context, name, now)
        account = accounts.get(name)
        tokens = await _sign_in(context, observation, account, on_host) if account is not None else ()
        thresholds = context.settings.thresholds
        found = check_farm(observation.farm, observation.external, thresholds, now, trusts, tokens)
        work = _under_way(context, observation.settings)
        partners = [] if external_only else _partners(context, observation)
        reports.append(FarmReport(observation=observation, findings=(*troubles, *work, *partners, *found)))
    return reports


def _under_way(context: OperationContext, farm: FarmSettings) -> list[Finding]:
    """Work on certificates that has not ended; a warning where it has stopped, or its journal cannot be used."""
    found = []
    for track, command in _COMMANDS.items():
        shown = f"`isthmus adfs {command} status`"
        try:
            record = CertificateOperation(context=context, farm=farm, track=track).under_way
        except (ProcedureError, NotPossible) as error:
            found.append(warned("rollover", farm.name, str(error), f"Check it: {shown}."))
            continue
        if record is not None:
            text, where = (
                f"{record.id} has been in progress since {minute(record.started)}",
                f"{shown} shows where it stands",
            )
            stopped = warned("rollover", farm.name, f"{text} and stopped: {record.problem}", f"{where}.")
            found.append(stopped if record.problem else passed("rollover", farm.name, f"{text}; {where}"))
    return found


def _partners(context: OperationContext, observation: ObservedFarm) -> list[Finding]:
    """Who may not have the certificate that signs now: by the ledger, and by what was said in the last rollover."""
    farm, told = observation.farm, frozenset[str]()
    try:
        partners = partners_of(farm, Ledgers(context.state_dir).load(farm.name), entra=bool(context.settings.entra))
        record = CertificateOperation(context=context, farm=observation.settings, track="token").record
    except CertsError as error:
        return [warned("partners", farm.name, str(error), "See there.")]
    except (ProcedureError, NotPossible):  # said as `rollover`
        return []
    signing = record.state.new.get(Use.SIGNING, "") if record is not None else ""
    if record is not None and any(
        row.is_primary and row.certificate.thumbprint == signing for node in farm.nodes for row in node.certificates
    ):
        told = frozenset(record.acknowledged)
    return list(check_partners(farm, partners, told))


def _accounts(farms: Sequence[FarmSettings]) -> Mapping[str, TestAccount]:
    found = {farm.name: read_test_account(farm) for farm in farms}
    return {name: account for name, account in found.items() if account is not None}


async def _sign_in(
    context: OperationContext, observation: ObservedFarm, account: TestAccount, on_host: OnHost
) -> tuple[SyntheticSignIn, ...]:
    """A token of each node, and of the federation name."""
    external, settings = observation.external, observation.settings
    said = [served.entity_id for served in external.served if served.signed_by and served.entity_id]
    usual = f"http://{settings.federation_name}/adfs/services/trust"
    identifier = observation.farm.properties.identifier or (said[0] if said else usual)
    return await sign_in(settings, account, external, identifier, context.now(), on_host=on_host)


async def _trusts(context: OperationContext, farm: str, now: float) -> tuple[list[EntraTrust], list[Finding]]:
    """What the tenants say that are federated with this farm, and a warning for each that does not answer."""
    trusts, troubles = [], []
    for tenant in context.tenants() if context.settings.entra else ():
        if tenant.farm.name == farm:
            try:
                trusts.append(await read_trust(tenant, now))
            except (TrustError, GraphError) as error:
                remedy = "Check it: isthmus adfs trust show."
                troubles.append(warned("entra", tenant.entra.tenant, str(error), remedy))
    return trusts, troubles
