"""The steps of a relay's setup."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import isthmus
from isthmus.relay_setup.plan import RelayPlan
from isthmus.setup import (
    UNIT_DIRECTORY,
    Found,
    Machine,
    OwnedDirectory,
    OwnedFile,
    ProgramFailed,
    ServiceRuns,
    SetupStep,
    SystemUser,
)

SERVICE = "isthmus-relay"
INITIALISED = "secret.key"
"""What `isthmus relay init` writes last."""


def relay_steps(plan: RelayPlan) -> list[SetupStep]:
    """In order; each relies on those before it."""
    steps: list[SetupStep] = [
        SystemUser(plan.user, plan.state_dir),
        InstallationReadable(plan.user, Path(isthmus.__file__).parent),
        OwnedDirectory(plan.config.parent, None, 0o755, exact=False),
        OwnedDirectory(plan.state_dir, plan.user, 0o700),
        *(
            OwnedFile(
                path=copy.target,
                content=copy.content,
                group=plan.user,
                mode=0o640 if copy.secret else 0o644,
                asks=False,
                secret=copy.secret,
            )
            for copy in plan.copies
        ),
        OwnedFile(path=plan.config, content=plan.settings, group=plan.user, mode=0o640),
        *((CertificateIssued(plan.config, plan.issued),) if plan.issued is not None else ()),
        SettingsGood(plan.config),
        RelayInitialised(plan.config, plan.state_dir, plan.node),
    ]
    if plan.unit is not None:
        unit = UNIT_DIRECTORY / f"{SERVICE}.service"
        steps += [
            OwnedFile(path=unit, content=plan.unit),
            ServiceRuns(name=SERVICE, depends_on=(plan.config, unit), ready_url=plan.health_url),
        ]
    return steps


@dataclass(frozen=True, slots=True)
class InstallationReadable:
    """Whether the service's user could run the program at all: an installation in root's home works for root only."""

    user: str
    place: Path

    @property
    def title(self) -> str:
        """See SetupStep; so for the others."""
        return f"installation {self.place.parent}"

    def find(self, machine: Machine) -> Found:
        """By a file of it, read as that user; or as a user without groups, where it is not made yet."""
        if machine.readable_by(self.place / "__init__.py", machine.user(self.user)):
            return Found(True, f"{self.user} can read it", check=True)
        remedy = "Install it where every user can read it: python3 -m venv /opt/isthmus"
        return Found(False, f"{self.user} cannot read it", wrong=f"{self.user} cannot read it", remedy=remedy)

    def apply(self, machine: Machine) -> str:
        """There is nothing that a setup could do about it."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class CertificateIssued:
    """The ACME server has issued the first certificate. From then on the relay renews it."""

    config: Path
    certificate: Path

    @property
    def title(self) -> str:
        """See SetupStep."""
        return f"HTTPS certificate {self.certificate}"

    def find(self, machine: Machine) -> Found:
        """By the file that is written last; whether it is still good, the command itself knows."""
        if machine.entry(self.certificate) is None:
            return Found(False, "will be issued by the ACME server")
        return Found(True, "the relay renews it")

    def apply(self, machine: Machine) -> str:
        """By the command itself, which becomes the owner of the directory."""
        machine.isthmus(["relay", "renew-certificate", "--config", str(self.config)])
        return "issued by the ACME server; the relay renews it"


@dataclass(frozen=True, slots=True)
class SettingsGood:
    """Whether `isthmus config check` finds anything wrong, the files that the settings name included."""

    config: Path

    @property
    def title(self) -> str:
        """See SetupStep."""
        return f"settings in {self.config}"

    def find(self, machine: Machine) -> Found:
        """What is not written yet is checked once it is."""
        if machine.entry(self.config) is None:
            return Found(False, "will be checked")
        try:
            machine.isthmus(["config", "check", str(self.config)])
        except ProgramFailed as error:
            return Found(False, "cannot be used", wrong=error.said.strip().removeprefix("Error: "))
        return Found(True, "checked", check=True)

    def apply(self, machine: Machine) -> str:
        """There is nothing that a setup could do about it."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class RelayInitialised:
    """The relay's authority, identity and secrets are there."""

    config: Path
    state_dir: Path
    node: str

    @property
    def title(self) -> str:
        """See SetupStep."""
        return f"keys in {self.state_dir}"

    def find(self, machine: Machine) -> Found:
        """By the file that is written last."""
        if machine.entry(self.state_dir / INITIALISED) is None:
            return Found(False, "will be created")
        return Found(True, "agents pin them: back them up")

    def apply(self, machine: Machine) -> str:
        """By the command itself, which becomes the owner of the directory and finishes what an interrupted one has left."""
        machine.isthmus(["relay", "init", "--config", str(self.config), "--name", self.node])
        return "created; agents pin them: back them up"
