"""A domain and a relay as an agent's setup finds them, in memory. They refuse what the real ones refuse."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import directory
from findings import Finding
from gateway.agent import AgentCoreSettings, RelayVerdict
from isthmus.agent_setup import Enrolled


@dataclass
class FakeSurroundings:
    """by_dns: what SRV records say. sent: each password, and the fingerprint for whose sake its server was trusted."""

    chains: dict[str, directory.ShownChain]
    reading: directory.DomainReading
    password: str
    by_dns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    published: tuple[bytes, ...] = ()
    identity: Enrolled | None = None
    verdict: RelayVerdict | None = None
    problem: Finding | None = None
    sent: list[tuple[str, str]] = field(default_factory=list)
    clock: float = field(default_factory=time.time)

    def find_controllers(self, domain: str) -> tuple[str, ...]:
        if domain not in self.by_dns:
            raise directory.SettingsProblem("domain", "DNS knows no domain controllers")
        return self.by_dns[domain]

    def read_chain(self, server: str) -> directory.ShownChain:
        if server not in self.chains:
            raise directory.ConnectFailed(server, "connection refused")
        return self.chains[server]

    def verify_trust(self, settings: directory.DirectorySettings, servers: Sequence[str]) -> None:
        there = [self.chains[server] for server in servers if server in self.chains]
        if not there:
            raise directory.NoDirectory(settings.name, tuple(servers), "connection refused")
        for chain in there:
            self._verify(settings, chain)

    def _verify(self, settings: directory.DirectorySettings, chain: directory.ShownChain) -> str:
        """What the chain is trusted for."""
        if settings.tls.ca_file is None:
            if chain.certificates[0].fingerprint not in settings.tls.pinned_sha256:
                raise directory.ServerCertificateRefused(chain.server, "its fingerprint is not listed")
            return chain.certificates[0].fingerprint
        pem = settings.tls.ca_file.read_text()
        known = [certificate.der for certificate in chain.certificates[1:]] + list(self.published)
        root = chain.root or directory.root_of([certificate.der for certificate in chain.certificates], known)
        if root is None or root.pem.decode() not in pem:
            raise directory.ServerCertificateRefused(chain.server, "its certificate is not trusted")
        return root.fingerprint

    def read_domain(
        self, settings: directory.DirectorySettings, servers: Sequence[str], password: str, suffixes: Sequence[str]
    ) -> directory.DomainReading:
        self.verify_trust(settings, servers)
        server = next(server for server in servers if server in self.chains)
        self.sent.append((password, self._verify(settings, self.chains[server])))
        if password != self.password:
            raise directory.ServiceAccountRefused(server, settings.service_user, "data 52e")
        asked = {suffix.lower(): False for suffix in suffixes}
        return replace(self.reading, in_use={**asked, **self.reading.in_use})

    def published_authorities(
        self, settings: directory.DirectorySettings, servers: Sequence[str], password: str
    ) -> tuple[bytes, ...]:
        self.verify_trust(settings, servers)
        return self.published

    def enrolled(self, state_dir: Path) -> Enrolled | None:
        return self.identity

    def relay_verdict(self, core: AgentCoreSettings, state_dir: Path) -> RelayVerdict | None:
        return self.verdict if self.identity is not None else None

    def relay_problem(self, core: AgentCoreSettings, relay: str) -> Finding | None:
        return self.problem

    def now(self) -> float:
        return self.clock
