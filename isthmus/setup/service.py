"""The service: its systemd unit, and that it runs with what was set up, whether or not systemd is there."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from isthmus.setup.errors import StepFailed
from isthmus.setup.machine import Machine
from isthmus.setup.steps import Found

UNIT_DIRECTORY = Path("/etc/systemd/system")
_READY_WITHIN = 60.0
"""Seconds that a started service has until it answers."""
_LOOK_EVERY = 0.25


def isthmus_command() -> str:
    """What starts this very `isthmus`, whatever PATH says: the script beside this Python, or its module."""
    beside = Path(sys.executable).with_name("isthmus")
    return str(beside) if beside.exists() else f"{sys.executable} -P -m isthmus"


def unit_text(kind: str, *, command: str, config: Path, state_dir: Path, user: str, low_port: bool = False) -> str:
    """The unit that comes with the package, for this machine. kind: `relay` or `agent`. low_port: it listens below 1024."""
    text = (files("isthmus.setup") / "units" / f"isthmus-{kind}.service").read_text()
    text = text.replace("/opt/isthmus/bin/isthmus", command)
    text = text.replace(f"/etc/isthmus/{kind}.toml", str(config))
    text = re.sub(r"(?m)^(User|Group)=.*$", rf"\1={user}", text)
    if state_dir.parent == Path("/var/lib"):
        text = re.sub(r"(?m)^StateDirectory=.*$", f"StateDirectory={state_dir.name}", text)
    else:
        text = re.sub(r"(?m)^StateDirectory=.*\n", f"ReadWritePaths={state_dir}\n", text)
        text = re.sub(r"(?m)^StateDirectoryMode=.*\n", "", text)
    if low_port:
        text = re.sub(r"(?m)^(CapabilityBoundingSet|AmbientCapabilities)=.*$", r"\1=CAP_NET_BIND_SERVICE", text)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRuns:
    """A systemd service is enabled, and runs since the last change of what it reads at its start.

    depends_on: its settings and the files that they name. ready_url: answers 200 once it serves; empty: not asked.
    """

    name: str
    depends_on: Sequence[Path]
    ready_url: str = ""

    @property
    def title(self) -> str:
        """See SetupStep."""
        return f"service {self.name}"

    def find(self, machine: Machine) -> Found:
        """Running is not enough: it has to have started after its files were changed."""
        unit = machine.unit(self.name)
        if not unit.enabled or not unit.active or unit.started_at is None:
            return Found(False, "will be enabled and started")
        changed = [path for path in self.depends_on if _changed_at(machine, path) > unit.started_at]
        if unit.stale or changed:
            return Found(False, f"will be restarted, because {changed[0] if changed else 'its unit'} was changed")
        if self.ready_url and machine.http_status(self.ready_url) != 200:
            return Found(False, "is running, but does not answer; will be restarted")
        return Found(True, "enabled and running")

    def apply(self, machine: Machine) -> str:
        """Have systemd read its unit, enable it, start it or start it again, and wait until it answers."""
        was_active = machine.unit(self.name).active
        machine.systemctl("daemon-reload")
        machine.systemctl("enable", self.name)
        machine.systemctl("restart", self.name)
        self._wait(machine)
        return "restarted" if was_active else "enabled and started"

    def _wait(self, machine: Machine) -> None:
        deadline = machine.now() + _READY_WITHIN
        while self.ready_url and machine.http_status(self.ready_url) != 200:
            if machine.now() > deadline or not machine.unit(self.name).active:
                remedy = f"See its log: journalctl -u {self.name} -n 50"
                raise StepFailed(self.title, f"was started, but does not answer at {self.ready_url}", remedy)
            machine.sleep(_LOOK_EVERY)


def _changed_at(machine: Machine, path: Path) -> float:
    entry = machine.entry(path)
    return 0.0 if entry is None else entry.changed_at
