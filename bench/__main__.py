"""`make bench`: a `name value` line for each figure. Everything on this one machine; ratios are what counts."""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path

from bench.floor import bind_milliseconds, binds_per_second
from bench.load import Load, sign_in
from isthmus.demo.main import directories_toml
from isthmus.demo.samba import BENCH_PASSWORD, ThrowawayDomain
from isthmus.demo.stand import Stand

QUICK = "--quick" in sys.argv
SECONDS = 3 if QUICK else 10
ROUNDS = 1 if QUICK else 3
RELAY = '[server.core]\ncanary_interval = 0\n[log]\nlevel = "warning"\n'
AGENT = '[log]\nlevel = "warning"\n'


def show(name: str, value: float) -> None:
    """One figure."""
    print(f"{name} {value:.4g}", flush=True)


def rss_mb(pid: int) -> float:
    """Resident memory of a process, MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def signin() -> None:
    """Samba: end-to-end sign-ins against the domain controller's own binds."""
    with ThrowawayDomain() as domain:
        domain.create_people()
        names = domain.create_users(200, groups=("Engineering",))
        service = domain.create_service_account()
        people = [(name, BENCH_PASSWORD) for name in names]
        server = f"{domain.address}:636"
        with Stand(directories_toml(domain, service), relay=RELAY, agent=AGENT) as stand:
            stand.enrol_agent("agent-1")
            stand.start_agent("agent-1")
            key = stand.create_api_key()
            show("agent.rss_mb", rss_mb(stand.processes["agent-1"].pid))
            sign_in(stand.url, key, people, connections=16, seconds=2)
            floors, loads = [], []
            for _ in range(ROUNDS):
                floors.append(binds_per_second(server, domain.ca_file, people, threads=4, seconds=SECONDS))
                loads.append(sign_in(stand.url, key, people, connections=16, seconds=SECONDS))
            ratios = [load.per_second / floor for load, floor in zip(loads, floors, strict=True)]
            show("signin.floor_per_s", statistics.median(floors))
            show("signin.per_s", statistics.median(load.per_second for load in loads))
            show("signin.errors", sum(load.errors for load in loads))
            show("signin.ratio", statistics.median(ratios))
            added(stand, key, people, server, domain)
            show("relay.rss_after_load_mb", rss_mb(stand.processes["relay"].pid))
            show("agent.rss_after_load_mb", rss_mb(stand.processes["agent-1"].pid))


def added(stand: Stand, key: str, people: list[tuple[str, str]], server: str, domain: ThrowawayDomain) -> None:
    """What we add to a bind, with a single person at a time."""
    bare = bind_milliseconds(server, domain.ca_file, people[0], rounds=300)
    load: Load = sign_in(stand.url, key, people, connections=1, seconds=SECONDS)
    show("signin.bare_p50_ms", statistics.median(bare))
    show("signin.added_p50_ms", load.p50_ms - statistics.median(bare))
    show("signin.added_p99_ms", load.p99_ms - statistics.quantiles(bare, n=100)[98])


def main() -> None:
    """Everything."""
    if os.cpu_count() != 2:
        print(f"# the targets are for 2 cores; this machine has {os.cpu_count()}", flush=True)
    signin()


if __name__ == "__main__":
    main()
