"""The provider behind a sign-in page, with one trust that a test may change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.federation.applications import WaitingApplications
from gateway.federation.destinations import Destinations
from gateway.federation.keys import KeySettings, SigningKeys
from gateway.federation.outbound import Outbound
from gateway.federation.participants import LogoutChannel, Participants
from gateway.federation.saml import LogoutChains, Parties, SamlContext, SamlProvider, SoapLogout
from gateway.federation.settings import LifetimeSettings
from gateway.federation.transactions import Continuation, Transactions
from gateway.federation.trials import Trials
from gateway.federation.trusts import AssertionConsumer, SamlParty, Trust, TrustRegistry, write_trust
from gateway.relay.credentials.admission import CallerRates
from gateway.signin import Applications, Seal, SessionDependents, SignInPages
from gateway.store import Store, TrustRecord
from tests.gateway.federation.applications import no_logo
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
        self.ca_file: Path | None = None
        """Of parties that it asks by SOAP."""

    def dependents(self, store: Store, clock: Callable[[], float]) -> SessionDependents:
        self.store, self.clock = store, clock
        self.trusts = TrustRegistry(store.trusts)
        self.parties = Parties(self.trusts, store.trusts)
        self.keys = SigningKeys(store, KeySettings(), host="signin.example.com", clock=clock)
        self.transactions = Transactions(Seal(store.keyring, "transactions", clock), store.once, CallerRates(), clock)
        self.context = SamlContext(
            public_url=ORIGIN,
            store=store,
            parties=self.parties,
            keys=self.keys,
            lifetimes=LifetimeSettings(),
            trials=Trials(store.keyring, store.once, clock),
            secret=b"s" * 32,
            clock=clock,
        )
        self.chains = LogoutChains(self.context, self.transactions)
        channels: dict[str, LogoutChannel] = {
            "saml": SoapLogout(self.context, Outbound(Destinations(("127.0.0.0/8", "::1")), ca_file=self.ca_file))
        }
        self.participants = Participants(
            store.participants,
            store.sessions,
            store.grants,
            self.trusts,
            channels,
            clock,
            browser=self.chains,
            time_limit=2.0,
        )
        return self.participants

    def applications(self, _store: Store, _clock: Callable[[], float]) -> Applications:
        return WaitingApplications(self.transactions, self.trusts, no_logo)

    def add_routes(self, app: web.Application, pages: SignInPages) -> None:
        provider = SamlProvider(self.context, pages, self.transactions, self.participants, self.chains)
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
