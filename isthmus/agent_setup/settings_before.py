"""What an earlier setup, or an administrator, has left in the settings file. Pure, but for reading it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.agent import AgentCoreSettings
from isthmus.agent_setup import questions as ask
from isthmus.setup import AnswerRefused, Machine, current_value


@dataclass(frozen=True, slots=True)
class ExistingSettings:
    """text: None where there is no file yet."""

    path: Path
    text: str | None
    data: Mapping[str, Any] = field(default_factory=dict)

    def word(self, key: str) -> str:
        """A text by its dotted key; empty where there is none."""
        found = current_value(self.data, key)
        return found if isinstance(found, str) else ""

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        found = current_value(self.data, key)
        return tuple(map(str, found)) if isinstance(found, list) else ()

    @property
    def health_listen(self) -> str:
        """Where the agent says whether it is ready; empty: nowhere."""
        told = current_value(self.data, "core.health_listen")
        return told if isinstance(told, str) else AgentCoreSettings().health_listen


def read_existing(machine: Machine, config: Path) -> ExistingSettings:
    """Raises AnswerRefused for a file that is there and cannot be read."""
    if machine.entry(config) is None:
        return ExistingSettings(config, None)
    try:
        text = machine.read(config).decode()
        return ExistingSettings(config, text, tomllib.loads(text))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AnswerRefused(str(config), f"is there and cannot be read ({error}); correct it, or move it away") from error


def known_answers(existing: ExistingSettings, machine: Machine) -> dict[str, str]:
    """By question key, as text: what is answered already."""
    known = {
        ask.DOMAIN.key: existing.word("directories.name"),
        ask.SERVERS.key: ", ".join(existing.words("directories.servers")),
        ask.SERVICE_USER.key: existing.word("directories.service_user"),
        ask.STATE_DIR.key: existing.word("state_dir"),
        ask.RELAY_CA_FILE.key: existing.word("core.tls_ca_file"),
        ask.PROXY.key: existing.word("core.proxy"),
    }
    entry = machine.entry(Path(known[ask.STATE_DIR.key])) if known[ask.STATE_DIR.key] else None
    if entry is not None and entry.access.uid:
        known[ask.USER.key] = machine.user_name(entry.access.uid) or ""
    return {key: text for key, text in known.items() if text}
