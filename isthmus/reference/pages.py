"""Every generated page by its name, and how the ones on disk compare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.federation import Trust
from isthmus import agent_process, relay_process
from isthmus.adfs_settings import AdfsSettings
from isthmus.agent_settings import AgentSettings
from isthmus.reference.api import api_page
from isthmus.reference.audit import audit_page
from isthmus.reference.commands import commands_page
from isthmus.reference.functions import functions_page
from isthmus.reference.metrics import metrics_page
from isthmus.reference.outcomes import outcomes_page
from isthmus.reference.settings import settings_page, trust_page
from isthmus.reference.sources import sources_page
from isthmus.reference.texts import texts_page
from isthmus.relay_settings import RelaySettings
from isthmus.sync_settings import SyncSettings


def pages() -> dict[str, str]:
    """File name -> text."""
    return {
        "settings-relay.md": settings_page("relay", RelaySettings, relay_process.RELOADED),
        "settings-agent.md": settings_page("agent", AgentSettings, agent_process.RELOADED),
        "settings-adfs.md": settings_page("adfs", AdfsSettings),
        "settings-sync.md": settings_page("sync", SyncSettings),
        "settings-trust.md": trust_page(Trust),
        "commands.md": commands_page(),
        "metrics.md": metrics_page(),
        "audit-events.md": audit_page(),
        "outcomes.md": outcomes_page(),
        "http-api.md": api_page(),
        "page-texts.md": texts_page(),
        "sync-functions.md": functions_page(),
        "sync-sources.md": sources_page(),
    }


def stale(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """The names of those that are missing on disk or differ."""
    return [name for name, text in wanted.items() if _read(folder / name) != text]


def write(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """Write those that differ; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = stale(folder, wanted)
    for name in names:
        (folder / name).write_text(wanted[name], encoding="utf-8")
    return names


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
