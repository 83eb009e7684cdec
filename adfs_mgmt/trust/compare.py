"""What Entra ID knows against what the farm has. Pure.

`SigningKeys` is what a farm signs with, from whichever view there is: its servers over WinRM, or its metadata from outside.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace

from adfs_mgmt.farm.model import Certificate, Farm, Outside, Use
from adfs_mgmt.trust.model import Configuration, EntraTrust, FederatedDomain
from adfs_mgmt.trust.status import explain_update

DAY = 86400.0
_REBUILD = "If it stays so, rebuild it: `isthmus adfs trust convert DOMAIN managed --without-backup`, then federated"
SOON_DAYS = 30.0
"""A live certificate that ends sooner, without a successor at Entra ID, is a warning."""
_OFFICE = ("urn:federation:MicrosoftOnline", "urn:federation:cn:microsoftonline", "urn:federation:msod:microsoftonline.us")


class Weight(enum.StrEnum):
    """How bad it is."""

    FAILURE = "failure"
    """Sign-in is broken, or will be by itself."""
    WARNING = "warning"
    OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFinding:
    """One thing about one domain."""

    weight: Weight
    domain: str
    """Empty for what is about the farm."""
    what: str
    """In one line."""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeys:
    """The token-signing certificates of a farm."""

    federation_name: str
    live: Certificate | None
    """Signs now; None where that is not known."""
    coming: tuple[Certificate, ...] = ()
    """Its other ones: successors, or predecessors that are still served."""
    knows_microsoft: bool | None = None
    """Whether the farm has the relying party of Microsoft Online; None where that cannot be seen."""


def keys_of_farm(farm: Farm) -> SigningKeys:
    """Out of the primary's configuration. `live` is None without a primary that answers."""
    primary = farm.primary
    rows = [row for row in primary.certificates if row.use is Use.SIGNING] if primary else []
    known = [identifier.lower() for party in farm.relying_parties if party.enabled for identifier in party.identifiers]
    return SigningKeys(
        federation_name=farm.properties.federation_name,
        live=next((row.certificate for row in rows if row.is_primary), None),
        coming=tuple(row.certificate for row in rows if not row.is_primary),
        knows_microsoft=any(each.lower() in known for each in _OFFICE) if primary else None,
    )


def keys_of_outside(outside: Outside) -> SigningKeys:
    """Out of the metadata: AD FS signs it with the key that signs tokens, whatever the order of the certificates.

    `live` is None where the hosts disagree (a rollover is on its way through the farm) or no signature holds.
    """
    signers = {served.signed_by for served in outside.served if served.signed_by}
    offered = dict.fromkeys(thumbprint for served in outside.served for thumbprint in served.signing)
    live = outside.certificates.get(signers.pop()) if len(signers) == 1 else None
    if live is not None and live.thumbprint not in offered:
        live = None  # it signed the document and is no token-signing certificate: not AD FS's doing
    coming = [outside.certificates[each] for each in offered if each in outside.certificates]
    return SigningKeys(
        federation_name=outside.federation_name,
        live=live,
        coming=tuple(each for each in coming if live is None or each.thumbprint != live.thumbprint),
    )


def keys_of(farm: Farm, outside: Outside | None) -> SigningKeys:
    """Out of the servers where the primary answered, else out of what anybody sees."""
    inside = keys_of_farm(farm)
    if inside.live is not None or outside is None:
        return inside
    return replace(keys_of_outside(outside), knows_microsoft=inside.knows_microsoft)


def compare(trust: EntraTrust, keys: SigningKeys, now: float) -> list[TrustFinding]:
    """Findings, the farm's first, then by domain; a domain that is as it should be has one that says so."""
    found: list[TrustFinding] = []
    domains = trust.federated_with(keys.federation_name)
    if keys.live is None:
        text = f"which certificate signs now at {keys.federation_name} is not known"
        found.append(TrustFinding(weight=Weight.WARNING, domain="", what=text, remedy="Look at `isthmus adfs status`"))
    if keys.knows_microsoft is False:
        text = f"{keys.federation_name} has no enabled relying party for Microsoft Online ({_OFFICE[0]})"
        weight = Weight.FAILURE if domains else Weight.WARNING
        found.append(TrustFinding(weight=weight, domain="", what=text, remedy="Add it, or enable it"))
    if not domains:
        text = f"no domain of {trust.tenant} is federated with {keys.federation_name}"
        found.append(TrustFinding(weight=Weight.WARNING, domain="", what=text, remedy="Check `farm` in [[entra]]"))
    for domain in domains:
        own = list(_of_domain(domain, keys, now))
        found += own or [TrustFinding(weight=Weight.OK, domain=domain.name, what="Entra ID trusts what the farm signs with")]
    return found


def _of_domain(domain: FederatedDomain, keys: SigningKeys, now: float) -> Iterator[TrustFinding]:
    if domain.configuration is None:
        yield _failure(domain, f"its federation cannot be read: {domain.error}", _REBUILD)
        return
    configuration = domain.configuration
    for problem in configuration.problems:
        yield _failure(domain, f"a slot cannot be read: {problem}", "Restore it: `isthmus adfs trust restore`")
    if keys.live is not None:
        yield from _live(domain, configuration, keys.live, keys, now)
    yield from _strangers(domain, configuration, keys)
    yield from _addresses(domain, configuration, keys)
    if configuration.update is not None and not configuration.update.ok:
        yield _warning(domain, explain_update(configuration.update), "")


def _live(
    domain: FederatedDomain, configuration: Configuration, live: Certificate, keys: SigningKeys, now: float
) -> Iterator[TrustFinding]:
    publish, roll = "Publish it: `isthmus adfs trust update`", "Roll it over: `isthmus adfs rollover plan`"
    if configuration.slot_of(live.thumbprint) is None:
        yield _failure(domain, f"Entra ID does not know {live.thumbprint}, which signs now: nobody can sign in", publish)
        return
    if live.not_after <= now:
        yield _failure(domain, f"{live.thumbprint}, which signs now, has ended", roll)
    for each in keys.coming:
        if each.not_after > live.not_after and configuration.slot_of(each.thumbprint) is None:
            yield _warning(domain, f"Entra ID does not know the successor {each.thumbprint} yet", publish)
    ends_soon = live.not_after - now < SOON_DAYS * DAY
    if ends_soon and len(configuration.thumbprints()) == 1:
        text = f"{live.thumbprint} ends in {max(0.0, live.not_after - now) / DAY:.0f} days and Entra ID knows no other"
        yield _warning(domain, text, roll)


def _strangers(domain: FederatedDomain, configuration: Configuration, keys: SigningKeys) -> Iterator[TrustFinding]:
    """A certificate at Entra ID that the farm does not have can sign tokens for anybody in the domain."""
    if keys.live is None:
        return
    own = {keys.live.thumbprint, *(each.thumbprint for each in keys.coming)}
    for thumbprint in configuration.thumbprints():
        if thumbprint not in own:
            text = (
                f"Entra ID also trusts {thumbprint}, which the farm does not have: whoever has its key signs in as anybody"
            )
            remedy = (
                f"If it is an old one, retire it: `isthmus adfs trust update --retire {thumbprint}`. If nobody knows it, act"
            )
            yield _warning(domain, text, remedy)


def _addresses(domain: FederatedDomain, configuration: Configuration, keys: SigningKeys) -> Iterator[TrustFinding]:
    expected = keys.federation_name.lower()
    addresses = {
        "activeSignInUri": configuration.active_sign_in_uri,
        "metadataExchangeUri": configuration.metadata_exchange_uri,
    }
    for name, address in addresses.items():
        if address and f"//{expected}/" not in address.lower().replace(":443/", "/"):
            yield _warning(domain, f"{name} is {address}, not at {expected}", "Correct it, or restore a backup")


def _failure(domain: FederatedDomain, what: str, remedy: str) -> TrustFinding:
    return TrustFinding(weight=Weight.FAILURE, domain=domain.name, what=what, remedy=remedy)


def _warning(domain: FederatedDomain, what: str, remedy: str) -> TrustFinding:
    return TrustFinding(weight=Weight.WARNING, domain=domain.name, what=what, remedy=remedy)
