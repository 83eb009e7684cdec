"""Which applications must know a key of a ring before it is used, by how they learn of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from certs import Ledger, Partner, PartnerKind
from gateway.federation.keys.model import Ring
from gateway.federation.settings import KeySettings
from gateway.federation.trusts import Trust

_KINDS = {"automatic": PartnerKind.AUTOMATIC, "by hand": PartnerKind.MANUAL}


def ledger_of(ring: Ring, trusts: Iterable[Trust]) -> Ledger:
    """The partners of a ring: of `oidc` the OpenID Connect clients, of the others the SAML parties."""
    protocol = "oidc" if ring == "oidc" else "saml"
    partners = [_partner(trust) for trust in trusts if trust.enabled and trust.protocol == protocol]
    return Ledger(farm=ring, partners=tuple(partners))


def _partner(trust: Trust) -> Partner:
    # a client reads the key set anew when it meets a `kid` that it does not know (OpenID Connect Core section 10.1.1)
    unsaid = PartnerKind.AUTOMATIC if trust.protocol == "oidc" else PartnerKind.UNKNOWN
    kind = _KINDS.get(trust.keys.learns, unsaid)
    return Partner(name=trust.id, kind=kind, refresh=trust.keys.within, contact=trust.contact)


def by_hand(ledger: Ledger) -> frozenset[str]:
    """Trusts that must acknowledge a key."""
    return frozenset(partner.name for partner in ledger.partners if partner.kind is PartnerKind.MANUAL)


def notice(ledger: Ledger, settings: KeySettings) -> float:
    """Seconds for which a key must be published before it signs: every node shows it, every copy that was made before has
    expired, and the slowest partner that learns by itself has read it."""
    automatic = [partner.refresh for partner in ledger.partners if partner.kind is PartnerKind.AUTOMATIC]
    return settings.lead + max([settings.publish_for, *(refresh + settings.max_age for refresh in automatic)])
