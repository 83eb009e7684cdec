"""The timeline page: complete, harmless, the same for the same input; and the lines and forecasts that it shows."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html  # type: ignore[import-untyped]

from adfs_mgmt.farm import Farm, FarmCertificate, KeyAccess, Properties, StoredCertificate, TrustUse, Use
from adfs_mgmt.farm.model import RelyingParty
from adfs_mgmt.health.forecast import EventKind, events
from adfs_mgmt.health.inventory import EXTERNAL, GROUPS, PROXY_TRUST, certificate_inventory
from adfs_mgmt.health.settings import Thresholds
from adfs_mgmt.health.timeline import status_of, timeline_page
from certs import Certificate
from foundation.time_scale import TimeScale
from tests.adfs.farm import samples
from tests.adfs.farm.samples import DAY, NOW

LIMITS = Thresholds()


def rows(*made: samples.Made) -> list[FarmCertificate]:
    return [FarmCertificate(use=Use.SIGNING, certificate=e.seen, is_primary=i == 0) for i, e in enumerate(made)]


def days(found: list[object]) -> list[tuple[str, int]]:
    return [(event.kind.value, round((event.at - NOW) / DAY)) for event in found]  # type: ignore[attr-defined]


def test_what_ad_fs_will_do_about_a_certificate() -> None:
    """Successor 20 days before the end, promoted 5 later, critical 2 before."""
    found = events(rows(samples.signing(100)), Properties())
    assert days(list(found)) == [("generation", 80), ("promotion", 85), ("critical", 98)]


def test_what_ad_fs_will_do_once_there_is_a_successor() -> None:
    """Its own beginning counts."""
    found = events(rows(samples.signing(17), samples.signing(362, begins=-3, key=4)), Properties())
    assert days(list(found)) == [("promotion", 2), ("critical", 15)]


def test_the_farms_own_thresholds_count() -> None:
    """Not the defaults."""
    own = Properties(generation_threshold_days=60, promotion_threshold_days=30, critical_threshold_days=10)
    assert days(list(events(rows(samples.signing(100)), own))) == [("generation", 40), ("promotion", 70), ("critical", 90)]


def test_nothing_happens_by_itself_where_it_is_off() -> None:
    """Nor where it is not clear which certificate is the primary."""
    assert events(rows(samples.signing(100)), Properties(auto_rollover=False)) == []
    assert events([replace(each, is_primary=False) for each in rows(samples.signing(100))], Properties()) == []


def full() -> Farm:
    """A certificate of every group, and two that need care."""
    farm = samples.farm(sign_with=(samples.signing(40), samples.signing(-20, key=8)), ssl=samples.tls(60), nodes=6)
    trust = StoredCertificate(certificate=samples.make("ADFS ProxyTrust - WAP1", -5, 9).seen, key=KeyAccess.READABLE)
    proxy = replace(farm.proxies[0], stored=(*farm.proxies[0].stored, trust))
    given = samples.make("partner", -100, 20, issuer="CA", key=6).seen
    trust_of_partner = RelyingParty(name="Wiki", identifiers=("urn:wiki",), certificates={TrustUse.REQUESTS: (given,)})
    off = replace(trust_of_partner, name="Old", enabled=False)
    return replace(farm, proxies=(proxy,), relying_parties=(trust_of_partner, off))


def test_lines_have_every_certificate_once_for_each_use() -> None:
    """With all of its hosts."""
    farm = full()
    lines = certificate_inventory(farm, samples.outside(farm))
    assert [line.group for line in lines] == sorted((line.group for line in lines), key=GROUPS.index)
    assert [(line.role, len(line.hosts)) for line in lines if line.group == Use.SIGNING] == [
        ("secondary", 6),
        ("primary", 6),
    ]
    assert EXTERNAL not in {line.group for line in lines}
    stranger = samples.make("elsewhere", key=6).seen
    outside = samples.outside(farm)
    served = (*outside.served[:-1], replace(outside.served[-1], tls=stranger))
    outside = replace(outside, served=served, certificates={**outside.certificates, stranger.thumbprint: stranger})
    (line,) = [line for line in certificate_inventory(farm, outside) if line.group == EXTERNAL]
    assert line.hosts == ("TLS of fs.example.com",)


def test_states_of_lines() -> None:
    """Managed ones are good until AD FS is late; the others go by the thresholds."""
    states = {
        (line.group, line.role): status_of(line, LIMITS, NOW)
        for line in certificate_inventory(full(), samples.outside(full()))
    }
    assert states[Use.SIGNING.value, "primary"] == "pass"
    assert states[Use.SIGNING.value, "secondary"] == "warn"
    assert states[Use.SERVICE.value, ""] == "warn"
    assert states[PROXY_TRUST, ""] == "pass"
    assert states[TrustUse.REQUESTS.value, ""] == "warn"


@pytest.mark.parametrize(("end", "expected"), [(18.0, "warn"), (1.0, "fail"), (-1.0, "fail"), (30.0, "pass")])
def test_a_managed_line_that_is_late(end: float, expected: str) -> None:
    """As `check` says it."""
    (line,) = [
        e for e in certificate_inventory(samples.farm(sign_with=(samples.signing(end),)), None) if e.group == Use.SIGNING
    ]
    assert status_of(line, LIMITS, NOW) == expected


# -- the page


def page() -> str:
    return timeline_page(full(), samples.outside(full()), LIMITS, NOW)


def test_the_page_is_the_same_for_the_same_input() -> None:
    """Byte for byte: it can be kept in version control."""
    assert page() == page()


def test_the_page_says_what_it_judges() -> None:
    """Ends and nothing else: a certificate that is in time may be self-signed, or lack its key."""
    lines = certificate_inventory(full(), samples.outside(full()))
    warned = sum(status_of(line, LIMITS, NOW) == "warn" for line in lines)
    assert warned
    counts = f"in time: {len(lines) - warned}, warning: {warned}"
    assert f"{len(lines)} certificates. By expiry date alone: {counts}. For other problems" in page()
    assert ">good<" not in page()


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """No script, no link out, and a policy that would stop both."""
    text = page()
    parsed = html.fromstring(text)
    assert not parsed.xpath("//script | //link | //img | //iframe | //object | //@onclick")
    assert parsed.xpath("//@href") == ["#table"]
    assert "url(" not in text
    assert "default-src 'none'" in text


def test_every_picture_has_words_and_a_row_in_the_table() -> None:
    """Titles, descriptions, unique ids; as many rows as pictures."""
    parsed = html.fromstring(page())
    pictures = parsed.xpath("//svg[@role='img']")
    lines = certificate_inventory(full(), samples.outside(full()))
    assert len(pictures) == len(parsed.xpath("//tbody/tr")) == len(lines)
    ids = parsed.xpath("//@id")
    assert len(ids) == len(set(ids))
    for picture in pictures:
        title, description = picture.get("aria-labelledby").split()
        assert parsed.get_element_by_id(title).text
        assert parsed.get_element_by_id(description).text
    for line in lines:
        assert parsed.xpath(f"//td[text()='{line.certificate.thumbprint}']")


def test_marks_are_where_their_days_are() -> None:
    """Positions are percentages of the time that is shown."""
    lines = certificate_inventory(full(), None)
    scale = TimeScale.around(NOW, [line.certificate.left(0) for line in lines])
    primary = next(line for line in lines if line.role == "primary" and line.group == Use.SIGNING)
    assert {event.kind for event in primary.events} == set(EventKind)
    for event in primary.events:
        assert f'<svg x="{scale.place(event.at):.2f}%"' in page()
    assert scale.place(NOW) == pytest.approx((NOW - scale.begin) / (scale.end - scale.begin) * 100)
    assert scale.place(scale.begin - 1) == 0
    assert scale.place(scale.end + 1) == 100


def test_the_page_is_well_formed_and_has_both_schemes() -> None:
    """The SVG parts as XML; light and dark."""
    text = page()
    for svg in re.findall(r'<svg class="strip".*?</svg>(?=<p)', text, re.DOTALL):
        etree.fromstring(svg)
    assert "prefers-color-scheme: dark" in text
    assert 'lang="en"' in text
    assert "width=device-width" in text


def test_a_farm_of_which_nothing_is_known() -> None:
    """A page all the same."""
    text = timeline_page(
        Farm(name="x", read_at=NOW, properties=Properties(), nodes=(), error="not asked"), None, LIMITS, NOW
    )
    assert "No certificate of this farm could be read." in text


@given(
    st.text(max_size=20),
    st.text(max_size=20),
    st.floats(-1e12, 1e12),
    st.floats(-1e12, 1e12),
    st.text(max_size=10),
)
def test_whatever_is_in_a_certificate_is_text(subject: str, host: str, begin: float, end: float, name: str) -> None:
    """No name of a hostile certificate becomes markup, no time stops the drawing."""
    hostile = Certificate(thumbprint="A" * 40, subject=f"CN=<script>{subject}", issuer="x", not_before=begin, not_after=end)
    farm = samples.farm(nodes=1, proxies=0)
    row = FarmCertificate(use=Use.SIGNING, certificate=hostile, is_primary=True)
    node = replace(farm.nodes[0], host=f"<b>{host}", certificates=(row,))
    text = timeline_page(replace(farm, name=f"<i>{name}", nodes=(node,)), None, LIMITS, NOW)
    assert "<script" not in text
    assert "<b>" not in text
    assert "<i>" not in text


def test_partners_certificates_have_the_names_of_their_trusts() -> None:
    """Of those that are on."""
    (line,) = [line for line in certificate_inventory(full(), None) if line.group == TrustUse.REQUESTS]
    assert line.hosts == ("Wiki",)
