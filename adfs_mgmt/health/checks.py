"""Checks of a whole farm: what Connect Health's administrators expect to be told, without an agent. Pure.

Only what was read is checked. Two things are read only where that is set up: whether a sign-in gets a token
(`synthetic_user` in the farm's settings, a test account), and who has the service principal
name (our JEA endpoint asks the directory).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from adfs_mgmt.farm import ExternalView, Farm, SyncRole, find_inconsistencies
from adfs_mgmt.health.external import check_external
from adfs_mgmt.health.principal import check_principal
from adfs_mgmt.health.rendering import host_label
from adfs_mgmt.health.servers import check_node, check_proxy
from adfs_mgmt.health.settings import Thresholds
from adfs_mgmt.health.sign_in import check_sign_ins
from adfs_mgmt.health.tokens import check_tokens
from adfs_mgmt.health.trusts import check_trusts
from adfs_mgmt.trust import EntraTrust, compare_trust, keys_of
from findings import Finding, failed, passed, warned
from foundation.saml import SyntheticSignIn

_LEVELS = {"2012 R2": 1, "2016": 3, "2019": 4, "2022": 4, "2025": 4}
_WID_NODES, _WID_TRUSTS = 30, 100
_PERHAPS_MEANT = {"bindings", "served-tls-differs"}
"""A proxy may have a certificate of its own: whether it is good has a check of its own."""
_NEEDED = ("/adfs/ls/", "/adfs/oauth2/", "/FederationMetadata/2007-06/FederationMetadata.xml")
_INSIDE_ONLY = ("/adfs/services/trust/2005/windowstransport", "/adfs/services/trust/13/windowstransport")


def check_farm(
    farm: Farm,
    external: ExternalView | None,
    thresholds: Thresholds,
    now: float,
    trusts: Sequence[EntraTrust] = (),
    sign_ins: Sequence[SyntheticSignIn] = (),
) -> list[Finding]:
    """Every finding, passes too: the farm first, then host by host. `now` is Unix seconds; `trusts` are what the tenants
    that are federated with it say, where they were asked; `sign_ins` are tokens, where there is a test account."""
    findings = [*check_tokens(farm, external, thresholds, now)]
    for trust in trusts:
        findings += [*_check_entra(farm, external, trust, now), *_check_entra_endpoints(farm, trust)]
    if not farm.error:
        findings += [
            *_check_primary(farm),
            *_check_levels(farm),
            *_check_limits(farm),
            *_check_switches(farm),
            *_check_endpoints(farm),
        ]
    elif farm.nodes:
        findings.append(
            failed(
                "configuration",
                farm.name,
                farm.error,
                "No node returned the farm's configuration: see the results for the nodes.",
            )
        )
    findings += [*check_principal(farm), *check_trusts(farm, thresholds, now)]
    for node in farm.nodes:
        findings += check_node(farm, node, thresholds, now)
    for proxy in farm.proxies:
        findings += check_proxy(farm, proxy, thresholds, now)
    if external is not None:
        findings += check_external(farm, external, thresholds, now)
    findings += check_sign_ins(farm, external, sign_ins, thresholds)
    return [*findings, *_check_agreement(farm, external)]


def _check_entra(farm: Farm, external: ExternalView | None, trust: EntraTrust, now: float) -> Iterator[Finding]:
    for found in compare_trust(trust, keys_of(farm, external), now):
        remedy = "" if found.status == "pass" else found.remedy or "Check it: isthmus adfs trust show."
        yield replace(found, name="entra", where=found.where or trust.tenant, remedy=remedy)


def _check_entra_endpoints(farm: Farm, trust: EntraTrust) -> Iterator[Finding]:
    """Where Entra ID's settings send people and their programs, the farm has to answer."""
    off = {row.path.lower().rstrip("/") for row in farm.endpoints if not row.enabled}
    for domain in trust.federated_with(farm.properties.federation_name):
        if (told := domain.configuration) is None:
            continue
        addresses = (told.passive_sign_in_uri, told.active_sign_in_uri, told.metadata_exchange_uri)
        for path in dict.fromkeys(urlsplit(address).path for address in addresses):
            if path and path.lower().rstrip("/") in off:
                seen = f"its settings point to {path}, an endpoint that is disabled in AD FS"
                remedy = f"Enable-AdfsEndpoint -TargetAddressPath {path}, restart adfssrv."
                yield failed("entra", domain.name, seen, remedy)


def _check_agreement(farm: Farm, external: ExternalView | None) -> Iterator[Finding]:
    found = find_inconsistencies(farm, external)
    for difference in found:
        seen = f"{difference.what} ({difference.one}; {difference.other})"
        finding = warned if difference.kind in _PERHAPS_MEANT else failed
        yield finding(f"inconsistency-{difference.kind}", host_label(difference.where), seen, difference.remedy)
    if not found:
        yield passed("inconsistencies", farm.name, "configuration and served certificates are consistent")


def _check_primary(farm: Farm) -> Iterator[Finding]:
    """Several primaries are an inconsistency, and said there."""
    if farm.properties.sql:
        return
    primaries = [node for node in farm.nodes if node.role is SyncRole.PRIMARY]
    if primaries:
        yield passed("primary", farm.name, host_label(primaries[0].host))
    else:
        remedy = (
            "Bring the primary server back, add it to the settings, or make another node "
            "primary: Set-AdfsSyncProperties -Role PrimaryComputer."
        )
        yield failed("primary", farm.name, "no node is the primary server: nothing can be changed", remedy)


def _check_levels(farm: Farm) -> Iterator[Finding]:
    """The farm can only do what its behaviour level says, whatever Windows its nodes have."""
    possible = [_LEVELS[node.windows] for node in farm.nodes if node.windows in _LEVELS]
    level = farm.properties.behaviour_level
    if not level or not possible:
        return
    if min(possible) > level:
        remedy = "Test-AdfsFarmBehaviorLevelRaise, then Invoke-AdfsFarmBehaviorLevelRaise."
        yield warned("behaviour-level", farm.name, f"{level}, although every node supports {min(possible)}", remedy)
    else:
        yield passed("behaviour-level", farm.name, str(level))


def _check_limits(farm: Farm) -> Iterator[Finding]:
    if farm.properties.sql or (not farm.relying_parties and not farm.nodes):
        return
    seen = f"{len(farm.nodes)} nodes and {len(farm.relying_parties)} relying parties on WID"
    if len(farm.nodes) > _WID_NODES or len(farm.relying_parties) > _WID_TRUSTS:
        remedy = f"WID supports {_WID_NODES} nodes and {_WID_TRUSTS} trusts: move the configuration to SQL Server."
        yield warned("limits", farm.name, seen, remedy)
    else:
        yield passed("limits", farm.name, seen)


def _check_switches(farm: Farm) -> Iterator[Finding]:
    audit = [level for level in farm.properties.audit_level if level.lower() != "none"]
    if audit:
        yield passed("auditing", farm.name, ", ".join(audit))
    else:
        remedy = (
            "Set-AdfsProperties -AuditLevel Basic (2012 R2: -LogLevel with SuccessAudits and FailureAudits), and auditpol."
        )
        yield warned("auditing", farm.name, "off: sign-ins cannot be traced afterwards", remedy)
    if farm.properties.extranet_lockout_logs_only:
        remedy = "Set-AdfsProperties -ExtranetLockoutMode ADFSSmartLockoutEnforce, then restart adfssrv on each node."
        seen = "in log-only mode: no sign-in is refused, so password guessing from outside locks accounts in AD"
        yield warned("extranet-lockout", farm.name, seen, remedy)
    elif farm.properties.extranet_lockout:
        yield passed("extranet-lockout", farm.name, "on")
    else:
        remedy = "Set-AdfsProperties -EnableExtranetLockout $true with a threshold below the domain's own."
        yield warned("extranet-lockout", farm.name, "off: password guessing from outside locks accounts in AD", remedy)


def _check_endpoints(farm: Farm) -> Iterator[Finding]:
    if not farm.endpoints:
        return
    rows = {row.path.lower(): row for row in farm.endpoints}
    off = [path for path in _NEEDED if path.lower() in rows and not rows[path.lower()].enabled]
    inside = [path for path in _NEEDED if farm.proxies and path.lower() in rows and not rows[path.lower()].proxied]
    open_ = [row.path for row in farm.endpoints if row.path.lower() in _INSIDE_ONLY and row.enabled and row.proxied]
    if off:
        yield failed(
            "endpoints", farm.name, f"off: {', '.join(off)}", "Enable-AdfsEndpoint -TargetAddressPath …, restart adfssrv."
        )
    if inside:
        remedy = "Set-AdfsEndpoint -TargetAddressPath … -Proxy $true, restart adfssrv."
        yield warned("endpoints", farm.name, f"not offered through proxies: {', '.join(inside)}", remedy)
    if open_:
        remedy = (
            "Set-AdfsEndpoint -TargetAddressPath … -Proxy $false: through this endpoint, "
            "external clients bypass the extranet lockout."
        )
        yield failed("endpoints", farm.name, f"offered to the internet: {', '.join(open_)}", remedy)
    if not off and not inside and not open_:
        yield passed(
            "endpoints", farm.name, f"{sum(row.enabled for row in farm.endpoints)} of {len(farm.endpoints)} are enabled"
        )
