"""Over real WinRM, with real TLS and metadata, and with processes that are really killed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adfs_mgmt.farm import FarmSettings
from adfs_mgmt.procedures.server import Operation, Secrets, ServerSpec
from adfs_mgmt.remoting import RemotingSettings, Secret, WinRm
from tests.adfs import endpoints
from tests.adfs.deploy.support import ADMIN, NAME, NEW, PASSWORD, PRIMARY, PROXY, Deployment, Watch, done
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.simulator import Simulator
from tests.adfs.simulator.wsman import WsManServer

SECRETS = Secrets(admin=Secret(PASSWORD), trust_admin=Secret(PASSWORD))
_COMMAND = "from isthmus.cli.adfs.servers import node_command; node_command(prog_name='isthmus adfs node')"


class Wire:
    """A farm with its network and its WinRM, on real time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.simulator = Simulator(time.time)
        self.farm = self.simulator.farm(nodes=1, proxies=0, name=NAME)
        self.new = self.simulator.host(NEW)
        self.proxy = self.simulator.host(PROXY, domain="")
        ssl = self.simulator[PRIMARY].store[self.simulator[PRIMARY].bindings[0].thumbprint].certificate
        self.thumbprint = ssl.thumbprint
        self.farm.gmsa_hosts.add(NEW)
        self.proxy.resolves[NAME] = PRIMARY
        for host in (NEW, PROXY):
            self.simulator.put(host, ssl)
        self.network = Network(self.simulator)

    def start(self) -> None:
        self.network.__enter__()
        addresses = {host: self.network.address(host) for host in (PRIMARY, NEW, PROXY)}
        offered = endpoints.configurations(addresses)
        self.winrm = WsManServer(self.simulator.invoke, hosts=addresses, users={ADMIN: PASSWORD}, configurations=offered)
        self.winrm.start()
        password = self.directory / "password"
        password.write_text(PASSWORD)
        password.chmod(0o600)
        self.remoting = RemotingSettings(
            auth="ntlm",
            user=ADMIN,
            password_file=password,
            port=self.winrm.port,
            tls=False,
            configuration=endpoints.NAME,
        )
        self.settings = FarmSettings(
            name="prod",
            federation_name=NAME,
            federation_address=self.network.address(PRIMARY),
            nodes=(self.place(PRIMARY),),
            https_port=self.network.https_port,
            http_port=self.network.http_port,
            tls_ca_file=self.network.ca_file,
        )

    def stop(self) -> None:
        self.winrm.stop()
        self.network.__exit__(None, None, None)

    def place(self, host: str) -> str:
        """`host=address`."""
        return f"{host}={self.network.address(host)}"

    def write_settings(self) -> Path:
        """For a process of its own."""
        path = self.directory / "adfs.toml"
        path.write_text(
            f"""state_dir = "."
[remoting]
auth = "ntlm"
user = 'CORP\\admin'
password_file = "password"
port = {self.winrm.port}
tls = false
configuration = "{endpoints.NAME}"
[[farms]]
name = "prod"
federation_name = "{NAME}"
federation_address = "{self.settings.federation_address}"
nodes = ["{self.place(PRIMARY)}"]
https_port = {self.settings.https_port}
http_port = {self.settings.http_port}
tls_ca_file = "{self.settings.tls_ca_file}"
"""
        )
        return path


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    """Running."""
    tmp_path.chmod(0o700)
    made = Wire(tmp_path)
    made.start()
    yield made
    made.stop()


async def test_a_node_and_a_proxy_over_winrm(wire: Wire) -> None:
    """Typed credentials and lists arrive; what is seen from outside is real TLS and signed metadata."""
    work = Deployment(
        connect=lambda: WinRm(wire.remoting), settings=wire.settings, state_dir=wire.directory, progress=Watch()
    )
    for operation, host in ((Operation.NODE_ADD, NEW), (Operation.PROXY_ADD, PROXY), (Operation.NODE_REMOVE, NEW)):
        spec = ServerSpec(
            operation=operation,
            farm="prod",
            federation_name=NAME,
            host=wire.place(host),
            admin=ADMIN if operation is Operation.NODE_ADD else "",
            trust_admin=ADMIN if operation is Operation.PROXY_ADD else "",
        )
        record = done(await work.apply(await work.plan(spec, SECRETS), SECRETS))
        assert record.outcome == "done", operation
    assert wire.new.node is None
    assert wire.proxy.proxy is not None


def command(wire: Wire, *more: str) -> subprocess.Popen[str]:
    """`isthmus adfs node add` as a process."""
    given = ["--config", str(wire.write_settings()), "--admin-user", ADMIN, "--admin-password-file", "password", "--yes"]
    return subprocess.Popen(
        [sys.executable, "-c", _COMMAND, "add", wire.place(NEW), *given, *more],
        cwd=wire.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.system
@pytest.mark.parametrize("victim", ["Install-WindowsFeature", "Test-AdfsFarmJoin", "Add-AdfsFarmNode"])
def test_a_process_that_is_killed_in_the_middle_of_a_command(victim: str, wire: Wire) -> None:
    """kill -9 while the server is at it; a new process finds what became of it and goes on."""
    killed = threading.Event()
    process = command(wire)

    def kill(name: str) -> None:
        if name == victim and not killed.is_set():
            process.kill()
            process.wait()
            killed.set()

    wire.winrm.faults[NEW].slow = kill
    output, _ = process.communicate(timeout=60)
    assert killed.is_set(), output
    assert process.returncode == -9
    again = command(wire, "--resume")
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 0, output
    assert "Done at" in output
    assert wire.new.node is not None
    commands = [entry.command for entry in wire.simulator.log if entry.host == NEW]
    assert commands.count("Add-AdfsFarmNode") == commands.count("Install-WindowsFeature") == 1
