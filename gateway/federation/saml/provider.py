"""The SAML 2.0 identity provider, put together."""

from __future__ import annotations

from aiohttp import web

from gateway.federation.participants import Participants
from gateway.federation.saml.context import SamlContext
from gateway.federation.saml.endpoints.logout import LogoutService
from gateway.federation.saml.endpoints.metadata import MetadataEndpoint
from gateway.federation.saml.endpoints.sign_on import SignOnEndpoint
from gateway.federation.saml.logout.chains import LogoutChains
from gateway.federation.transactions import Transaction, Transactions
from gateway.signin import Session, SignInPages


class SamlProvider:
    """signin: where people sign in."""

    def __init__(
        self,
        context: SamlContext,
        signin: SignInPages,
        transactions: Transactions,
        participants: Participants,
        chains: LogoutChains,
    ) -> None:
        self._sign_on = SignOnEndpoint(context, signin, transactions, participants)
        self._logout = LogoutService(context, signin, participants, chains)
        self._metadata = MetadataEndpoint(context)

    def add_routes(self, app: web.Application) -> None:
        """All of its addresses."""
        self._sign_on.add_routes(app)
        self._logout.add_routes(app)
        self._metadata.add_routes(app)

    async def resume(self, request: web.Request, transaction: Transaction, session: Session) -> web.StreamResponse:
        """Answer a party whose request waited for a sign-in; see `gateway.federation.transactions.Resume`."""
        return await self._sign_on.resume(request, transaction, session)
