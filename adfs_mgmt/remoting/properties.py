"""Properties of a PowerShell object, as what they are meant to be: hosts send them as text, too. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from contextlib import suppress

from adfs_mgmt.remoting.command import PSObject


def text_of(row: PSObject, *names: str) -> str:
    """The first of these properties that is there, as text."""
    for name in names:
        value = row.get(name)
        if value is not None and not isinstance(value, list | Mapping):
            return str(value)
    return ""


def texts_of(row: PSObject, name: str) -> tuple[str, ...]:
    """A property with several values; a single one counts as one."""
    value = row.get(name)
    if isinstance(value, list):
        return tuple(str(item) for item in value if item is not None and not isinstance(item, Mapping))
    return (str(value),) if value not in (None, "") and not isinstance(value, Mapping) else ()


def integer_of(row: PSObject, name: str, default: int = 0) -> int:
    """A whole number."""
    with suppress(ValueError):
        return int(text_of(row, name))
    return default


def flag_of(row: PSObject, name: str, default: bool = False) -> bool:
    """A Boolean, which some cmdlets send as text."""
    value = text_of(row, name)
    return value.lower() == "true" if value else default


def time_of(row: PSObject, name: str) -> float | None:
    """A time, Unix seconds; None where there is none, or .NET's smallest, which means never."""
    value = row.get(name)
    return value.timestamp() if isinstance(value, dt.datetime) and value.year > 1 else None


def object_of(row: PSObject, name: str) -> PSObject:
    """A nested object; an empty one where there is none."""
    value = row.get(name)
    return value if isinstance(value, Mapping) else {}


def seconds_of(row: PSObject, name: str, default: float) -> float:
    """A duration: a number of seconds, or .NET's `[d.]hh:mm:ss`."""
    value = text_of(row, name)
    with suppress(ValueError):
        return float(value)
    matched = re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d+):(\d+)(?:\.\d+)?", value)
    if not matched:
        return default
    days, hours, minutes, rest = (int(part or 0) for part in matched.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + rest)
