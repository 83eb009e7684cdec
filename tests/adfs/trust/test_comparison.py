"""Entra ID against the farm."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from adfs_mgmt.farm import ExternalView, Farm, FarmCertificate, Node, Properties, Served, SyncRole, Use
from adfs_mgmt.farm.model import RelyingParty
from adfs_mgmt.trust import Configuration, EntraTrust, FederatedDomain, Slot
from adfs_mgmt.trust.comparison import ISSUER_RULE, FarmKeys, compare_trust, keys_of_farm, keys_of_outside
from adfs_mgmt.trust.model import Authentication, UpdateStatus
from certs import Certificate
from findings import Status
from tests.adfs.trust.conftest import DAY, FEDERATION, signing

NOW = time.time()


def _trust(*certificates: Certificate, **more: object) -> EntraTrust:
    base = f"https://{FEDERATION}/adfs"
    configuration = Configuration(
        id="1",
        issuer_uri="urn:x",
        passive_sign_in_uri=f"{base}/ls/",
        active_sign_in_uri=f"{base}/services/trust/2005/usernamemixed",
        metadata_exchange_uri=f"{base}/services/trust/mex",
        certificates=dict(zip(Slot, certificates, strict=False)),
    )
    configuration = replace(configuration, **more)  # type: ignore[arg-type]
    domain = FederatedDomain(name="example.com", authentication=Authentication.FEDERATED, configuration=configuration)
    return EntraTrust(tenant="t", read_at=NOW, domains=(domain,))


def _keys(live: Certificate | None, *coming: Certificate) -> FarmKeys:
    return FarmKeys(federation_name=FEDERATION, live=live, coming=coming, knows_microsoft=True)


def _found(trust: EntraTrust, keys: FarmKeys) -> list[tuple[Status, str]]:
    return [(finding.status, finding.seen) for finding in compare_trust(trust, keys, NOW)]


def test_all_is_well(live: Certificate) -> None:
    """A domain that knows what signs has one line, and it is green."""
    assert _found(_trust(live), _keys(live)) == [("pass", "Entra ID has the farm's token-signing certificate")]


def test_an_unknown_live_key_is_a_failure(live: Certificate) -> None:
    """Nobody can sign in."""
    status, text = _found(_trust(signing("x")), _keys(live))[0]
    assert status == "fail"
    assert live.thumbprint in text


def test_a_successor_that_entra_does_not_know(live: Certificate, coming: Certificate) -> None:
    """A warning before the promotion; a predecessor that is still served is none."""
    assert any("successor" in text for _, text in _found(_trust(live), _keys(live, coming)))
    assert not any("successor" in text for _, text in _found(_trust(coming), _keys(coming, live)))


def test_a_stranger_in_the_trust(live: Certificate) -> None:
    """A certificate that the farm does not have is the mark of a break-in, and named."""
    stranger = signing("evil")
    assert any(
        stranger.thumbprint in text for status, text in _found(_trust(live, stranger), _keys(live)) if status == "warn"
    )


def test_an_end_without_successor() -> None:
    """A live certificate that ends in days with nothing beside it is a warning; one that has ended a failure."""
    ending, ended = signing(ends=5 * DAY), signing(begins=-20 * DAY, ends=-DAY)
    assert any("expires in 5 days" in text for _, text in _found(_trust(ending), _keys(ending)))
    assert any("has expired" in text for status, text in _found(_trust(ended), _keys(ended)) if status == "fail")


def test_addresses_of_another_farm(live: Certificate) -> None:
    """An active endpoint that leads elsewhere is named."""
    trust = _trust(live, active_sign_in_uri=f"https://{FEDERATION}.evil.example/adfs/")
    assert any("activeSignInUri" in text for _, text in _found(trust, _keys(live)))


@pytest.mark.parametrize(
    ("farm", "written", "good"),
    [
        (443, "", True),
        (443, ":443", True),
        (443, ":444", False),
        (444, ":444", True),
        (444, "", False),
        (None, ":444", True),
        (None, "", True),
    ],
)
def test_the_port_of_the_addresses(live: Certificate, farm: int | None, written: str, good: bool) -> None:
    """Of a farm on another port than 443 they have it, and that is no fault; from outside it is not known."""
    base = f"https://{FEDERATION}{written}/adfs"
    addresses = {"passive_sign_in_uri": f"{base}/ls/", "active_sign_in_uri": f"{base}/services/trust/2005/usernamemixed"}
    found = _found(_trust(live, **addresses, metadata_exchange_uri=""), replace(_keys(live), port=farm))
    assert [status for status, _ in found] == (["pass"] if good else ["warn", "warn"])


def test_entras_own_update_is_explained(live: Certificate) -> None:
    """A failed update of Entra ID's own is a warning in words."""
    trust = _trust(live, update=UpdateStatus(result="notFound", at=NOW))
    assert any("(404)" in text for _, text in _found(trust, _keys(live)))
    assert _found(_trust(live, update=UpdateStatus(result="Success", at=NOW)), _keys(live))[0][0] == "pass"


def test_no_domain_and_no_key(live: Certificate) -> None:
    """A farm that no domain knows, and one whose live key is unknown, are said to be so."""
    empty = EntraTrust(tenant="t", read_at=NOW, domains=())
    assert "no domain" in _found(empty, _keys(live))[0][1]
    assert "not known" in _found(_trust(live), _keys(None))[0][1]
    without = FarmKeys(federation_name=FEDERATION, live=live, knows_microsoft=False)
    assert compare_trust(_trust(live), without, NOW)[0].status == "fail"


def test_a_domain_that_could_not_be_read(live: Certificate) -> None:
    """It is a failure, not left out."""
    broken = FederatedDomain(name="b.example", authentication=Authentication.FEDERATED, error="Graph answered 500")
    trust = EntraTrust(tenant="t", read_at=NOW, domains=(broken,))
    assert "Graph answered 500" in _found(trust, _keys(live))[0][1]


def _node(*rows: FarmCertificate) -> Node:
    return Node(host="adfs1", role=SyncRole.PRIMARY, certificates=rows)


def _row(certificate: Certificate, *, primary: bool, use: Use = Use.SIGNING) -> FarmCertificate:
    return FarmCertificate(use=use, certificate=certificate, is_primary=primary)


def test_keys_out_of_the_primary(live: Certificate, coming: Certificate) -> None:
    """Only token-signing counts, and the relying party is found in any case."""
    node = _node(_row(live, primary=True), _row(coming, primary=False), _row(signing("d"), primary=True, use=Use.DECRYPTING))
    party = RelyingParty(name="Office", identifiers=("URN:federation:MicrosoftOnline",))
    farm = Farm(
        name="f", read_at=0, properties=Properties(federation_name=FEDERATION), nodes=(node,), relying_parties=(party,)
    )
    assert keys_of_farm(farm) == replace(
        FarmKeys(federation_name=FEDERATION, live=live, coming=(coming,), knows_microsoft=True), rules="", port=443
    )
    assert keys_of_farm(replace(farm, relying_parties=())).knows_microsoft is False
    assert keys_of_farm(replace(farm, nodes=())).live is None


@pytest.mark.parametrize("second", ["live", "coming", ""])
def test_keys_out_of_the_metadata(live: Certificate, coming: Certificate, second: str) -> None:
    """What signs the document signs tokens; hosts that disagree mean that nobody knows."""
    names = {"live": live.thumbprint, "coming": coming.thumbprint, "": ""}
    both = (coming.thumbprint, live.thumbprint)
    served = (
        Served(host="a", port=443, signing=both, signed_by=live.thumbprint),
        Served(host="b", port=443, signing=both, signed_by=names[second]),
    )
    outside = ExternalView(
        federation_name=FEDERATION, read_at=0, served=served, certificates={each.thumbprint: each for each in (live, coming)}
    )
    keys = keys_of_outside(outside)
    if second == "coming":
        assert keys.live is None
        assert set(keys.coming) == {live, coming}
    else:
        assert (keys.live, keys.coming) == (live, (coming,))


def test_a_signer_that_is_no_token_certificate(live: Certificate, coming: Certificate) -> None:
    """Whatever signed the document, it is not what signs tokens."""
    served = Served(host="a", port=443, signing=(coming.thumbprint,), signed_by=live.thumbprint)
    seen = {row.thumbprint: row for row in (live, coming)}
    keys = keys_of_outside(ExternalView(federation_name=FEDERATION, read_at=0, served=(served,), certificates=seen))
    assert (keys.live, keys.coming) == (None, (coming,))


def test_an_end_with_another_certificate_beside_it(coming: Certificate) -> None:
    """Entra ID knows a second one: no warning of the end."""
    ending = signing(ends=5 * DAY)
    assert not any("has no other" in text for _, text in _found(_trust(ending, coming), _keys(ending, coming)))


OWN = "http://sts.old.example/adfs/services/trust"
STATIC = (
    'c:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarysid"] => '
    'issue(Type = "http://schemas.microsoft.com/ws/2008/06/identity/claims/issuerid", Value = "http://one/trust/");'
)


@pytest.mark.parametrize(
    ("rules", "issued"),
    [
        (None, ""),
        ("", OWN),
        ('c:[Type == "http://schemas.xmlsoap.org/claims/UPN"] => issue(claim = c);', OWN),
        (ISSUER_RULE, "http://example.com/adfs/services/trust/"),
        (STATIC, "http://one/trust/"),
        (STATIC + ISSUER_RULE, "http://example.com/adfs/services/trust/"),
        (ISSUER_RULE.replace("${domain}", "$1"), ""),
    ],
    ids=["not read", "none", "of another claim", "by domain", "fixed", "both", "of another kind"],
)
def test_which_issuer_a_farm_writes(rules: str | None, issued: str) -> None:
    """Its Identifier, unless a claim rule of the relying party says otherwise."""
    assert replace(_keys(None), identifier=OWN, rules=rules).issuer_for("example.com") == issued


CONNECT = (
    'c1:[Type == "http://schemas.xmlsoap.org/claims/UPN"] && '
    'c2:[Type == "http://schemas.microsoft.com/ws/2012/01/accounttype", Value == "User"] => '
    'issue(Type = "http://schemas.microsoft.com/ws/2008/06/identity/claims/issuerid", Value = regexreplace(c1.Value, '
    r'"(?i)(^([^@]+)@)(?<domain>(example\.com|b\.example))$", "http://${domain}/adfs/services/trust/"));'
)
"""As Entra Connect writes it (Microsoft's *Multiple domain support for federating with Microsoft Entra ID*)."""


@pytest.mark.parametrize(
    ("domain", "issued"),
    [
        ("example.com", "http://example.com/adfs/services/trust/"),
        ("B.example", "http://B.example/adfs/services/trust/"),
        ("c.example", ""),
    ],
)
def test_a_rule_that_lists_domains(domain: str, issued: str) -> None:
    """One that it does not list gets none of its issuers, not even the fixed one of another rule."""
    assert replace(_keys(None), identifier=OWN, rules=CONNECT + STATIC).issuer_for(domain) == issued


@pytest.mark.parametrize(
    ("written", "rules", "status", "words"),
    [
        (OWN, "", "pass", "Entra ID has the farm"),
        (OWN + "/", "", "fail", "only the trailing slash differs"),
        (f"http://{FEDERATION}/adfs/services/trust", "", "fail", f"the farm issues {OWN}: no user can sign in"),
        ("http://example.com/adfs/services/trust/", ISSUER_RULE, "pass", "Entra ID has the farm"),
        ("http://example.com/adfs/services/trust", ISSUER_RULE, "fail", "only the trailing slash differs"),
        (OWN, ISSUER_RULE, "fail", "the farm issues http://example.com/adfs/services/trust/"),
        (
            OWN,
            ISSUER_RULE.replace("${domain}", "$1"),
            "warn",
            "the issuer that the farm's claim rule sets cannot be determined",
        ),
        (OWN, None, "pass", "Entra ID has the farm"),
        ("http://example.com/adfs/services/trust/", None, "pass", "Entra ID has the farm"),
        ("urn:x", None, "warn", "neither the farm's identifier"),
    ],
)
def test_the_issuer(live: Certificate, written: str, rules: str | None, status: Status, words: str) -> None:
    """Entra ID compares it letter by letter; from outside only what cannot be right is told."""
    keys = replace(_keys(live), identifier=OWN, rules=rules)
    ((found, text),) = _found(_trust(live, issuer_uri=written), keys)
    assert (found, words in text) == (status, True), text


def test_several_domains_without_the_claim_rule(live: Certificate) -> None:
    """One of them can have the farm's identifier; the remedy for the other is the rule itself."""
    trust = _trust(live, issuer_uri=OWN)
    other = replace(trust.domains[0], name="example.org")
    assert other.configuration is not None
    other = replace(other, configuration=replace(other.configuration, issuer_uri="http://example.org/adfs/services/trust/"))
    keys = replace(_keys(live), identifier=OWN, rules="")
    found = compare_trust(replace(trust, domains=(*trust.domains, other)), keys, NOW)
    assert [(row.status, row.where) for row in found] == [("pass", "example.com"), ("fail", "example.org")]
    assert ISSUER_RULE in found[1].remedy


def test_one_issuer_for_several_domains(live: Certificate) -> None:
    """A fixed one can be right for one of them: the remedy is the rule, which no change at Entra ID replaces."""
    trust = _trust(live, issuer_uri="http://one/trust/")
    other = replace(trust.domains[0], name="example.org")
    assert other.configuration is not None
    other = replace(other, configuration=replace(other.configuration, issuer_uri="http://example.org/adfs/services/trust/"))
    keys = replace(_keys(live), identifier=OWN, rules=STATIC)
    found = compare_trust(replace(trust, domains=(*trust.domains, other)), keys, NOW)
    assert ISSUER_RULE in found[1].remedy
    alone = compare_trust(replace(trust, domains=(other,)), keys, NOW)
    assert "isthmus adfs trust issuer" in alone[0].remedy


def test_where_the_issuer_is_read(live: Certificate) -> None:
    """Over WinRM the Identifier and the rules of an enabled relying party; from outside the metadata's entity id."""
    office = RelyingParty(name="x", identifiers=("urn:federation:MicrosoftOnline",), rules=ISSUER_RULE)
    rows = (FarmCertificate(use=Use.SIGNING, certificate=live, is_primary=True),)
    node = Node(host="n1", role=SyncRole.PRIMARY, certificates=rows)
    farm = Farm(name="f", read_at=NOW, properties=Properties(identifier=OWN), nodes=(node,), relying_parties=(office,))
    assert keys_of_farm(farm).issuer_for("a.example") == "http://a.example/adfs/services/trust/"
    assert keys_of_farm(replace(farm, relying_parties=(replace(office, enabled=False),))).rules is None
    assert keys_of_farm(replace(farm, properties=Properties(https_port=444))).port == 444
    served = Served(host="n1", port=443, signing=(live.thumbprint,), signed_by=live.thumbprint, entity_id=OWN)
    outside = ExternalView(federation_name="f", read_at=NOW, served=(served,), certificates={live.thumbprint: live})
    assert (keys_of_outside(outside).identifier, keys_of_outside(outside).rules) == (OWN, None)
