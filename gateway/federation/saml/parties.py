"""What is known of a SAML party: its trust, and under it what its own metadata says.

Kind of state: a copy of the store's, by the generation `trusts`, like the registry of trusts itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from certs import Certificate, CertificateUnreadable, CertsError, read_certificate
from foundation.saml import PartyDescription, PartyEndpoint, SamlError, read_party_metadata
from gateway.federation.saml.names import BINDING_POST, LOGOUT_BINDINGS
from gateway.federation.trusts import AssertionConsumer, SamlParty, Trust, TrustRegistry, application_url
from gateway.store import TrustStore
from settings import Unfit

log = structlog.get_logger()

_CONSUMER_BINDINGS = {BINDING_POST: "post"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutEndpoint:
    """Where a party takes what concerns logout."""

    url: str
    binding: str
    """`redirect`, `post` or `soap`."""
    response_url: str = ""
    """For answers; empty: the same."""

    @property
    def answers(self) -> str:
        """Where answers go."""
        return self.response_url or self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A party, ready to be asked and answered."""

    trust: Trust
    entity_id: str
    consumers: tuple[AssertionConsumer, ...]
    logout: tuple[LogoutEndpoint, ...] = ()
    """In the order in which they are used."""
    signing: tuple[Certificate, ...] = ()
    """Whose keys sign its requests."""
    encryption: Certificate | None = None
    requests_signed: bool = False
    """Every request has to be."""

    @property
    def default_consumer(self) -> AssertionConsumer | None:
        """Where answers go of which nothing else is said (saml-metadata-2.0-os section 2.2.3)."""
        return next((consumer for consumer in self.consumers if consumer.default), next(iter(self.consumers), None))


def party_of(trust: Trust, described: PartyDescription | None) -> Party:
    """What the trust says counts; where it says nothing, the metadata does. Raises CertsError."""
    own = trust.saml
    signing = [_certificate(text, trust.id) for text in own.certificates]
    encryption = [_certificate(own.encryption_certificate, trust.id)] if own.encryption_certificate else []
    logout = [LogoutEndpoint(url=own.logout_url, binding=own.logout_binding)] if own.logout_url else []
    consumers = own.consumers
    if described is not None:
        consumers = consumers or tuple(
            AssertionConsumer(url=consumer.url, index=consumer.index, default=consumer.default)
            for consumer in described.consumers
            if consumer.binding in _CONSUMER_BINDINGS
        )
        logout = logout or [
            LogoutEndpoint(url=endpoint.url, binding=LOGOUT_BINDINGS[endpoint.binding], response_url=endpoint.response_url)
            for endpoint in described.logout
            if is_logout(endpoint)
        ]
        signing = signing or list(described.signing)
        encryption = encryption or list(described.encryption)
    return Party(
        trust=trust,
        entity_id=own.entity_id or (described.entity_id if described is not None else ""),
        consumers=consumers,
        logout=tuple(logout),
        signing=tuple(signing),
        encryption=encryption[0] if encryption else None,
        requests_signed=own.require_signed_requests or _signs_requests(own, described),
    )


def _signs_requests(own: SamlParty, described: PartyDescription | None) -> bool:
    """Whether it says so of itself. Where its metadata is not there, or over, it may have said so: nothing less is taken."""
    return described.requests_signed if described is not None else bool(own.metadata_url)


def is_logout(endpoint: PartyEndpoint) -> bool:
    """Whether logout can go by it, and a trust could name it.

    Over HTTP, who signs out would be told to everybody on the way.
    """
    if endpoint.binding not in LOGOUT_BINDINGS:
        return False
    try:
        application_url(endpoint.url)
        application_url(endpoint.response_url or endpoint.url)
    except Unfit:
        return False
    return True


def _certificate(pem: str, trust: str) -> Certificate:
    try:
        der = ssl.PEM_cert_to_DER_cert(pem.strip())
    except ValueError as error:  # binascii.Error is one
        raise CertificateUnreadable(f"certificate of {trust}", "it is not PEM") from error
    return read_certificate(der, f"certificate of {trust}")


class Parties:
    """Finds parties by what they call themselves."""

    def __init__(self, trusts: TrustRegistry, store: TrustStore) -> None:
        self._trusts, self._store = trusts, store
        self._read: _Read = {}
        self._by_trust: Mapping[str, Party] = {}
        self._by_entity: Mapping[str, Party] = {}

    async def load(self) -> None:
        """Read what changed; the registry of trusts is read before. Raises StoreError."""
        documents = {metadata.trust: metadata.document for metadata in await self._store.metadata() if metadata.document}
        trusts = [trust for trust in self._trusts.all() if trust.protocol == "saml"]
        parties, self._read = await asyncio.to_thread(_read_all, trusts, documents, self._read)
        self._by_trust = {party.trust.id: party for party in parties}
        self._by_entity = _index(parties)

    def of(self, trust: str) -> Party | None:
        """By the trust's id."""
        return self._by_trust.get(trust)

    def find(self, entity_id: str) -> Party | None:
        """By entity ID."""
        return self._by_entity.get(entity_id)


_Read = dict[tuple[bytes, str, str], PartyDescription]
"""By the document's digest, and what the trust demands of it."""


def _read_all(trusts: Iterable[Trust], documents: Mapping[str, bytes], before: _Read) -> tuple[list[Party], _Read]:
    """Beside the event loop. A party that cannot be read is left out, and logged."""
    parties: list[Party] = []
    read: _Read = {}
    for trust in trusts:
        document = documents.get(trust.id, b"") if trust.saml.metadata_url else b""
        described: PartyDescription | None = None
        try:
            if document:  # read as when it came: the trust may demand more of it by now
                key = hashlib.sha256(document).digest(), trust.saml.entity_id, trust.saml.metadata_signer
                described = before.get(key) or read_party_metadata(document, entity_id=key[1], signer=key[2])
                read[key] = described
            parties.append(party_of(trust, described))
        except (SamlError, CertsError) as error:
            log.error("party.unreadable", trust=trust.id, error=str(error))  # noqa: TRY400 - it says all
    return parties, read


def _index(parties: Iterable[Party]) -> dict[str, Party]:
    """An entity ID that two trusts claim is nobody's: a guess could answer the wrong one."""
    index: dict[str, Party] = {}
    double: dict[str, list[str]] = {}
    for party in parties:
        if not party.entity_id:  # its metadata will say; several may wait for theirs
            continue
        other = index.setdefault(party.entity_id, party)
        if other is not party:
            double.setdefault(party.entity_id, [other.trust.id]).append(party.trust.id)
    for entity_id, claimants in double.items():
        log.error("party.claimed_twice", entity_id=entity_id, trusts=claimants)
        del index[entity_id]
    return index
