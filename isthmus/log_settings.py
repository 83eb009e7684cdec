"""Settings of the log, the same for every process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Logging."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum severity of the events that are logged."""
    format: Literal["auto", "text", "json"] = "auto"
    """`text` or `json`; `auto` uses text on a terminal and JSON otherwise."""
