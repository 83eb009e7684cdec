"""What is not known (an end, a clock, a synchronisation) is never taken for a value: neither past, nor far, nor right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adfs_mgmt.farm import Farm, KeyAccess, StoredCertificate, SyncRole, Use
from adfs_mgmt.health import Thresholds, check_farm
from adfs_mgmt.health.inventory import CertificateEntry
from adfs_mgmt.health.rendering import end_text
from adfs_mgmt.health.timeline import status_of, timeline_page
from adfs_mgmt.procedures import checks, ssl, stores
from adfs_mgmt.procedures.observation import FarmObservation
from adfs_mgmt.procedures.request import first_end
from adfs_mgmt.procedures.server import Operation
from adfs_mgmt.procedures.view import FarmView, RolloverPolicy
from adfs_mgmt.trust import Configuration, EntraTrust, FederatedDomain, Slot, compare_trust, judge_partner
from adfs_mgmt.trust.comparison import FarmKeys
from adfs_mgmt.trust.model import Authentication
from adfs_mgmt.trust.slots import slot_for
from certs import Certificate, Partner, last_to_end
from findings import Finding
from foundation.procedures import Refused, blank
from foundation.saml import PartnerMetadata
from tests.adfs.deploy.cases import SSL
from tests.adfs.deploy.test_checks import found, stored
from tests.adfs.farm import samples
from tests.adfs.farm.samples import NOW

SIGNING = samples.signing().seen
UNKNOWN = Certificate(thumbprint="AB" * 20, subject="", issuer="", not_before=None, not_after=None)


def without_end(certificate: Certificate) -> Certificate:
    return replace(certificate, not_before=None, not_after=None, der=b"")


def farm_without_ends() -> Farm:
    made = samples.farm()
    return replace(
        made,
        nodes=tuple(
            replace(
                node,
                certificates=tuple(replace(row, certificate=without_end(row.certificate)) for row in node.certificates),
                stored=tuple(replace(row, certificate=without_end(row.certificate)) for row in node.stored),
            )
            for node in made.nodes
        ),
    )


def said(findings: list[Finding], name: str) -> list[tuple[str, str]]:
    return [(finding.status, finding.seen) for finding in findings if finding.name == name]


def test_a_certificate_whose_end_is_not_known() -> None:
    """It has not ended, does not outlast another, is not outlasted, and is the last to end only where it is alone."""
    assert not UNKNOWN.ended(9e9)
    assert UNKNOWN.begun(0)
    assert not UNKNOWN.outlasts(SIGNING)
    assert not SIGNING.outlasts(UNKNOWN)
    assert last_to_end([UNKNOWN, SIGNING]) is SIGNING
    assert last_to_end([UNKNOWN]) is UNKNOWN
    assert last_to_end([]) is None
    assert SIGNING.ended(SIGNING.not_after or 0)
    assert SIGNING.outlasts(samples.signing(100).seen)
    assert not SIGNING.outlasts(SIGNING)


def test_fitness_for_a_rollover() -> None:
    """Nobody says that it has expired; that its end is not known is said."""
    (text,) = checks.fit(UNKNOWN, Use.SIGNING, NOW)
    assert "is not known" in text
    assert "has expired" in checks.fit(replace(SIGNING, not_after=NOW - 1), Use.SIGNING, NOW)[0]


def test_the_trust_with_entra_id() -> None:
    """A warning of its own; no alarm that it has ended, and no successor by a guess."""
    configuration = Configuration(
        id="1", issuer_uri="u", passive_sign_in_uri="https://fs/", certificates={Slot.SIGNING: UNKNOWN}
    )
    domain = FederatedDomain(name="a.example", authentication=Authentication.FEDERATED, configuration=configuration)
    keys = FarmKeys(federation_name="fs", live=UNKNOWN, coming=(SIGNING,))
    found = compare_trust(EntraTrust(tenant="t", read_at=NOW, domains=(domain,)), keys, NOW)
    assert [text for status, text in said(found, "live-key")] == [
        f"the expiry date of {UNKNOWN.thumbprint}, which signs now, is not known"
    ]
    assert said(found, "successor") == []
    assert keys.successor is None
    both = {Slot.SIGNING: UNKNOWN, Slot.NEXT: SIGNING}
    assert slot_for("a", Configuration(id="1", issuer_uri="u", certificates=both), "CD" * 20, "CD" * 20) is Slot.NEXT


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (
            {"stored": (stored(not_after=None),)},
            f"fail SSL certificate: {SSL} cannot be read, so its expiry date is not known",
        ),
        ({"clock_skew": None}, "unknown clock: it did not return its time"),
    ],
)
def test_a_new_server(host: dict[str, object], words: str) -> None:
    """The preflight says what it does not know."""
    rows = [f"{finding.status} {finding.name}: {finding.seen}" for finding in found(Operation.NODE_ADD, host=host)]
    assert [row for row in rows if not row.startswith("pass")] == [words]


def test_whether_a_key_is_there_is_not_known_without_the_endpoint() -> None:
    """Neither refused nor vouched for."""
    (finding,) = [
        row for row in found(Operation.NODE_ADD, host={"stored": (stored(key=KeyAccess.UNKNOWN),)}) if row.status != "pass"
    ]
    assert (finding.status, finding.name) == ("unknown", "SSL certificate")
    assert "can only be checked through the JEA endpoint" in finding.seen


def test_a_partners_certificate() -> None:
    """Its end is said not to be known."""
    sight = PartnerMetadata(partner="Wiki", certificates=(UNKNOWN,))
    assert [warning.what for warning in judge_partner(Partner(name="Wiki"), sight, NOW)] == [
        f"the expiry date of its certificate {UNKNOWN.thumbprint} is not known"
    ]


def test_the_health_of_a_farm() -> None:
    """Warnings that say so, no alarm, nothing that passes; the page can be drawn."""
    farm = farm_without_ends()
    found = check_farm(farm, None, Thresholds(), NOW)
    for name in ("token-signing", "token-decrypting", "ssl-certificate", "service-communications"):
        rows = [(status, text) for status, text in said(found, name) if "wap" not in text]
        assert all(status == "warn" or "expires 20" in text for status, text in rows), rows
        assert any("expiry date unknown" in text for _, text in rows)
    assert "unknown" in timeline_page(farm, None, Thresholds(), NOW)
    for role in ("primary", "secondary", ""):
        entry = CertificateEntry(group="SSL", certificate=UNKNOWN, role=role, hosts=(), managed=False)
        assert status_of(entry, Thresholds(), NOW) == "warn"


def test_a_bound_certificate_that_cannot_be_read() -> None:
    """Nothing is said of its names and usage, which nobody knows."""
    made = samples.farm()
    (bound,) = {row.thumbprint for node in made.nodes for row in node.bindings}
    odd = StoredCertificate(certificate=replace(UNKNOWN, thumbprint=bound), key=KeyAccess.READABLE)
    farm = replace(made, nodes=tuple(replace(node, stored=(odd,)) for node in made.nodes))
    rows = [row for row in check_farm(farm, None, Thresholds(), NOW) if row.name == "ssl-certificate" and "sts" in row.where]
    assert {(row.status, row.seen) for row in rows} == {("warn", f"{bound[:12]}: expiry date unknown")}
    assert all("certlm.msc" in row.remedy for row in rows)


def test_the_first_second_of_1970_is_a_time() -> None:
    """A certificate of that end has ended; its end is not unknown."""
    assert "expired 1970-01-01" in end_text(replace(SIGNING, not_after=0.0), NOW)


def test_a_clock_that_is_not_told() -> None:
    """Not right, not wrong: a rollover does not start on it, and a check warns."""
    made = samples.farm()
    farm = replace(made, nodes=(replace(made.nodes[0], clock_skew=None), *made.nodes[1:]))
    assert ("warn", "it did not return its time") in said(check_farm(farm, None, Thresholds(), NOW), "clock")
    assert ["did not return its time" in text for text in checks.clocks(view(farm))] == [True]
    assert checks.clocks(view(made)) == []


def test_a_secondary_that_never_polled() -> None:
    """It is not said to have polled in 1970."""
    made = samples.farm()
    nodes = tuple(replace(node, last_sync=None) if node.role is SyncRole.SECONDARY else node for node in made.nodes)
    (text,) = checks.synchronised(view(replace(made, nodes=nodes)))
    assert "has never synchronised as far as is known" in text
    assert "minutes ago" not in text
    (row,) = said(check_farm(replace(made, nodes=nodes), None, Thresholds(), NOW), "sync")
    assert row == ("warn", "as far as is known, it has never polled sts1.example.com")


def test_a_new_server_whose_certificate_cannot_be_read() -> None:
    """Its usage and names are not known: nothing is said of them."""
    row = stored(not_after=None, server_auth=False, names=(), der=b"")
    seen = [finding.seen for finding in found(Operation.NODE_ADD, host={"stored": (row,)}) if finding.status != "pass"]
    assert seen == [f"{SSL} cannot be read, so its expiry date is not known"]


def test_keys_of_signing_and_decrypting() -> None:
    """One for signatures alone is refused where it has to decrypt, too; of a server that is away nothing is said."""
    node = samples.farm().nodes[0]
    row = replace(node.stored[0], key_spec=2)
    name, node = row.certificate.thumbprint, replace(node, stored=(row,))
    assert stores.unusable([node], name, Use.SIGNING) == []
    assert "KeySpec 2" in stores.unusable([node], name, Use.SIGNING, Use.DECRYPTING)[0]
    assert stores.unusable([replace(node, error="away", stored=())], name, Use.SIGNING) == []


def test_when_work_is_due() -> None:
    """Never by a guess."""
    with pytest.raises(Refused, match="is not known"):
        first_end("token", (Use.SIGNING,), FarmObservation(farm=farm_without_ends()))


def view(farm: Farm) -> FarmView[object]:

    policy = RolloverPolicy()
    record = blank(ssl.procedure(policy), "farm", ssl.SslState(new="", nodes={}, proxies={}, material=False), NOW)
    return FarmView(FarmObservation(farm=farm), record, NOW, policy)
