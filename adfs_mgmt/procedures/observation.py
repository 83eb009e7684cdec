"""What is observed of a farm and everything around it at one moment. Plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from adfs_mgmt.farm import ExternalView, Farm
from adfs_mgmt.trust import FederatedDomain, is_entra
from certs import Certificate, Ledger, Partner, PartnerKind


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmObservation:
    """The farm from both sides, Entra ID's domains, and the partners."""

    farm: Farm
    outside: ExternalView | None = None
    domains: tuple[FederatedDomain, ...] = ()
    partners: tuple[Partner, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be read (Entra ID out of reach, say), in words: steps that need it are refused."""

    def certificate(self, thumbprint: str) -> Certificate | None:
        """Wherever it was seen, with its DER if it was seen anywhere."""
        seen = (certificate for certificate in self._certificates() if certificate.thumbprint == thumbprint)
        first = next(seen, None)
        if first is None or first.der:
            return first
        return next((certificate for certificate in seen if certificate.der), first)

    def _certificates(self) -> Iterator[Certificate]:
        if self.outside:
            yield from self.outside.certificates.values()
        for node in self.farm.nodes:
            yield from (row.certificate for row in node.certificates)
        for host in self.farm.hosts:
            yield from (row.certificate for row in host.stored)


def partners_of(farm: Farm, ledger: Ledger, *, entra: bool) -> tuple[Partner, ...]:
    """Every partner that is in use. `entra`: Graph tells us of the domains, so that this relying party needs no care.

    Without Graph somebody has to tell Entra ID by hand: a manual partner, unless the ledger says that it reads metadata.
    """
    found = []
    for partner in ledger.learn(farm.relying_parties).partners:
        if is_entra(partner.identifiers):
            if entra:
                continue
            if partner.kind is PartnerKind.UNKNOWN:
                found.append(replace(partner, kind=PartnerKind.MANUAL))
                continue
        found.append(partner)
    return tuple(found)
