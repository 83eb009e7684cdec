"""From an application's metadata to its trust, by an administrator's command: what is taken, and what is not. Pure.

A document from an address stays there: the trust names the address, and the relay reads it on schedule. What comes from a
file is written into the trust, because nobody reads the file again.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace

from certs import Certificate
from foundation.saml import PartyDescription, PartyEndpoint
from foundation.times import day
from gateway.federation.saml.names import BINDING_POST, LOGOUT_BINDINGS
from gateway.federation.saml.parties import is_logout
from gateway.federation.saml.party_metadata import check_metadata
from gateway.federation.trusts import NAME_ID_FORMATS, AssertionConsumer, SamlParty, Trust
from settings import is_readable


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataImport:
    """A trust as the metadata describes it, with a line for each thing that was taken, or was not."""

    trust: Trust
    taken: tuple[str, ...]
    dropped: tuple[str, ...]
    logo: str = ""
    """Address of the logo that the metadata names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataSource:
    """What an administrator gave."""

    document: bytes
    url: str = ""
    """Where the relay is to read it from now on; empty: it came from a file."""
    entity_id: str = ""
    """Which entity is meant, where there are several."""
    signer: str = ""
    """SHA-256 thumbprint of the certificate that has to have signed it."""


def import_metadata(source: MetadataSource, trust_id: str, before: Trust | None, now: float) -> MetadataImport:
    """before: the trust of that id, whose other settings stay. Its signer stays, and that its requests have to be signed: no
    document takes that back. now: Unix seconds. Raises MetadataRefused."""
    known = before.saml if before is not None else SamlParty()
    signer = source.signer or (known.metadata_signer if source.url else "")
    wanted = SamlParty(entity_id=source.entity_id, metadata_url=source.url, metadata_signer=signer)
    asked = Trust(id=trust_id, name=trust_id, protocol="saml", saml=wanted)
    described = check_metadata(source.document, asked, known.entity_id, now)
    trust = before or Trust(id=trust_id, name=_name(described) or trust_id, protocol="saml")
    party = replace(
        trust.saml,
        entity_id=described.entity_id,
        metadata_url=source.url,
        metadata_signer=signer if source.url else "",
        consumers=(),
        certificates=(),
        encryption_certificate="",
        logout_url="",
        logout_binding="redirect",
        require_signed_requests=described.requests_signed or known.require_signed_requests,
    )
    if before is None:
        party = replace(party, name_id_format=_name_id_format(described) or party.name_id_format)
    if not source.url:
        party = _copied(party, described)
    trust = replace(trust, saml=party)
    return MetadataImport(
        trust=trust,
        taken=tuple(_taken(trust, described, new=before is None)),
        dropped=tuple(_dropped(trust, described, new=before is None)),
        logo=next(iter(described.logos), ""),
    )


def _name(described: PartyDescription) -> str:
    """What people can read of it, on one line."""
    return "".join(filter(is_readable, _on_one_line(described.display_name))).strip()


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _copied(party: SamlParty, described: PartyDescription) -> SamlParty:
    logout = next(_usable_logout(described), None)
    return replace(
        party,
        consumers=_numbered(_consumers(described)),
        certificates=tuple(_pem(certificate) for certificate in described.signing),
        encryption_certificate=_pem(described.encryption[0]) if described.encryption else "",
        logout_url=logout.url if logout is not None else "",
        logout_binding=LOGOUT_BINDINGS[logout.binding] if logout is not None else "redirect",
    )


def _consumers(described: PartyDescription) -> list[PartyEndpoint]:
    return [consumer for consumer in described.consumers if consumer.binding == BINDING_POST]


def _numbered(consumers: list[PartyEndpoint]) -> tuple[AssertionConsumer, ...]:
    """With the indexes of the metadata; some parties number all of them alike, and some call several the default."""
    used: set[int] = set()
    made: list[AssertionConsumer] = []
    for consumer in consumers:
        index = consumer.index if consumer.index not in used else max(used) + 1
        used.add(index)
        default = consumer.default and not any(other.default for other in made)
        made.append(AssertionConsumer(url=consumer.url, index=index, default=default))
    return tuple(made)


def _usable_logout(described: PartyDescription) -> Iterator[PartyEndpoint]:
    """Answers go to the same address as requests where a trust says it itself."""
    for endpoint in described.logout:
        if is_logout(endpoint) and endpoint.encrypted and endpoint.response_url in {"", endpoint.url}:
            yield endpoint


def _name_id_format(described: PartyDescription) -> str:
    return next((name for name in described.name_id_formats if name in NAME_ID_FORMATS), "")


def _taken(trust: Trust, described: PartyDescription, *, new: bool) -> Iterator[str]:
    if new:
        yield f"name, which users see: {trust.name}"
    yield f"entity ID: {described.entity_id}"
    for consumer in _consumers(described):
        yield f"responses go to: {consumer.url}" + (" (default)" if consumer.default else "")
    logout = list(_usable_logout(described) if trust.saml.consumers else filter(is_logout, described.logout))
    for endpoint in logout[: 1 if trust.saml.consumers else None]:
        yield f"logout: {endpoint.url} ({LOGOUT_BINDINGS[endpoint.binding]})"
    for certificate in described.signing:
        yield f"signs its requests: {certificate.subject}, ends {day(certificate.not_after)}"
    if described.requests_signed:
        yield "unsigned requests are refused"
    if described.encryption:
        is_used = trust.saml.encrypt or trust.saml.encrypt_name_id
        state = "used" if is_used else "used where a request wants its NameID encrypted; see `saml.encrypt`"
        yield f"encryption certificate: {described.encryption[0].subject} ({state})"
    yield f"NameID format: {trust.saml.name_id_format}"
    for url in described.logos[:1]:
        yield f"logo, copied once: {url}"
    if trust.saml.metadata_url:
        yield f"read again on schedule: {trust.saml.metadata_url}"


def _dropped(trust: Trust, described: PartyDescription, *, new: bool) -> Iterator[str]:
    copied = bool(trust.saml.consumers)
    yield from _dropped_addresses(described, copied=copied)
    for certificate in described.encryption[1:]:
        yield f"encryption certificate {certificate.subject}: one is used, the first"
    for problem in described.unreadable:
        yield f"certificate: {problem}"
    yield from _dropped_wants(trust, described)
    if copied and described.valid_until:
        yield f"validUntil {day(described.valid_until)}: what was copied from a file stays; import the next one before"
    if not new and _name(described) not in {"", trust.name}:
        yield f"display name {_name(described)}: the trust keeps its name"
    hidden = sorted({ord(character) for character in _on_one_line(described.display_name) if not is_readable(character)})
    if new and hidden:
        yield f"of the display name: {', '.join(f'U+{code:04X}' for code in hidden)}, which cannot be seen"


def _dropped_addresses(described: PartyDescription, *, copied: bool) -> Iterator[str]:
    for consumer in described.consumers:
        if consumer.binding != BINDING_POST:
            yield f"assertion consumer service {consumer.url}: responses go by HTTP-POST, not by {_short(consumer.binding)}"
    kept = list(_usable_logout(described))[:1] if copied else [row for row in described.logout if is_logout(row)]
    for endpoint in described.logout:
        if endpoint not in kept:
            yield f"logout {endpoint.url} ({_short(endpoint.binding)}): {_why_not(endpoint)}"


def _dropped_wants(trust: Trust, described: PartyDescription) -> Iterator[str]:
    """What it would like to get in an assertion, and does not."""
    for name in described.name_id_formats:
        if name != trust.saml.name_id_format:
            yield f"NameID format {name}: " + ("the trust has another one" if name in NAME_ID_FORMATS else "not issued")
    if described.want_assertions_signed and trust.saml.sign == "response":
        yield "WantAssertionsSigned: the trust signs the response only; see `saml.sign`"
    issued = {rule.claim for rule in trust.claims.rules}
    for name in described.requested_attributes:
        if name not in issued:
            yield f"requested attribute {name}: no rule of the trust's claims issues it; add one"


def _why_not(endpoint: PartyEndpoint) -> str:
    if endpoint.binding not in LOGOUT_BINDINGS:
        return "no binding for logout"
    if not endpoint.encrypted:
        return "not encrypted"
    if not is_logout(endpoint):
        return "not an address that a trust could name"
    return "one is used, the first whose answers go to the same address"


def _short(binding: str) -> str:
    return binding.rpartition(":")[2] or "an unnamed binding"


def _pem(certificate: Certificate) -> str:
    return ssl.DER_cert_to_PEM_cert(certificate.der)
