"""One line of judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["pass", "warn", "fail"]
DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was looked at, where, and what came of it."""

    name: str
    """For programs, such as `ssl-certificate`."""
    where: str
    """A host without its address, the federation name, or the farm's name."""
    status: Status
    seen: str
    remedy: str = ""
    """What to do; empty for a pass."""


def worst(checks: Sequence[Check]) -> Status:
    """The worst status among them."""
    found = {check.status for check in checks}
    return "fail" if "fail" in found else "warn" if "warn" in found else "pass"


def passed(name: str, where: str, seen: str) -> Check:
    """All is well."""
    return Check(name=name, where=where, status="pass", seen=seen)


def warned(name: str, where: str, seen: str, remedy: str) -> Check:
    """Soon, or not quite."""
    return Check(name=name, where=where, status="warn", seen=seen, remedy=remedy)


def failed(name: str, where: str, seen: str, remedy: str) -> Check:
    """People cannot sign in, or soon cannot."""
    return Check(name=name, where=where, status="fail", seen=seen, remedy=remedy)
