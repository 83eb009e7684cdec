"""CredSSP between an unmodified pypsrp with requests-credssp and simulated hosts: MS-CSSP inside MS-WSMV 2.2.9.1."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from adfs_mgmt.remoting import AccessDenied, HostUnreachable, RemotingSettings, Secret, WinRm, make_command
from adfs_mgmt.remoting.errors import CredentialRefused
from tests.adfs import endpoints
from tests.adfs.remoting.conftest import HOSTS, PASSWORD, USER, Hosts, Pki
from tests.adfs.simulator.wsman import WsManServer

SERVICE = make_command("Get-Service", Name=("adfssrv",))
Settings = Callable[..., RemotingSettings]


@pytest.fixture
def server(hosts: Hosts) -> Iterator[WsManServer]:
    with WsManServer(hosts, hosts=HOSTS, users={USER: PASSWORD}, credssp=True) as running:
        yield running


@pytest.fixture
def settings(server: WsManServer, tmp_path: Path) -> Settings:
    def build(typed: str = PASSWORD, **fields: object) -> RemotingSettings:
        file = tmp_path / "password"
        file.write_text(typed)
        file.chmod(0o600)
        chosen: dict[str, object] = {
            "auth": "credssp", "user": USER, "password_file": file, "port": server.port, "tls": False,
        }  # fmt: skip
        return RemotingSettings(**(chosen | fields))  # type: ignore[arg-type]

    return build


async def test_it_delegates(server: WsManServer, hosts: Hosts, settings: Settings) -> None:
    """The host has the user's password, to go on with to another one. Messages on port 5985 are encrypted."""
    winrm = WinRm(settings())
    for host in HOSTS:
        assert await winrm.run(server.place(host), SERVICE) == [{"Name": "adfssrv", "Status": "Running"}]
    await winrm.close()
    assert server.delegated == [(host, USER, PASSWORD) for host in HOSTS]
    assert [asked[0] for asked in hosts.asked] == [USER] * 3


async def test_long_messages(server: WsManServer, hosts: Hosts, settings: Settings) -> None:
    """Both ways in pieces of 16 KiB: multipart/x-multi-encrypted."""
    hosts.long = "x" * 100_000
    server.configurations |= endpoints.configurations(HOSTS)
    winrm = WinRm(settings(configuration=endpoints.NAME))
    await winrm.run(
        server.place(HOSTS[0]), make_command("Import-IsthmusCertificate", Pfx=b"\0pfx" * 50_000, Password=Secret("héllo"))
    )
    [answer] = await winrm.run(server.place(HOSTS[0]), make_command("Get-AdfsProperties"))
    await winrm.close()
    assert hosts.asked[0][3]["Pfx"] == b"\0pfx" * 50_000
    assert answer == {"": hosts.long}


async def test_inside_tls(hosts: Hosts, settings: Settings, pki: Pki) -> None:
    """Over port 5986 the messages need no encryption of their own."""
    der = pki.server.public_bytes(serialization.Encoding.DER)
    with WsManServer(
        hosts, hosts=HOSTS, users={USER: PASSWORD}, credssp=True, tls=pki.context, tls_certificate=der
    ) as server:
        winrm = WinRm(settings(tls=True, port=server.port, tls_ca_file=pki.ca_file))
        assert await winrm.run(server.place(HOSTS[0]), SERVICE)
        await winrm.close()
        assert server.delegated == [(HOSTS[0], USER, PASSWORD)]


async def test_a_wrong_password_is_one_try(server: WsManServer, hosts: Hosts, settings: Settings) -> None:
    """Three hosts at once and again: one was asked, once, and none was handed anything."""
    winrm = WinRm(settings("wrong"))
    for _ in range(2):
        said = await asyncio.gather(*(winrm.run(server.place(host), SERVICE) for host in HOSTS), return_exceptions=True)
        assert all(isinstance(each, AccessDenied) for each in said)
    await winrm.close()
    assert len(server.refused) == 1
    assert (server.delegated, hosts.asked) == ([], [])


async def test_a_wrong_password_says_what_to_check(server: WsManServer, settings: Settings) -> None:
    """The sentence names the user and the settings, never the password."""
    winrm = WinRm(settings("Wr0ng-and-secret"))
    with pytest.raises(
        CredentialRefused, match=r"refuses CORP\\admin with credssp.*check `user` and `password_file`"
    ) as caught:
        await winrm.run(server.place(HOSTS[0]), SERVICE)
    await winrm.close()
    assert "Wr0ng" not in f"{caught.value} {caught.value.__cause__!r}"


async def test_a_host_that_does_not_offer_it(hosts: Hosts, settings: Settings) -> None:
    """As Windows is, until it is enabled: the sentence says how, and other hosts are not held up."""
    with WsManServer(hosts, hosts=HOSTS, users={USER: PASSWORD}) as server:
        winrm = WinRm(settings(port=server.port))
        for host in HOSTS[:2]:
            with pytest.raises(HostUnreachable, match="Enable-WSManCredSSP -Role Server"):
                await winrm.run(server.place(host), SERVICE)
        await winrm.close()
        assert server.refused == []


async def test_a_host_without_the_update_of_2018(
    server: WsManServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CVE-2018-0886: it could be somebody in the middle, and is not given the password."""
    monkeypatch.setattr("spnego._credssp._CREDSSP_VERSION", 4)
    winrm = WinRm(settings())
    with pytest.raises(CredentialRefused, match="protocol version"):
        await winrm.run(server.place(HOSTS[0]), SERVICE)
    await winrm.close()
    assert server.delegated == []
