"""Two versions of the code beside one directory, in turns: what a change costs or saves, on a machine that is noisy.

usage: python -m bench.compare OTHER [--starts N] [--rounds N] [slapd]      OTHER: another working tree of the project

One figure differs by a third from one run to the next where others use the processors too; the ratio of two rounds that
follow each other does not. But a process is some percent cheaper or dearer than another of the same code for as long as
it runs (two copies of one commit: 5 to 7 %), so both versions are started anew several times. Prints the ratio of this
tree to the other: the median over the starts, each the median of its rounds. The environment is this one's.
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
    directories: str,
    people: list[tuple[str, str]],
    other: Path,
    *,
    starts: int,
    rounds: int,
    seconds: int,
    workers: list[int],
) -> None:
    """Processor time with 16 sign-ins at a time (32 without workers), then how long one takes, two at a time."""
    measured: dict[str, list[tuple[float, float]]] = {}
    for number in range(starts):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        with ExitStack() as stack:
            sides: dict[int, _Side] = {}
            for side in order:
                tree = (other, _HERE)[side]
                with _running(tree):
                    sides[side] = _Side(tree, *stack.enter_context(ready(directories)))
            for name, pair in _one_start([sides[0], sides[1]], people, rounds, seconds, workers).items():
                measured.setdefault(name, []).append(pair)
                print(f"# start {number + 1} of {starts}: {name} {pair[1] / pair[0]:.3f}", flush=True)
    for name, pairs in measured.items():
        _show(f"compare.{name}", pairs)


def _one_start(
    sides: list[_Side], people: list[tuple[str, str]], rounds: int, seconds: int, workers: list[int]
) -> dict[str, tuple[float, float]]:
    """Medians of the rounds, the other's and this tree's: processor ms of a sign-in, sign-ins per second, duration ms."""
    connections = 16 if workers else 32
    measured: list[dict[str, list[float]]] = [{}, {}]

    def cost(number: int) -> None:
        before, load = seconds_of(sides[number].stand), sides[number].load(people, connections, seconds)
        after = seconds_of(sides[number].stand)
        spent = {f"{name}_cpu": (after[name] - before[name]) / load.requests * 1000 for name in before}
        for name, value in {**spent, "own_cpu": sum(spent.values()), "per_s": load.per_second}.items():
            measured[number].setdefault(name, []).append(value)

    def duration(number: int) -> None:
        measured[number].setdefault("p50_at_2", []).append(sides[number].load(people, 2, seconds).p50_ms)

    _restart(sides, workers, people, connections)
    _in_turns(rounds, cost)
    _restart(sides, workers, people, 2)
    _in_turns(rounds, duration)
    return {name: (statistics.median(old), statistics.median(measured[1][name])) for name, old in measured[0].items()}


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


def _show(name: str, pairs: list[tuple[float, float]]) -> None:
    ratios = [new / old for old, new in pairs]
    old, new = (statistics.median(values) for values in zip(*pairs, strict=True))
    spread = f"starts {min(ratios):.2f} to {max(ratios):.2f}; the other {old:.4g}, this one {new:.4g}"
    show(f"{name}_ratio", statistics.median(ratios), spread)


def main() -> None:
    """Compare with OTHER."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("other", type=Path, help="another working tree of the project (git worktree add)")
    parser.add_argument("directory", nargs="?", choices=("samba", "slapd"), default="samba")
    parser.add_argument("--starts", type=int, default=5, help="how often both are started anew")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each kind after each start")
    parser.add_argument("--seconds", type=int, default=3, help="length of a round")
    wanted = parser.parse_args()
    logging.set_up("warning", "text")
    how = {"starts": wanted.starts, "rounds": wanted.rounds, "seconds": wanted.seconds}
    other = wanted.other.resolve()
    if wanted.directory == "slapd":
        with ThrowawaySlapd(people=PEOPLE) as slapd:
            people = [(slapd.upn(number), slapd.password(number)) for number in range(PEOPLE)]
            compare(slapd.toml(), people, other, **how, workers=[])
        return
    with ThrowawayDomain() as domain:
        domain.create_people()
        people = [(name, BENCH_PASSWORD) for name in domain.create_users(PEOPLE, groups=("Engineering",))]
        service = domain.create_service_account()
        bind_each_once(f"{domain.address}:636", domain.ca_file, people)
        directories = directories_toml(domain, service)
        compare(directories, people, other, **how, workers=domain.ldap_workers())


if __name__ == "__main__":
    main()
