"""Tests on a real farm: only where somebody names one (`make test-live CONFIG=adfs.toml`), and by default only reading.

ISTHMUS_LIVE          CONFIG: settings file of `isthmus adfs`
ISTHMUS_LIVE_FARM     FARM: name of the farm in it, where it has several
ISTHMUS_LIVE_CHANGE   CHANGE: the farm's name once more: its token certificates may be rolled and rolled back (never a farm
                      in use)
ISTHMUS_LIVE_RESULTS  where recordings go; names in them are replaced
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from adfs_mgmt.farm import ExternalView, Farm, FarmSettings, read_external_view, read_farm
from adfs_mgmt.remoting import (
    CATALOGUE,
    MACHINE_STORE,
    AccessDenied,
    Command,
    CommandFailed,
    HostKind,
    PSObject,
    Recorder,
    RemotingError,
    Shell,
    WinRm,
    make_command,
)
from isthmus.adfs_settings import AdfsSettings
from settings import load_settings

collect_ignore_glob = [] if os.environ.get("ISTHMUS_LIVE") else ["test_*.py"]

Answer = list[PSObject] | CommandFailed

_NEEDED: dict[str, Command] = {
    "Get-ChildItem": make_command("Get-ChildItem", Path=(MACHINE_STORE,)),
    "Get-Service": make_command("Get-Service", Name=("adfssrv",)),
    "Get-WindowsFeature": make_command("Get-WindowsFeature", Name=("ADFS-Federation", "Web-Application-Proxy")),
    "Get-CimInstance": make_command("Get-CimInstance", ClassName="Win32_OperatingSystem"),
}
REFUSALS = (
    Command("Get-AdfsCertificate", {"CertificateType": ("Nonsense",)}),
    Command("Get-AdfsCertificate", {"Nonsense": "x"}),
    Command("Get-AdfsNonsense", {}),
)
"""Read-only mistakes: what a farm says to them must be what the simulation says."""


def readings(kind: HostKind) -> dict[str, Command]:
    """Every command of the catalogue that reads, for a kind of host."""
    return {
        name: _NEEDED.get(name) or make_command(name)
        for name, cmdlet in CATALOGUE.items()
        if kind in cmdlet.hosts and name.startswith("Get-") and not any(p.required for p in cmdlet.parameters.values())
    } | {name: command for name, command in _NEEDED.items() if kind in CATALOGUE[name].hosts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A farm, looked at once for all tests: a wrong password is shown once, not once for each."""

    path: Path
    settings: AdfsSettings
    chosen: FarmSettings
    farm: Farm
    outside: ExternalView
    answers: Mapping[str, Mapping[str, Answer]]
    """By host and command."""
    refusals: Mapping[str, list[Answer]]
    """By node, in the order of REFUSALS."""


@pytest.fixture(scope="session")
def seen() -> Seen:
    """Everything that can be read."""
    path = Path(os.environ["ISTHMUS_LIVE"])
    settings = load_settings(path, AdfsSettings)
    name = os.environ.get("ISTHMUS_LIVE_FARM", "")
    chosen = next((farm for farm in settings.farms if name in {"", farm.name}), None)
    if chosen is None or not chosen.nodes:
        pytest.exit(f"{path} has no farm {name} with nodes", 2)
    return asyncio.run(_look(path, settings, chosen))


async def _look(path: Path, settings: AdfsSettings, chosen: FarmSettings) -> Seen:
    results = Path(os.environ.get("ISTHMUS_LIVE_RESULTS", "."))
    shell = Recorder(WinRm(settings.remoting), results / f"reading-{time.time():.0f}.jsonl")
    try:
        now = time.time()
        outside, farm = await asyncio.gather(read_external_view(chosen, now), read_farm(shell, chosen, now))
        kinds = [(host, HostKind.NODE) for host in chosen.nodes] + [(host, HostKind.PROXY) for host in chosen.proxies]
        answers = {
            host: {name: await _ask(shell, host, command) for name, command in readings(kind).items()}
            for host, kind in kinds
        }
        refusals = {host: [await _ask(shell, host, command) for command in REFUSALS] for host in chosen.nodes}
    except AccessDenied as denied:
        pytest.exit(f"{denied}; nothing else was tried", 2)
    except RemotingError as error:
        pytest.exit(f"{error}; every server of the farm must be up for this", 2)
    finally:
        await shell.close()
    return Seen(path=path, settings=settings, chosen=chosen, farm=farm, outside=outside, answers=answers, refusals=refusals)


async def _ask(shell: Shell, host: str, command: Command) -> Answer:
    try:
        return await shell.run(host, command)
    except CommandFailed as error:
        return error
