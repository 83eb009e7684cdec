"""An application that signs people in: what a protocol does, without one."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from gateway.federation.applications import WaitingApplications
from gateway.federation.transactions import Continuation, Transaction, Transactions
from gateway.federation.trusts import Trust
from gateway.signin import Applications, Seal, Session, SignInPages
from gateway.store import Store

WIKI = Trust(id="wiki", name="Wiki & {more}", protocol="oidc")


class Wiki:
    """At `/wiki`: whoever has a session is answered with name and query, everybody else signs in first."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.fresh_for: float | None = None
        """Seconds that a sign-in is good for."""
        self.hint = ""
        self.languages: tuple[str, ...] = ()
        self.paths: list[str] = []
        self.post = False
        """Whether it is answered with a form."""
        self.url = ""
        """Where it is; empty: the relay answers in its place."""

    def get(self, trust: str) -> Trust | None:
        return WIKI if trust == WIKI.id else None

    def applications(self, store: Store, clock: Callable[[], float]) -> Applications:
        self.store, self.clock = store, clock
        self.transactions = Transactions(Seal(store.keyring, "transactions", clock), store.once, clock)
        return WaitingApplications(self.transactions, self)

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
        self.answers.append(f"{session.identity.user_name} {transaction.request.decode()}")
        if self.post:
            url = f"{self.url or 'https://wiki.example.com'}/acs?a=1&b=2"
            return self.pages.post_to(request, url, {"RelayState": self.answers[-1]})
        if self.url:
            return web.Response(status=303, headers={"Location": f"{self.url}/callback"})
        return web.Response(text=f"<title>Wiki</title>{self.answers[-1]}", content_type="text/html")
