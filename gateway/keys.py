"""The relay's own keys: made once, loaded at every start, renewed where due.

authority/     the certificate that every agent pins, and its key
identity/      what the relay proves itself with to agents
secret.key     32 bytes: opens the store's keyring, which has the keys of audit trail, cookies and forms; written last, so
               that where it is, all is
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from certs import (
    Authority,
    KeyStoreError,
    MachineIdentity,
    Role,
    atomic_write,
    check_closed,
    private_directory,
    read_private,
    renewal_due,
)
from gateway.housekeeping import Housekeeping
from gateway.settings import ServerError, ServerSettings

log = structlog.get_logger()

SECRET_SIZE = 32
"""Bytes."""
SECRET_NAME = "secret.key"  # noqa: S105 - of a file
RESTORING = ".restoring"
"""In a state directory: what a restore is putting in place. While it is there, nothing else in the directory counts."""


def init(settings: ServerSettings, *, name: str, now: float) -> Authority:
    """Make the relay's authority, identity and secrets, or finish what an interrupted call has left.

    Raises certs.KeyStoreError where they are there already.
    """
    state = private_directory(settings.state_dir)
    _check_restored(state)
    if (state / SECRET_NAME).exists():
        raise KeyStoreError(state, "already contains a certificate authority", "keep it, because all agents pin it")
    if (state / "authority" / "authority.key").exists():
        authority = Authority.load(state / "authority")
    else:
        authority = Authority.create(state / "authority", name=f"Isthmus relay {name}", now=now)
    _issue_identity(state, authority, name, now)
    atomic_write(state / SECRET_NAME, secrets.token_bytes(SECRET_SIZE))
    return authority


def _check_restored(state: Path) -> None:
    """Raises ServerError."""
    if (state / RESTORING).exists():
        raise ServerError(f"{state} contains an interrupted restore: run `isthmus relay restore` again to finish it")


def _issue_identity(state: Path, authority: Authority, name: str, now: float) -> MachineIdentity:
    directory = state / "identity"
    csr = MachineIdentity.begin(directory, name=name)
    certificate = authority.issue(csr, name=name, role=Role.RELAY, now=now)
    return MachineIdentity.install(directory, certificate, authority.certificate_der, name=name, role=Role.RELAY, now=now)


@dataclass(frozen=True, slots=True)
class RelayKeys:
    """The three that `init` made, as they are at this start."""

    authority: Authority
    identity: MachineIdentity
    secret: bytes = field(repr=False)


def load_keys(settings: ServerSettings, now: float, *, renew: bool = True) -> RelayKeys:
    """Load them; the relay's own certificate is renewed where due, by the authority beside it.

    renew: False to write nothing.
    Raises ServerError, certs.KeyStoreError.
    """
    state = settings.state_dir
    _check_restored(state)
    try:
        authority = Authority.load(state / "authority")
        identity = MachineIdentity.load(state / "identity")
        secret = read_private(state / SECRET_NAME)
    except FileNotFoundError as error:
        complete = (state / SECRET_NAME).exists()
        remedy = "restore it from the backup" if complete else "run `isthmus relay init` first"
        raise ServerError(f"{error.filename} is missing: {remedy}") from error
    check_closed(state)
    if len(secret) != SECRET_SIZE:
        problem = f"has {len(secret)} bytes instead of {SECRET_SIZE}"
        raise KeyStoreError(state / SECRET_NAME, problem, "restore it from the backup")
    if identity.authority != authority.certificate:
        raise KeyStoreError(state / "identity", "is of another authority", "restore it and the authority from one backup")
    renewed = renew_if_due(state, authority, identity, now) if renew else None
    return RelayKeys(authority, renewed or identity, secret)


class IdentityRenewal:
    """Keeps the running relay's own certificate valid. use: takes the renewed identity; clock: Unix seconds."""

    def __init__(
        self, state: Path, keys: RelayKeys, use: Callable[[MachineIdentity], None], clock: Callable[[], float]
    ) -> None:
        self._state, self._authority, self._identity = state, keys.authority, keys.identity
        self._use, self._clock = use, clock

    def add_jobs(self, housekeeping: Housekeeping) -> None:
        """Look once a minute."""
        housekeeping.every_minute("renew_identity", self.renew)

    async def renew(self) -> None:
        """Renew where it is due. Raises certs.KeyStoreError, certs.CertificateRefused."""
        renewed = renew_if_due(self._state, self._authority, self._identity, self._clock())
        if renewed is not None:
            self._identity = renewed
            self._use(renewed)


def renew_if_due(state: Path, authority: Authority, identity: MachineIdentity, now: float) -> MachineIdentity | None:
    """The renewed identity; None where it is not due. Raises certs.KeyStoreError, certs.CertificateRefused."""
    if not renewal_due(identity.not_before, identity.not_after, now, identity.name):
        return None
    renewed = _issue_identity(state, authority, identity.name, now)
    log.info("certificate.renewed", relay=renewed.name, ends=renewed.not_after)
    return renewed
