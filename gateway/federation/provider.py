"""Federation, put together: what applications reach, and what it is made of.

A relay that has no trust yet makes no signing keys, and answers applications as one that knows none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from findings import Finding
from gateway.federation.applications import WaitingApplications
from gateway.federation.inspection import ClaimsPreview, TrustWalk
from gateway.federation.keys import NoSigningKey, SigningKeys
from gateway.federation.keys.rollover import KeyActs, KeyGauges, RingContext, Rollovers
from gateway.federation.logos import Logos
from gateway.federation.metrics import FederationMetrics
from gateway.federation.oidc import BackChannelLogout, GrantChecks, OpenIdProvider, Tokens, origin_of
from gateway.federation.outbound import open_outbound
from gateway.federation.participants import LogoutChannel, Participants
from gateway.federation.person_applications import ApplicationsByTrust, start_links
from gateway.federation.rates import SharedRates
from gateway.federation.refused_requests import record_refusals
from gateway.federation.saml import LogoutChains, MetadataRefresh, Parties, SamlContext, SamlProvider, SoapLogout
from gateway.federation.settings import FederationSettings
from gateway.federation.transactions import Continuation, Transactions
from gateway.federation.trials import TrialActs, TrialPages, Trials
from gateway.federation.trusts import Trust, TrustFolder, TrustRegistry
from gateway.housekeeping import Housekeeping, Sleep
from gateway.relay import Authenticator, LookUps, Refusals
from gateway.signin import AccountChecks, ApplicationLink, Seal, Session, SignInPages
from gateway.store import SessionRecord, Store

log = structlog.get_logger()


class Federation:
    """Of one relay. public_url: its address; secret: that the nodes share (`secret.key`). clock: Unix seconds."""

    def __init__(
        self,
        settings: FederationSettings,
        store: Store,
        trusts: TrustRegistry,
        *,
        checks: AccountChecks,
        authenticator: Authenticator,
        rates: SharedRates,
        alarm: Callable[[str, dict[str, str]], None],
        public_url: str,
        secret: bytes,
        trust_files: TrustFolder | None = None,
        clock: Callable[[], float],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._settings, self._store, self._clock, self._secret = settings, store, clock, subject_secret(secret)
        self._authenticator, self._rates = authenticator, rates
        self.issuer = public_url.rstrip("/")
        self.trusts = trusts
        self.metrics = FederationMetrics(
            lambda trust: trusts.get(trust) is not None, lambda: len(trust_files.problems) if trust_files is not None else 0
        )
        context = key_context(settings, store, public_url, clock)
        self.keys = SigningKeys(store, settings.keys, host=context.host, clock=clock, sleep=sleep)
        self.rollovers = Rollovers(context, sleep=sleep, alarm=alarm)
        self.key_gauges = KeyGauges(self.keys, lambda: self.rollovers.health, clock)
        self.key_acts = KeyActs(context)
        self.transactions = Transactions(Seal(store.keyring, "transactions", clock), store.once, rates, clock)
        self.logos = Logos(store, clock)
        self.applications = WaitingApplications(self.transactions, self.trusts, self.logos.path)
        self.of_person = ApplicationsByTrust(store, trusts, clock, origin_of, self.logos.path)
        self.parties = Parties(self.trusts, store.trusts)
        self.trials = Trials(store.keyring, store.once, clock)
        self.trial_acts = TrialActs(store, trusts, public_url, clock)
        self.grant_checks = GrantChecks(store.grants, checks)
        self._saml = SamlContext(
            public_url=self.issuer,
            store=store,
            parties=self.parties,
            keys=self.keys,
            lifetimes=settings.lifetimes,
            trials=self.trials,
            secret=self._secret,
            clock=clock,
            metrics=self.metrics,
        )
        self._chains = LogoutChains(self._saml, self.transactions)
        self.outbound = open_outbound(settings)
        self.metadata = MetadataRefresh(store, trusts, self.parties, self.outbound, alarm, clock)
        self._channels: dict[str, LogoutChannel] = {
            "oidc": BackChannelLogout(self.issuer, self.keys, self.outbound, clock),
            "saml": SoapLogout(self._saml, self.outbound),
        }
        self.participants = Participants(
            store.participants, store.sessions, store.grants, trusts, self._channels, clock, browser=self._chains
        )

    def add_jobs(self, housekeeping: Housekeeping, sleep: Sleep) -> None:
        """Replace signing keys, and look at the metadata of parties, where it is due."""
        self.rollovers.add_jobs(housekeeping, sleep)
        self.metadata.add_jobs(housekeeping, sleep)

    async def load(self) -> None:
        """Read the trusts, and with the first of them make the signing keys. Raises StoreError.

        Without a key people sign in here all the same; applications get an error until another node has made it.
        """
        await self.trusts.load()
        await self.parties.load()
        await self.logos.load()
        if not self.trusts.all():
            return
        try:
            await self.keys.begin()
        except NoSigningKey as error:
            log.error("federation.key_missing", error=str(error))  # noqa: TRY400 - it says all

    def key_findings(self) -> list[Finding]:
        """How the signing keys stood at the last look."""
        return [finding for ring in self.rollovers.health for finding in ring.findings]

    def refusal_records(self, refusals: Refusals) -> Middleware:
        """Counts what applications are refused, and has the trail say it."""
        return record_refusals(refusals, self.metrics, self._clock)

    def trust_walk(self) -> TrustWalk:
        """What of a trust can be seen to be wrong."""
        tokens = Tokens(self.issuer, self.keys, Seal(self._store.keyring, "oidc access tokens", self._clock))
        return TrustWalk(self._store, self.trusts, tokens, self._saml, self._clock)

    def preview(self, lookups: LookUps, read: Callable[[SessionRecord], Session]) -> ClaimsPreview:
        """What applications would be told of people. read: what the store keeps of a session, as one."""
        return ClaimsPreview(
            self._store, self.trusts, lookups, read, issuer=self.issuer, secret=self._secret, clock=self._clock
        )

    def add_routes(self, app: web.Application, signin: SignInPages) -> None:
        """What applications and their people reach. signin: where people sign in."""
        oidc = OpenIdProvider(
            self._settings,
            self._store,
            self.trusts,
            self.keys,
            signin,
            self.transactions,
            self.participants,
            self.trials,
            issuer=self.issuer,
            secret=self._secret,
            checks=self.grant_checks,
            authenticator=self._authenticator,
            rates=self._rates,
            documents=self.outbound,
            logo=self.logos.path,
            clock=self._clock,
            metrics=self.metrics,
        )
        oidc.add_routes(app)
        self.logos.add_routes(app)
        saml = SamlProvider(self._saml, signin, self.transactions, self.participants, self._chains)
        saml.add_routes(app)
        trials = TrialPages(self.trials, self.keys, self.trusts, self._store, signin, self._starts, self._clock)
        trials.add_routes(app)
        Continuation(self.transactions, signin, {"oidc": oidc.resume, "saml": saml.resume}).add_routes(app)

    def _starts(self, trust: Trust) -> list[ApplicationLink]:
        """Where a sign-in to an application begins: here, and at the application itself."""
        party = self.parties.of(trust.id)
        consumer = party.default_consumer if party is not None else None
        return start_links(trust, consumer.url if consumer is not None else "", self.logos.path(trust.id))


def key_context(settings: FederationSettings, store: Store, public_url: str, clock: Callable[[], float]) -> RingContext:
    """What replacing signing keys needs. clock: Unix seconds."""
    trusts, host = TrustRegistry(store.trusts), urlsplit(public_url).hostname or ""
    return RingContext(store=store, settings=settings.keys, trusts=trusts, host=host, clock=clock)


def subject_secret(secret: bytes) -> bytes:
    """The key of subjects of our own. It must never change, or people are strangers to their applications: so it comes from
    `secret.key`, which a backup has, and not from the keyring, which rolls."""
    return HKDF(SHA256(), 32, salt=None, info=b"isthmus federation subjects").derive(secret)
