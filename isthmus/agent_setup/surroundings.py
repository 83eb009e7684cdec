"""Whom a setup asks besides the machine: the DNS, domain controllers, the relay. Nothing is changed there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeVar

import directory
from certs import CertsError, MachineIdentity, fingerprint
from findings import Finding
from gateway.agent import AgentCoreSettings, AgentError, RelayVerdict, Route, make_routes, probe_relay, proxy_of, tls_context
from isthmus.relay_way import check_relay

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The identity that this machine has. serial: of its certificate; authority: SHA-256 of the relay's."""

    name: str
    serial: int
    authority: str
    not_after: float


class Surroundings(Protocol):
    """Blocks. What is not there is an answer; `directory.DirectoryError` says what went wrong."""

    def find_controllers(self, domain: str) -> tuple[str, ...]:
        """By the DNS. Raises SettingsProblem."""
        ...

    def read_chain(self, server: str) -> directory.ShownChain:
        """Raises SettingsProblem, ConnectFailed."""
        ...

    def verify_trust(self, settings: directory.DirectorySettings, servers: Sequence[str]) -> None:
        """Raises ServerCertificateRefused, NoDirectory."""
        ...

    def read_domain(
        self, settings: directory.DirectorySettings, servers: Sequence[str], password: str, suffixes: Sequence[str]
    ) -> directory.DomainReading:
        """Raises ServiceAccountRefused and what else a directory answers."""
        ...

    def published_authorities(
        self, settings: directory.DirectorySettings, servers: Sequence[str], password: str
    ) -> tuple[bytes, ...]:
        """DER. Raises as `read_domain`."""
        ...

    def enrolled(self, state_dir: Path) -> Enrolled | None:
        """None where this machine has no usable identity."""
        ...

    def relay_verdict(self, core: AgentCoreSettings, state_dir: Path) -> RelayVerdict | None:
        """What the relay says of that identity; None where it cannot be asked."""
        ...

    def relay_problem(self, core: AgentCoreSettings, relay: str) -> Finding | None:
        """Why a relay cannot be reached; None where it can."""
        ...

    def now(self) -> float:
        """Unix seconds."""
        ...


class RealSurroundings:
    """See `Surroundings`."""

    def find_controllers(self, domain: str) -> tuple[str, ...]:
        """From SRV records."""
        return _run(directory.find_controllers(domain))

    def read_chain(self, server: str) -> directory.ShownChain:
        """By a handshake."""
        return _run(directory.read_chain(server))

    def verify_trust(self, settings: directory.DirectorySettings, servers: Sequence[str]) -> None:
        """By a handshake with each."""
        _run(directory.verify_trust(settings, servers))

    def read_domain(
        self, settings: directory.DirectorySettings, servers: Sequence[str], password: str, suffixes: Sequence[str]
    ) -> directory.DomainReading:
        """Over LDAP."""
        return _run(directory.read_domain(settings, servers, password, suffixes))

    def published_authorities(
        self, settings: directory.DirectorySettings, servers: Sequence[str], password: str
    ) -> tuple[bytes, ...]:
        """Over LDAP."""
        return _run(directory.published_authorities(settings, servers, password))

    def enrolled(self, state_dir: Path) -> Enrolled | None:
        """From the state directory."""
        try:
            identity = _identity_in(state_dir)
        except (CertsError, OSError):
            return None
        return Enrolled(identity.name, identity.serial, fingerprint(_der_of(identity)), identity.not_after)

    def relay_verdict(self, core: AgentCoreSettings, state_dir: Path) -> RelayVerdict | None:
        """By a handshake with the first relay that answers."""
        try:
            identity = _identity_in(state_dir)
            routes = make_routes(core, state_dir)
        except (CertsError, AgentError, OSError):
            return None
        for route in routes:
            try:
                return _run(probe_relay(route, identity, software=version("isthmus"), clock=time.time))
            except AgentError:
                continue
        return None

    def relay_problem(self, core: AgentCoreSettings, relay: str) -> Finding | None:
        """As `agent check` looks at the way there."""
        route = Route(relay, tls_context(core), proxy_of(core))

        async def first_failure() -> Finding | None:
            async for finding in check_relay(route, None, (), time.time):
                if finding.status == "fail":
                    return finding
            return None

        return _run(first_failure())

    def now(self) -> float:
        """The clock."""
        return time.time()


def _identity_in(state_dir: Path) -> MachineIdentity:
    """Whose directory it is could lay a link there, to what only root may read. Raises CertsError, OSError."""
    return MachineIdentity.load(state_dir / "identity", real=True)


def _der_of(identity: MachineIdentity) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return identity.authority.public_bytes(Encoding.DER)


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
