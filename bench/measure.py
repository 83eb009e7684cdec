"""What every part of the benchmark measures with: one line for a figure, what a process has used."""

from __future__ import annotations

import os
from pathlib import Path

from demo.stand import Stand


def show(name: str, value: float, remark: str = "") -> None:
    """One figure."""
    print(f"{name} {value:.4g}" + (f"  # {remark}" if remark else ""), flush=True)


def rss_mb(pid: int) -> float:
    """Resident memory of a process, MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def seconds_of(stand: Stand) -> dict[str, float]:
    """What each process of a stand has used so far: `relay`, `agent`."""
    return {name.partition("-")[0]: processor_seconds(process.pid) for name, process in stand.processes.items()}


def processor_seconds(pid: int) -> float:
    """User and system time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
