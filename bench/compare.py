"""Two versions of the code beside one directory, in turns: what a change costs or saves, on a machine that is noisy.

usage: python -m bench.compare OTHER [--rounds N] [--seconds S] [slapd]      OTHER: another working tree of the project

One figure differs by a third from one run to the next where others use the processors too; the ratio of two rounds that
follow each other does not. Prints medians over the rounds of this tree to the other. The environment is this one's.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.__main__ import PEOPLE, ready
from bench.floor import bind_each_once
from bench.load import Load, sign_in
from bench.measure import seconds_of, show
from bench.spread import open_everywhere
from demo.samba import BENCH_PASSWORD, ThrowawayDomain
from demo.signin import directories_toml
from demo.slapd import ThrowawaySlapd
from demo.stand import Stand
from isthmus import logging

_HERE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class _Side:
    """One version, as processes that run. workers: the directory's processes to spread connections over."""

    tree: Path
    stand: Stand
    key: str

    def restart(self, workers: list[int], people: list[tuple[str, str]]) -> None:
        """A fresh agent, with connections at each worker."""
        if workers:
            with _running(self.tree):
                self.stand.stop("agent-1")
                self.stand.start_agent("agent-1")
            open_everywhere(workers, self.stand, self.key, people)

    def load(self, people: list[tuple[str, str]], connections: int, seconds: int) -> Load:
        """A round."""
        return sign_in(self.stand.url, self.key, people, connections=connections, seconds=seconds)


def compare(
    directories: str, people: list[tuple[str, str]], other: Path, rounds: int, seconds: int, workers: list[int]
) -> None:
    """Processor time with 16 sign-ins at a time (32 without workers), then how long one takes, two at a time."""
    connections = 16 if workers else 32
    with ExitStack() as stack:
        sides = []
        for tree in (other, _HERE):
            with _running(tree):
                stand, key = stack.enter_context(ready(directories))
            sides.append(_Side(tree, stand, key))
        _restart(sides, workers, people, connections)
        costs: list[list[dict[str, float]]] = [[], []]
        rates: list[list[float]] = [[], []]

        def cost(number: int) -> None:
            before, load = seconds_of(sides[number].stand), sides[number].load(people, connections, seconds)
            spent = {name: (used - before[name]) / load.requests for name, used in seconds_of(sides[number].stand).items()}
            costs[number].append({**spent, "own": sum(spent.values())})
            rates[number].append(load.per_second)

        _in_turns(rounds, cost)
        for name in ("own", "relay", "agent"):
            pairs = [(old[name], new[name]) for old, new in zip(*costs, strict=True)]
            _show(f"compare.{name}_cpu", pairs, unit=1000)
        _show("compare.per_s", list(zip(*rates, strict=True)), unit=1)
        _restart(sides, workers, people, 2)
        durations: list[list[float]] = [[], []]
        _in_turns(rounds, lambda number: durations[number].append(sides[number].load(people, 2, seconds).p50_ms))
        _show("compare.p50_at_2", list(zip(*durations, strict=True)), unit=1)


@contextmanager
def _running(tree: Path) -> Iterator[None]:
    """Processes that are started in the block run the code of this tree."""
    before, home = os.environ.get("PYTHONPATH"), Path.cwd()
    os.environ["PYTHONPATH"] = str(tree)
    os.chdir(tree)
    try:
        yield
    finally:
        os.chdir(home)
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _restart(sides: list[_Side], workers: list[int], people: list[tuple[str, str]], connections: int) -> None:
    for side in sides:
        side.restart(workers, people)
    for side in sides:
        side.load(people, connections, 4)


def _in_turns(rounds: int, work: Callable[[int], None]) -> None:
    for number in range(rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            work(side)


def _show(name: str, pairs: list[tuple[float, float]], *, unit: float) -> None:
    ratios = [new / old for old, new in pairs]
    old, new = (statistics.median(values) * unit for values in zip(*pairs, strict=True))
    spread = f"rounds {min(ratios):.2f} to {max(ratios):.2f}; the other {old:.4g}, this one {new:.4g}"
    show(f"{name}_ratio", statistics.median(ratios), spread)


def main() -> None:
    """Compare with OTHER."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("other", type=Path, help="another working tree of the project (git worktree add)")
    parser.add_argument("directory", nargs="?", choices=("samba", "slapd"), default="samba")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=3)
    wanted = parser.parse_args()
    logging.set_up("warning", "text")
    other = wanted.other.resolve()
    if wanted.directory == "slapd":
        with ThrowawaySlapd(people=PEOPLE) as slapd:
            people = [(slapd.upn(number), slapd.password(number)) for number in range(PEOPLE)]
            compare(slapd.toml(), people, other, wanted.rounds, wanted.seconds, [])
        return
    with ThrowawayDomain() as domain:
        domain.create_people()
        people = [(name, BENCH_PASSWORD) for name in domain.create_users(PEOPLE, groups=("Engineering",))]
        service = domain.create_service_account()
        bind_each_once(f"{domain.address}:636", domain.ca_file, people)
        directories = directories_toml(domain, service)
        compare(directories, people, other, wanted.rounds, wanted.seconds, domain.ldap_workers())


if __name__ == "__main__":
    main()
