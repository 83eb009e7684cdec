"""WinRm against real WSMan and PSRP on loopback."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives import serialization

from adfs_mgmt.remoting import (
    AccessDenied,
    Command,
    CommandFailed,
    HostUnreachable,
    Interrupted,
    PSCredential,
    RemotingError,
    RemotingSettings,
    Secret,
    WinRm,
    make_command,
)
from adfs_mgmt.remoting.account import RemotingAccount
from tests.adfs import endpoints
from tests.adfs.remoting.conftest import HOSTS, NOON, PASSWORD, USER, Hosts, Pki, Settings
from tests.adfs.simulator.values import PsCredential, SecureText
from tests.adfs.simulator.wsman import WsManServer

SERVICE = make_command("Get-Service", Name=("adfssrv",))
THUMBPRINT = "AB" * 20


@asynccontextmanager
async def shell(settings: RemotingSettings) -> AsyncIterator[WinRm]:
    made = WinRm(settings)
    try:
        yield made
    finally:
        await made.close()


@pytest.mark.parametrize("auth", ["ntlm", "negotiate"])
async def test_command_runs_over_an_encrypted_connection(
    server: WsManServer, hosts: Hosts, settings: Settings, auth: str
) -> None:
    """NTLM, bare or inside SPNEGO, proves who we are and encrypts the messages."""
    async with shell(settings(auth=auth)) as winrm:
        answer = await winrm.run(server.place(HOSTS[1]), SERVICE)
    assert answer == [{"Name": "adfssrv", "Status": "Running"}]
    assert hosts.asked == [(USER, HOSTS[1], "Get-Service", {"Name": ["adfssrv"]})]


async def test_answers_are_typed(server: WsManServer, settings: Settings) -> None:
    """Times are UTC, bytes bytes; a nested object whose type has a depth of its own has its properties."""
    async with shell(settings()) as winrm:
        [certificate] = await winrm.run(server.place(HOSTS[0]), make_command("Get-AdfsCertificate"))
        [date] = await winrm.run(server.place(HOSTS[0]), make_command("Get-Date"))
    assert certificate == {
        "Thumbprint": THUMBPRINT, "Certificate": {"RawData": b"\0\1"}, "IsPrimary": True, "Raw": b"\1\2",
        "NotAfter": NOON, "Names": ["a", "b"], "Nothing": None, "Size": 2**40,
    }  # fmt: skip
    assert date == {"": NOON}
    assert isinstance(date[""], dt.datetime)
    assert date[""].tzinfo is dt.UTC


async def test_secrets_travel_encrypted(server: WsManServer, hosts: Hosts, settings: Settings) -> None:
    """SecureString and PSCredential arrive whole, after a key exchange, and bytes do, too."""
    server.configurations |= endpoints.configurations(HOSTS)
    imported = make_command("Import-IsthmusCertificate", Pfx=b"\0pfx" * 200_000, Password=Secret("héllo"))
    joined = make_command(
        "Test-AdfsFarmJoin", PrimaryComputerName=HOSTS[0], ServiceAccountCredential=PSCredential("CORP\\svc", Secret("s3"))
    )
    async with shell(settings(configuration=endpoints.NAME)) as winrm:
        await winrm.run(server.place(HOSTS[0]), imported)
        await winrm.run(server.place(HOSTS[0]), joined)
    assert hosts.asked[0][3] == {"Pfx": b"\0pfx" * 200_000, "Password": SecureText("héllo")}
    assert hosts.asked[1][3]["ServiceAccountCredential"] == PsCredential("CORP\\svc", SecureText("s3"))


async def test_every_kind_of_parameter_arrives(server: WsManServer, hosts: Hosts, settings: Settings) -> None:
    """Texts, numbers, both truth values, lists and times."""
    when = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    given = Command("Any", {"T": "x_x0041_'\n€", "N": -5, "Yes": True, "No": False, "L": ("a", "b"), "When": when})
    async with shell(settings()) as winrm:
        await winrm.run(server.place(HOSTS[0]), given)
    assert hosts.asked[0][3] == {"T": "x_x0041_'\n€", "N": -5, "Yes": True, "No": False, "L": ["a", "b"], "When": when}


async def test_terminating_error(server: WsManServer, settings: Settings) -> None:
    """It is CommandFailed with its identifier and category, and the connection goes on."""
    async with shell(settings()) as winrm:
        with pytest.raises(CommandFailed, match="PS0159: the farm behavior level") as caught:
            await winrm.run(server.place(HOSTS[0]), make_command("Set-AdfsSslCertificate", Thumbprint=THUMBPRINT))
        await winrm.run(server.place(HOSTS[0]), SERVICE)
    assert (caught.value.host, caught.value.error_id) == (HOSTS[0], "PS0159,Some.Command")
    assert (caught.value.command, caught.value.category) == ("Set-AdfsSslCertificate", "InvalidOperation")
    assert len(server.shells[HOSTS[0]]) == 0


async def test_error_that_is_not_terminating(server: WsManServer, settings: Settings) -> None:
    """pypsrp's `had_errors` is False then; the error stream counts."""
    wanted = make_command("Set-AdfsCertificate", CertificateType="Token-Signing", Thumbprint=THUMBPRINT, IsPrimary=True)
    async with shell(settings()) as winrm:
        with pytest.raises(CommandFailed, match="It was not found") as caught:
            await winrm.run(server.place(HOSTS[0]), wanted)
    assert caught.value.category == "ObjectNotFound"


async def test_one_shell_serves_all_commands(server: WsManServer, settings: Settings) -> None:
    """The runspace pool of a host is made once, and let go of at the end."""
    async with shell(settings()) as winrm:
        await asyncio.gather(*(winrm.run(server.place(HOSTS[0]), SERVICE) for _ in range(5)))
        assert len(server.shells[HOSTS[0]]) == 1
    assert server.shells[HOSTS[0]] == {}


async def test_hosts_are_spoken_to_at_the_same_time(server: WsManServer, hosts: Hosts, settings: Settings) -> None:
    """All three answer only once all three are asked."""
    hosts.together = threading.Barrier(3)
    async with shell(settings()) as winrm:
        await asyncio.gather(*(winrm.run(server.place(host), SERVICE) for host in HOSTS))
    assert hosts.most == 3


async def test_hosts_are_logged_in_to_at_the_same_time(hosts: Hosts, password_file: Path) -> None:
    """Once the first has accepted the password, the others do not wait for one another."""
    together, seen = threading.Barrier(2), []

    def delay(host: str, action: str) -> None:
        if action == "create":
            seen.append(host)
            if len(seen) > 1:
                together.wait(10)

    with WsManServer(hosts, hosts=HOSTS, users={USER: PASSWORD}, delay=delay) as server:
        given = RemotingSettings(auth="ntlm", user=USER, password_file=password_file, port=server.port, tls=False)
        async with shell(given) as winrm:
            await asyncio.gather(*(winrm.run(server.place(host), SERVICE) for host in HOSTS))
    assert sorted(seen) == HOSTS


async def test_hosts_at_once_is_a_bound(server: WsManServer, hosts: Hosts, settings: Settings) -> None:
    """With one at once, no two commands overlap."""
    async with shell(settings(hosts_at_once=1)) as winrm:
        await asyncio.gather(*(winrm.run(server.place(host), SERVICE) for host in HOSTS * 3))
    assert (hosts.most, len(hosts.asked)) == (1, 9)


async def test_wrong_password_is_shown_once(password_file: Path, hosts: Hosts) -> None:
    """With twelve hosts one try decides for all of them, so that no account is locked."""
    names = [f"fs{i}.corp.example" for i in range(12)]
    with WsManServer(hosts, hosts=names, users={USER: "another"}) as server:
        wrong = RemotingSettings(auth="ntlm", user=USER, password_file=password_file, port=server.port, tls=False)
        async with shell(wrong) as winrm:
            calls = (winrm.run(server.place(name), SERVICE) for name in names)
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            outcomes += await asyncio.gather(winrm.run(server.place(names[3]), SERVICE), return_exceptions=True)
        [first] = server.refused
    assert all(isinstance(outcome, AccessDenied) for outcome in outcomes)
    assert "password_file" in str(outcomes[names.index(first)])
    assert sum(f"not contacted, because {first} refused" in str(outcome) for outcome in outcomes) >= 11
    assert PASSWORD not in str(outcomes)


async def test_password_that_is_good_elsewhere(
    server: WsManServer, hosts: Hosts, settings: Settings, password_file: Path
) -> None:
    """A host with accounts of its own refuses for itself only, and is not asked again."""
    async with shell(settings()) as winrm:
        await winrm.run(server.place(HOSTS[0]), SERVICE)
        server.strangers.add(HOSTS[2])
        for _ in range(2):
            with pytest.raises(AccessDenied, match="refuses"):
                await winrm.run(server.place(HOSTS[2]), SERVICE)
        assert await winrm.run(server.place(HOSTS[1]), SERVICE)
    assert server.refused == [HOSTS[2]]


async def test_password_that_changes_meanwhile(server: WsManServer, hosts: Hosts, settings: Settings) -> None:
    """A host that accepted it before refuses: no host is asked again."""
    async with shell(settings()) as winrm:
        await winrm.run(server.place(HOSTS[0]), SERVICE)
        server.strangers.update(HOSTS)
        server.restart(HOSTS[0])
        for host in HOSTS:
            with pytest.raises(AccessDenied):
                await winrm.run(server.place(host), SERVICE)
    assert server.refused == [HOSTS[0]]


async def test_host_that_is_off(server: WsManServer, settings: Settings) -> None:
    """Nobody listens there: nothing was run, and the others are not held up."""
    async with shell(settings()) as winrm:
        with pytest.raises(HostUnreachable, match="nothing answers on port"):
            await winrm.run("fs9.corp.example=127.0.0.99", SERVICE)
        await winrm.run(server.place(HOSTS[0]), SERVICE)


@pytest.mark.parametrize("name", ["fs1..corp.example", "a" * 64, "fs1\udcff"])
async def test_host_that_cannot_be(name: str, server: WsManServer, settings: Settings) -> None:
    """A name that DNS cannot have, such as one with a typing error in the settings, is a host that does not answer."""
    async with shell(settings()) as winrm:
        with pytest.raises(HostUnreachable, match="does not resolve"):
            await winrm.run(name, SERVICE)


async def test_host_that_no_name_server_knows(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the name that is looked into then, not WinRM."""

    def unknown(*_asked: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with shell(settings()) as winrm:
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(HostUnreachable, match=r"the name fs9\.invalid does not resolve"):
            await winrm.run("fs9.invalid", SERVICE)
        monkeypatch.undo()
        with pytest.raises(HostUnreachable, match=r"the name fs9\.\.corp does not resolve"):
            await winrm.run("fs9..corp", SERVICE)


async def test_host_that_hangs_up(server: WsManServer, settings: Settings) -> None:
    """A connection that is closed at once is no answer, and no refusal."""
    server.faults[HOSTS[0]].refuse = True
    async with shell(settings()) as winrm:
        with pytest.raises(HostUnreachable, match="returned an unexpected answer"):
            await winrm.run(server.place(HOSTS[0]), SERVICE)
        server.faults[HOSTS[0]].refuse = False
        assert await winrm.run(server.place(HOSTS[0]), SERVICE)


@pytest.mark.parametrize("when", ["drop_before", "drop_after"])
async def test_connection_breaks_during_a_command(server: WsManServer, hosts: Hosts, settings: Settings, when: str) -> None:
    """Nobody knows whether it was run: Interrupted, and never sent again by us."""
    async with shell(settings()) as winrm:
        await winrm.run(server.place(HOSTS[0]), make_command("Get-Date"))
        getattr(server.faults[HOSTS[0]], when).add("Restart-Service")
        with pytest.raises(Interrupted, match="during Restart-Service"):
            await winrm.run(server.place(HOSTS[0]), make_command("Restart-Service", Name=("adfssrv",)))
        assert await winrm.run(server.place(HOSTS[0]), SERVICE)
    ran = [command for _, _, command, _ in hosts.asked].count("Restart-Service")
    assert ran == (0 if when == "drop_before" else 1)


async def test_time_is_up(server: WsManServer, settings: Settings) -> None:
    """A command that takes too long is Interrupted, and the host is not held up by it."""
    release = threading.Event()

    def slow(command: str) -> None:
        release.wait(20)

    server.faults[HOSTS[0]].slow = slow
    async with shell(settings()) as winrm:
        with pytest.raises(Interrupted, match="did not finish in time"):
            await winrm.run(server.place(HOSTS[0]), SERVICE, timeout=0.2)
        release.set()
        assert await winrm.run(server.place(HOSTS[0]), SERVICE)


async def test_cancelling_stops_waiting(server: WsManServer, settings: Settings) -> None:
    """The task ends at once; the next command to that host has a connection of its own."""
    release, begun = threading.Event(), threading.Event()

    def slow(command: str) -> None:
        begun.set()
        release.wait(20)

    server.faults[HOSTS[0]].slow = slow
    async with shell(settings()) as winrm:
        task = asyncio.create_task(winrm.run(server.place(HOSTS[0]), SERVICE))
        assert await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.faults[HOSTS[0]].slow = None
        assert await winrm.run(server.place(HOSTS[0]), SERVICE)
        release.set()


async def test_winrm_restarts_between_commands(server: WsManServer, settings: Settings) -> None:
    """A shell that the host forgot is made again, because the host did not look at the command."""
    async with shell(settings()) as winrm:
        await winrm.run(server.place(HOSTS[0]), SERVICE)
        server.shells[HOSTS[0]].clear()
        assert await winrm.run(server.place(HOSTS[0]), SERVICE)


async def test_connection_that_was_idle_is_looked_at_first(
    server: WsManServer, hosts: Hosts, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that broke meanwhile is made again before a command is risked on it."""
    monkeypatch.setattr("adfs_mgmt.remoting.connection._IDLE", 0.0)
    async with shell(settings()) as winrm:
        await winrm.run(server.place(HOSTS[0]), SERVICE)
        await winrm.run(server.place(HOSTS[0]), SERVICE)
        assert len(server.shells[HOSTS[0]]) == 1
        server.restart(HOSTS[0])
        assert await winrm.run(server.place(HOSTS[0]), SERVICE)
    assert len(hosts.asked) == 3


async def test_configuration_that_is_not_there(server: WsManServer, settings: Settings) -> None:
    """The error names it, and the command that makes it."""
    async with shell(settings(configuration="IsthmusAdfsNode")) as winrm:
        with pytest.raises(RemotingError, match=r"no session configuration IsthmusAdfsNode.*isthmus adfs jea"):
            await winrm.run(server.place(HOSTS[0]), SERVICE)


async def test_tls_is_verified_for_the_hosts_name(pki: Pki, hosts: Hosts, password_file: Path) -> None:
    """The certificate has the name and not the address; Basic and NTLM with channel bindings work inside."""
    der = pki.server.public_bytes(serialization.Encoding.DER)
    with WsManServer(hosts, hosts=HOSTS, users={USER: PASSWORD}, tls=pki.context, tls_certificate=der) as server:
        for auth in ("basic", "ntlm"):
            given = RemotingSettings(
                auth=auth, user=USER, password_file=password_file, port=server.port, tls_ca_file=pki.ca_file
            )
            async with shell(given) as winrm:
                assert await winrm.run(server.place(HOSTS[0]), SERVICE)
        assert [asked[0] for asked in hosts.asked] == [USER, USER]


@pytest.mark.parametrize(("trusted", "host"), [(False, HOSTS[0]), (True, "other.corp.example")])
async def test_tls_certificate_that_does_not_fit(
    pki: Pki, hosts: Hosts, password_file: Path, trusted: bool, host: str
) -> None:
    """An unknown CA and a wrong name are refused before the credential is shown."""
    with WsManServer(hosts, hosts=[host], users={USER: PASSWORD}, tls=pki.context) as server:
        given = RemotingSettings(
            auth="basic", user=USER, password_file=password_file, port=server.port,
            tls_ca_file=pki.ca_file if trusted else None,
        )  # fmt: skip
        async with shell(given) as winrm:
            with pytest.raises(HostUnreachable, match="TLS failed"):
                await winrm.run(server.place(host), SERVICE)
    assert hosts.asked == []


async def test_client_certificate(pki: Pki, hosts: Hosts) -> None:
    """A certificate that the host maps to a user proves who we are."""
    digest = hashlib.sha256(pki.client.public_bytes(serialization.Encoding.DER)).hexdigest()
    with WsManServer(hosts, hosts=HOSTS, users={}, tls=pki.context, certificates={digest: "fs1\\admin"}) as server:
        given = RemotingSettings(
            auth="certificate", certificate_file=pki.client_file, key_file=pki.client_key, port=server.port,
            tls_ca_file=pki.ca_file,
        )  # fmt: skip
        async with shell(given) as winrm:
            await winrm.run(server.place(HOSTS[0]), SERVICE)
    assert hosts.asked[0][0] == "fs1\\admin"


def test_a_client_certificates_key_that_others_can_read_is_refused(pki: Pki) -> None:
    """With what to run, before anybody is asked anything."""
    given = RemotingSettings(auth="certificate", certificate_file=pki.client_file, key_file=pki.client_key)
    assert RemotingAccount(given).password is None
    pki.client_key.chmod(0o644)
    with pytest.raises(RemotingError, match=r"key_file .* is open to other users \(mode 0644\); run chmod 600"):
        RemotingAccount(given)


@pytest.mark.parametrize("package", ["gssapi", "krb5"])
def test_kerberos_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """The error names the package and the commands that bring it, before anything is sent."""
    for each in ("gssapi", "krb5"):
        monkeypatch.setitem(sys.modules, each, None if each == package else ModuleType(each))
    with pytest.raises(RemotingError, match=rf"needs {package}: pip install 'isthmus\[kerberos\]'.*libkrb5-dev"):
        WinRm(RemotingSettings())


def test_windows_has_kerberos_itself(monkeypatch: pytest.MonkeyPatch, password_file: Path) -> None:
    """SSPI takes any form of a user's name, and needs no package."""
    monkeypatch.setattr(sys, "platform", "win32")
    for package in ("gssapi", "krb5"):
        monkeypatch.setitem(sys.modules, package, None)
    account = RemotingAccount(RemotingSettings(user=USER, password_file=password_file))
    assert account.credential_for(HOSTS[0]) == ("kerberos", USER, PASSWORD)
    assert account.hosts_judge


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"auth": "basic"}, "without TLS"),
        ({"auth": "certificate"}, "needs tls"),
        ({"auth": "certificate", "tls": True}, "certificate_file"),
        ({"user": ""}, "needs `user`"),
        ({"auth": "kerberos"}, "name@REALM"),
        ({"auth": "kerberos", "user": ""}, "needs `user`"),
        ({"hosts_at_once": 0}, "at least 1"),
        ({"password_file": Path("/does/not/exist")}, r"cannot be read \(No such file or directory\)"),
    ],
)
def test_settings_that_cannot_work(settings: Settings, fields: dict[str, object], said: str) -> None:
    """They are refused before anything is sent."""
    with pytest.raises(RemotingError, match=said):
        WinRm(settings(**fields))
