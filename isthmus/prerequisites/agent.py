"""What an agent loads at its start. No domain controller and no relay is asked: `isthmus agent check` does that."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from directory import SettingsProblem, check_service_password, check_trust
from gateway.agent import BadRoute, proxy_of, tls_context
from isthmus.agent_settings import AgentSettings
from isthmus.prerequisites.machine import Unchecked, unusable_address, unusable_state_directory
from settings import Unfit

_CREDENTIALS = Path("/run/credentials")
"""Where systemd puts copies of credentials, for as long as the service runs."""
_PATIENCE = 1.0
"""Seconds for whoever has the health address."""


def unusable_addresses(settings: AgentSettings) -> Iterator[Unfit]:
    """`health_listen`; that of an agent that runs already is in use by right."""
    address = settings.core.health_listen
    yield from unusable_address(address, "core.health_listen", is_ours=lambda: _is_an_agent(address))


def unusable_files(settings: AgentSettings) -> Iterator[Unfit]:
    """State directory, the way to the relays, each directory's authorities and password."""
    yield from unusable_state_directory(settings.state_dir, "state_dir")
    for load in (tls_context, proxy_of):
        try:
            load(settings.core)
        except BadRoute as error:
            yield Unfit(f"{error.value} {error.reason}", setting=("core", error.key))
    for number, directory in enumerate(settings.directories):
        for check in (check_trust, check_service_password):
            try:
                check(directory)
            except SettingsProblem as error:
                unfit = error.as_unfit(f"directories.{number}.{error.setting}")
                yield _known_later(unfit) if _is_the_services(error.setting, directory.service_password_file) else unfit


def _is_the_services(setting: str, password_file: Path | None) -> bool:
    """Whether only the running service could tell: its environment, or a copy that systemd makes for it."""
    if "CREDENTIALS_DIRECTORY" in os.environ:  # this is the service, or its ExecStartPre
        return False
    if setting == "service_password_env":
        return True
    return setting == "service_password_file" and password_file is not None and password_file.is_relative_to(_CREDENTIALS)


def _known_later(unfit: Unfit) -> Unchecked:
    return Unchecked(unfit.problem, "the service has it when it starts: see its unit", setting=unfit.key)


def _is_an_agent(address: str) -> bool:
    """Whether what listens there shows an agent's metrics."""
    host, _, port = address.rpartition(":")
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - asked, not listened on
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}:{port}/metrics", timeout=_PATIENCE) as answer:
            return b"isthmus_relay_connections" in answer.read(1024 * 1024)
    except (OSError, urllib.error.URLError, ValueError):
        return False
