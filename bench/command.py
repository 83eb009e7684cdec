"""How long the command takes to start."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence

from bench.measure import show

_HELP = ("-m", "isthmus", "--help")
_EMPTY = ("-c", "pass")


def measure(rounds: int) -> None:
    """`cli.help_ratio`: processor time of `isthmus --help` to that of an interpreter that does nothing, in turns."""
    helped, empty = [], []
    for _ in range(10 * rounds):
        helped.append(_processor_ms(_HELP))
        empty.append(_processor_ms(_EMPTY))
    mine, floor = statistics.median(helped), statistics.median(empty)
    show("cli.help_ratio", mine / floor, f"{mine:.0f} ms of processor time to {floor:.0f}")


def _processor_ms(arguments: Sequence[str]) -> float:
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}")
    return (used.ru_utime + used.ru_stime) * 1000
