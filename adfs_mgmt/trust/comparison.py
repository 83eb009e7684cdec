"""What Entra ID knows against what the farm has. Pure.

`FarmKeys` is what a farm signs with, from whichever view there is: its servers over WinRM, or its metadata from outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from adfs_mgmt.farm import ExternalView, Farm, Use
from adfs_mgmt.trust.model import Configuration, EntraTrust, FederatedDomain
from adfs_mgmt.trust.update_status import explain_update
from certs import Certificate, last_to_end
from findings import Finding, failed, passed, warned

DAY = 86400.0
_REBUILD = "If this persists, rebuild it: `isthmus adfs trust convert DOMAIN managed --without-backup`, then federated"
SOON_DAYS = 30.0
"""A live certificate that ends sooner, without a successor at Entra ID, is a warning."""
_ISSUER = "http://schemas.microsoft.com/ws/2008/06/identity/claims/issuerid"
ISSUER_RULE = (
    'c:[Type == "http://schemas.xmlsoap.org/claims/UPN"] => '
    f'issue(Type = "{_ISSUER}", Value = regexreplace(c.Value, ".+@(?<domain>.+)", "http://${{domain}}/adfs/services/trust/"));'
)
"""AD FS's claim rule for several domains: Entra ID wants another issuer for each (AADSTS50107 where it is not issuerUri)."""
_BY_DOMAIN, _FIXED = re.compile(r'"([^"]*\$\{domain\}[^"]*)"'), re.compile(r'Value\s*=\s*"([^"]*)"')
_PATTERN, _LISTED = re.compile(r'regexreplace\([^,]*,\s*"([^"]*)"'), re.compile(r"[A-Za-z0-9-]+(?:\\?\.[A-Za-z0-9-]+)+")
_OFFICE = ("urn:federation:MicrosoftOnline", "urn:federation:cn:microsoftonline", "urn:federation:msod:microsoftonline.us")


def is_entra(identifiers: Iterable[str]) -> bool:
    """Whether a relying party with these is Entra ID, of whichever cloud."""
    return not {name.lower() for name in _OFFICE}.isdisjoint(name.lower() for name in identifiers)


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmKeys:
    """The token-signing certificates of a farm."""

    federation_name: str
    live: Certificate | None
    """Signs now; None where that is not known."""
    coming: tuple[Certificate, ...] = ()
    """Its other ones: successors, or predecessors that are still served."""
    knows_microsoft: bool | None = None
    """Whether the farm has the relying party of Microsoft Online; None where that cannot be seen."""
    identifier: str = ""
    """The farm's Identifier; empty where it is not known."""
    port: int | None = None
    """Its HttpsPort; None where it is not known."""
    rules: str | None = None
    """Claim rules of the relying party of Microsoft Online; None where they cannot be seen."""

    def issuer_for(self, domain: str) -> str:
        """The issuer in tokens of its users: the Identifier, unless a claim rule writes another. Empty where not known."""
        if self.rules is None:
            return ""
        rules = [text for text in self.rules.split(";") if _ISSUER in text]
        by_domain = [match for text in rules if (match := _BY_DOMAIN.search(text))]
        fixed = [match for text in rules if (match := _FIXED.search(text))]
        found = [match for match in by_domain if _is_for(match.string, domain)] if by_domain else fixed
        return self.identifier if not rules else found[0][1].replace("${domain}", domain) if found else ""

    @property
    def base(self) -> str:
        """Of the addresses of the federation service."""
        return f"https://{self.federation_name}" + (f":{self.port}" if self.port not in {None, 443} else "")

    @property
    def successor(self) -> Certificate | None:
        """The one that takes over next: it ends last, and after the live one."""
        last = last_to_end(self.coming)
        return last if last and self.live and last.outlasts(self.live) else None


def _is_for(rule: str, domain: str) -> bool:
    """Whether its pattern has this one, where it lists domains, as Entra Connect writes it: for others it issues no URI."""
    listed = {name.replace("\\", "").lower() for text in _PATTERN.findall(rule) for name in _LISTED.findall(text)}
    return not listed or domain.lower() in listed


def keys_of_farm(farm: Farm) -> FarmKeys:
    """Out of the primary's configuration. `live` is None without a primary that answers."""
    primary = farm.primary
    rows = [row for row in primary.certificates if row.use is Use.SIGNING] if primary else []
    parties = [row for row in farm.relying_parties if row.enabled and is_entra(row.identifiers)]
    read = primary is not None and not farm.error
    return FarmKeys(
        federation_name=farm.properties.federation_name,
        live=next((row.certificate for row in rows if row.is_primary), None),
        coming=tuple(row.certificate for row in rows if not row.is_primary),
        knows_microsoft=bool(parties) if primary else None,
        identifier=farm.properties.identifier,
        port=farm.properties.https_port if read else None,
        rules="".join(row.rules for row in parties) if read and parties else None,
    )


def keys_of_outside(outside: ExternalView) -> FarmKeys:
    """Out of the metadata: AD FS signs it with the key that signs tokens, whatever the order of the certificates.

    `live` is None where the hosts disagree (a rollover is on its way through the farm) or no signature holds.
    """
    identifiers = {served.entity_id for served in outside.served if served.entity_id}
    signers = {served.signed_by for served in outside.served if served.signed_by}
    offered = dict.fromkeys(thumbprint for served in outside.served for thumbprint in served.signing)
    live = outside.certificates.get(signers.pop()) if len(signers) == 1 else None
    if live is not None and live.thumbprint not in offered:
        live = None  # it signed the document and is no token-signing certificate: not AD FS's doing
    coming = [outside.certificates[thumbprint] for thumbprint in offered if thumbprint in outside.certificates]
    return FarmKeys(
        federation_name=outside.federation_name,
        live=live,
        coming=tuple(row for row in coming if live is None or row.thumbprint != live.thumbprint),
        identifier=identifiers.pop() if len(identifiers) == 1 else "",
    )


def keys_of(farm: Farm, outside: ExternalView | None) -> FarmKeys:
    """Out of the servers where the primary answered, else out of what anybody sees."""
    inside = keys_of_farm(farm)
    if outside is None:
        return inside
    if inside.live is not None:  # the name is the farm's properties', which may not have been read
        return replace(inside, federation_name=inside.federation_name or outside.federation_name)
    return replace(keys_of_outside(outside), knows_microsoft=inside.knows_microsoft, rules=inside.rules)


def compare_trust(trust: EntraTrust, keys: FarmKeys, now: float) -> list[Finding]:
    """Findings, the farm's first (with an empty `where`), then by domain; a domain that is as it should be has a `pass`."""
    found = list(_of_farm(trust, keys))
    domains = trust.federated_with(keys.federation_name)
    issued = [keys.issuer_for(row.name) for row in domains if row.is_root]
    for domain in domains:
        good = passed("trust", domain.name, "Entra ID has the farm's token-signing certificate")
        found += [*_of_domain(domain, keys, now), *_issuer(domain, keys, issued)] or [good]
    return found


def _of_farm(trust: EntraTrust, keys: FarmKeys) -> Iterator[Finding]:
    domains, name = trust.federated_with(keys.federation_name), keys.federation_name
    if keys.live is None:
        yield warned(
            "live-key", "", f"the current token-signing certificate of {name} is not known", "Check `isthmus adfs status`"
        )
    if keys.knows_microsoft is False:
        text = f"{name} has no enabled relying party trust for Microsoft Online ({_OFFICE[0]})"
        yield (failed if domains else warned)("relying-party", "", text, "Add it, or enable it")
    if not domains:
        text = f"no domain of {trust.tenant} is federated with {name}"
        yield warned("domains", "", text, "Check `farm` in [[entra]]")


def _of_domain(domain: FederatedDomain, keys: FarmKeys, now: float) -> Iterator[Finding]:
    configuration = domain.configuration
    if configuration is None:
        yield failed("federation", domain.name, f"its federation cannot be read: {domain.error}", _REBUILD)
        return
    for problem in configuration.problems:
        remedy = "Restore it: `isthmus adfs trust restore`"
        yield failed("slots", domain.name, f"a slot cannot be read: {problem}", remedy)
    if keys.live is not None:
        yield from _live(domain.name, configuration, keys.live, keys, now)
        yield from _unknown(domain.name, configuration, keys.live, keys)
    yield from _addresses(domain.name, configuration, keys)
    if configuration.update is not None and not configuration.update.ok:
        yield warned("own-update", domain.name, explain_update(configuration.update))


def _live(domain: str, configuration: Configuration, live: Certificate, keys: FarmKeys, now: float) -> Iterator[Finding]:
    publish, roll = "Publish it: `isthmus adfs trust update`", "Roll it over: `isthmus adfs rollover plan`"
    if configuration.slot_of(live.thumbprint) is None:
        text = f"Entra ID does not have {live.thumbprint}, which signs now: no user can sign in"
        yield failed("live-key", domain, text, publish)
        return
    if live.not_after is None:
        text = f"the expiry date of {live.thumbprint}, which signs now, is not known"
        yield warned("live-key", domain, text, "Check `isthmus adfs status`")
    if live.ended(now):
        yield failed("live-key", domain, f"{live.thumbprint}, which signs now, has expired", roll)
    for coming in keys.coming:
        if coming.outlasts(live) and configuration.slot_of(coming.thumbprint) is None:
            text = f"Entra ID does not have the successor {coming.thumbprint} yet"
            yield warned("successor", domain, text, publish)
    if live.left(now) < SOON_DAYS * DAY and len(configuration.thumbprints()) == 1:
        left = max(0.0, live.left(now)) / DAY
        yield warned(
            "successor", domain, f"{live.thumbprint} expires in {left:.0f} days and Entra ID has no other certificate", roll
        )


def _unknown(domain: str, configuration: Configuration, live: Certificate, keys: FarmKeys) -> Iterator[Finding]:
    """A certificate at Entra ID that the farm does not have can sign tokens for anybody in the domain."""
    own = {live.thumbprint, *(coming.thumbprint for coming in keys.coming)}
    for thumbprint in configuration.thumbprints():
        if thumbprint not in own:
            text = (
                f"Entra ID also trusts {thumbprint}, which the farm does not have: anyone with its "
                "private key can sign in as any user"
            )
            retire = f"`isthmus adfs trust update --retire {thumbprint}`"
            yield warned(
                "unknown-key",
                domain,
                text,
                f"If it is an old one, retire it: {retire}. If no one recognises it, treat it as an attack",
            )


def _issuer(domain: FederatedDomain, keys: FarmKeys, all_issued: Sequence[str]) -> Iterator[Finding]:
    """`all_issued`: for each root domain; Entra ID takes each issuer once."""
    if domain.configuration is None:
        return
    written, issued, name = domain.configuration.issuer_uri, keys.issuer_for(domain.name), domain.name
    if keys.rules is not None and not issued:
        remedy = f"Check whether the rule covers {name}. It should be: {ISSUER_RULE}"
        yield warned("issuer", name, "the issuer that the farm's claim rule sets cannot be determined", remedy)
    elif issued and written != issued:
        slash = "; only the trailing slash differs" if written.rstrip("/") == issued.rstrip("/") else ""
        text = f"issuerUri is {written}, the farm issues {issued}{slash}: no user can sign in (AADSTS50107)"
        remedy = "Correct it: `isthmus adfs trust issuer`"
        if all_issued.count(issued) > 1:
            remedy = (
                f"With several domains, the relying party trust for Microsoft Online needs this claim rule: {ISSUER_RULE}"
            )
        yield failed("issuer", name, text, remedy)
    elif not issued and keys.identifier and written not in {keys.identifier, f"http://{name}/adfs/services/trust/"}:
        text = f"issuerUri is {written}, neither the farm's identifier {keys.identifier} nor the domain's own"
        yield warned("issuer", name, text, "Compare again over WinRM, without --outside")


def _addresses(domain: str, configuration: Configuration, keys: FarmKeys) -> Iterator[Finding]:
    port = r"(:\d+)?" if keys.port is None else "(:443)?" if keys.port == 443 else f":{keys.port}"
    expected = re.compile(f"https://{re.escape(keys.federation_name)}{port}/", re.IGNORECASE)
    addresses = {
        "passiveSignInUri": configuration.passive_sign_in_uri,
        "activeSignInUri": configuration.active_sign_in_uri,
        "metadataExchangeUri": configuration.metadata_exchange_uri,
    }
    for name, address in addresses.items():
        if address and not expected.match(address):
            text = f"{name} is {address}, which is not at {keys.base}"
            yield warned("addresses", domain, text, "Correct it, or restore a backup")
