"""The steps that make an agent of a machine, from what was prepared. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isthmus.agent_setup.preparation import Preparation
from isthmus.agent_setup.settings_text import settings_text
from isthmus.agent_setup.steps import AgentChecked, AgentEnrolled
from isthmus.setup import (
    UNIT_DIRECTORY,
    NotEditable,
    OwnedDirectory,
    OwnedFile,
    ServiceRuns,
    SetupStep,
    StepFailed,
    SystemUser,
    isthmus_command,
    unit_text,
)

SERVICE = "isthmus-agent"


def wanted_settings(prepared: Preparation) -> dict[str, Any]:
    """By dotted key; None for what must not stand in the file."""
    names, pinned = prepared.names, prepared.pinned
    return {
        "state_dir": str(prepared.state_dir),
        "core.tls_ca_file": str(prepared.relay_ca_file) if prepared.relay_ca_file is not None else None,
        "core.proxy": prepared.core.proxy,
        "directories.name": names.name,
        "directories.servers": prepared.servers or None,
        "directories.domain": None if prepared.servers else names.name,
        "directories.base_dn": names.base_dn,
        "directories.netbios_name": names.netbios_name or None,
        "directories.upn_suffixes": names.upn_suffixes or None,
        "directories.service_user": prepared.service_user,
        "directories.service_password_file": str(prepared.password_file),
        "directories.tls.ca_file": str(prepared.ca_file) if prepared.ca_pem is not None else None,
        "directories.tls.pinned_sha256": pinned if prepared.ca_pem is None else None,
    }


def plan_steps(prepared: Preparation, *, systemd: bool) -> tuple[list[SetupStep], AgentChecked]:
    """The steps in order, and among them the check, which has warnings to tell. Raises StepFailed where the settings file is
    laid out so that it cannot be changed."""
    checked = AgentChecked(config=prepared.config)
    files = _files(prepared)
    steps: list[SetupStep] = [
        SystemUser(prepared.user, prepared.state_dir),
        OwnedDirectory(prepared.config.parent, None, 0o755, exact=False),
        OwnedDirectory(prepared.state_dir, prepared.user, 0o700),
        *files,
        AgentEnrolled(
            state_dir=prepared.state_dir,
            config=prepared.config,
            token_text=prepared.token_text,
            token=prepared.token,
            refused=prepared.refused_serial,
        ),
        checked,
    ]
    if systemd:
        steps += _service(prepared, [step.path for step in files])
    return steps, checked


def _files(prepared: Preparation) -> list[OwnedFile]:
    """What an administrator reads is open to the service's user through its group, and belongs to root."""
    try:
        text = settings_text(prepared.before, wanted_settings(prepared))
    except NotEditable as error:
        raise StepFailed(str(prepared.config), str(error)) from error
    found = [
        OwnedFile(
            path=prepared.password_file,
            content=prepared.password.encode() + b"\n",
            group=prepared.user,
            mode=0o640,
            asks=False,
            secret=True,
        ),
        OwnedFile(path=prepared.config, content=text.encode(), group=prepared.user, mode=0o640),
    ]
    if prepared.ca_pem is not None and not prepared.ca_is_kept:
        found.insert(0, OwnedFile(path=prepared.ca_file, content=prepared.ca_pem, asks=False))
    if prepared.relay_ca is not None and prepared.relay_ca_file is not None:
        found.insert(0, OwnedFile(path=prepared.relay_ca_file, content=prepared.relay_ca, asks=False))
    return found


def _service(prepared: Preparation, files: list[Path]) -> list[SetupStep]:
    unit = UNIT_DIRECTORY / f"{SERVICE}.service"
    text = unit_text(
        "agent", command=isthmus_command(), config=prepared.config, state_dir=prepared.state_dir, user=prepared.user
    )
    ready = f"http://{prepared.health_listen}/readyz" if prepared.health_listen else ""
    return [
        OwnedFile(path=unit, content=text.encode()),
        ServiceRuns(name=SERVICE, depends_on=[*files, unit], ready_url=ready),
    ]
