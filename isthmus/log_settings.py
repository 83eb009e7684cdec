"""Settings of the log, the same for every process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Logging."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe events that are written."""
    format: Literal["auto", "text", "json"] = "auto"
    """`auto`: for people on a terminal, JSON elsewhere."""
