"""AD FS: what a whole farm costs against its slowest server, and how the planner grows.

The hosts are simulated in a process of their own, so that their processor time is not ours. WinRM is real, NTLM and all.
Each HTTP exchange is delayed, logins and new connections included: that is what a network does, not one delay a command.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adfs_mgmt.farm import FarmSettings
from adfs_mgmt.operations import OperationContext, observe_farms
from adfs_mgmt.procedures import FarmObservation, RolloverPolicy, RolloverRequest, plan, procedure_of
from adfs_mgmt.remoting import RemotingSettings
from bench.measure import processor_seconds, show
from foundation.procedures import blank, next_step
from isthmus.adfs_settings import AdfsSettings
from isthmus.log_settings import LogSettings
from tests.adfs.procedures.world import TOKEN, World

DELAY_MS = 50
NODES, PROXIES = 30, 10


@dataclass(frozen=True, slots=True)
class Hosts:
    """They serve."""

    where: dict[str, Any]
    process: subprocess.Popen[str]
    home: Path

    def look(self, nodes: Sequence[str], proxies: Sequence[str]) -> float:
        """Seconds that `isthmus adfs status` takes for these: WinRM and from outside. Raises RuntimeError."""
        farm = FarmSettings(
            name="bench",
            nodes=tuple(nodes),
            proxies=tuple(proxies),
            **{name: self.where[name] for name in ("federation_name", "federation_address", "https_port", "http_port")},
            tls_ca_file=self.where["tls_ca_file"],
        )
        password = self.home / "password"
        password.write_text(self.where["password"])
        password.chmod(0o600)
        remoting = RemotingSettings(
            auth="ntlm",
            user=self.where["user"],
            password_file=password,
            port=self.where["winrm_port"],
            tls=False,
            configuration=self.where["configuration"],
        )
        settings = AdfsSettings(state_dir=self.home, farms=(farm,), remoting=remoting, log=LogSettings(level="warning"))
        begun = time.perf_counter()
        context = OperationContext(settings=settings)
        (observed,) = asyncio.run(observe_farms(context, context.farms()))
        seconds = time.perf_counter() - begun
        failed = [host.error for host in (*observed.farm.hosts, *observed.external.served) if host.error]
        if failed:
            raise RuntimeError(failed[0])
        return seconds

    def exchanges(self) -> int:
        """Over WinRM so far."""
        assert self.process.stdin is not None  # noqa: S101
        assert self.process.stdout is not None  # noqa: S101
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def hosts(nodes: int, proxies: int) -> Iterator[Hosts]:
    """A farm of so many."""
    command = [sys.executable, "-m", "bench.hosts", str(nodes), str(proxies), str(DELAY_MS)]
    with (
        tempfile.TemporaryDirectory() as home,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None  # noqa: S101
        yield Hosts(json.loads(process.stdout.readline()), process, Path(home))
        assert process.stdin is not None  # noqa: S101
        process.stdin.close()


def status(rounds: int) -> None:
    """The whole farm, and its primary and its last node alone, in turns."""
    with hosts(NODES, PROXIES) as farm:
        nodes, proxies = farm.where["nodes"], farm.where["proxies"]
        farm.look(nodes[:1], ())  # imports, DNS, first connections
        wholes, alone, ours, theirs, counts = [], [], [], [], []
        for _ in range(rounds):
            alone.append(max(farm.look(nodes[:1], ()), farm.look(nodes[-1:], ())))
            before = (processor_seconds(os.getpid()), processor_seconds(farm.process.pid), farm.exchanges())
            wholes.append(farm.look(nodes, proxies))
            ours.append(processor_seconds(os.getpid()) - before[0])
            theirs.append(processor_seconds(farm.process.pid) - before[1])
            counts.append(farm.exchanges() - before[2])
    each = [whole / one for whole, one in zip(wholes, alone, strict=True)]
    show("adfs.status_s", statistics.median(wholes), f"{NODES} nodes, {PROXIES} proxies, {DELAY_MS} ms an exchange")
    show("adfs.status_alone_s", statistics.median(alone), "the slowest server alone")
    show("adfs.status_ratio", statistics.median(each), f"rounds {min(each):.2f} to {max(each):.2f}")
    show("adfs.status_cpu_s", statistics.median(ours), f"processor time, for {statistics.median(counts):.0f} exchanges")
    show("adfs.status_hosts_cpu_s", statistics.median(theirs), "of the simulated hosts, on the same processors")


def planner(rounds: int) -> None:
    """A plan and every next step of a rollover, for a thousand nodes and for a hundred."""
    small, large = observation(100), observation(1000)
    few, many = [], []
    for _ in range(rounds):
        few.append(seconds_to_plan(small))
        many.append(seconds_to_plan(large))
    show("adfs.planner_s", statistics.median(many), "1,000 nodes: a plan, and the next step at each stage of it")
    show("adfs.planner_ratio", statistics.median(many) / statistics.median(few), "to 100 nodes; 10 is proportional")


def observation(nodes: int) -> FarmObservation:
    """A healthy farm, as the planner sees it."""
    return asyncio.run(World(nodes=tuple(f"n{number}" for number in range(nodes))).observe())


def seconds_to_plan(observed: FarmObservation) -> float:
    """For a farm as it is."""
    policy, now = RolloverPolicy(), observed.farm.read_at
    table = procedure_of("token", policy)
    gc.collect()
    begun = time.process_time()
    made = plan(RolloverRequest(kind="token", uses=TOKEN), observed, policy, now)
    completed: dict[str, float] = {}
    for step in made.steps:
        record = replace(blank(table, "bench", table.foreseen(made.state), now), completed=dict(completed))
        next_step(table, observed, record, now)
        completed[step.stage] = now
    return time.process_time() - begun
