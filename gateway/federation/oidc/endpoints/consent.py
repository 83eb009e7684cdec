"""What a person agrees that an application may know (OpenID Connect Core section 3.1.2.4).

    authorization ─► the page ─► POST /oidc/consent ─► /continue/… with the answer in it ─► authorization

The answer is carried sealed, with the person who gave it; of a trust with `consent = "once"` it is kept, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import structlog
from aiohttp import web
from msgspec.structs import replace

from gateway.federation.oidc.context import TRUST, OidcContext
from gateway.federation.oidc.errors import AuthorizationDenied
from gateway.federation.oidc.pending_request import PendingRequest, read_pending, write_pending
from gateway.federation.oidc.refusal import shown
from gateway.federation.transactions import Transaction, Transactions
from gateway.federation.trusts import Trust
from gateway.relay import CLIENT_ADDRESS, CORRELATION_ID
from gateway.signin import Application, Message, Session, SignInPages
from gateway.store import AuditEvent, ConsentRecord

log = structlog.get_logger()

CONSENT: Final = "/oidc/consent"


class ConsentEndpoint:
    """See above."""

    metadata: Mapping[str, Any] = {}
    """See `OidcEndpoint`."""
    pages: Sequence[str] = (CONSENT,)
    """See `OidcEndpoint`."""

    def __init__(self, context: OidcContext, signin: SignInPages, transactions: Transactions) -> None:
        self._context, self._signin, self._transactions = context, signin, transactions

    def add_routes(self, app: web.Application) -> None:
        """See `OidcEndpoint`."""
        app.router.add_post(CONSENT, shown(self._signin, self.answer))

    async def agreed(self, trust: Trust, session: Session) -> frozenset[str]:
        """Scopes that the person has agreed to before, and that are kept. Raises StoreUnavailable."""
        kept = await self._context.store.consents.get(session.record.account, trust.id)
        return kept.scopes if kept is not None else frozenset()

    async def ask(self, request: web.Request, trust: Trust, session: Session, pending: PendingRequest) -> web.StreamResponse:
        """Show the page. pending: with the scope that is asked about, and whom. Raises StoreError."""
        transaction = Transaction(
            protocol="oidc", trust=trust.id, request=write_pending(pending), fresh_since=session.auth_time
        )
        return self._signin.of_applications.show_consent(
            request,
            Application(name=trust.name, logo=self._context.logo(trust.id)),
            session.identity,
            pending.scope,
            action=CONSENT,
            fields={"transaction": await self._transactions.url(transaction)},
        )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A button was pressed. Raises BadForm, StoreError."""
        fields = await self._signin.of_applications.read_form(request)
        path = fields.get("transaction", "")
        transaction = await self._transactions.open(path)
        trust = self._context.trusts.get(transaction.trust) if transaction is not None else None
        pending = read_pending(transaction.request) if transaction is not None else None
        if transaction is None or trust is None or pending is None or transaction.protocol != "oidc":
            return self._signin.show_problem(request, Message.APPLICATION_STALE, status=400)
        request[TRUST] = trust.id
        session = await self._signin.session_of(request)
        if session is None or not transaction.accepts(session):
            return self._signin.redirect_to_signin(path)
        try:
            subject = self._context.claims.subject(trust, session.identity, request[CLIENT_ADDRESS])
        except AuthorizationDenied:
            subject = ""  # the policy has changed meanwhile: the application is told so where the path leads
        if not subject or subject != pending.subject:
            return self._signin.redirect_to_signin(path)  # somebody else has signed in meanwhile: they are asked themselves
        said: Literal["allow", "deny"] = "allow" if fields.get("answer") == "allow" else "deny"
        if said == "allow":
            await self._keep(request, trust, session, pending)
        answered = replace(transaction, request=write_pending(replace(pending, answer=said)))
        return self._signin.redirect_after_form(await self._transactions.url(answered))

    async def _keep(self, request: web.Request, trust: Trust, session: Session, pending: PendingRequest) -> None:
        now, account = self._context.clock(), session.record.account
        if trust.oidc.consent == "once":
            scopes = await self.agreed(trust, session) | set(pending.scope)
            await self._context.store.consents.put(ConsentRecord(account=account, trust=trust.id, scopes=scopes, at=now))
        event = AuditEvent(
            time=now,
            kind="federation.consent_given",
            actor="page",
            subject=session.identity.user_name,
            account=account,
            address=request[CLIENT_ADDRESS],
            correlation_id=request[CORRELATION_ID],
            via="oidc",
            detail={"trust": trust.id, "scope": " ".join(pending.scope)},
        )
        await self._context.store.audit.append(event)
