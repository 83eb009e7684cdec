"""A relay with an agent in front of a directory in memory, and the trusts that a test gives it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.app import Relay, init, serving
from gateway.federation import FederationSettings
from gateway.federation.trusts import Trust, write_trust
from gateway.store import TrustRecord
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import LOOPBACK, agent, server_settings

ANNA, PASSWORD = "anna@corp.example.com", "right"


@dataclass
class FederatedSite:
    """relay: that people sign in at."""

    relay: Relay
    home: Path
    people: FakeDirectories = field(repr=False)

    @property
    def url(self) -> str:
        """Its public address, which is its issuer."""
        return self.relay.settings.public_url.rstrip("/")

    @property
    def ca_file(self) -> Path:
        """Whose certificate the relay has."""
        return self.home / "tls" / "ca.pem"

    async def trust(self, trust: Trust) -> None:
        """Have it, or have it changed."""
        store = self.relay.store
        known = await store.trusts.get(trust.id)
        unit = store.unit()
        unit.put_trust(
            TrustRecord(
                id=trust.id,
                version=known.version + 1 if known is not None else 1,
                document=write_trust(trust),
                changed_at=0.0,
                changed_by="test",
            )
        )
        await unit.commit()
        await store.generations.look()


@asynccontextmanager
async def federated(home: Path, federation: FederationSettings | None = None) -> AsyncIterator[FederatedSite]:
    """It serves, and Anna can sign in."""
    people = FakeDirectories({ANNA: PASSWORD}, about={"mail": ANNA, "display_name": "Anna Berg", "surname": "Berg"})
    settings = replace(server_settings(home), federation=federation or FederationSettings(application_networks=LOOPBACK))
    init(settings, name="relay1", now=time.time())
    async with serving(settings) as running, agent(home, running, people):
        yield FederatedSite(running, home, people)
