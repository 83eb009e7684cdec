"""A simulated farm's hosts, in a process of their own: WinRM, TLS, metadata, probe, with a network's delay. Run by the
benchmark.

usage: python -m bench.hosts NODES PROXIES MILLISECONDS

Prints where everything is, as JSON on one line. For each line of its input it prints how many WinRM exchanges there were so
far; it ends with its input.
"""

from __future__ import annotations

import json
import sys
import time

from tests.adfs import endpoints
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.simulator import ADMIN, Simulator
from tests.adfs.simulator.wsman import WsManServer

PASSWORD = "Adm1n-Passw0rd"


def main(nodes: int, proxies: int, latency: float) -> None:
    """Serve until the end of the input."""
    simulator = Simulator(time.time)
    farm = simulator.farm(nodes=nodes, proxies=proxies)
    with Network(simulator, latency=latency) as network:
        hosts = {fqdn: network.address(fqdn) for fqdn in simulator.world.hosts}
        offered, users = endpoints.configurations(hosts), {ADMIN: PASSWORD}
        with WsManServer(simulator.invoke, hosts=hosts, users=users, configurations=offered, latency=latency) as winrm:
            where = {
                "federation_name": farm.name,
                "federation_address": network.federation_address(farm),
                "nodes": network.nodes(farm),
                "proxies": network.proxies(farm),
                "https_port": network.https_port,
                "http_port": network.http_port,
                "tls_ca_file": network.ca_file,
                "winrm_port": winrm.port,
                "configuration": endpoints.NAME,
                "user": ADMIN,
                "password": PASSWORD,
            }
            print(json.dumps(where), flush=True)
            for _ in sys.stdin:
                print(winrm.exchanges, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000)
