"""Settings for simulated farms."""

from __future__ import annotations

from adfs_mgmt.farm import FarmSettings
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.simulator import Simulator


def settings_of(simulator: Simulator, network: Network | None = None) -> FarmSettings:
    """Of its first farm: as it is served, or with ports at which nobody answers."""
    farm = simulator.world.farms[0]
    if network is None:
        nodes = tuple(f"{host.fqdn}=127.0.0.1" for host in simulator.world.nodes(farm))
        proxies = tuple(f"{host.fqdn}=127.0.0.1" for host in simulator.world.proxies(farm))
        return FarmSettings(name="prod", federation_name=farm.name, nodes=nodes, proxies=proxies, https_port=1, http_port=1)
    return FarmSettings(
        name="prod",
        federation_name=farm.name,
        federation_address=network.federation_address(farm),
        nodes=network.nodes(farm),
        proxies=network.proxies(farm),
        https_port=network.https_port,
        http_port=network.http_port,
        tls_ca_file=network.ca_file,
    )
