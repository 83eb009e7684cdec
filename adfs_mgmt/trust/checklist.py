"""What must hold before a domain is converted, and the configuration that federates it. Pure.

Source: Microsoft Graph v1.0, "Create internalDomainFederation", "Update domain".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adfs_mgmt.trust.backup import Backup, properties_of
from adfs_mgmt.trust.comparison import ISSUER_RULE, FarmKeys
from adfs_mgmt.trust.errors import TrustRefused
from adfs_mgmt.trust.model import EntraTrust
from adfs_mgmt.trust.reader import encode, parse_configuration
from findings import Finding, failed, passed, undecided
from foundation.graph import MalformedAnswer


def configuration_for(domain: str, keys: FarmKeys, *, mfa: str = "", only_domain: bool = False) -> dict[str, Any]:
    """What AD FS needs, as its own wizard sets it up. `mfa` is `federatedIdpMfaBehavior`; left out where empty.

    The issuer is the domain's own, because it must be unique in the tenant (AD FS's claim rule for several domains);
    `only_domain` takes the farm's identifier instead. Raises TrustRefused without a certificate, or without an identifier.
    """
    if keys.live is None:
        raise TrustRefused(
            f"federating {domain}", ["the current token-signing certificate is not known. Check `isthmus adfs status`"]
        )
    if only_domain and not keys.identifier:
        reason = (
            "the farm's identifier is not known; a wrong one breaks sign-in (AADSTS50107). Run this with access over WinRM"
        )
        raise TrustRefused(f"federating {domain}", [reason])
    base = f"{keys.base}/adfs"
    ruled, own = keys.issuer_for(domain), f"http://{domain}/adfs/services/trust/"
    issuer = keys.identifier if only_domain else ruled if ruled and ruled != keys.identifier else own
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


def configuration_from(backup: Backup, domain: str, keys: FarmKeys, *, mfa: str = "") -> dict[str, Any]:
    """As a backup has it. Raises TrustRefused for that of another domain, or one without the certificate that signs now."""
    what, file = f"federating {domain}", backup.path.name
    if backup.domain.lower() != domain.lower():
        raise TrustRefused(what, [f"{file} is a backup of {backup.domain}"])
    if keys.live is not None and backup.configuration.slot_of(keys.live.thumbprint) is None:
        raise TrustRefused(
            what,
            [f"{file} does not contain {keys.live.thumbprint}, the current token-signing certificate. Leave out --from"],
        )
    return properties_of(backup.configuration) | ({"federatedIdpMfaBehavior": mfa} if mfa else {})


def check_federate(
    trust: EntraTrust, name: str, values: Mapping[str, Any], now: float, keys: FarmKeys | None = None
) -> list[Finding]:
    """The checklist before federating. Pure."""
    domain = trust.domain(name)
    if domain is None:
        return [_unknown_domain(trust, name, "Check the name, or add it to the tenant and verify it first.")]
    microsofts, default = domain.is_initial or _microsofts(name), "the tenant's default domain"
    needed = [
        (not domain.federated, "is managed now", "is already federated", "Update it instead: isthmus adfs trust update."),
        (domain.is_verified, "is verified", "is not verified", "Verify it with its DNS record first."),
        (
            not microsofts,
            "is not an onmicrosoft.com domain",
            "is an onmicrosoft.com domain",
            "Such a domain cannot be federated.",
        ),
        (not domain.is_default, f"is not {default}", f"is {default}", "Make another domain the default first."),
        (domain.is_root, "is a root domain", "is a subdomain", "It follows its root: federate that one."),
    ]
    checks = [*(_line(name, *row) for row in needed), *_certificate_checks(name, values, now)]
    checks.append(_issuer_check(trust, name, values))
    if keys is not None and keys.knows_microsoft is not None:
        text, remedy = "enabled relying party trust for Microsoft Online", "with its claim rules"
        remedy = f"Add it: urn:federation:MicrosoftOnline, {remedy}."
        checks.append(_check(name, keys.knows_microsoft, f"the farm has an {text}", f"the farm has no {text}", remedy))
    issued, wanted = keys.issuer_for(name) if keys is not None else "", values.get("issuerUri", "")
    if issued:
        remedy = f"Add the claim rule for several domains ({ISSUER_RULE}), or give --only-domain."
        bad = f"the farm issues {issued} for its users, not {wanted}"
        checks.append(_check(name, issued == wanted, f"the farm issues {issued} for its users", bad, remedy))
    return [*checks, *_questions_before_federating(trust, name, values, asks=not issued)]


def check_manage(trust: EntraTrust, name: str) -> list[Finding]:
    """The checklist before making a domain managed. Pure."""
    domain = trust.domain(name)
    if domain is None:
        return [_unknown_domain(trust, name, "Check the name: isthmus adfs trust show.")]
    return [
        _line(name, domain.federated, "is federated now", "is already managed", "There is nothing to do."),
        _line(name, domain.is_verified, "is verified", "is not verified", "Only verified domains can be changed."),
        _line(name, domain.is_root, "is a root domain", "is a subdomain", "It follows its root: convert that one."),
        _question(name, "password hash sync or pass-through authentication is set up for every user of the domain"),
        _question(name, "multifactor authentication, and whatever else AD FS's rules enforced, is set up in Entra ID"),
        *_subdomains(trust, name),
    ]


def _certificate_checks(name: str, values: Mapping[str, Any], now: float) -> Iterator[Finding]:
    """Without a signing certificate Graph answers 500 and leaves the domain federated and unmanageable."""
    remedy = "Use the farm's token-signing certificate."
    try:
        parsed = parse_configuration({**values, "id": "wanted"}, "the new configuration")
    except MalformedAnswer as error:
        yield _check(name, False, "", "the certificates cannot be read", str(error))
        return
    readable, unreadable = "the certificates can be read", "a certificate cannot be read"
    yield _check(name, not parsed.problems, readable, unreadable, "; ".join(parsed.problems))
    there = "signingCertificate" in parsed.certificates
    yield _check(name, there, "there is a signing certificate", "there is no signing certificate", remedy)
    for slot, certificate in parsed.certificates.items():
        current, which = certificate.begun(now) and not certificate.ended(now), f"{slot} {certificate.thumbprint}"
        yield _check(name, current, f"{which} is valid now", f"{which} is not valid now", remedy)


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
    taken = f"{', '.join(others)} has the issuer {issuer}, too"
    return _check(name, not others, f"the issuer {issuer} is unique in the tenant", taken, "Leave out --only-domain.")


def _questions_before_federating(
    trust: EntraTrust, name: str, values: Mapping[str, Any], *, asks: bool
) -> Iterator[Finding]:
    """`asks`: what the farm issues could not be read."""
    if asks and str(values.get("issuerUri", "")).startswith(f"http://{name}/"):
        yield _question(name, f"the farm's claim rule for several domains issues {values['issuerUri']} for users of {name}")
    if not values.get("federatedIdpMfaBehavior"):
        text = "Entra ID should accept multifactor authentication performed by the farm (the default; see --mfa)"
        yield _question(name, text)
    yield from _subdomains(trust, name)


def _subdomains(trust: EntraTrust, name: str) -> Iterator[Finding]:
    below = [other.name for other in trust.domains if not other.is_root and other.name.lower().endswith("." + name.lower())]
    if below:
        yield _question(name, f"its subdomains may change with it: {', '.join(below)}")


def _microsofts(name: str) -> bool:
    return name.lower().endswith((".onmicrosoft.com", ".onmicrosoft.us", ".partner.onmschina.cn"))


def _unknown_domain(trust: EntraTrust, name: str, remedy: str) -> Finding:
    return failed("checklist", name, f"{name} is not a domain of {trust.tenant}", remedy)


def _line(name: str, holds: bool, so: str, otherwise: str, remedy: str) -> Finding:
    return _check(name, holds, f"{name} {so}", f"{name} {otherwise}", remedy)


def _check(name: str, holds: bool, so: str, otherwise: str, remedy: str) -> Finding:
    """Said as it is, either way."""
    return passed("checklist", name, so) if holds else failed("checklist", name, otherwise, remedy)


def _question(name: str, text: str) -> Finding:
    """What only a person can know."""
    return undecided("checklist", name, text)
