"""Settings with a file as their source and a tenant of a real SCIM service as their target."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.isthmus.conftest import Run
from tests.sync.target.scim.conftest import Service, scim_program, service

__all__ = ["scim_program", "service"]

HEADER = "number,account,upn,name,control\n"
SETTINGS = """\
state_dir = "state"
[sources.staff]
kind = "csv"
file = "staff.csv"
key = "number"
settle_seconds = 0
[sources.staff.columns]
sAMAccountName = {{ column = "account" }}
userPrincipalName = {{ column = "upn" }}
displayName = {{ column = "name" }}
userAccountControl = {{ column = "control", type = "number" }}
[targets.app]
url = "{url}"
token_file = "{token}"
requests_a_second = 10000
[log]
level = "error"
"""


@dataclass
class Stand:
    """A folder with settings, and the command."""

    folder: Path
    command: Run
    people: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "sync.toml"

    @property
    def state(self) -> Path:
        """The state file."""
        return self.folder / "state" / "sync.db"

    def put(self, **people: str) -> None:
        """Names by account; an empty one leaves."""
        self.people |= people
        rows = [f"{account},{account},{account}@example.com,{name},512\n" for account, name in self.people.items() if name]
        (self.folder / "staff.csv").write_text(HEADER + "".join(rows))

    def set(self, text: str) -> None:
        """More settings, at the end."""
        self.config.write_text(self.config.read_text() + text)

    def run(self, command: str, *arguments: object) -> tuple[int, str, str]:
        """`isthmus sync COMMAND …`."""
        return self.command("sync", command, *map(str, arguments), "--config", str(self.config))

    def json(self, command: str, *arguments: object) -> Any:
        """What it prints with --json."""
        return json.loads(self.run(command, *arguments, "--json")[1])


@pytest.fixture
def stand(tmp_path: Path, run: Run, service: Service) -> Stand:
    """Two people, nothing synchronised yet."""
    settings = service.settings()
    (tmp_path / "sync.toml").write_text(SETTINGS.format(url=settings.url, token=settings.token_file))
    stand = Stand(tmp_path, run)
    stand.put(anna="Anna Berg", bert="Bert Dahl")
    return stand


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A settings file."""

    def write(text: str) -> Path:
        path = tmp_path / "sync.toml"
        path.write_text(text)
        return path

    return write
