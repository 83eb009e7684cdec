"""What AD FS's administrators expect of health checks: each a fault of a simulated farm that is read and looked at whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from adfs_mgmt.farm import TestAccount, read_external_view, read_farm, sign_in
from adfs_mgmt.health.checks import check_farm
from adfs_mgmt.health.settings import Thresholds
from findings import Finding
from tests.adfs.farm.served import settings_of
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.shell import SimulatedShell
from tests.adfs.simulator.simulator import ManualClock, Simulator
from tests.adfs.simulator.state import SIGNING, ClaimsProvider, Configuration, Person, RelyingParty, SslBinding
from tests.adfs.simulator.x509 import Cert, build

NODE, OTHER, WAP, NAME = "adfs1.corp.example.com", "adfs2.corp.example.com", "wap1.dmz.corp.example.com", "fs.example.com"
USER, PASSWORD = "probe@example.com", "Pr0be-Passw0rd"
PARTNER = "Partner 9"
ANY = "0.0.0.0"  # noqa: S104 - a row of http.sys


async def checks(simulator: Simulator, thresholds: Thresholds) -> list[Finding]:
    """As `isthmus adfs check` makes them."""
    now = time.time()
    with Network(simulator) as network:
        settings = settings_of(simulator, network)
        outside = await read_external_view(settings, now)
        farm = await read_farm(SimulatedShell(simulator), settings, now, trust_stores=True)
        identifier = f"http://{NAME}/adfs/services/trust"
        tokens = await sign_in(settings, TestAccount(USER, PASSWORD), outside, identifier, now)
    return check_farm(farm, outside, thresholds, now, (), tokens)


def change(simulator: Simulator, what: Callable[[Configuration], None]) -> None:
    """The configuration of every node."""
    for host in simulator.world.nodes(simulator.world.farms[0]):
        assert host.node is not None
        what(host.node.configuration)


def set_properties(**properties: object) -> Callable[[Simulator], None]:
    return lambda simulator: change(simulator, lambda each: each.properties.update(properties))


def bind(simulator: Simulator, certificate: Cert, host: str = OTHER, **how: Any) -> None:
    """In place of what was bound there."""
    simulator.put(host, certificate, **how)
    rows = simulator[host].bindings
    simulator[host].bindings = [SslBinding(row.host_name, row.port, certificate.thumbprint) for row in rows]


def self_signed(simulator: Simulator) -> None:
    now = simulator.world.clock()
    bind(simulator, build(simulator.world.keys.take(), NAME, now - 60, now + 300 * 86400, names=[NAME]))


def end_trust(simulator: Simulator) -> None:
    proxy = simulator[WAP].proxy
    assert proxy is not None
    proxy.trust_ends = simulator.world.clock() - 1


def stop_all(simulator: Simulator) -> None:
    for host in (NODE, OTHER):
        simulator.stop_service(host)


def lose_key(simulator: Simulator) -> None:
    for entry in simulator[OTHER].store.values():
        entry.has_key = False


def lose_right(simulator: Simulator) -> None:
    signing = simulator.world.farms[0].shared.primary(SIGNING)
    assert signing is not None
    simulator[OTHER].store[signing.certificate.thumbprint].readers.clear()


def turn_off(simulator: Simulator) -> None:
    def off(configuration: Configuration) -> None:
        configuration.endpoints = [replace(row, enabled=row.path != "/adfs/ls/") for row in configuration.endpoints]

    change(simulator, off)


def unbind(host: str, names: tuple[str, ...] = ()) -> Callable[[Simulator], None]:
    def work(simulator: Simulator) -> None:
        simulator[host].bindings = [row for row in simulator[host].bindings if row.host_name in names]

    return work


def alter(host: str, name: str, **changes: Any) -> Callable[[Simulator], None]:
    """Rows of one name or address."""

    def work(simulator: Simulator) -> None:
        rows = simulator[host].bindings
        simulator[host].bindings = [replace(row, **changes) if row.host_name == name else row for row in rows]

    return work


def forget_unnamed(days: float) -> Callable[[Simulator], None]:
    """A renewal that left the row for clients without SNI as it was."""

    def work(simulator: Simulator) -> None:
        old = simulator.issue(NAME, days=days, starts_in_days=-90)
        simulator.put(OTHER, old)
        alter(OTHER, ANY, thumbprint=old.thumbprint)(simulator)

    return work


def give(kind: str, days: float, **trust: Any) -> Callable[[Simulator], None]:
    """A partner whose only certificate of one kind ends then."""

    def work(simulator: Simulator) -> None:
        given = simulator.issue("partner.example", days=days, starts_in_days=-300)
        several: Any = given if kind == "encryption" else (given,)

        def add(configuration: Configuration) -> None:
            if kind == "signing" or trust.get("local"):
                made = ClaimsProvider(name=PARTNER, identifier="urn:p", **{kind: several}, **trust)
                configuration.claims_providers = [*configuration.claims_providers, made]
            else:
                party = RelyingParty(name=PARTNER, identifiers=("urn:p",), **{kind: several}, **trust)
                configuration.relying_parties = [*configuration.relying_parties, party]

        change(simulator, add)

    return work


def estrange(minutes: float, host: str = OTHER) -> Callable[[Simulator], None]:
    """A node that has not got the certificate that a proxy has had for so long."""

    def work(simulator: Simulator) -> None:
        proxy, now = simulator[WAP].proxy, time.time()
        assert proxy is not None
        simulator[WAP].store.pop(proxy.trust.thumbprint)
        proxy.trust = build(simulator.world.keys.take(), "ADFS ProxyTrust - WAP1", now - minutes * 60, now + 14 * 86400)
        simulator.put(WAP, proxy.trust)
        simulator[host].strangers.add(WAP)

    return work


def misplace(host: str) -> Callable[[Simulator], None]:
    return lambda simulator: simulator[host].roots.extend([simulator.world.authority.certificate, simulator.issue("mid")])


def refuse(simulator: Simulator) -> None:
    simulator.world.people[USER].expired = True


@dataclass(frozen=True)
class Item:
    """A line of the list: how it comes about, and which check says so where."""

    check: str
    where: str
    status: str
    fault: Callable[[Simulator], object] = lambda _: None
    farm: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Thresholds = field(default_factory=Thresholds)


ITEMS = {
    "synthetic token": Item("synthetic-token", NODE, "fail", refuse),
    "service running": Item("service", OTHER, "fail", lambda s: s.stop_service(OTHER)),
    "database reachable": Item("database", OTHER, "fail", lambda s: s.stop_service(OTHER, "MSSQL$MICROSOFT##WID")),
    "proxy reaches the federation service": Item("proxy-trust", WAP, "fail", stop_all),
    "proxy passes on what it serves": Item("metadata", WAP, "fail", stop_all),
    "proxy trust valid": Item("proxy-trust", WAP, "fail", end_trust),
    "proxy component ill": Item("proxy-health", WAP, "fail", end_trust),
    "congestion": Item("speed", WAP, "warn", thresholds=Thresholds(slow_milliseconds=0.001)),
    "SSL expiring": Item("ssl-certificate", NODE, "warn", farm={"ssl_days": 60.0}),
    "SSL expiring on a proxy": Item("ssl-certificate", WAP, "warn", farm={"ssl_days": 60.0}),
    "SSL expired": Item("ssl-certificate", OTHER, "fail", farm={"ssl_days": -0.5}),
    "SSL self-signed": Item("ssl-certificate", OTHER, "fail", self_signed),
    "SSL missing": Item("ssl-certificate", OTHER, "fail", lambda s: s[OTHER].store.clear()),
    "SSL without a private key": Item("ssl-certificate", OTHER, "fail", lose_key),
    "SSL not bound": Item("ssl-binding", OTHER, "fail", unbind(OTHER)),
    "SSL bound to the wrong name": Item("ssl-binding", OTHER, "fail", unbind(OTHER, ("localhost",))),
    "SSL not bound on a proxy": Item("ssl-binding", WAP, "fail", unbind(WAP)),
    "SSL without the proxies' store": Item("ssl-binding", OTHER, "fail", alter(OTHER, NAME, ctl_store="")),
    "SSL without the proxies' store, no proxies": Item(
        "ssl-binding", OTHER, "warn", alter(OTHER, NAME, ctl_store=""), farm={"proxies": 0}
    ),
    "SSL of a proxy without a store": Item("ssl-binding", WAP, "warn", alter(WAP, NAME, ctl_store="ClientAuthIssuer")),
    "no SSL for clients without SNI": Item("tls-without-name", OTHER, "warn", unbind(OTHER, (NAME,))),
    "old SSL for clients without SNI": Item("tls-without-name", OTHER, "warn", forget_unnamed(30)),
    "ended SSL for clients without SNI": Item("tls-without-name", OTHER, "fail", forget_unnamed(-1)),
    "proxy unknown to a node": Item("proxy-trust", OTHER, "fail", estrange(20)),
    "proxy known to a node": Item("proxy-trust", NODE, "pass", estrange(20)),
    "an intermediate certificate among a node's roots": Item("root-store", OTHER, "warn", misplace(OTHER)),
    "an intermediate certificate among a proxy's roots": Item("root-store", WAP, "warn", misplace(WAP)),
    "partner's encryption certificate ended": Item("partner-encryption", PARTNER, "fail", give("encryption", -1)),
    "partner's encryption certificate ending": Item("partner-encryption", PARTNER, "warn", give("encryption", 20)),
    "partner's encryption certificate about to end": Item("partner-encryption", PARTNER, "fail", give("encryption", 5)),
    "partner's encryption certificate in time": Item("partner-encryption", PARTNER, "pass", give("encryption", 60)),
    "partner's request signing": Item("partner-requests", PARTNER, "warn", give("requests", 20)),
    "provider's token signing": Item("provider-signing", PARTNER, "fail", give("signing", -1)),
    "provider's encryption": Item("provider-encryption", PARTNER, "warn", give("encryption", 20, local=True)),
    "SSL for another name": Item("ssl-certificate", OTHER, "fail", lambda s: bind(s, s.issue("other.example.com"))),
    "token certificate expiring": Item(
        "token-signing", "prod", "warn", farm={"managed": False, "auto_rollover": False, "signing_days": 20.0}
    ),
    "token certificate expired": Item(
        "token-decrypting", "prod", "fail", farm={"managed": False, "auto_rollover": False, "decrypting_days": -1.0}
    ),
    "token certificate unreadable": Item("token-signing-key", OTHER, "fail", lose_right, farm={"managed": False}),
    "SPN missing": Item("service-principal-name", NAME, "fail", lambda s: s.world.principals.clear()),
    "SPN doubled": Item(
        "service-principal-name", NAME, "fail", lambda s: s.world.principals.update({"CORP\\x": [f"host/{NAME}"]})
    ),
    "auditing off": Item("auditing", "prod", "warn", set_properties(AuditLevel=["None"])),
    "extranet lockout off": Item("extranet-lockout", "prod", "warn", set_properties(ExtranetLockoutEnabled=False)),
    "extranet lockout that only logs": Item(
        "extranet-lockout", "prod", "warn", set_properties(ExtranetLockoutMode="ADFSSmartLockoutLogOnly")
    ),
    "endpoints off": Item("endpoints", "prod", "fail", turn_off),
    "time skew": Item("clock", OTHER, "warn", lambda s: s.skew(OTHER, 61.5)),
    "time skew of a proxy": Item("clock", WAP, "warn", lambda s: s.skew(WAP, -61.5)),
    "certificate mismatch between nodes": Item(
        "inconsistency-bindings", OTHER, "warn", lambda s: bind(s, s.issue(NAME)), farm={"nodes": 3}
    ),
}
"""The federation name as a CNAME is in test_checks: names of this machine's resolver cannot be simulated."""


@pytest.mark.parametrize("item", ITEMS)
async def test_each_item_has_its_check(item: str) -> None:
    """It passes on a farm in which all is well (or is not there, as contradictions are), and says the fault where it is."""
    wanted = ITEMS[item]
    simulator = Simulator(ManualClock(time.time()))
    simulator.farm(**{"nodes": 2, "proxies": 1, **wanted.farm})
    simulator.world.people[USER] = Person(password=PASSWORD)
    wanted.fault(simulator)
    found = [each for each in await checks(simulator, wanted.thresholds) if each.name == wanted.check]
    assert wanted.status in {each.status for each in found if each.where == wanted.where}, found
    assert all(each.remedy for each in found if each.status != "pass")


async def test_nothing_is_wrong_with_the_farm_itself() -> None:
    """So that each fault above is the fault's own."""
    simulator = Simulator(ManualClock(time.time()))
    simulator.farm(nodes=2, proxies=1)
    simulator.world.people[USER] = Person(password=PASSWORD)
    found = await checks(simulator, Thresholds())
    assert [each for each in found if each.status != "pass"] == []
    names = {each.name for each in found}
    absent = {item.check for item in ITEMS.values() if item.check.startswith(("partner-", "provider-"))}
    absent |= {"inconsistency-bindings", "token-signing-key", "root-store"}
    assert {item.check for item in ITEMS.values()} - names == absent


async def test_a_farm_on_another_port() -> None:
    """Where HttpsPort says so, it is that port that has to be bound."""
    simulator = Simulator(ManualClock(time.time()))
    simulator.farm(nodes=2, proxies=1)
    simulator.world.people[USER] = Person(password=PASSWORD)
    set_properties(HttpsPort=444)(simulator)
    for host in (NODE, OTHER, WAP):
        rows = simulator[host].bindings
        simulator[host].bindings = [replace(row, port=444) if row.port == 443 else row for row in rows]
    assert [each for each in await checks(simulator, Thresholds()) if each.status != "pass"] == []


@pytest.mark.parametrize(
    ("trust", "words"),
    [
        ({"metadata_url": "https://p/m", "monitoring": True, "auto_update": True}, "AD FS then picks it up automatically"),
        ({"metadata_url": "https://p/m", "monitoring": True}, "Update-AdfsRelyingPartyTrust -TargetName 'Partner 9'"),
        ({}, "Set-AdfsRelyingPartyTrust -TargetName 'Partner 9' -EncryptionCertificate"),
    ],
)
async def test_who_must_act_for_a_partner(trust: dict[str, Any], words: str) -> None:
    """The partner alone, or somebody here after it."""
    simulator = Simulator(ManualClock(time.time()))
    simulator.farm(nodes=1, proxies=0)
    give("encryption", 20, **trust)(simulator)
    (found,) = [each for each in await checks(simulator, Thresholds()) if each.where == PARTNER]
    assert words in found.remedy


async def test_trusts_that_are_not_judged() -> None:
    """One that is off; an old certificate beside one that is in time; a proxy's certificate of a moment ago."""
    simulator = Simulator(ManualClock(time.time()))
    simulator.farm(nodes=1, proxies=1)
    give("encryption", -1, enabled=False)(simulator)
    old, new = simulator.issue("p", days=-1, starts_in_days=-9), simulator.issue("p", days=90)
    party = RelyingParty(name="Two", identifiers=("urn:two",), requests=(old, new))
    change(simulator, lambda each: each.relying_parties.append(party))
    estrange(minutes=1, host=NODE)(simulator)
    simulator.world.people[USER] = Person(password=PASSWORD)
    found = await checks(simulator, Thresholds())
    assert [each for each in found if each.status == "fail"] == []
    assert [each.status for each in found if each.where in {"Two", PARTNER}] == ["pass"]
