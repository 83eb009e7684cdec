"""One check's result, in the states that monitoring has always had: pass, warn, fail, unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["pass", "warn", "fail", "unknown"]
"""`unknown`: nothing could be said yet, or not from here; a later step or a person has to tell."""

_SEVERITY: dict[Status, int] = {"pass": 0, "unknown": 1, "warn": 2, "fail": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was checked, where, and what was seen there."""

    name: str
    """Which check it was. For programs, such as `ssl-certificate`, where the output is theirs; else a few words."""
    where: str = ""
    """The host, farm, domain or directory that it is about; empty where there is only one."""
    status: Status
    seen: str
    """What was found, in a few words and with its figures; never a secret."""
    remedy: str = ""
    """What to do next; empty for a pass."""


def worst(findings: Iterable[Finding]) -> Status:
    """The most severe status, in the order pass, unknown, warn, fail; `pass` where there are no findings."""
    return max((finding.status for finding in findings), key=_SEVERITY.__getitem__, default="pass")


def explain(finding: Finding) -> str:
    """In a sentence, for people: `clock: its clock is +400 s off; on it, run w32tm /resync`."""
    return f"{finding.name}: {finding.seen}" + (f"; {finding.remedy}" if finding.remedy else "")


def passed(name: str, where: str, seen: str) -> Finding:
    """A condition that holds."""
    return Finding(name=name, where=where, status="pass", seen=seen)


def warned(name: str, where: str, seen: str, remedy: str = "") -> Finding:
    """Something that works still, and will not for long or not for everybody."""
    return Finding(name=name, where=where, status="warn", seen=seen, remedy=remedy)


def failed(name: str, where: str, seen: str, remedy: str = "") -> Finding:
    """Something that does not work, or a condition that must hold before anything is changed, and does not."""
    return Finding(name=name, where=where, status="fail", seen=seen, remedy=remedy)


def undecided(name: str, where: str, seen: str, remedy: str = "") -> Finding:
    """What only a later step or a person can know; `seen` or `remedy` says which."""
    return Finding(name=name, where=where, status="unknown", seen=seen, remedy=remedy)
