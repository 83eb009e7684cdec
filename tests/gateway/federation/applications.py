"""An application that signs people in: what a protocol does, without one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiohttp import web

from gateway.federation.applications import WaitingApplications
from gateway.federation.oidc import origin_of
from gateway.federation.participants import BrowserChannel, LogoutChannel, Participant, Participants
from gateway.federation.person_applications import ApplicationsByTrust
from gateway.federation.transactions import Continuation, Transaction, Transactions
from gateway.federation.trusts import Trust
from gateway.relay.credentials.admission import CallerRates
from gateway.signin import (
    Applications,
    Departure,
    DepartureOutcome,
    PersonApplications,
    Seal,
    Session,
    SessionDependents,
    Sessions,
    SignInPages,
    SignInSettings,
)
from gateway.signin.cookies import digest
from gateway.store import ParticipantRecord, Store
from tests.gateway.signin.site import SESSION, Site

WIKI = Trust(id="wiki", name="Wiki & {more}", protocol="oidc")
SHOP = Trust(id="shop", name="Shop", protocol="oidc")
OLD = Trust(id="old", name="Old", protocol="saml")


def no_logo(_trust: str) -> str:
    """No application has one."""
    return ""


class Wiki:
    """At `/wiki`: whoever has a session is answered with name and query, everybody else signs in first."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.fresh_for: float | None = None
        """Seconds that a sign-in is good for."""
        self.hint = ""
        self.languages: tuple[str, ...] = ()
        self.paths: list[str] = []
        self.told: list[str] = []
        self.more: dict[str, Trust] = {}
        self.outcome: DepartureOutcome = "told"
        self.silent = False
        """Whether it never answers who tells it."""
        self.post = False
        """Whether it is answered with a form."""
        self.browser: BrowserChannel | None = None
        self.url = ""
        """Where it is; empty: the relay answers in its place."""

    def get(self, trust_id: str, /) -> Trust | None:
        return {WIKI.id: WIKI, SHOP.id: SHOP, OLD.id: OLD, **self.more}.get(trust_id)

    def all(self) -> Sequence[Trust]:
        return [WIKI, SHOP, OLD, *self.more.values()]

    def of_person(self, store: Store, clock: Callable[[], float]) -> PersonApplications:
        return ApplicationsByTrust(store, self, clock, origin_of, no_logo)

    def applications(self, store: Store, clock: Callable[[], float]) -> Applications:
        self.store, self.clock = store, clock
        self.transactions = Transactions(Seal(store.keyring, "transactions", clock), store.once, CallerRates(), clock)
        return WaitingApplications(self.transactions, self, no_logo)

    def dependents(self, store: Store, clock: Callable[[], float]) -> SessionDependents:
        channels: dict[str, LogoutChannel] = {"oidc": self}
        self.participants = Participants(
            store.participants, store.sessions, store.grants, self, channels, clock, browser=self, time_limit=0.05
        )
        return self.participants

    def needs(self, participant: Participant) -> bool:
        """As a `BrowserChannel`."""
        return self.browser is not None and self.browser.needs(participant)

    async def begin(
        self, participants: Sequence[Participant], departures: Sequence[Departure], *, return_to: str, application: str
    ) -> str:
        """See `needs`."""
        assert self.browser is not None
        return await self.browser.begin(participants, departures, return_to=return_to, application=application)

    async def tell(self, record: ParticipantRecord, trust: Trust) -> DepartureOutcome:
        """As a `LogoutChannel`."""
        if self.silent:
            await asyncio.Event().wait()
        self.told.append(f"{trust.id} {record.index} {record.details.decode()}")
        return self.outcome

    def add_routes(self, app: web.Application, pages: SignInPages) -> None:
        self.pages = pages
        app.router.add_get("/wiki", self.authorize)
        Continuation(self.transactions, pages, {"oidc": self.resume}).add_routes(app)

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        session = await self.pages.session_of(request)
        transaction = Transaction(
            protocol="oidc",
            trust="wiki",
            request=request.query_string.encode(),
            fresh_since=self.clock() - self.fresh_for if self.fresh_for is not None else 0.0,
            session=session.name if session is not None else "",
            hint=self.hint,
            languages=self.languages,
        )
        if session is not None and transaction.accepts(session):
            return await self.resume(request, transaction, session)
        self.paths.append(await self.transactions.url(transaction))
        return self.pages.redirect_to_signin(self.paths[-1])

    async def resume(self, request: web.Request, transaction: Transaction, session: Session) -> web.StreamResponse:
        await self.participants.joined(session, WIKI, b"details")
        self.answers.append(f"{session.identity.user_name} {transaction.request.decode()}")
        if self.post:
            url = f"{self.url or 'https://wiki.example.com'}/acs?a=1&b=2"
            return self.pages.post_to(request, url, {"RelayState": self.answers[-1]})
        if self.url:
            return web.Response(status=303, headers={"Location": f"{self.url}/callback"})
        return web.Response(text=f"<title>Wiki</title>{self.answers[-1]}", content_type="text/html")


async def session_of(site: Site) -> Session:
    """The one that the browser has."""
    sessions = Sessions(SignInSettings(), site.store.sessions, lambda: site.now)
    record = await site.store.sessions.get(digest(site.cookies[SESSION]), site.now)
    assert record is not None
    return sessions.read(record)
