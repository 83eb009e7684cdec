"""Connections spread over Samba's LDAP workers.

Samba serves LDAP from four processes; each keeps the connections that it happens to accept, and does one thing at a time.
With all of them at one worker the domain controller has half its speed, which says nothing about ours. While all workers
but one are stopped (SIGSTOP), it is that one which accepts.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from demo.samba import ThrowawayDomain
from demo.stand import Stand

_SETTLE = 0.25
"""Seconds in which requests that were just sent reach the workers."""
_TRIES = 5


class NotSpread(Exception):
    """The agent's connections were not where they had to be."""


def stop_all_but(workers: Sequence[int], running: int) -> None:
    """Only this worker accepts and answers; `run_all` ends it."""
    for worker in workers:
        os.kill(worker, signal.SIGCONT if worker == running else signal.SIGSTOP)


def run_all(workers: Sequence[int]) -> None:
    """Every worker accepts and answers."""
    for worker in workers:
        os.kill(worker, signal.SIGCONT)


def restart_spread(domain: ThrowawayDomain, stand: Stand, key: str, people: Sequence[tuple[str, str]]) -> None:
    """Start agent-1 afresh, with a connection to search on and one to bind on at each worker at least. Raises NotSpread."""
    workers = domain.ldap_workers()
    for _ in range(_TRIES):
        stand.stop("agent-1")
        stand.start_agent("agent-1")
        open_everywhere(workers, stand, key, people)
        found = connections(domain)
        if all(2 <= count <= 4 for count in found.values()):
            return
    raise NotSpread(f"connections at each worker, which were to be 2 to 4: {found}")


def connections(domain: ThrowawayDomain) -> dict[int, int]:
    """How many connections each worker has, by its process number."""
    here = "".join(f"{int(part):02X}" for part in reversed(domain.address.split("."))) + f":{636:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[1] == here and row[3] == "01"}  # established
    found: Counter[int] = Counter()
    for worker in domain.ldap_workers():
        found[worker] = sum(str(path.readlink()) in inodes for path in Path(f"/proc/{worker}/fd").iterdir())
    return dict(found)


def open_everywhere(workers: Sequence[int], stand: Stand, key: str, people: Sequence[tuple[str, str]]) -> None:
    """Connections of the agent at each worker in turn, with all others stopped.

    What is open elsewhere is occupied by sign-ins that wait.
    """
    waiting: list[threading.Thread] = []
    turn = iter(people)

    def sign_in() -> threading.Thread:
        thread = threading.Thread(target=stand.authenticate, args=(key, *next(turn)))
        thread.start()
        return thread

    try:
        for number, worker in enumerate(workers):
            stop_all_but(workers, worker)
            if number:
                waiting.append(sign_in())  # waits to search at the worker before
                time.sleep(_SETTLE)
                waiting.append(sign_in())  # searches here, and waits to bind there
                time.sleep(_SETTLE)
            sign_in().join()
    finally:
        run_all(workers)
    for thread in waiting:
        thread.join()
