"""Judgement: every check passes on a farm in which all is well, and each fault is the one thing that is named."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adfs_mgmt.farm import (
    Binding,
    ExternalView,
    Farm,
    FarmCertificate,
    KeyAccess,
    Properties,
    PublishedApplication,
    Served,
    StoredCertificate,
    SyncRole,
    Use,
)
from adfs_mgmt.farm.model import Endpoint
from adfs_mgmt.health.checks import check_farm
from adfs_mgmt.health.settings import Thresholds
from adfs_mgmt.trust import Configuration, EntraTrust, FederatedDomain, Slot
from adfs_mgmt.trust.model import Authentication
from findings import Finding, worst
from tests.adfs.farm import samples
from tests.adfs.farm.samples import DAY, NOW

LIMITS = Thresholds()


def wrong(farm: Farm, outside: ExternalView | None = None, now: float = NOW) -> list[tuple[str, str, str]]:
    """What does not pass: name, first label of where, status."""
    return [
        (each.name, each.where.partition(".")[0], each.status)
        for each in check_farm(farm, outside, LIMITS, now)
        if each.status != "pass"
    ]


def node(farm: Farm, number: int = 1, **changes: Any) -> Farm:
    nodes = list(farm.nodes)
    nodes[number] = replace(nodes[number], **changes)
    return replace(farm, nodes=tuple(nodes))


def proxy(farm: Farm, **changes: Any) -> Farm:
    return replace(farm, proxies=(replace(farm.proxies[0], **changes), *farm.proxies[1:]))


def properties(farm: Farm, **changes: Any) -> Farm:
    return replace(farm, properties=replace(farm.properties, **changes))


def stored(farm: Farm, **changes: Any) -> tuple[StoredCertificate, ...]:
    return tuple(replace(row, **changes) for row in farm.nodes[1].stored)


def test_a_farm_in_which_all_is_well() -> None:
    """Every check is there, and passes."""
    farm = samples.farm()
    checks = check_farm(farm, samples.outside(farm), LIMITS, NOW, (), samples.sign_ins(farm))
    assert worst(checks) == "pass", [each for each in checks if each.status != "pass"]
    assert {
        "token-signing", "token-decrypting", "primary", "behaviour-level", "limits", "auditing", "extranet-lockout",
        "endpoints", "reading", "service", "database", "clock", "sync", "ssl-binding", "ssl-certificate",
        "service-communications", "service-communications-key", "proxy-trust", "proxy-health", "name", "tls", "metadata",
        "probe", "speed", "inconsistencies", "service-principal-name", "synthetic-token",
    } == {each.name for each in checks}  # fmt: skip


FARM = samples.farm()
BOUND = FARM.proxies[0].bindings[0].thumbprint
OTHER_NODE_TLS = samples.tls(250, key=7).seen
OTHER_TLS = samples.tls(200, names=("other.example.com",), key=8)
FAULTS: dict[str, tuple[Callable[[], Farm], tuple[str, str, str]]] = {
    "a node that is not reached": (
        lambda: node(FARM, windows="", certificates=(), bindings=(), stored=(), error="no route"),
        ("reading", "sts2", "fail"),
    ),
    "a service that is stopped": (lambda: node(FARM, service_running=False), ("service", "sts2", "fail")),
    "no service": (lambda: node(FARM, service_running=False, service_account=""), ("service", "sts2", "fail")),
    "a database that is stopped": (lambda: node(FARM, wid_running=False), ("database", "sts2", "fail")),
    "a database on SQL Server that is not reached": (
        lambda: node(properties(FARM, sql=True), wid_running=None, certificates=(), error="Get-AdfsCertificate: timeout"),
        ("database", "sts2", "fail"),
    ),
    "no binding at all": (lambda: node(FARM, bindings=()), ("ssl-binding", "sts2", "fail")),
    "a proxy without a binding": (lambda: proxy(FARM, bindings=()), ("ssl-binding", "wap1", "fail")),
    "a proxy with a binding for another name": (
        lambda: proxy(FARM, bindings=(replace(FARM.proxies[0].bindings[0], host_name="app.example.com"),)),
        ("ssl-binding", "wap1", "fail"),
    ),
    "a wrong clock of a proxy": (lambda: proxy(FARM, clock_skew=61.0), ("clock", "wap1", "warn")),
    "a node with another SSL certificate": (
        lambda: node(
            samples.farm(nodes=3),  # of two, either could be the odd one
            bindings=tuple(replace(row, thumbprint=OTHER_NODE_TLS.thumbprint) for row in FARM.nodes[1].bindings),
            stored=(*FARM.nodes[1].stored, StoredCertificate(certificate=OTHER_NODE_TLS, key=KeyAccess.READABLE)),
        ),
        ("inconsistency-bindings", "sts2", "warn"),
    ),
    "a wrong clock": (lambda: node(FARM, clock_skew=-90.0), ("clock", "sts2", "warn")),
    "a poll that failed": (lambda: node(FARM, last_sync_ok=False), ("sync", "sts2", "fail")),
    "a poll long ago": (lambda: node(FARM, last_sync=NOW - 1000), ("sync", "sts2", "warn")),
    "no poll ever": (lambda: node(FARM, last_sync=None), ("sync", "sts2", "warn")),
    "no primary": (lambda: node(FARM, 0, role=SyncRole.SECONDARY, last_sync=NOW), ("primary", "prod", "fail")),
    "auditing off": (lambda: properties(FARM, audit_level=("None",)), ("auditing", "prod", "warn")),
    "extranet lockout off": (lambda: properties(FARM, extranet_lockout=False), ("extranet-lockout", "prod", "warn")),
    "an old behaviour level": (lambda: properties(FARM, behaviour_level=3), ("behaviour-level", "prod", "warn")),
    "the certificate bound is in no store": (
        lambda: node(FARM, stored=(StoredCertificate(certificate=OTHER_TLS.seen, key=KeyAccess.READABLE),)),
        ("ssl-certificate", "sts2", "fail"),
    ),
    "no private key": (
        lambda: node(FARM, stored=stored(FARM, key=KeyAccess.NO_KEY)),
        ("ssl-certificate", "sts2", "fail"),
    ),
    "a key for signatures alone in a binding": (
        lambda: node(FARM, stored=stored(FARM, key_spec=2)),
        ("ssl-certificate", "sts2", "fail"),
    ),
    "a key for signatures alone for Service-Communications": (
        lambda: node(FARM, stored=stored(FARM, key_spec=2)),
        ("service-communications-key", "sts2", "fail"),
    ),
    "no right to the key of Service-Communications": (
        lambda: node(FARM, stored=stored(FARM, key=KeyAccess.NOT_GRANTED)),
        ("service-communications-key", "sts2", "fail"),
    ),
    "no binding for client certificates": (
        lambda: node(FARM, bindings=FARM.nodes[1].bindings[:1]),
        ("ssl-binding", "sts2", "warn"),
    ),
    "no binding for people": (lambda: node(FARM, bindings=FARM.nodes[1].bindings[1:]), ("ssl-binding", "sts2", "fail")),
    "a proxy whose service is stopped": (lambda: proxy(FARM, service_running=False), ("service", "wap1", "fail")),
    "a proxy whose trust is broken": (lambda: proxy(FARM, trust_ok=False), ("proxy-trust", "wap1", "fail")),
    "a proxy trust that ended": (lambda: proxy(FARM, trust_ends=NOW - 1), ("proxy-trust", "wap1", "fail")),
    "a proxy trust that is not renewed": (lambda: proxy(FARM, trust_ends=NOW + DAY), ("proxy-trust", "wap1", "warn")),
    "a sick component": (lambda: proxy(FARM, unhealthy=("AD FS: Error",)), ("proxy-health", "wap1", "fail")),
    "an application without its certificate": (
        lambda: proxy(
            FARM, applications=(PublishedApplication(name="HR", external_url="https://hr/", thumbprint="A" * 40),)
        ),
        ("application-certificate", "wap1", "fail"),
    ),
    "an application whose certificate has no key": (
        lambda: proxy(
            FARM,
            applications=(PublishedApplication(name="FS", external_url=f"https://{samples.NAME}/", thumbprint=BOUND),),
            bindings=(*FARM.proxies[0].bindings,),
            stored=(replace(FARM.proxies[0].stored[0], key=KeyAccess.NO_KEY),),
        ),
        ("application-certificate", "wap1", "fail"),
    ),
    "an endpoint that is off": (
        lambda: replace(FARM, endpoints=(Endpoint(path="/adfs/ls/", enabled=False, proxied=True),)),
        ("endpoints", "prod", "fail"),
    ),
    "an endpoint that proxies do not offer": (
        lambda: replace(FARM, endpoints=(Endpoint(path="/adfs/ls/", enabled=True, proxied=False),)),
        ("endpoints", "prod", "warn"),
    ),
    "an endpoint that is open to the internet": (
        lambda: replace(
            FARM,
            endpoints=(Endpoint(path="/adfs/services/trust/13/windowstransport", enabled=True, proxied=True),),
        ),
        ("endpoints", "prod", "fail"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named(fault: str) -> None:
    """By the check that is for it, on the host where it is; and it has a remedy."""
    make, expected = FAULTS[fault]
    assert expected in wrong(make())
    assert all(each.remedy for each in check_farm(make(), None, LIMITS, NOW) if each.status != "pass")


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        (samples.tls(-1), "fail"),
        (samples.tls(10), "fail"),
        (samples.tls(60), "warn"),
        (samples.tls(120), "pass"),
        (samples.make(samples.NAME, 5, 300, names=(samples.NAME,), issuer="CA"), "fail"),
        (samples.tls(200, names=("other.example.com",)), "fail"),
        (samples.tls(200, names=("*.example.com",)), "pass"),
        (samples.tls(200, issuer=""), "fail"),
        (samples.make(samples.NAME, -5, 300, names=(samples.NAME,), issuer="CA", server=False), "fail"),
    ],
    ids=["ended", "10 days", "60 days", "120 days", "not yet", "names", "wildcard", "self-signed", "usage"],
)
def test_ssl_certificates(tls: samples.Made, expected: str) -> None:
    """By end, names, usage and issuer, on nodes and proxies alike."""
    found = {
        each.where: each.status
        for each in check_farm(samples.farm(ssl=tls), None, LIMITS, NOW)
        if each.name == "ssl-certificate"
    }
    assert set(found.values()) == {expected}
    assert len(found) == 3


def test_a_row_without_a_certificate() -> None:
    """Nothing is bound there; of a row that nobody needs nothing is said."""
    rows = FARM.nodes[1].bindings
    assert wrong(node(FARM, bindings=(*rows, Binding(host_name="localhost", port=443, thumbprint="")))) == []
    bare = (replace(rows[0], thumbprint=""), *rows[1:])
    assert ("ssl-binding", "sts2", "fail") in wrong(node(FARM, bindings=bare))
    assert ("ssl-binding", "wap1", "fail") in wrong(proxy(FARM, bindings=bare))


def test_the_port_of_the_row_for_an_address() -> None:
    """The farm's, wherever we look at it from; from outside that of the settings."""
    for farm in (properties(FARM, https_port=444), replace(FARM, error="not read")):
        seen = samples.outside(FARM)
        seen = replace(seen, served=(replace(seen.served[0], port=445, unnamed=""),))
        (row,) = [row for row in check_farm(farm, seen, LIMITS, NOW) if row.name == "tls-without-name"]
        assert f"ipport=0.0.0.0:{445 if farm.error else 444} " in row.remedy


# -- token certificates


def token(*sign_with: samples.Made, auto: bool, now: float = NOW) -> Finding:
    farm = properties(samples.farm(sign_with=sign_with), auto_rollover=auto)
    return next(each for each in check_farm(farm, None, LIMITS, now) if each.name == "token-signing")


@pytest.mark.parametrize(("days", "expected"), [(200, "pass"), (31, "pass"), (29, "warn"), (6, "fail"), (-1, "fail")])
def test_a_token_certificate_that_nobody_looks_after(days: float, expected: str) -> None:
    """AutoCertificateRollover is off: by its end alone."""
    assert token(samples.signing(days), auto=False).status == expected


@pytest.mark.parametrize(("days", "expected"), [(31, "pass"), (21, "pass"), (19.5, "pass"), (18, "warn"), (5, "fail")])
def test_a_token_certificate_that_ad_fs_looks_after(days: float, expected: str) -> None:
    """No alarm, unless AD FS is late with a successor: a day and a half."""
    assert token(samples.signing(days), auto=True).status == expected


def test_a_successor_in_time_is_no_alarm() -> None:
    """Made on the day, to be promoted in two: the old one's end does not matter."""
    check = token(samples.signing(17), samples.signing(362, begins=-3, key=4), auto=True)
    assert check.status == "pass"
    assert "promotes the successor" in check.seen
    assert "in 2 days" in check.seen


def test_a_successor_that_is_not_promoted_is_an_alarm() -> None:
    """A failure from a week before the end."""
    successor = samples.signing(350, begins=-10, key=4)
    assert token(samples.signing(10), successor, auto=True).status == "warn"
    assert token(samples.signing(6), successor, auto=True).status == "fail"


def test_the_critical_threshold_is_an_alarm() -> None:
    """AD FS then acts without asking partners."""
    check = token(samples.signing(1.5), samples.signing(350, begins=-1, key=4), auto=True)
    assert check.status == "fail"
    assert "critical" in check.seen


def test_an_ended_certificate_has_one_remedy() -> None:
    """From inside, from outside and for Entra ID the same: an emergency, which has no way back, is for stolen keys."""
    ended = samples.signing(-1, key=6)
    farm = samples.farm(sign_with=(ended,))
    outside = samples.outside(farm)
    alone = Farm(name="prod", read_at=NOW, properties=Properties(), nodes=(), error="not queried over WinRM")
    found = [*check_farm(farm, outside, LIMITS, NOW, [entra(ended)]), *check_farm(alone, outside, LIMITS, NOW)]
    remedies = [each.remedy for each in found if each.status == "fail" and re.search("ended|expired", each.seen)]
    assert len(remedies) == 3
    assert all("isthmus adfs rollover plan" in remedy and "emergency" not in remedy for remedy in remedies)


def test_own_thresholds_of_a_farm_are_kept() -> None:
    """One that makes successors 40 days before is late at 35."""
    farm = properties(samples.farm(sign_with=(samples.signing(35),)), generation_threshold_days=40)
    assert ("token-signing", "prod", "warn") in wrong(farm)


def test_a_waiting_successor_is_the_remedy() -> None:
    """Where nobody promotes by itself."""
    successor = samples.signing(350, key=4)
    assert successor.seen.thumbprint[:12] in token(samples.signing(20), successor, auto=False).remedy


def test_an_ended_decrypting_certificate_says_what_it_breaks() -> None:
    """The service will not start again."""
    farm = samples.farm()
    ended = FarmCertificate(use=Use.DECRYPTING, certificate=samples.decrypting(-1, key=9).seen, is_primary=True)
    rows = tuple(ended if row.use is Use.DECRYPTING else row for row in farm.nodes[0].certificates)
    farm = replace(farm, nodes=tuple(replace(each, certificates=rows) for each in farm.nodes))
    check = next(each for each in check_farm(farm, None, LIMITS, NOW) if each.name == "token-decrypting")
    assert "will not start" in check.seen


def test_a_token_key_of_a_ca_has_to_be_on_every_node() -> None:
    """Those are not shared through the configuration; a CNG key is of no use."""
    issued = samples.make("Signing", -10, 300, issuer="CA", key=5)
    farm = samples.farm(sign_with=(issued,))
    assert ("token-signing-key", "sts2", "fail") in wrong(farm)
    here = StoredCertificate(certificate=issued.seen, key=KeyAccess.READABLE)
    with_key = replace(farm, nodes=tuple(replace(each, stored=(*each.stored, here)) for each in farm.nodes))
    assert wrong(with_key) == []
    refused = replace(here, key=KeyAccess.NOT_GRANTED)
    assert wrong(node(with_key, stored=(*farm.nodes[1].stored, refused))) == [("token-signing-key", "sts2", "fail")]
    signs = replace(here, key_spec=2)
    assert wrong(node(with_key, stored=(*farm.nodes[1].stored, signs))) == []
    cng = replace(here, cng=True)
    assert ("token-signing-key", "sts2", "fail") in wrong(node(with_key, stored=(*farm.nodes[1].stored, cng)))


def test_a_token_certificate_that_begins_later() -> None:
    """Tokens of it are refused until then."""
    check = token(samples.signing(200, begins=1), auto=True)
    assert (check.status, "valid from" in check.seen) == ("fail", True)


def test_a_secondary_with_a_slow_poll() -> None:
    """It may be as old as three of its polls."""
    slow = node(FARM, last_sync=NOW - 5000, poll_seconds=1800.0)
    assert wrong(slow) == []
    assert wrong(node(slow, last_sync=NOW - 5500)) == [("sync", "sts2", "warn")]


def test_what_was_not_read_is_no_fault() -> None:
    """Neither the store of devices nor that of the machine; a server that was read is not judged again from outside."""
    trust = StoredCertificate(certificate=samples.make("ADFS ProxyTrust - W").seen, key=KeyAccess.READABLE)
    settled = proxy(FARM, stored=(*FARM.proxies[0].stored, trust))
    assert wrong(node(settled, trusted_devices=None)) == []
    assert ("proxy-trust", "sts2", "fail") in wrong(node(settled, trusted_devices=frozenset()))
    assert "service-communications-key" not in {name for name, _, _ in wrong(node(FARM, stored=(), bindings=()))}
    found = check_farm(FARM, samples.outside(FARM), LIMITS, NOW)
    assert [row.where for row in found if row.name == "ssl-certificate"].count("sts1.example.com") == 1


def test_an_ended_secondary_may_go() -> None:
    """A warning, no more."""
    assert wrong(samples.farm(sign_with=(samples.signing(), samples.signing(-3, key=4)))) == [
        ("token-signing-secondary", "prod", "warn")
    ]


def test_no_primary_certificate() -> None:
    """Contradictory data is an alarm, not a guess."""
    farm = samples.farm()
    rows = tuple(replace(row, is_primary=False) for row in farm.nodes[0].certificates)
    farm = replace(farm, nodes=tuple(replace(each, certificates=rows) for each in farm.nodes))
    assert ("token-signing", "prod", "fail") in wrong(farm)


# -- from outside alone


def alone(outside: ExternalView, now: float = NOW) -> list[tuple[str, str, str]]:
    farm = Farm(name="prod", read_at=now, properties=Properties(), nodes=(), error="not queried over WinRM")
    return wrong(farm, outside, now)


def served(outside: ExternalView, host: str = "sts2.example.com", **changes: Any) -> ExternalView:
    return replace(outside, served=tuple(replace(e, **changes) if e.host == host else e for e in outside.served))


def test_from_outside_alone() -> None:
    """All is well, without a credential."""
    assert alone(samples.outside(samples.farm())) == []


def test_ends_are_seen_from_outside() -> None:
    """Of what signs the metadata, and of TLS; a published successor calms down."""
    farm = samples.farm(sign_with=(samples.signing(25),), ssl=samples.tls(60), proxies=0, nodes=1)
    assert ("token-signing", "fs", "warn") in alone(samples.outside(farm))
    assert ("ssl-certificate", "sts1", "warn") in alone(samples.outside(farm))
    rolling = samples.farm(sign_with=(samples.signing(25), samples.signing(360, begins=-5, key=4)))
    assert alone(samples.outside(rolling)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tls_problem": "certificate has expired"}, ("tls", "sts2", "fail")),
        ({"tls_problem": "unable to get local issuer certificate"}, ("tls", "sts2", "warn")),
        ({"tls": None, "errors": {"TLS": "refused"}}, ("tls", "sts2", "fail")),
        ({"signed_by": "", "errors": {"metadata": "it is not signed"}}, ("metadata", "sts2", "fail")),
        ({"signing": (), "encryption": (), "errors": {"metadata": "HTTP 503"}}, ("metadata", "sts2", "fail")),
        ({"probe_ok": False, "errors": {"probe": "HTTP 503"}}, ("probe", "sts2", "fail")),
        ({"milliseconds": 2000.0}, ("speed", "sts2", "warn")),
        ({"clock_skew": 300.0}, ("clock", "sts2", "warn")),
    ],
)
def test_faults_that_are_seen_from_outside(changes: dict[str, Any], expected: tuple[str, str, str]) -> None:
    """Each by its own check; what went wrong is said."""
    outside = served(samples.outside(samples.farm()), **changes)
    assert alone(outside) == [expected]


def test_a_proxy_that_is_congested() -> None:
    """Over 1,500 ms, as Microsoft's own proxies begin to refuse."""
    outside = samples.outside(samples.farm())
    assert alone(served(outside, "wap1.example.com", milliseconds=1500.0)) == []
    assert alone(served(outside, "wap1.example.com", milliseconds=1501.0)) == [("speed", "wap1", "warn")]


def test_what_could_not_be_read_is_not_missing() -> None:
    """Bindings of a host that has an error are not known."""
    farm = proxy(node(FARM, bindings=(), error="Get-AdfsSslCertificate: gone"), bindings=(), error="gone")
    assert {name for name, _, _ in wrong(farm)} == {"reading"}


def test_a_database_on_sql_server() -> None:
    """It is reached where the configuration is told."""
    farm = properties(FARM, sql=True)
    farm = replace(farm, nodes=tuple(replace(each, wid_running=None, role=SyncRole.PRIMARY) for each in farm.nodes))
    checks = [each for each in check_farm(farm, None, LIMITS, NOW) if each.name == "database"]
    assert [each.status for each in checks] == ["pass", "pass"]
    assert "SQL Server" in checks[0].seen


def test_a_name_that_is_an_alias() -> None:
    """It breaks Kerberos."""
    assert alone(replace(samples.outside(samples.farm()), canonical_name="lb.example.net")) == [("name", "fs", "warn")]


def test_contradictions_are_failures() -> None:
    """They are in the same list."""
    farm = samples.farm()
    assert wrong(farm, served(samples.outside(farm), signed_by="F" * 40)) == [("inconsistency-signer", "sts2", "fail")]


@given(
    st.lists(
        st.builds(
            Served,
            host=st.text(max_size=5),
            port=st.integers(),
            signing=st.tuples(st.text(max_size=3)),
            signed_by=st.sampled_from(["", samples.signing().seen.thumbprint]),
            errors=st.dictionaries(st.sampled_from(["TLS", "metadata", "probe"]), st.text(max_size=10)),
            clock_skew=st.none() | st.floats(allow_nan=False),
            milliseconds=st.floats(0, 1e9),
            tls=st.none() | st.builds(lambda end: replace(samples.tls().seen, not_after=end), st.floats(-1e18, 1e18)),
        ),
        max_size=4,
    )
)
def test_whatever_was_served_is_judged(views: list[Served]) -> None:
    """No answer of a hostile host stops the judgement of the others."""
    certificates = {samples.signing().seen.thumbprint: samples.signing().seen}
    outside = ExternalView(federation_name="fs.example.com", read_at=NOW, served=tuple(views), certificates=certificates)
    assert check_farm(samples.farm(), outside, LIMITS, NOW)


def entra(*known: samples.Made) -> EntraTrust:
    """A tenant with one domain, and what is in its slots."""
    slots = {slot: made.seen for slot, made in zip(Slot, known, strict=False)}
    address = f"https://{samples.NAME}/adfs/ls/"
    configuration = Configuration(id="1", issuer_uri="x", passive_sign_in_uri=address, certificates=slots)
    domain = FederatedDomain(name="example.com", authentication=Authentication.FEDERATED, configuration=configuration)
    return EntraTrust(tenant="contoso", read_at=NOW, domains=(domain,))


@pytest.mark.parametrize("known", [True, False])
def test_what_entra_id_knows_is_judged_too(known: bool) -> None:
    """It has to know what the farm signs with."""
    trust = entra(samples.signing() if known else samples.signing(9, key=9))
    checks = check_farm(FARM, samples.outside(FARM), LIMITS, NOW, [trust])
    found = [check for check in checks if check.name == "entra" and check.where == "example.com"]
    assert found
    assert any(check.status == "fail" for check in found) is not known
    assert all(check.remedy for check in checks if check.status != "pass")


@pytest.mark.parametrize(
    ("off", "expected"),
    [
        ("/adfs/services/trust/mex", 1),
        ("/adfs/services/trust/2005/UsernameMixed", 1),
        ("/adfs/services/trust/13/x", 0),
    ],
)
def test_endpoints_that_entra_id_sends_people_to(off: str, expected: int) -> None:
    """Off in AD FS, rich clients of that domain cannot sign in; another one may be off."""
    trust = entra(samples.signing())
    (domain,) = trust.domains
    assert domain.configuration is not None
    address = f"https://{samples.NAME}/adfs/services/trust"
    told = replace(
        domain.configuration,
        active_sign_in_uri=f"{address}/2005/usernamemixed?x=1",
        metadata_exchange_uri=f"{address}/mex/",
    )
    trust = replace(trust, domains=(replace(domain, configuration=told),))
    farm = replace(FARM, endpoints=(*FARM.endpoints, Endpoint(path=off, enabled=False, proxied=False)))
    found = [
        each
        for each in check_farm(farm, None, LIMITS, NOW, [trust])
        if each.seen.endswith("an endpoint that is disabled in AD FS")
    ]
    assert [(each.name, each.where, each.status) for each in found] == [("entra", "example.com", "fail")] * expected
