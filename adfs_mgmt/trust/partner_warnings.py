"""The partners' own metadata, compared with what it was, and judged by when its certificates end. Pure.

A partner that changes its encryption or signing certificate breaks sign-in to it where AD FS does not watch its metadata.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from certs import Partner
from foundation.saml import PartnerMetadata

SOON = 30 * 86400.0
"""Seconds. A partner's certificate that ends sooner is worth a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerWarning:
    """Something that an administrator should know of a partner."""

    partner: str
    what: str
    remedy: str


def judge_partner(partner: Partner, found: PartnerMetadata, now: float) -> list[PartnerWarning]:
    """What is worth saying of one. Pure."""
    if not found.watched:
        return []
    if found.error:
        return [_warning(partner, f"its metadata cannot be read: {found.error}", "Ask its owner, or correct the address")]
    odd = [
        _warning(partner, f"its metadata's {text}", "Notify its owner; AD FS may refuse it, too")
        for text in found.unreadable
    ]
    return [*odd, *_changes(partner, found), *_ends(partner, found, now)]


def _changes(partner: Partner, found: PartnerMetadata) -> Iterable[PartnerWarning]:
    """Only where it was looked at before."""
    if not partner.seen_at:
        return
    current = {certificate.thumbprint for certificate in found.certificates}
    for thumbprint in sorted(current - set(partner.seen)):
        text = f"its metadata has a new certificate, {thumbprint}"
        yield _warning(partner, text, "If AD FS does not monitor its metadata: Update-AdfsRelyingPartyTrust")
    for thumbprint in sorted(set(partner.seen) - current):
        yield _warning(
            partner, f"certificate {thumbprint} is no longer in its metadata", "AD FS must no longer encrypt to it"
        )


def _ends(partner: Partner, found: PartnerMetadata, now: float) -> Iterable[PartnerWarning]:
    for certificate in found.certificates:
        name, left = certificate.thumbprint, certificate.left(now)
        if certificate.not_after is None:
            yield _warning(partner, f"the expiry date of its certificate {name} is not known", "Ask its owner")
        elif left <= 0:
            yield _warning(partner, f"its certificate {name} has expired", "Ask its owner for a new one")
        elif left < SOON:
            text = f"its certificate {name} expires in {left / 86400:.0f} days"
            yield _warning(partner, text, "Ask its owner for another")


def _warning(partner: Partner, what: str, remedy: str) -> PartnerWarning:
    return PartnerWarning(partner=partner.name, what=what, remedy=remedy)
