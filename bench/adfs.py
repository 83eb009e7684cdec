"""AD FS: what a whole farm costs against its slowest server."""

from __future__ import annotations

import asyncio
import time

from adfs_mgmt.farm.read import read
from adfs_mgmt.farm.settings import FarmSettings
from tests.adfs.simulator.shell import SimulatedShell
from tests.adfs.simulator.simulator import ManualClock, Simulator

DELAY = 0.05
"""Seconds that each command takes on the way, there and back."""


def status(nodes: int = 30, proxies: int = 10) -> None:
    """Reading a farm, as a multiple of reading its slowest server alone. The target is 3 at most."""
    simulator = Simulator(ManualClock(time.time()))
    farm = simulator.farm(nodes=nodes, proxies=proxies, managed=False)
    names = tuple(host.fqdn for host in simulator.world.nodes(farm))
    others = tuple(host.fqdn for host in simulator.world.proxies(farm))
    for host in (*names, *others):
        simulator.slow(host, DELAY)
    slowest = max(_seconds(simulator, farm.name, (names[0],), ()), _seconds(simulator, farm.name, (names[-1],), ()))
    whole = _seconds(simulator, farm.name, names, others)
    print(f"adfs.status_s {whole:.4g}  # {nodes} nodes, {proxies} proxies, {DELAY * 1000:.0f} ms a command", flush=True)
    print(f"adfs.status_ratio {whole / slowest:.4g}  # of the slowest server alone, {slowest:.3g} s", flush=True)


def _seconds(simulator: Simulator, name: str, nodes: tuple[str, ...], proxies: tuple[str, ...]) -> float:
    settings = FarmSettings(name="bench", federation_name=name, nodes=nodes, proxies=proxies)
    begun = time.perf_counter()
    farm = asyncio.run(read(SimulatedShell(simulator), settings, simulator.world.clock()))
    seconds = time.perf_counter() - begun
    failed = [host.error for host in farm.hosts if host.error]
    if failed:
        raise RuntimeError(failed[0])
    return seconds
