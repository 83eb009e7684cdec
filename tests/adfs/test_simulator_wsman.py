"""The whole way: catalogue, pypsrp, real WSMan and PSRP on loopback, the simulated farm; and the shortcut says the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adfs_mgmt.remoting import (
    CATALOGUE,
    MACHINE_STORE,
    Command,
    CommandFailed,
    HostUnreachable,
    Interrupted,
    PSObject,
    RemotingError,
    RemotingSettings,
    Secret,
    Shell,
    WinRm,
    make_command,
)
from tests.adfs import endpoints
from tests.adfs.simulator.shell import SimulatedShell
from tests.adfs.simulator.simulator import ADMIN, Simulator
from tests.adfs.simulator.wsman import WsManServer
from tests.adfs.simulator_helpers import PRIMARY, SECOND, WAP, Console

PASSWORD = "Adm1n-Passw0rd"
HOSTS = (PRIMARY, SECOND, WAP)
_NEEDED = {
    "Get-ChildItem": make_command("Get-ChildItem", Path=(MACHINE_STORE,)),
    "Get-Service": make_command("Get-Service", Name=("adfssrv",)),
    "Get-WindowsFeature": make_command("Get-WindowsFeature", Name=("ADFS-Federation", "Web-Application-Proxy")),
    "Get-CimInstance": make_command("Get-CimInstance", ClassName="Win32_OperatingSystem"),
    "Get-IsthmusServicePrincipal": make_command("Get-IsthmusServicePrincipal", Name="fs.example.com"),
}


@pytest.fixture
def simulator() -> Simulator:
    console = Console()
    console.simulator.farm(nodes=2, proxies=1)
    return console.simulator


@pytest.fixture
def server(simulator: Simulator) -> Iterator[WsManServer]:
    offered = endpoints.configurations(HOSTS)
    with WsManServer(simulator.invoke, hosts=HOSTS, users={ADMIN: PASSWORD}, configurations=offered) as running:
        yield running


@pytest.fixture
def settings(server: WsManServer, tmp_path: Path) -> RemotingSettings:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    return RemotingSettings(
        auth="ntlm", user=ADMIN, password_file=password, port=server.port, tls=False, configuration=endpoints.NAME
    )


def _reading() -> list[Command]:
    return [_NEEDED.get(name) or make_command(name) for name, cmdlet in CATALOGUE.items() if name.startswith("Get-")]


async def _answer(shell: Shell, host: str, command: Command) -> list[PSObject] | tuple[str, str, str]:
    try:
        return await shell.run(host, command)
    except CommandFailed as error:
        return error.error_id, error.category, error.reason


async def test_every_getter_says_the_same_both_ways(
    simulator: Simulator, server: WsManServer, settings: RemotingSettings
) -> None:
    """Values, types and refusals, on a primary, a secondary and a proxy."""
    winrm, shortcut = WinRm(settings), SimulatedShell(simulator)
    try:
        for host in (PRIMARY, SECOND, WAP):
            for command in _reading():
                real = await _answer(winrm, server.place(host), command)
                assert real == await _answer(shortcut, host, command), f"{command} on {host}"
    finally:
        await winrm.close()


async def test_changes_and_faults_over_the_wire(
    simulator: Simulator, server: WsManServer, settings: RemotingSettings
) -> None:
    """A PFX arrives whole, a broken connection is one, a server that is off is not reached."""
    winrm = WinRm(settings)
    made = simulator.issue("fs.example.com")
    try:
        [imported] = await winrm.run(
            server.place(PRIMARY),
            make_command("Import-IsthmusCertificate", Pfx=made.pfx("geheim"), Password=Secret("geheim")),
        )
        assert imported["Thumbprint"] == made.thumbprint
        simulator.drop_during("Set-AdfsProperties", 1, "after_effect")
        with pytest.raises(Interrupted):
            await winrm.run(server.place(PRIMARY), make_command("Set-AdfsProperties", AutoCertificateRollover=False))
        [properties] = await winrm.run(server.place(PRIMARY), make_command("Get-AdfsProperties"))
        assert properties["AutoCertificateRollover"] is False
        simulator.offline(SECOND)
        with pytest.raises((HostUnreachable, Interrupted)) as caught:
            await winrm.run(server.place(SECOND), make_command("Get-Date"))
        assert isinstance(caught.value, RemotingError)
    finally:
        await winrm.close()
