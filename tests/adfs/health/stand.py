"""A simulated farm behind real WSMan and real TLS on loopback, and a settings file for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.adfs import endpoints
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.simulator import ADMIN, Simulator
from tests.adfs.simulator.wsman import WsManServer


@contextmanager
def stand(simulator: Simulator, directory: Path, *, configuration: str = endpoints.NAME) -> Iterator[Path]:
    """Serve every host of the simulator; the settings file names every farm: prod, farm2, farm3 …, and the session
    configuration."""
    passwords = dict(simulator.world.accounts)
    with Network(simulator) as network:
        hosts = {host.fqdn: network.address(host.fqdn) for host in simulator.world.hosts.values()}
        offered = endpoints.configurations(hosts)
        with WsManServer(simulator.invoke, hosts=hosts, users=passwords, configurations=offered) as server:
            yield _settings(simulator, network, directory, server.port, configuration)


def _settings(simulator: Simulator, network: Network, directory: Path, port: int, configuration: str) -> Path:
    password = directory / "password"
    password.write_text(simulator.world.accounts[ADMIN])
    password.chmod(0o600)
    text = f'state_dir = "{directory}"\n[remoting]\nauth = "ntlm"\nuser = "CORP\\\\admin"\npassword_file = "{password}"\n'
    text += f"tls = false\nport = {port}\nconfiguration = '{configuration}'\n[log]\nlevel = 'warning'\n"
    for number, farm in enumerate(simulator.world.farms):
        text += f'[[farms]]\nname = "{f"farm{number + 1}" if number else "prod"}"\nfederation_name = "{farm.name}"\n'
        text += f'federation_address = "{network.federation_address(farm)}"\ntls_ca_file = "{network.ca_file}"\n'
        text += f"https_port = {network.https_port}\nhttp_port = {network.http_port}\n"
        text += f"nodes = {list(network.nodes(farm))}\nproxies = {list(network.proxies(farm))}\n"
    path = directory / "adfs.toml"
    path.write_text(text)
    return path
