"""A domain between managed and federated: a checklist, a confirmation that names it, the change, the reading back.

To federate is to create a federation configuration, which converts the domain by itself; `authenticationType` cannot be set
to Federated. To make a domain managed is to set `authenticationType` to Managed, which drops its configuration (Graph v1.0,
"Create internalDomainFederation", "Update domain"). Both change the sign-in of every user of the domain and its subdomains.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from adfs_mgmt.trust.backup import Backups
from adfs_mgmt.trust.compare import SigningKeys
from adfs_mgmt.trust.entra import encode, parse_configuration, read_one
from adfs_mgmt.trust.errors import NotConfirmed, NotTaken, Refused
from adfs_mgmt.trust.model import Authentication, EntraTrust, FederatedDomain
from findings import Finding, failed, passed, undecided
from foundation.graph import Graph, GraphError, MalformedAnswer, OutcomeUnknown

_LOOKS = (1.0, 2.0, 4.0, 8.0, 0.0)


def configuration_for(domain: str, keys: SigningKeys, *, mfa: str = "", only_domain: bool = False) -> dict[str, Any]:
    """What AD FS needs, as its own wizard sets it up. `mfa` is `federatedIdpMfaBehavior`; left out where empty.

    The issuer is the domain's own, because it must be unique in the tenant (AD FS's claim rule for several domains);
    `only_domain` takes the farm's identifier instead. Raises Refused without a certificate.
    """
    if keys.live is None:
        raise Refused(f"federating {domain}", ["which certificate signs now is not known. Look at `isthmus adfs status`"])
    base = f"https://{keys.federation_name}/adfs"
    issuer = f"http://{keys.federation_name}/adfs/services/trust" if only_domain else f"http://{domain}/adfs/services/trust/"
    values: dict[str, Any] = {
        "displayName": keys.federation_name,
        "issuerUri": issuer,
        "metadataExchangeUri": f"{base}/services/trust/mex",
        "passiveSignInUri": f"{base}/ls/",
        "activeSignInUri": f"{base}/services/trust/2005/usernamemixed",
        "signOutUri": f"{base}/ls/",
        "preferredAuthenticationProtocol": "wsFed",
        "promptLoginBehavior": "nativeSupport",
        "signingCertificate": encode(keys.live),
    }
    if keys.successor is not None:
        values["nextSigningCertificate"] = encode(keys.successor)
    return values | ({"federatedIdpMfaBehavior": mfa} if mfa else {})


def check_federate(
    trust: EntraTrust, name: str, values: Mapping[str, Any], now: float, keys: SigningKeys | None = None
) -> list[Finding]:
    """The checklist before federating. Pure."""
    domain = trust.domain(name)
    if domain is None:
        return [_line(name, False, f"{name} is a domain of {trust.tenant}", "Add it to the tenant and verify it first")]
    needed = [
        (not domain.federated, f"{name} is managed now", "It is federated: update it instead"),
        (domain.is_verified, f"{name} is verified", "Verify it with its DNS record first"),
        (not domain.is_initial and not _microsofts(name), f"{name} is no onmicrosoft.com domain", "It cannot be"),
        (not domain.is_default, f"{name} is not the tenant's default domain", "Make another one the default first"),
        (domain.is_root, f"{name} is a root domain", "A subdomain follows its root: federate that one"),
    ]
    checks = [*(_line(name, *row) for row in needed), *_certificate_checks(name, values, now)]
    checks.append(_issuer_check(trust, name, values))
    if keys is not None and keys.knows_microsoft is not None:
        text, remedy = "the farm has an enabled relying party for Microsoft Online", "with its claim rules"
        checks.append(_line(name, keys.knows_microsoft, text, f"Add it: urn:federation:MicrosoftOnline, {remedy}"))
    return [*checks, *_questions_before_federating(trust, name, values)]


def check_manage(trust: EntraTrust, name: str) -> list[Finding]:
    """The checklist before making a domain managed. Pure."""
    domain = trust.domain(name)
    if domain is None:
        return [_line(name, False, f"{name} is a domain of {trust.tenant}", "Check the name")]
    return [
        _line(name, domain.federated, f"{name} is federated now", "It is managed already"),
        _line(name, domain.is_verified, f"{name} is verified", "Only verified domains can be changed"),
        _line(name, domain.is_root, f"{name} is a root domain", "A subdomain follows its root: convert that one"),
        _question(name, "password hash sync or pass-through authentication is in place for every user of it"),
        _question(name, "multi-factor authentication and what AD FS's rules enforced are set up in Entra ID"),
        *_subdomains(trust, name),
    ]


async def federate(
    graph: Graph, name: str, values: Mapping[str, Any], checks: list[Finding], *, confirmation: str
) -> FederatedDomain:
    """Create the configuration. `confirmation` is the domain's name. Raises Refused, NotConfirmed, GraphError, NotTaken."""
    check_allowed(f"federating {name}", name, checks, confirmation)
    with contextlib.suppress(OutcomeUnknown):  # the reading back decides
        await graph.post(f"federating {name}", values, "domains", name, "federationConfiguration")
    wanted = parse_configuration({**values, "id": "wanted"}, name).slots()
    return await _settled(graph, name, lambda seen: seen.configuration is not None and seen.configuration.slots() == wanted)


async def manage(
    graph: Graph,
    name: str,
    checks: list[Finding],
    *,
    confirmation: str,
    backups: Backups,
    now: float,
    without_backup: bool = False,
) -> tuple[FederatedDomain, Path | None]:
    """Make it managed; the domain afterwards, and the backup of its configuration. Raises as `federate`.

    A configuration that cannot be read (Graph answers 500 for one that was made without a certificate) can only be rebuilt
    by way of managed: `without_backup` goes on where there is nothing that could be backed up.
    """
    check_allowed(f"making {name} managed", name, checks, confirmation)
    backup = await _backed_up(graph, name, backups, now, without_backup)
    with contextlib.suppress(OutcomeUnknown):  # the reading back decides
        body = {"authenticationType": Authentication.MANAGED.value}
        await graph.patch(f"making {name} managed", body, "domains", name)
    return await _settled(graph, name, lambda seen: not seen.federated), backup


def check_allowed(what: str, name: str, checks: list[Finding], confirmation: str) -> None:
    """Raises Refused for a check that fails, NotConfirmed for a confirmation that is another name."""
    failed = [f"not so: {line.seen}. {line.remedy}" for line in checks if line.status == "fail"]
    if failed:
        raise Refused(what, failed)
    if confirmation.strip().lower() != name.lower():
        raise NotConfirmed(name)


async def _backed_up(graph: Graph, name: str, backups: Backups, now: float, without: bool) -> Path | None:
    try:
        domain = await read_one(graph, name)
    except GraphError as error:
        if without:
            return None
        reason = f"its configuration cannot be backed up ({error}). Try again; --without-backup goes on all the same"
        raise Refused(f"making {name} managed", [reason]) from error
    if domain.configuration is None:
        return None
    return backups.save(name, domain.configuration, f"before making {name} managed", now)


async def _settled(graph: Graph, name: str, good: Callable[[FederatedDomain], bool]) -> FederatedDomain:
    for pause in _LOOKS:
        try:
            seen = await read_one(graph, name)
        except GraphError:
            if not pause:
                raise
        else:
            if good(seen):
                return seen
        await graph.sleep(pause)
    raise NotTaken(name, "the conversion")


def _certificate_checks(name: str, values: Mapping[str, Any], now: float) -> Iterator[Finding]:
    """Without a signing certificate Graph answers 500 and leaves the domain federated and unmanageable."""
    remedy = "Take the farm's token-signing certificate"
    try:
        parsed = parse_configuration({**values, "id": "wanted"}, "the new configuration")
    except MalformedAnswer as error:
        yield _line(name, False, "the certificates can be read", str(error))
        return
    yield _line(name, not parsed.problems, "the certificates can be read", "; ".join(parsed.problems))
    yield _line(name, "signingCertificate" in parsed.certificates, "there is a signing certificate", remedy)
    for slot, certificate in parsed.certificates.items():
        current = certificate.not_before <= now < certificate.not_after
        yield _line(name, current, f"{slot} {certificate.thumbprint} is valid now", remedy)


def _issuer_check(trust: EntraTrust, name: str, values: Mapping[str, Any]) -> Finding:
    issuer = values.get("issuerUri")
    others = [
        other.name
        for other in trust.domains
        if other.name.lower() != name.lower() and other.configuration and other.configuration.issuer_uri == issuer
    ]
    unread = [other.name for other in trust.domains if other.error]
    if unread and not others:
        return _question(name, f"{issuer} is not the issuer of {', '.join(unread)}, which could not be read")
    return _line(name, not others, f"the issuer {issuer} is unique in the tenant", f"{', '.join(others)} has it")


def _questions_before_federating(trust: EntraTrust, name: str, values: Mapping[str, Any]) -> Iterator[Finding]:
    if str(values.get("issuerUri", "")).startswith(f"http://{name}/"):
        yield _question(name, f"the farm's claim rule for several domains issues {values['issuerUri']} for users of {name}")
    if not values.get("federatedIdpMfaBehavior"):
        text = "it is right that Entra ID accepts what the farm says of multi-factor authentication (its default; see --mfa)"
        yield _question(name, text)
    yield from _subdomains(trust, name)


def _subdomains(trust: EntraTrust, name: str) -> Iterator[Finding]:
    below = [other.name for other in trust.domains if not other.is_root and other.name.lower().endswith("." + name.lower())]
    if below:
        yield _question(name, f"its subdomains may change with it: {', '.join(below)}")


def _microsofts(name: str) -> bool:
    return name.lower().endswith((".onmicrosoft.com", ".onmicrosoft.us", ".partner.onmschina.cn"))


def _line(name: str, holds: bool, text: str, remedy: str) -> Finding:
    return passed("checklist", name, text) if holds else failed("checklist", name, text, remedy)


def _question(name: str, text: str) -> Finding:
    """What only a person can know."""
    return undecided("checklist", name, text)
