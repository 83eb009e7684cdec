"""The agent's settings file, put together from the packages' own, apart from the relay's: neither loads the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from directory import DirectorySettings, contradictions
from gateway.agent import AgentCoreSettings, LookUpSettings
from isthmus.log_settings import LogSettings
from settings import Unfit, not_empty


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """`isthmus agent`: next to a domain controller."""

    state_dir: Path
    """Directory (mode 0700) for the agent's identity."""
    core: AgentCoreSettings = field(default_factory=AgentCoreSettings)
    """The relays and how to reach them."""
    directories: Annotated[tuple[DirectorySettings, ...], not_empty]
    """Directories against which passwords are checked; several for several forests."""
    look_up: LookUpSettings = field(default_factory=LookUpSettings)
    """What relays may ask about users without a password."""
    log: LogSettings = field(default_factory=LogSettings)
    """Logging."""

    def contradictions(self) -> Iterator[Unfit]:
        """Of the directories."""
        for error in contradictions(self.directories):
            yield error.under("directories")
