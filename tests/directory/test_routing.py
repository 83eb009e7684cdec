"""Which directory a name belongs to, and where its servers are."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import certifi
import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from directory import CheckOutcome, Credential, Directories, DirectorySettings, TlsSettings
from directory.errors import (
    Abandoned,
    Ambiguous,
    ConnectionBroken,
    NoDirectory,
    NotFound,
    ServerRefused,
    ServiceAccountRefused,
    SettingsProblem,
)
from directory.ldap.discovery import resolve_servers


def settings(name: str, **fields: object) -> DirectorySettings:
    """Of a directory that nobody answers for."""
    given = {"name": name, "base_dn": "DC=x", "servers": ("127.0.0.1:9",), "connect_timeout": 0.2, **fields}
    return DirectorySettings(**given)  # type: ignore[arg-type]


def from_dns(**fields: object) -> DirectorySettings:
    """Of a directory whose servers the DNS names, and whose authority is known."""
    tls = TlsSettings(ca_file=Path(certifi.where()))
    return settings("east.example", **{"servers": (), "domain": "east.example", "tls": tls, **fields})


async def test_names_go_to_their_forest() -> None:
    """By UPN suffix, by NetBIOS name; a bare name or a strange suffix has no home where there are two."""
    east = settings("east.example", netbios_name="EAST", upn_suffixes=("shared.example",))
    west = settings("west.example", netbios_name="WEST")
    both = Directories([east, west])
    homes = {}
    for text in (
        "a@EAST.example",
        "a@shared.example",
        "a@west.example",
        "west\\a",
        "East\\a",
        "a@WEST",
        "west.example\\a",
        "WEST \\ a",
        "a",
        "a@else.example",
        "shared.example\\a",
        "no\\a",
    ):
        home = both.directory_of(text)
        homes[text] = home.split(".")[0] if home else None
    assert list(homes.values()) == ["east", "east", "west", "west", "east", "west", "west", "west", None, None, None, None]
    assert both.domains == ("east.example", "shared.example", "west.example", "east", "west")
    await both.close()


async def test_with_one_directory_every_suffix_is_its_own() -> None:
    """Alternate login attributes hold anything; a foreign NetBIOS name is still foreign."""
    one = Directories([settings("east.example", netbios_name="EAST")])
    assert one.domains[-1] == "*"
    assert one.directory_of("a@else.example") == "east.example"
    assert one.directory_of("WEST\\a") is None
    await one.close()


async def test_a_name_without_a_home_is_a_wrong_credential() -> None:
    """It looks like any other; nothing is asked."""
    both = Directories([settings("east.example"), settings("west.example")])
    late = time.time() + 5
    result = await both.verify(Credential("a@else.example", "x"), deadline=late)
    changed = await both.change_password("a@else.example", "x", "y" * 12, deadline=late)
    assert (result.outcome, changed.outcome) == (CheckOutcome.WRONG_CREDENTIAL, CheckOutcome.WRONG_CREDENTIAL)
    assert not result.password_checked
    assert await both.find_user("a@else.example") is None
    with pytest.raises(NotFound):
        await both.reset_password("a@else.example", "y" * 12)
    await both.close()


async def test_nobody_answers() -> None:
    """NO_DIRECTORY with the reason, nothing bound; it is down."""
    one = Directories([settings("east.example")])
    result = await one.verify(Credential("a@east.example", "x"), deadline=time.time() + 5)
    assert (result.outcome, result.bound) == (CheckOutcome.NO_DIRECTORY, False)
    assert "127.0.0.1:9" in result.detail
    assert one.health()[0].state == "down"
    with pytest.raises(NoDirectory, match=r"east\.example"):
        await one.find_user("a@east.example")
    with pytest.raises(NoDirectory):
        await one.reset_password("a@east.example", "y" * 12)
    again = await one.verify(Credential("a@east.example", "x"), deadline=time.time() + 5)
    assert again.detail == "none is due for another try"
    await one.close()


async def test_what_cannot_be_a_credential_is_refused_without_a_word_to_anybody() -> None:
    """Empty password above all: it would make an anonymous bind."""
    one = Directories([settings("east.example")])
    for name, password in (("a@east.example", ""), ("", "x"), ("a\0", "x"), ("a@east.example", "x\0")):
        result = await one.verify(Credential(name, password), deadline=time.time() + 5)
        assert result.outcome is CheckOutcome.WRONG_CREDENTIAL
    refused = await one.change_password("a@east.example", "x", "", deadline=time.time() + 5)
    assert refused.outcome is CheckOutcome.PASSWORD_REJECTED
    assert one.health()[0].failures == 0
    await one.close()


async def test_too_much_at_once_is_busy_at_once() -> None:
    """The queue is bounded."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        one = Directories([settings("east.example", servers=(server,), connections=1, queue=0, connect_timeout=0.5)])
        deadline = time.time() + 2
        credential = Credential("a@east.example", "x")
        first, second = await asyncio.gather(
            one.verify(credential, deadline=deadline), one.verify(credential, deadline=deadline)
        )
        assert {first.outcome, second.outcome} == {CheckOutcome.NO_DIRECTORY, CheckOutcome.BUSY}
        await one.close()


def test_settings_that_contradict_each_other() -> None:
    """Named, before anything is asked."""
    with pytest.raises(SettingsProblem, match=r"upn_suffixes: EAST\.example belongs to east\.example already"):
        Directories([settings("east.example"), settings("west.example", upn_suffixes=("EAST.example",))])
    with pytest.raises(SettingsProblem, match="netbios_name: E belongs to east"):
        Directories([settings("east.example", netbios_name="E"), settings("west.example", netbios_name="E")])
    with pytest.raises(SettingsProblem, match="is empty"):
        Directories([])
    with pytest.raises(SettingsProblem, match="servers: is empty"):
        Directories([settings("east.example", servers=())])


def test_the_service_password_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read anew each time; what is missing is named, the password is in no message."""
    file = tmp_path / "password"
    file.write_text("s3cret \r\n")
    file.chmod(0o600)
    assert settings("a", service_password_file=file).service_password() == "s3cret "
    monkeypatch.setenv("SERVICE_PASSWORD", "other")
    assert settings("a", service_password_env="SERVICE_PASSWORD").service_password() == "other"
    assert settings("a").service_password() == ""
    with pytest.raises(SettingsProblem, match="service_password_file"):
        settings("a", service_password_file=tmp_path / "absent").service_password()
    with pytest.raises(SettingsProblem, match="service_password_env"):
        settings("a", service_password_env="NOT_SET_" + str(os.getpid())).service_password()


@pytest.mark.parametrize(
    "error",
    [
        SettingsProblem("servers", "is empty"),
        NoDirectory("corp", (), "none answered"),
        ServiceAccountRefused("dc1:636", "svc@corp", "data 52e"),
        ServerRefused("dc1:636", "search", 50, ""),
        Ambiguous("anna", ("CN=a", "CN=b")),
        NotFound("anna"),
        ConnectionBroken("dc1:636", "lost", sent=True),
        Abandoned("late"),
    ],
)
def test_errors_say_what_and_where(error: Exception) -> None:
    """Every field of it, in one line."""
    shown = str(error)
    assert "\n" not in shown
    assert all(str(part) in shown for part in error.args if isinstance(part, str) and part)


# -- DNS


class NameServer:
    """A DNS server on loopback that knows some SRV records: name -> [(priority, weight, port, target)]."""

    def __init__(self, records: dict[str, list[tuple[int, int, int, str]]]) -> None:
        self.records = records
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            name = str(query.question[0].name).rstrip(".")
            self.asked.append(name)
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.RA
            found = self.records.get(name)
            if found is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            else:
                texts = [f"{priority} {weight} {port} {target}." for priority, weight, port, target in found]
                answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "SRV", *texts))
            self._socket.sendto(answer.to_wire(), peer)


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """The only one that is asked."""
    server = NameServer({})
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], server.port
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
    yield server
    server.close()


def test_domain_controllers_come_from_dns_in_order_of_priority(name_server: NameServer) -> None:
    """MS-ADTS 6.3.2.3; the records name port 389, LDAPS is on 636."""
    name_server.records["_ldap._tcp.dc._msdcs.east.example"] = [
        (20, 100, 389, "dc3.east.example"),
        (0, 100, 389, "dc1.east.example"),
        (10, 0, 389, "dc2.east.example"),
    ]
    found = resolve_servers(from_dns())
    assert found.used == ("dc1.east.example:636", "dc2.east.example:636", "dc3.east.example:636")


def test_other_directories_have_the_plain_record(name_server: NameServer) -> None:
    """RFC 2782's, asked second."""
    name_server.records["_ldap._tcp.east.example"] = [(0, 0, 389, "ldap1.east.example")]
    assert resolve_servers(from_dns()).used == ("ldap1.east.example:636",)
    assert len(name_server.asked) == 2


def test_a_domain_that_dns_does_not_know(name_server: NameServer) -> None:
    """Named, with the remedy."""
    with pytest.raises(SettingsProblem, match="DNS knows no domain controllers"):
        resolve_servers(from_dns())
    assert name_server.asked


DC_RECORD = "_ldap._tcp.dc._msdcs.east.example"


@pytest.mark.parametrize(
    "host",
    [
        "dc1.evil.example",
        "dc1.east.example.evil.example",
        "dc1.notsoeast.example",
        "dc1.xeast.example",
        "test",
        "10.0.0.9",
    ],
)
async def test_a_server_that_dns_names_outside_the_domain_is_not_used(name_server: NameServer, host: str) -> None:
    """Its certificate may be good for its name: of a public authority, or of the domain's own. `agent check` says so."""
    name_server.records[DC_RECORD] = [(0, 0, 389, host), (9, 0, 389, "dc1.EAST.example")]
    assert resolve_servers(from_dns()) == (("dc1.EAST.example:636",), (host,))
    directories = Directories([from_dns()])
    dns_finding, *others = await directories.check()
    await directories.close()
    assert (dns_finding.status, dns_finding.where) == ("fail", f"east.example {host}")
    assert "does not lie below east.example" in dns_finding.seen
    assert all(host not in finding.where for finding in others)
    name_server.records[DC_RECORD] = [(0, 0, 389, host)]
    with pytest.raises(SettingsProblem, match="DNS knows no domain controllers"):
        resolve_servers(from_dns())


def test_a_server_whose_certificate_is_pinned_may_lie_anywhere(name_server: NameServer) -> None:
    """Its name says nothing then, whoever made it up."""
    name_server.records[DC_RECORD] = [(0, 0, 389, "dc1.elsewhere.example")]
    pinned = from_dns(tls=TlsSettings(pinned_sha256=("0" * 64,)))
    assert resolve_servers(pinned) == (("dc1.elsewhere.example:636",), ())


def test_names_from_dns_need_a_configured_authority(name_server: NameServer) -> None:
    """Else whoever forges an answer, and has any public certificate, gets the service account's password."""
    name_server.records[DC_RECORD] = [(0, 0, 389, "dc1.east.example")]
    with pytest.raises(SettingsProblem, match=r"tls\.ca_file: is not set.*list the controllers in `servers`"):
        resolve_servers(from_dns(tls=TlsSettings()))
    assert name_server.asked == []
    listed = settings("a", servers=("dc1.east.example",), domain="east.example")
    assert resolve_servers(listed).used == ("dc1.east.example",)


@pytest.mark.parametrize("domain", [".", "", ".."])
def test_a_domain_that_is_all_domains_is_none(domain: str) -> None:
    """Every server lies below the root."""
    with pytest.raises(SettingsProblem, match="and so is `domain`"):
        resolve_servers(from_dns(domain=domain))


def test_a_domain_without_the_service_has_no_server(name_server: NameServer) -> None:
    """RFC 2782: the root as target says so."""
    name_server.records[DC_RECORD] = [(0, 0, 0, "")]
    with pytest.raises(SettingsProblem, match="DNS knows no domain controllers"):
        resolve_servers(from_dns())
