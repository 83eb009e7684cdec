"""Partners as the planner sees them, out of their ledger."""

from __future__ import annotations

from dataclasses import replace

from adfs_mgmt.farm import Farm
from certs import Ledger, Partner, PartnerKind

OFFICE = "urn:federation:MicrosoftOnline"
"""Identifier of the relying party that is Entra ID."""


def known(farm: Farm, ledger: Ledger, *, entra: bool) -> tuple[Partner, ...]:
    """Every partner that is in use. `entra`: Graph tells us of the domains, so that this relying party needs no care.

    Without Graph somebody has to tell Entra ID by hand: a manual partner, unless the ledger says that it reads metadata.
    """
    found = []
    for partner in ledger.learn(farm.relying_parties).partners:
        if OFFICE in partner.identifiers:
            if entra:
                continue
            if partner.kind is PartnerKind.UNKNOWN:
                found.append(replace(partner, kind=PartnerKind.MANUAL))
                continue
        found.append(partner)
    return tuple(found)
