"""The settings files: one model for each process, put together from the rooms' own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from directory.settings import DirectorySettings
from gateway.agent.settings import AgentCoreSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Logging."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe events that are written."""
    format: Literal["auto", "text", "json"] = "auto"
    """`auto`: for people on a terminal, JSON elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """`isthmus agent`: next to a domain controller."""

    state_dir: Path
    """Directory (mode 0700) for the agent's identity."""
    core: AgentCoreSettings = field(default_factory=AgentCoreSettings)
    """The relays and the way to them."""
    directories: tuple[DirectorySettings, ...]
    """The directories that passwords are checked against; several for several forests."""
    log: LogSettings = field(default_factory=LogSettings)
    """Logging."""
