"""Checks of whom a new token-signing certificate has not reached, by what people have said. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from adfs_mgmt.farm import Farm, Use, short_name
from adfs_mgmt.health.forecast import primary_of
from certs import Partner, PartnerKind
from findings import Finding, passed, warned


def check_partners(farm: Farm, partners: Sequence[Partner], told: Collection[str] = ()) -> Iterator[Finding]:
    """Manual partners that may not have the certificate that signs now, whoever promoted it. `told`: names of those of whom
    a rollover's journal says that they have. One that was never asked counts only while the certificate before is there."""
    node = farm.reference
    rows = [row for row in node.certificates if row.use is Use.SIGNING] if node is not None else []
    primary, manual = primary_of(rows), [partner for partner in partners if partner.kind is PartnerKind.MANUAL]
    if primary is None or not manual:
        return
    changed = any(not row.is_primary and primary.outlasts(row.certificate) for row in rows)
    unaware = [
        partner.name
        for partner in manual
        if primary.thumbprint not in partner.knows and partner.name not in told and (changed or partner.knows)
    ]
    if not unaware:
        yield passed(
            "partners", farm.name, f"no manual partner is known to lack {short_name(primary.thumbprint)}, which signs now"
        )
        return
    seen = (
        f"it is not confirmed that these partners have {short_name(primary.thumbprint)}, which "
        f"signs now: {', '.join(unaware)}"
    )
    back = " To sign with the previous certificate again: isthmus adfs rollover rollback." if changed else ""
    remedy = f"Notify them, then: isthmus adfs trust partners acknowledge NAME {primary.thumbprint}.{back}"
    yield warned("partners", farm.name, seen, remedy)
