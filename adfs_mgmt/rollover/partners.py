"""Partners as the planner sees them, out of the ledger that the trust room keeps."""

from __future__ import annotations

from dataclasses import replace

from adfs_mgmt.farm.model import Farm
from adfs_mgmt.rollover.model import Partner, PartnerKind
from adfs_mgmt.trust import partners

OFFICE = "urn:federation:MicrosoftOnline"
"""Identifier of the relying party that is Entra ID."""


def known(farm: Farm, ledger: partners.Ledger, *, entra: bool) -> tuple[Partner, ...]:
    """Every partner that is in use. `entra`: Graph tells us of the domains, so that this relying party needs no care.

    Without Graph somebody has to tell Entra ID by hand: a manual partner, unless the ledger says that it reads metadata.
    """
    found = []
    for each in partners.learn(ledger, farm.relying_parties).partners:
        partner = _partner(each)
        if OFFICE in each.identifiers:
            if entra:
                continue
            if partner.kind is PartnerKind.UNKNOWN:
                partner = replace(partner, kind=PartnerKind.MANUAL)
        found.append(partner)
    return tuple(found)


def _partner(each: partners.Partner) -> Partner:
    return Partner(
        name=each.name, kind=PartnerKind(each.kind.value), refresh=each.refresh, knows=tuple(sorted(each.acknowledged))
    )
