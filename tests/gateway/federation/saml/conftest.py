"""The provider behind a sign-in page, with one trust that a test may change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.federation.applications import WaitingApplications
from gateway.federation.keys import KeySettings, SigningKeys
from gateway.federation.participants import Participants
from gateway.federation.saml import Parties, SamlContext, SamlProvider
from gateway.federation.settings import LifetimeSettings
from gateway.federation.transactions import Continuation, Transactions
from gateway.federation.trusts import AssertionConsumer, SamlParty, Trust, TrustRegistry, write_trust
from gateway.signin import Applications, Seal, SignInPages
from gateway.store import Store, TrustRecord
from tests.gateway.federation.saml.service_provider import ACS, ENTITY, ORIGIN, OTHER_ACS, own_keys, pem
from tests.gateway.signin.site import Site, serve

WIKI = Trust(
    id="wiki",
    name="Wiki",
    protocol="saml",
    saml=SamlParty(
        entity_id=ENTITY,
        consumers=(AssertionConsumer(url=ACS, index=0, default=True), AssertionConsumer(url=OTHER_ACS, index=7)),
        certificates=(pem(own_keys()),),
    ),
)


class Provider:
    """Another package on the site of the sign-in page."""

    def __init__(self) -> None:
        self.trust = WIKI

    def applications(self, store: Store, clock: Callable[[], float]) -> Applications:
        self.store, self.clock = store, clock
        self.trusts = TrustRegistry(store.trusts)
        self.parties = Parties(self.trusts, store.trusts)
        self.keys = SigningKeys(store, KeySettings(), host="signin.example.com", clock=clock)
        self.transactions = Transactions(Seal(store.keyring, "transactions", clock), store.once, clock)
        return WaitingApplications(self.transactions, self.trusts)

    def add_routes(self, app: web.Application, pages: SignInPages) -> None:
        context = SamlContext(
            public_url=ORIGIN,
            store=self.store,
            parties=self.parties,
            keys=self.keys,
            lifetimes=LifetimeSettings(),
            secret=b"s" * 32,
            clock=self.clock,
        )
        participants = Participants(self.store.participants, self.store.grants, self.trusts, {}, self.clock)
        provider = SamlProvider(context, pages, self.transactions, participants)
        provider.add_routes(app)
        Continuation(self.transactions, pages, {"saml": provider.resume}).add_routes(app)

    async def change(self, **party: Any) -> None:
        """Have the trust say something else; fields of `SamlParty`, and of the trust itself in `trust`."""
        of_trust = party.pop("trust", {})
        await self.trusted(replace(self.trust, saml=replace(self.trust.saml, **party), **of_trust))

    async def trusted(self, trust: Trust) -> None:
        self.trust = trust
        known = await self.store.trusts.get(trust.id)
        record = TrustRecord(
            id=trust.id,
            version=known.version + 1 if known is not None else 1,
            document=write_trust(trust),
            changed_at=self.clock(),
            changed_by="test",
        )
        unit = self.store.unit()
        unit.put_trust(record)
        await unit.commit()
        await self.load()

    async def load(self) -> None:
        await self.trusts.load()
        await self.parties.load()


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def site(tmp_path: Path, provider: Provider) -> AsyncIterator[Site]:
    async with serve(tmp_path, provider) as made:
        await provider.keys.begin()
        await provider.trusted(WIKI)
        yield made
