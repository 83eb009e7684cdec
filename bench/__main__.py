"""`make bench`: a `name value` line for each figure. Everything on this one machine; ratios are what counts.

usage: python -m bench [--quick] [signin] [fast] [relay] [store] [admission] [claims] [federation] [command] [adfs]
       default: all
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.admission import measure as measure_admission
from bench.claims import measure as measure_claims
from bench.command import measure as measure_command
from bench.crowd import FROM_ONE_ADDRESS, crowd
from bench.federation import measure as measure_federation
from bench.floor import bind_each_once, bind_milliseconds, binds_per_second
from bench.load import sign_in
from bench.measure import processor_seconds, rss_mb, seconds_of, show
from bench.spread import restart_spread
from demo.postgres import ThrowawayPostgres
from demo.samba import BENCH_PASSWORD, ServiceAccount, ThrowawayDomain
from demo.signin import directories_toml
from demo.slapd import ThrowawaySlapd
from demo.stand import Stand
from isthmus import logging

QUICK = "--quick" in sys.argv
SECONDS = 3 if QUICK else 10
ROUNDS = 1 if QUICK else 5
PEOPLE = 2000
SUSTAINED = 5_000 if QUICK else 50_000
AGENTS, CONNECTIONS = (50, 2) if QUICK else (500, 2)
FLOOR_CORES = 1.5
"""What the domain controller uses of two cores while it is asked by a client that costs next to nothing."""
RELAY = '[server.core]\ncanary_interval = 0\n[log]\nlevel = "warning"\n'
AGENT = '[log]\nlevel = "warning"\n'


def show_processor_time(prefix: str, stand: Stand, before: dict[str, float], requests: int) -> None:
    """What a sign-in cost each process."""
    for name, seconds in seconds_of(stand).items():
        show(f"{prefix}.{name}_cpu_ms", (seconds - before[name]) / requests * 1000, "processor time of a sign-in")


@contextmanager
def ready(directories: str, server: str = "") -> Iterator[tuple[Stand, str]]:
    """A relay and one agent in front of a directory, and an API key. server: TOML of its `[server]`."""
    with Stand(directories, relay=server + RELAY, agent=AGENT) as stand:
        stand.enrol_agent("agent-1")
        stand.start_agent("agent-1")
        yield stand, stand.create_api_key()


def signin() -> None:
    """Samba: end-to-end sign-ins against the domain controller's own binds."""
    with ThrowawayDomain() as domain:
        domain.create_people()
        names = domain.create_users(PEOPLE, groups=("Engineering",))
        service = domain.create_service_account()
        people = [(name, BENCH_PASSWORD) for name in names]
        bind_each_once(f"{domain.address}:636", domain.ca_file, people)
        ratio(domain, service, people)
        ratio_uncached(domain, service, people)


def ratio(domain: ThrowawayDomain, service: ServiceAccount, people: list[tuple[str, str]]) -> None:
    """The rounds of floor and load follow each other, so that a noisy machine is noisy for both."""
    with ready(directories_toml(domain, service)) as (stand, key):
        show("agent.rss_mb", rss_mb(stand.processes["agent-1"].pid), "idle")
        restart_spread(domain, stand, key, people)
        sign_in(stand.url, key, people, connections=16, seconds=4)
        floors, loads = [], []
        spent = dict.fromkeys(seconds_of(stand), 0.0)
        for _ in range(ROUNDS):
            floors.append(floor_per_second(domain, people))
            before = seconds_of(stand)
            loads.append(sign_in(stand.url, key, people, connections=16, seconds=SECONDS))
            for name, seconds in seconds_of(stand).items():
                spent[name] += seconds - before[name]
        requests = sum(load.requests for load in loads)
        for name, seconds in spent.items():
            show(f"signin.{name}_cpu_ms", seconds / requests * 1000, "processor time of a sign-in")
        show("signin.own_cpu_ms", sum(spent.values()) / requests * 1000, "both together")
        show("signin.floor_per_s", statistics.median(floors), "the domain controller's own binds")
        show("signin.per_s", statistics.median(load.per_second for load in loads))
        show("signin.errors", sum(load.errors for load in loads))
        ratios = [load.per_second / floor for load, floor in zip(loads, floors, strict=True)]
        show("signin.ratio", statistics.median(ratios), f"rounds {min(ratios):.2f} to {max(ratios):.2f}")
        at_two(stand, key, people, domain)


def floor_per_second(domain: ThrowawayDomain, people: list[tuple[str, str]]) -> float:
    """The domain controller's own binds, of a round in which it had the processors. Raises RuntimeError where none did."""
    for _ in range(5):
        started, used = time.monotonic(), domain.processor_seconds()
        floor = binds_per_second(
            f"{domain.address}:636",
            domain.ca_file,
            by_dn(domain, people),
            threads=4,
            seconds=SECONDS,
            workers=domain.ldap_workers(),
        )
        cores = (domain.processor_seconds() - used) / (time.monotonic() - started)
        if cores >= FLOOR_CORES:
            return floor
        print(f"# a round of the floor is discarded: the domain controller used {cores:.2f} cores", flush=True)
    raise RuntimeError(f"the domain controller did not get {FLOOR_CORES} cores: is this machine idle?")


def by_dn(domain: ThrowawayDomain, people: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same people under the name that is cheapest for the domain controller to bind: nothing to look up."""
    return [(f"CN={name.partition('@')[0]},{domain.people_dn}", password) for name, password in people]


def ratio_uncached(domain: ThrowawayDomain, service: ServiceAccount, people: list[tuple[str, str]]) -> None:
    """The same with every nested group read from the domain controller at each sign-in."""
    settings = directories_toml(domain, service).replace("[directories.tls]", "groups_cache_seconds = 0\n[directories.tls]")
    with ready(settings) as (stand, key):
        restart_spread(domain, stand, key, people)
        sign_in(stand.url, key, people, connections=16, seconds=2)
        ratios = []
        for _ in range(max(ROUNDS // 2, 1)):
            floor = floor_per_second(domain, people)
            ratios.append(sign_in(stand.url, key, people, connections=16, seconds=SECONDS).per_second / floor)
        show("signin.ratio_uncached", statistics.median(ratios), "groups_cache_seconds = 0")


def at_two(stand: Stand, key: str, people: list[tuple[str, str]], domain: ThrowawayDomain) -> None:
    """At about half load, two at a time: how long a sign-in takes, and what we add to a bind and a search."""
    restart_spread(domain, stand, key, people)
    sign_in(stand.url, key, people, connections=2, seconds=2)
    bare, loads = [], []
    for _ in range(ROUNDS):
        bare.append(
            bind_milliseconds(
                f"{domain.address}:636",
                domain.ca_file,
                people,
                rounds=500,
                base_dn=domain.base_dn,
                threads=2,
                workers=domain.ldap_workers(),
            )
        )
        loads.append(sign_in(stand.url, key, people, connections=2, seconds=SECONDS))
    middle, slowest = (
        [statistics.median(taken) for taken in bare],
        [statistics.quantiles(taken, n=100)[98] for taken in bare],
    )
    show("signin.p50_at_2_ms", statistics.median(load.p50_ms for load in loads), "two at a time")
    show("signin.bare_p50_ms", statistics.median(middle), "bind and search alone, two at a time")
    show("signin.added_p50_ms", statistics.median(load.p50_ms - p50 for load, p50 in zip(loads, middle, strict=True)))
    show("signin.added_p99_ms", statistics.median(load.p99_ms - p99 for load, p99 in zip(loads, slowest, strict=True)))


def fast() -> None:
    """OpenLDAP with {SSHA}: a directory that costs next to nothing, so that our own code is what is measured."""
    with ThrowawaySlapd(people=PEOPLE) as slapd, ready(slapd.toml()) as (stand, key):
        people = [(slapd.upn(number), slapd.password(number)) for number in range(PEOPLE)]
        binds = [(slapd.dn(number), slapd.password(number)) for number in range(PEOPLE)]
        sign_in(stand.url, key, people, connections=16, seconds=4)
        floor = binds_per_second(slapd.server, slapd.ca_file, binds, threads=4, seconds=SECONDS)
        spent = seconds_of(stand)
        loads = [sign_in(stand.url, key, people, connections=32, seconds=SECONDS) for _ in range(ROUNDS)]
        show_processor_time("fast", stand, spent, sum(load.requests for load in loads))
        show("fast.floor_per_s", floor, "binds alone, from a client in Python")
        show("fast.per_s", statistics.median(load.per_second for load in loads))
        show("fast.errors", sum(load.errors for load in loads))
        pids = {name.partition("-")[0]: process.pid for name, process in stand.processes.items()}
        before = {name: rss_mb(pid) for name, pid in pids.items()}
        done = 0
        while done < SUSTAINED:
            done += sign_in(stand.url, key, people, connections=32, seconds=SECONDS).requests
        for name, pid in pids.items():
            show(f"{name}.growth_mb", rss_mb(pid) - before[name], f"over {done} sign-ins, from {before[name]:.0f} MB")


def store() -> None:
    """PostgreSQL beside SQLite, in turns, and what its audit trail takes."""
    from bench.store import append

    append(SECONDS)
    with ThrowawaySlapd(people=PEOPLE) as slapd, ThrowawayPostgres(careful=True) as server:
        people = [(slapd.upn(number), slapd.password(number)) for number in range(PEOPLE)]
        postgres = f'store_url = "{server.create_database()}"\n'
        with ready(slapd.toml()) as (alone, key), ready(slapd.toml(), postgres) as (shared, other_key):
            for stand, own in ((alone, key), (shared, other_key)):
                sign_in(stand.url, own, people, connections=64, seconds=4)
            ratios, spent = [], processor_seconds(shared.processes["relay"].pid)
            requests = errors = 0
            for _ in range(ROUNDS):
                here = sign_in(alone.url, key, people, connections=64, seconds=SECONDS)
                there = sign_in(shared.url, other_key, people, connections=64, seconds=SECONDS)
                ratios.append(there.per_second / here.per_second)
                requests, errors = requests + there.requests, errors + here.errors + there.errors
            used = processor_seconds(shared.processes["relay"].pid) - spent
            show("store.postgres_ratio", statistics.median(ratios), f"rounds {min(ratios):.2f} to {max(ratios):.2f}")
            show("store.relay_cpu_ms", used / requests * 1000, "processor time of a sign-in with PostgreSQL")
            show("store.errors", errors)


def relay() -> None:
    """What a thousand agent connections cost the relay."""
    with Stand("", relay=FROM_ONE_ADDRESS + RELAY) as stand:
        empty = rss_mb(stand.processes["relay"].pid)
        with crowd(stand, AGENTS, CONNECTIONS):
            remark = f"{AGENTS * CONNECTIONS} connections; {empty:.0f} without"
            show("relay.rss_mb", rss_mb(stand.processes["relay"].pid), remark)


def command() -> None:
    """How long `isthmus --help` takes."""
    measure_command(ROUNDS)


def adfs() -> None:
    """A farm of 30 nodes and 10 proxies over a network with 50 ms, and the planner over 1,000 nodes."""
    from bench.adfs import planner, status

    status(ROUNDS)
    planner(ROUNDS)


def admission() -> None:
    """What smart lockout remembers, and what it costs a sign-in."""
    measure_admission()


def claims() -> None:
    """How many people's claims are made in a second."""
    measure_claims()


def federation() -> None:
    """Flows of applications, on a relay with a durable store."""
    measure_federation(SECONDS, ROUNDS, RELAY, AGENT, quick=QUICK)


def main() -> None:
    """What was asked for, or everything."""
    if os.cpu_count() != 2:
        print(f"# the targets are for 2 cores; this machine has {os.cpu_count()}", flush=True)
    logging.set_up("warning", "text")
    wanted = [name for name in sys.argv[1:] if not name.startswith("-")]
    for part in (signin, fast, relay, store, admission, claims, federation, command, adfs):
        if not wanted or part.__name__ in wanted:
            part()


if __name__ == "__main__":
    main()
