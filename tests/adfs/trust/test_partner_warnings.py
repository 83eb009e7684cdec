"""What is worth saying of a partner whose metadata was read."""

from __future__ import annotations

import time

from adfs_mgmt.trust import judge_partner
from certs import Certificate, Partner
from foundation.saml import PartnerMetadata
from tests.adfs.trust.conftest import DAY, signing

NOW = time.time()


def test_what_is_worth_saying(live: Certificate, coming: Certificate) -> None:
    """New, vanished, ended, ending; nothing on the first look, nothing of one without metadata."""
    ended, ending = signing(begins=-9 * DAY, ends=-DAY), signing(ends=9.5 * DAY)

    def said(partner: Partner, *certificates: Certificate) -> list[str]:
        return [
            each.what for each in judge_partner(partner, PartnerMetadata(partner="Wiki", certificates=certificates), NOW)
        ]

    fresh, known = Partner(name="Wiki"), Partner(name="Wiki", seen=(live.thumbprint,), seen_at=1.0)
    assert said(fresh, live) == []
    assert said(known, live) == []
    assert [text for text in said(known, coming) if coming.thumbprint in text or live.thumbprint in text] == said(
        known, coming
    )
    assert len(said(known, coming)) == 2
    assert "has expired" in said(fresh, ended)[0]
    assert "expires in 9 days" in said(fresh, ending)[0] or "expires in 10 days" in said(fresh, ending)[0]
    assert judge_partner(fresh, PartnerMetadata(partner="Wiki", watched=False), NOW) == []
    assert "cannot be read: why" in judge_partner(fresh, PartnerMetadata(partner="Wiki", error="why"), NOW)[0].what
    odd = PartnerMetadata(partner="Wiki", certificates=(ended,), unreadable=("signing certificate 2: why",))
    first, second = judge_partner(fresh, odd, NOW)
    assert first.what == "its metadata's signing certificate 2: why"
    assert "has expired" in second.what
