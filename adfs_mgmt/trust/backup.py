"""A copy of a domain's federation before each change, and the way back.

A backup is one JSON file, mode 0600, that is never overwritten. It holds no secret: certificates without keys, addresses.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from adfs_mgmt.trust.errors import FileProblem, NotTaken, TrustRefused
from adfs_mgmt.trust.model import Configuration, FederatedDomain
from adfs_mgmt.trust.reader import VISIBLE_WITHIN, parse_configuration, read_configuration
from certs import KeyStoreError, private_directory, read_private, write_new
from foundation.graph import MalformedAnswer, OutcomeUnknown

if TYPE_CHECKING:
    from foundation.graph import Graph

VERSION = 1
_MFA = "federatedIdpMfaBehavior"
RESTORABLE = (
    "displayName",
    "issuerUri",
    "metadataExchangeUri",
    "signingCertificate",
    "nextSigningCertificate",
    "passiveSignInUri",
    "activeSignInUri",
    "signOutUri",
    "preferredAuthenticationProtocol",
    "promptLoginBehavior",
    "isSignedAuthenticationRequestRequired",
)
"""What a restore writes, where it differs. `federatedIdpMfaBehavior` only where that is asked for: it cannot be unset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One file, read and checked."""

    path: Path
    tenant: str
    domain: str
    taken_at: float
    why: str
    configuration: Configuration = field(repr=False)


class Backups:
    """The directory `state_dir/backups`."""

    def __init__(self, state_dir: Path, tenant: str) -> None:
        self._directory = state_dir / "backups"
        self._tenant = tenant

    def save(self, domain: str, configuration: Configuration, why: str, now: float) -> Path:
        """Write one, synced to disk before this returns. Raises FileProblem: then nothing may be changed."""
        raw = dict(configuration.raw)
        content = _File(version=VERSION, tenant=self._tenant, domain=domain, taken_at=now, why=why, configuration=raw)
        data = msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
        try:
            private_directory(self._directory, within_state=True)
            return self._write(_stem(self._tenant, domain, now), data)
        except KeyStoreError as error:
            raise FileProblem(error.path, error.problem, error.remedy) from error

    def all(self) -> list[Path]:
        """Every backup of this tenant, oldest first."""
        return sorted(self._directory.glob(f"entra-{_safe(self._tenant)}-*.json"), key=lambda path: path.stat().st_mtime_ns)

    def _write(self, stem: str, data: bytes) -> Path:
        """Under a name that was free: two changes in one second are two files."""
        for number in range(1000):
            path = self._directory / (f"{stem}-{number}.json" if number else f"{stem}.json")
            with contextlib.suppress(FileExistsError):
                write_new(path, data)
                return path
        raise FileProblem(self._directory, "is full of backups of this second", "check the clock")


class _File(msgspec.Struct):
    """What is in a file."""

    version: int
    tenant: str
    domain: str
    taken_at: float
    why: str
    configuration: dict[str, Any]


def load_backup(path: Path) -> Backup:
    """Read a file and check it. Raises FileProblem."""
    try:
        content = msgspec.json.decode(read_private(path))
        version = content.get("version") if isinstance(content, dict) else None
        if version != VERSION:
            problem = f"is of version {version!r}; this program reads {VERSION}"
            raise FileProblem(path, problem, "use the program that wrote it")
        file = msgspec.convert(content, _File)
        configuration = parse_configuration(file.configuration, str(path))
    except FileNotFoundError as error:
        raise FileProblem(path, "there is no such file", "look in the directory `backups` under state_dir") from error
    except KeyStoreError as error:
        raise FileProblem(error.path, error.problem, error.remedy) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, MalformedAnswer) as error:
        raise FileProblem(path, "is not a backup of a trust, or is damaged", "use another one") from error
    return Backup(
        path=path,
        tenant=file.tenant,
        domain=file.domain,
        taken_at=file.taken_at,
        why=file.why,
        configuration=configuration,
    )


def plan_restore(backup: Backup, domain: FederatedDomain, *, live: str = "", with_mfa: bool = False) -> dict[str, Any]:
    """The properties that a restore would write; empty where nothing differs. Pure.

    `live` is the thumbprint that signs now, where it is known: a backup without it is refused, because restoring it would
    break sign-in. Raises TrustRefused.
    """
    what = f"restoring {backup.domain} from {backup.path.name}"
    if domain.configuration is None:
        remedy = "Convert it instead, from the same file: `isthmus adfs trust convert DOMAIN federated --from FILE`"
        raise TrustRefused(what, [f"the domain is managed now, or its configuration cannot be read. {remedy}"])
    if live and backup.configuration.slot_of(live) is None:
        reason = (
            f"it does not contain {live}, the current token-signing certificate: sign-in would break. Use a newer backup"
        )
        raise TrustRefused(what, [reason])
    names = (*RESTORABLE, _MFA) if with_mfa else RESTORABLE
    wanted, current = backup.configuration.raw, domain.configuration.raw
    return {name: wanted[name] for name in names if wanted.get(name) is not None and wanted[name] != current.get(name)}


def properties_of(configuration: Configuration) -> dict[str, Any]:
    """What federates a domain in the same way. The MFA behaviour is among it where it was set: without it Entra ID would
    fall back to accepting what the farm says, which may be less than there was."""
    raw: Mapping[str, Any] = configuration.raw
    return {name: raw[name] for name in (*RESTORABLE, _MFA) if raw.get(name) is not None}


async def restore_domain(graph: Graph, domain: FederatedDomain, values: Mapping[str, Any]) -> None:
    """Write what `plan_restore` found, and read it back. Raises TrustError."""
    if domain.configuration is None or not values:
        return
    address = ("domains", domain.name, "federationConfiguration", domain.configuration.id)
    said: OutcomeUnknown | None = None
    try:
        await graph.patch(f"restoring {domain.name}", values, *address)
    except OutcomeUnknown as error:  # the reading back decides
        said = error
    waited, pause = 0.0, 1.0
    while missing := await _differing(graph, domain.name, values):
        if waited >= VISIBLE_WITHIN:
            raise NotTaken(domain.name, ", ".join(missing), str(said or "").rstrip(".")) from said
        await graph.sleep(pause)
        waited, pause = waited + pause, min(2 * pause, 10.0)


async def _differing(graph: Graph, domain: str, values: Mapping[str, Any]) -> list[str]:
    after = await read_configuration(graph, domain)
    return [name for name, value in values.items() if after.raw.get(name) != value]


def _stem(tenant: str, domain: str, now: float) -> str:
    return f"entra-{_safe(tenant)}-{_safe(domain)}-{dt.datetime.fromtimestamp(now, dt.UTC):%Y%m%dT%H%M%SZ}"


def _safe(text: str) -> str:
    """Part of a file name, whatever somebody called a domain."""
    return re.sub(r"[^A-Za-z0-9.]+", "_", text).strip(".")[:100] or "_"
