"""From questions to what the steps need: what is asked, what is found, and that no password goes to a stranger."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from findings import failed
from gateway.agent import RelayVerdict
from isthmus.agent_setup import DirectoryUnusable, DomainsDiffer, RelayUnusable, TrustUndecided
from isthmus.setup import AnswerRefused, AnswersMissing
from tests.directory.test_authority import ROOT, Authority
from tests.fakes.machine import FakeMachine
from tests.isthmus.agent_setup.setting import (
    NOW,
    PASSWORD,
    REVOKED,
    ROOT_SHOWN,
    SERVER_SHOWN,
    FakeRelay,
    Somebody,
    options,
    prepared,
    surroundings,
)


@pytest.fixture
def relay(tmp_path: Path) -> FakeRelay:
    return FakeRelay(tmp_path)


def test_options_are_enough(relay: FakeRelay) -> None:
    """The rest is read from the DNS and the directory; the password goes to servers of the accepted authority alone."""
    around = surroundings()
    found = prepared(relay.machine(), around, options(relay.token()))
    assert (found.names.name, found.names.netbios_name, found.names.upn_suffixes) == (
        "corp.example.com",
        "CORP",
        ("example.com",),
    )
    assert (found.servers, found.ca_pem, found.pinned) == ((), ROOT_SHOWN.pem, ())
    assert around.sent == [(PASSWORD, ROOT_SHOWN.fingerprint)]


def test_somebody_is_asked_for_what_cannot_be_found(relay: FakeRelay) -> None:
    """Token, domain (which the token proposes), account and password; the authority is shown, and accepted."""
    person = Somebody(
        {"token": ["nonsense", relay.token().text], "service_user": ["svc"], "service_password": [PASSWORD]}, accept=True
    )
    found = prepared(relay.machine(), surroundings(), person=person)
    assert person.asked == ["token", "token", "domain", "service_user", "service_password"]
    assert person.shown[0].shown == (ROOT_SHOWN,)
    assert found.service_user == "svc"


def test_nobody_there_is_told_every_option_that_is_missing(relay: FakeRelay) -> None:
    """Before anything is asked of anybody."""
    with pytest.raises(AnswersMissing, match="--token-file"):
        prepared(relay.machine(), surroundings())
    around = surroundings()
    around.by_dns = {}
    with pytest.raises(AnswersMissing, match="--server"):
        prepared(relay.machine(), around, options(relay.token()))


def test_no_password_goes_to_servers_that_nobody_has_accepted(relay: FakeRelay) -> None:
    """Whoever is not there, says no, or gives another fingerprint."""
    around, given = surroundings(), options(relay.token())
    for fingerprint in ("", SERVER_SHOWN.fingerprint):
        with pytest.raises(TrustUndecided) as raised:
            prepared(relay.machine(), around, {**given, "accept_fingerprints": fingerprint})
        assert ROOT_SHOWN.printed_fingerprint in str(raised.value)
    del given["accept_fingerprints"]
    with pytest.raises(TrustUndecided, match="not accepted"):
        prepared(relay.machine(), around, given, Somebody(accept=False))
    assert around.sent == []


def test_an_authority_in_a_file_has_to_be_that_of_the_servers(relay: FakeRelay) -> None:
    """It counts instead of a fingerprint."""
    machine, given = relay.machine(), options(relay.token(), ca_file="/root/ca.pem")
    del given["accept_fingerprints"]
    machine.put("/root/ca.pem", ROOT_SHOWN.pem)
    assert prepared(machine, surroundings(), given).ca_pem == ROOT_SHOWN.pem
    machine.put("/root/ca.pem", ROOT.der)  # as Windows exports it
    assert prepared(machine, surroundings(), given).ca_pem == ROOT_SHOWN.pem
    around = surroundings()
    for content, error in ((Authority("Root").der, DirectoryUnusable), (b"nonsense", AnswerRefused)):
        machine.put("/root/ca.pem", content)
        with pytest.raises(error, match="--ca-file|holds no certificate"):  # noqa: RUF043 - either
            prepared(machine, around, given)
    assert around.sent == []
    with pytest.raises(AnswerRefused, match="cannot be read"):
        prepared(relay.machine(), surroundings(), given)


def test_where_the_root_is_not_sent_the_directory_tells_it(relay: FakeRelay) -> None:
    """One server's certificate is accepted, and vouches for what that server says; without a root it stays pinned."""
    given = options(relay.token(), accept_fingerprints=SERVER_SHOWN.fingerprint)
    around = surroundings(root=False, published=(ROOT.der,))
    found = prepared(relay.machine(), around, given)
    assert (found.ca_pem, found.pinned, found.servers) == (ROOT_SHOWN.pem, (), ())
    person = Somebody()
    found = prepared(relay.machine(), surroundings(root=False), given, person)
    assert (found.ca_pem, found.pinned) == (None, (SERVER_SHOWN.fingerprint,))
    assert found.servers == ("dc1.corp.example.com:636", "dc2.corp.example.com:636")
    assert "--ca-file" in person.told[-1]


def test_servers_that_are_named_are_listed_in_the_settings(relay: FakeRelay) -> None:
    """One that does not answer now is told of; none that answers is an error."""
    person = Somebody()
    given = options(relay.token(), servers="dc1.corp.example.com:636, down.corp.example.com")
    found = prepared(relay.machine(), surroundings(), given, person)
    assert found.servers == ("dc1.corp.example.com:636", "down.corp.example.com")
    assert "down.corp.example.com" in person.told[0]
    with pytest.raises(DirectoryUnusable, match="--server"):
        prepared(relay.machine(), surroundings(), options(relay.token(), servers="down.corp.example.com"))


def test_a_wrong_password_is_tried_once_and_asked_for_once_more(relay: FakeRelay) -> None:
    """Each try counts against the account in the directory."""
    around = surroundings()
    with pytest.raises(DirectoryUnusable, match="--service-password-file"):
        prepared(relay.machine(), around, options(relay.token(), service_password="wrong"))
    assert len(around.sent) == 1
    given = options(relay.token())
    del given["service_password"]
    person = Somebody({"service_password": ["wrong", PASSWORD]}, accept=True)
    assert prepared(relay.machine(), surroundings(), given, person).password == PASSWORD
    around = surroundings()
    person = Somebody({"service_password": ["wrong"] * 9}, accept=True)
    with pytest.raises(DirectoryUnusable):
        prepared(relay.machine(), around, given, person)
    assert len(around.sent) == 2


def test_a_token_for_other_domains_is_refused(relay: FakeRelay) -> None:
    """Before it is spent."""
    with pytest.raises(DomainsDiffer, match=r"example\.org"):
        prepared(relay.machine(), surroundings(), options(relay.token(domains=("example.org",))))


def test_a_token_that_has_expired_or_a_relay_that_is_not_there(relay: FakeRelay) -> None:
    """Is said before anybody is asked about the directory."""
    with pytest.raises(AnswerRefused, match="expired"):
        prepared(relay.machine(), surroundings(), options(relay.token(now=NOW - 86400)))
    around = surroundings(problem=failed("TLS", "relay", "the certificate is not trusted", "Set `tls_ca_file`."))
    with pytest.raises(RelayUnusable, match="--relay-ca-file"):
        prepared(relay.machine(), around, options(relay.token()))
    assert around.sent == []


def enrolled_machine(relay: FakeRelay) -> FakeMachine:
    machine = relay.machine()
    machine.make_user("isthmus-agent", Path("/var/lib/isthmus-agent"))
    relay.enrol(machine, [], relay.token().text)
    return machine


def test_a_machine_that_is_enrolled_needs_no_token(relay: FakeRelay) -> None:
    """What it may answer for, the relay says. The token of the first time, expired and spent, does no harm."""
    machine = enrolled_machine(relay)
    around = surroundings(identity=relay.identity_on(machine), verdict=RelayVerdict(True, ("corp.example.com", "corp")))
    given = options(relay.token(now=NOW - 86400))
    again = prepared(machine, around, given)
    del given["token"]
    found = prepared(machine, around, given)
    assert (found.token, found.names.upn_suffixes, again.refused_serial) == (None, (), 0)


@pytest.mark.parametrize("why", ["revoked", "expired"])
def test_an_agent_that_is_no_longer_taken_is_enrolled_again(relay: FakeRelay, why: str) -> None:
    """With a new token, under its old name."""
    machine = enrolled_machine(relay)
    identity = relay.identity_on(machine)
    assert identity is not None
    if why == "expired":
        around = surroundings(identity=replace(identity, not_after=NOW - 1), verdict=None)
    else:
        around = surroundings(identity=identity, verdict=RelayVerdict(False, code=REVOKED))
    found = prepared(machine, around, options(relay.token()))
    assert found.refused_serial == identity.serial
    given = options(relay.token())
    del given["token"]
    with pytest.raises(AnswersMissing, match="--token-file"):
        prepared(machine, around, given)
