"""Asking a simulated farm for tokens: from its own state, over real TLS, with one try for a password that is wrong."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adfs_mgmt.farm import ExternalView, TestAccount, Unreadable, read_external_view, read_test_account, sign_in, unread_farm
from adfs_mgmt.health.checks import check_farm
from adfs_mgmt.health.settings import Thresholds
from findings import Finding
from foundation.saml import WS_TRUST_13, WS_TRUST_2005, SignInOutcome, SyntheticSignIn, make_token_request
from tests.adfs.farm.served import settings_of
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.simulator import ManualClock, Simulator
from tests.adfs.simulator.state import DECRYPTING, SIGNING, Person, RelyingParty, SslBinding
from tests.adfs.simulator.ws_trust import answer_request

USER, PASSWORD = "probe@example.com", "Pr0be & <Passw0rd>"
IDENTIFIER = "http://fs.example.com/adfs/services/trust"
NODES = ["adfs1.corp.example.com", "adfs2.corp.example.com", "adfs3.corp.example.com"]
NAME = "fs.example.com"


@pytest.fixture
def simulator(clock: ManualClock) -> Simulator:
    made = Simulator(clock)
    made.world.people[USER] = Person(password=PASSWORD)
    return made


class Farm:
    """A farm of three nodes and two proxies, and a way to ask it."""

    def __init__(self, simulator: Simulator, network: Network) -> None:
        self.simulator, self.settings = simulator, settings_of(simulator, network)
        self.configuration = simulator.world.farms[0].shared

    async def look(self) -> ExternalView:
        return await read_external_view(self.settings, time.time())

    async def ask(self, password: str = PASSWORD, **changes: Any) -> dict[str, SyntheticSignIn]:
        settings = replace(self.settings, **changes)
        done = await sign_in(settings, TestAccount(USER, password), await self.look(), IDENTIFIER, time.time())
        assert [each.host for each in done] == [*settings.nodes, settings.federation_name]
        return {each.host.partition("=")[0]: each for each in done}

    async def judged(self, done: dict[str, SyntheticSignIn]) -> dict[str, Finding]:
        farm = unread_farm(self.settings, time.time())
        checks = check_farm(farm, await self.look(), Thresholds(), time.time(), (), list(done.values()))
        return {each.where: each for each in checks if each.name == "synthetic-token"}

    def each(self, change: Any) -> None:
        """Change the configuration of every node."""
        for host in self.simulator.world.nodes(self.simulator.world.farms[0]):
            assert host.node is not None
            change(host.node.configuration)

    def endpoint(self, version: str, **changes: Any) -> None:
        def change(configuration: Any) -> None:
            path = f"/adfs/services/trust/{version}/usernamemixed"
            rows = configuration.endpoints
            configuration.endpoints = [replace(row, **changes) if row.path == path else row for row in rows]

        self.each(change)

    def party(self, **fields: Any) -> str:
        """A relying party of its own."""
        made = RelyingParty(name="Payroll", identifiers=("urn:payroll",), **fields)
        self.each(lambda configuration: configuration.relying_parties.append(made))
        return "urn:payroll"

    @property
    def tries(self) -> list[str]:
        """The nodes that saw the password."""
        return [host for host, _, _ in self.simulator.world.token_requests]


@pytest.fixture
def farm(simulator: Simulator, network: Network) -> Farm:
    return Farm(simulator, network)


def outcomes(done: dict[str, SyntheticSignIn]) -> set[SignInOutcome]:
    return {each.outcome for each in done.values()}


async def test_every_address_issues_a_token(farm: Farm) -> None:
    """Signed by the primary certificate, for whom it was asked, by the farm, now; all checks pass."""
    heard: list[str] = []
    done = await sign_in(
        farm.settings, TestAccount(USER, PASSWORD), await farm.look(), IDENTIFIER, time.time(), on_host=heard.append
    )
    assert sorted(heard) == sorted((*farm.settings.nodes, NAME))
    primary = farm.configuration.primary(SIGNING)
    for each in done:
        assert (each.outcome, each.reason, each.endpoint) == (SignInOutcome.ISSUED, "", WS_TRUST_13.path)
        assert each.milliseconds > 0
        assert each.token is not None
        assert (each.token.version, each.token.issuer, each.token.audiences) == ("SAML 2.0", IDENTIFIER, (IDENTIFIER,))
        assert primary is not None
        assert each.token.signer.thumbprint == primary.certificate.thumbprint
    checks = await farm.judged({each.host.partition("=")[0]: each for each in done})
    assert {check.status for check in checks.values()} == {"pass"}
    assert set(checks) == {*NODES, NAME}
    assert " ms" in checks[NAME].seen


async def test_the_older_endpoint_where_the_newer_is_off(farm: Farm) -> None:
    """The password is judged once at each address."""
    farm.endpoint("13", enabled=False)
    done = await farm.ask()
    assert {each.endpoint for each in done.values()} == {WS_TRUST_2005.path}
    assert outcomes(done) == {SignInOutcome.ISSUED}
    assert len(farm.tries) == 4


async def test_no_endpoint(farm: Farm) -> None:
    """503 at all: a failure that names the cmdlet. No password was judged."""
    farm.endpoint("13", enabled=False)
    farm.endpoint("2005", enabled=False)
    done = await farm.ask()
    assert outcomes(done) == {SignInOutcome.NOT_OFFERED}
    checks = await farm.judged(done)
    assert {check.status for check in checks.values()} == {"fail"}
    assert "Enable-AdfsEndpoint" in checks[NODES[0]].remedy
    assert farm.tries == []


async def test_an_endpoint_that_proxies_do_not_pass(farm: Farm) -> None:
    """As Microsoft advises: a warning at the name, which leads to a proxy; the nodes pass."""
    farm.endpoint("13", proxy=False)
    farm.endpoint("2005", proxy=False)
    checks = await farm.judged(await farm.ask())
    assert {where: check.status for where, check in checks.items()} == {**dict.fromkeys(NODES, "pass"), NAME: "warn"}
    assert "-Proxy $true" in checks[NAME].remedy


@pytest.mark.parametrize("fault", ["wrong", "unknown", "locked", "disabled", "expired"])
async def test_a_refused_account_is_tried_once(farm: Farm, fault: str) -> None:
    """At one address of four; the others say so. A wrong password counts once."""
    person = farm.simulator.world.people[USER]
    if fault == "unknown":
        del farm.simulator.world.people[USER]
    elif fault == "locked":
        person.bad_passwords = person.threshold
    elif fault != "wrong":
        setattr(person, fault, True)
    done = await farm.ask("wrong" if fault == "wrong" else PASSWORD)
    assert len(farm.tries) == 1
    assert person.bad_passwords == {"wrong": 1, "locked": 5}.get(fault, 0)
    assert sorted(each.outcome for each in done.values()) == [*[SignInOutcome.NOT_ASKED] * 3, SignInOutcome.REFUSED]
    checks = await farm.judged(done)
    assert sorted(check.status for check in checks.values()) == ["fail", "warn", "warn", "warn"]
    assert "locked, disabled or expired" in next(check.remedy for check in checks.values() if check.status == "fail")


async def test_the_rules_of_a_relying_party(farm: Farm) -> None:
    """The account is good, and may not: said apart from a wrong password."""
    party = farm.party()
    farm.simulator.world.people[USER].denied.add(party)
    done = await farm.ask(synthetic_relying_party=party)
    assert outcomes(done) == {SignInOutcome.DENIED, SignInOutcome.NOT_ASKED}
    assert any("access control policy" in check.remedy for check in (await farm.judged(done)).values())


@pytest.mark.parametrize("enabled", [None, False], ids=["unknown", "disabled"])
async def test_an_unknown_relying_party(farm: Farm, enabled: bool | None) -> None:
    """Named in what is seen."""
    if enabled is not None:
        farm.party(enabled=enabled)
    done = await farm.ask(synthetic_relying_party="urn:payroll")
    assert outcomes(done) == {SignInOutcome.UNKNOWN_PARTY, SignInOutcome.NOT_ASKED}
    assert any("urn:payroll" in check.seen and "ID3082" in check.seen for check in (await farm.judged(done)).values())


async def test_an_encrypted_token_is_no_failure(farm: Farm) -> None:
    """It cannot be checked, which is said."""
    encryption = farm.configuration.primary(DECRYPTING)
    assert encryption is not None
    done = await farm.ask(synthetic_relying_party=farm.party(encryption=encryption.certificate))
    assert outcomes(done) == {SignInOutcome.ENCRYPTED}
    for check in (await farm.judged(done)).values():
        assert check.status == "pass"
        assert "cannot be checked" in check.seen


async def test_a_relying_party_that_wants_sha1(farm: Farm) -> None:
    """The signature holds; it is a warning."""
    done = await farm.ask(synthetic_relying_party=farm.party(sha1=True))
    assert all(each.token and each.token.sha1 for each in done.values())
    checks = await farm.judged(done)
    assert {check.status for check in checks.values()} == {"warn"}
    assert "-SignatureAlgorithm" in checks[NAME].remedy


async def test_a_node_that_signs_with_a_certificate_that_is_not_primary(farm: Farm) -> None:
    """It is behind: a failure at that node alone, by what the others' metadata says."""
    behind = farm.simulator[NODES[1]]
    assert behind.node is not None
    stranger = farm.simulator.issue("signing.example.com")
    rows = behind.node.configuration.certificates
    old = [replace(row, certificate=stranger, managed=True) if row.use == SIGNING else row for row in rows]
    looked = await farm.look()
    behind.node.configuration.certificates = old
    done = await farm.ask()
    farm_of = unread_farm(farm.settings, time.time())
    checks = {
        each.where: each
        for each in check_farm(farm_of, looked, Thresholds(), time.time(), (), list(done.values()))
        if each.name == "synthetic-token"
    }
    assert {where: check.status for where, check in checks.items()} == {
        **dict.fromkeys([NODES[0], NODES[2], NAME], "pass"),
        NODES[1]: "fail",
    }
    assert "not the primary certificate" in checks[NODES[1]].seen


async def test_a_clock_that_is_wrong(farm: Farm) -> None:
    """Tokens of the future: nobody takes them."""
    farm.simulator.skew(NODES[2], 200)
    checks = await farm.judged(await farm.ask())
    assert checks[NODES[2]].status == "fail"
    assert "not valid until" in checks[NODES[2]].seen
    assert checks[NODES[0]].status == "pass"


async def test_nodes_that_are_down_hide_nothing(farm: Farm) -> None:
    """Off, or with its service stopped: the others are asked all the same, and whoever looks well decides."""
    farm.simulator.offline(NODES[0])
    farm.simulator.stop_service(NODES[1])
    done = await farm.ask()
    assert [done[node].outcome for node in NODES] == [
        SignInOutcome.UNREACHED,
        SignInOutcome.NOT_OFFERED,
        SignInOutcome.ISSUED,
    ]
    assert done[NAME].outcome is SignInOutcome.ISSUED
    assert {where: check.status for where, check in (await farm.judged(done)).items()} == {
        NODES[0]: "fail",
        NODES[1]: "fail",
        NODES[2]: "pass",
        NAME: "pass",
    }


async def test_a_certificate_that_is_not_trusted_gets_no_password(farm: Farm) -> None:
    """Ended, for another name, or of another CA."""
    for number, certificate in enumerate(
        (farm.simulator.issue(NAME, days=-1, starts_in_days=-30), farm.simulator.issue("other.example.com"))
    ):
        farm.simulator.put(NODES[number], certificate)
        farm.simulator[NODES[number]].bindings = [SslBinding(NAME, 443, certificate.thumbprint)]
    done = await farm.ask()
    assert [done[node].outcome for node in NODES] == [
        SignInOutcome.UNTRUSTED,
        SignInOutcome.UNTRUSTED,
        SignInOutcome.ISSUED,
    ]
    assert "expired" in done[NODES[0]].reason
    assert set(farm.tries) == {NODES[0], NODES[2]}  # the name leads to a proxy, and that to the first node
    farm.simulator.world.token_requests.clear()
    assert outcomes(await farm.ask(tls_ca_file="")) == {SignInOutcome.UNTRUSTED}
    assert farm.tries == []
    checks = await farm.judged(done)
    assert "was not sent" in checks[NODES[0]].remedy


# -- the account


def test_the_account_of_the_settings(farm: Farm, tmp_path: Path) -> None:
    """None without a user; a line end is cut off; the password is in no repr."""
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\r\n")
    path.chmod(0o600)
    assert read_test_account(farm.settings) is None
    account = read_test_account(replace(farm.settings, synthetic_user=USER, synthetic_password_file=path))
    assert account == TestAccount(USER, PASSWORD)
    assert PASSWORD not in repr(account)


def test_an_account_without_a_password(farm: Farm, tmp_path: Path) -> None:
    """Which setting, and why."""
    settings = replace(farm.settings, synthetic_user=USER)
    with pytest.raises(Unreadable, match="prod: synthetic_password_file: is missing"):
        read_test_account(settings)
    with pytest.raises(Unreadable, match="No such file"):
        read_test_account(replace(settings, synthetic_password_file=tmp_path / "none"))


# -- the simulator refuses what AD FS refuses


@pytest.mark.parametrize("protocol", [WS_TRUST_13, WS_TRUST_2005], ids=["1.3", "2005"])
@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"", b"", b""),
        (b"PasswordText", b"PasswordDigest", b"a:InvalidSecurity"),
        (b"/RST/Issue", b"/RST/Renew", b"a:ActionNotSupported"),
        (b"a:To s", b"a:Ot s", b"a:DestinationUnreachable"),
        (b"KeyType>http", b"KeyType>ftp", b"a:InvalidRequest"),
        (b"2003/05/soap-envelope", b"2003/06/soap-envelope", b"s:Sender"),
    ],
    ids=["right", "digest", "action", "to", "key type", "soap"],
)
def test_what_the_simulated_endpoint_refuses(farm: Farm, protocol: Any, old: bytes, new: bytes, code: bytes) -> None:
    """So that a mistake in our request shows."""
    host = farm.simulator[NODES[0]]
    now = farm.simulator.world.clock()
    request = make_token_request(protocol, f"https://{NAME}{protocol.path}", USER, PASSWORD, IDENTIFIER, now)
    assert old in request
    for closing in (b"a:To>",) if old.startswith(b"a:To") else ():
        request = request.replace(b"</" + closing, b"</a:Ot>")
    status, body = answer_request(farm.simulator.world, host, protocol.path, request.replace(old, new), now)
    assert (status, code in body) == (500 if code else 200, True)


def test_a_request_of_another_hour_is_refused(farm: Farm) -> None:
    """WCF takes five minutes either way."""
    host, now = farm.simulator[NODES[0]], farm.simulator.world.clock()
    request = make_token_request(WS_TRUST_13, f"https://{NAME}{WS_TRUST_13.path}", USER, PASSWORD, IDENTIFIER, now + 600)
    assert answer_request(farm.simulator.world, host, WS_TRUST_13.path, request, now)[0] == 500
