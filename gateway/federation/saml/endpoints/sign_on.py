"""Single sign-on (saml-profiles-2.0-os section 4.1): a person is sent here by a party, or comes by themselves.

    message ─► whose? ─► signature, if any ─► checks ─► a session that will do? ─no─► sign-in page ─► /continue/…
       └── until the answer's address is proven: a page       │ yes                                        │
                                                              ▼                                            ▼
                                                 access ─► claims ─► response, posted by the browser ◄── resume

A request is answered with an assertion once. Until then its address may be reloaded, and gone back to: it is marked as
answered after everything that can fail, right before the answer is sent.
"""

from __future__ import annotations

from typing import Final

import msgspec
import structlog
from aiohttp import web

from certs import CertsError
from foundation.saml import SamlError, posted
from gateway.federation.claims import subject_of
from gateway.federation.keys import SigningKeyError, Trial
from gateway.federation.participants import Participants, SessionOver
from gateway.federation.refused_requests import PERSON, note_refusal
from gateway.federation.saml.bindings import IncomingRequest, read_request
from gateway.federation.saml.checks import check_request, choose_consumer
from gateway.federation.saml.context import SIGN_ON, START, SamlContext
from gateway.federation.saml.encrypted_names import read_encrypted_name
from gateway.federation.saml.endpoints.refusals import note_refused, show_no_key, show_unproven
from gateway.federation.saml.errors import PartyRefused, SamlRefusal, StatusRefused
from gateway.federation.saml.logout.subjects import write_details
from gateway.federation.saml.names import NO_PASSIVE, PASSWORD_PROTECTED, REQUEST_UNSUPPORTED, RESPONDER
from gateway.federation.saml.parties import Party
from gateway.federation.saml.pending_sign_on import PendingSignOn
from gateway.federation.saml.responses import Asked, Responses, Told
from gateway.federation.saml.seen_messages import note_seen, was_seen
from gateway.federation.transactions import Transaction, Transactions
from gateway.federation.trusts import check_access
from gateway.relay import CLIENT_ADDRESS, CORRELATION_ID, STARTED
from gateway.signin import Application, Session, SignInPages

log = structlog.get_logger()

ANSWERED: Final = "saml request"
"""Kind of what was seen before: requests that were answered with an assertion."""
_REMEMBERED: Final = 2 * 3600.0
"""Seconds: longer than a request and a transaction hold."""
_LONGEST_STATE: Final = 2048
"""Characters of the RelayState of a sign-in that begins here."""

_encode = msgspec.msgpack.Encoder().encode
_pending = msgspec.msgpack.Decoder(PendingSignOn)


class SignOnEndpoint:
    """See above."""

    def __init__(
        self, context: SamlContext, signin: SignInPages, transactions: Transactions, participants: Participants
    ) -> None:
        self._context, self._signin, self._transactions = context, signin, transactions
        self._participants = participants
        self._responses = Responses(context)

    def add_routes(self, app: web.Application) -> None:
        """Serve it."""
        app.router.add_get(SIGN_ON, self._signin.guarded(self.sign_on))
        app.router.add_post(SIGN_ON, self._signin.guarded(self.sign_on))
        app.router.add_get(START + "{trust}", self._signin.guarded(self.start))

    async def sign_on(self, request: web.Request) -> web.StreamResponse:
        """A browser comes from a party, by HTTP-Redirect or HTTP-POST."""
        try:
            incoming = await read_request(request, self._context.parties)
        except (SamlRefusal, SamlError, CertsError) as unproven:
            return show_unproven(self._signin, request, unproven)
        try:
            return await self._proceed(request, incoming)
        except PartyRefused as unproven:
            return show_unproven(self._signin, request, unproven, incoming.party)
        except StatusRefused as refused:
            consumer = choose_consumer(incoming.request, incoming.party).url
            return self._refuse(request, incoming.party, consumer, incoming.request.id, incoming.relay_state, refused)

    async def start(self, request: web.Request) -> web.StreamResponse:
        """A person comes by themselves (IdP-initiated, section 4.1.5). `RelayState`: where in the application."""
        party = self._context.parties.of(request.match_info["trust"])
        if party is None or not party.trust.saml.idp_initiated or party.default_consumer is None:
            return show_unproven(self._signin, request, PartyRefused("it may not be started here"), party)
        pending = PendingSignOn(
            id="",
            consumer=party.default_consumer.url,
            relay_state=request.query.get("RelayState", "")[:_LONGEST_STATE] or party.trust.saml.relay_state,
            name_id_format=party.trust.saml.name_id_format,
            context=PASSWORD_PROTECTED,
        )
        return await self._with_session(request, party, pending, fresh_since=self._fresh_since(party))

    async def resume(self, request: web.Request, transaction: Transaction, session: Session) -> web.StreamResponse:
        """The person has signed in: see `Resume`. The trust may have changed meanwhile."""
        party = self._context.parties.of(transaction.trust)
        pending = _pending.decode(transaction.request)
        if party is None or pending.consumer not in {consumer.url for consumer in party.consumers}:
            return show_unproven(self._signin, request, PartyRefused("the trust has changed since the request"), party)
        return await self._respond(request, party, pending, session)

    # -- inside

    async def _proceed(self, request: web.Request, incoming: IncomingRequest) -> web.StreamResponse:
        party, asked = incoming.party, incoming.request
        now = self._context.clock()
        destination = self._context.public_url + SIGN_ON
        checked = check_request(asked, party, destination=destination, signed=incoming.signed, now=now)
        pending = PendingSignOn(
            id=asked.id,
            consumer=checked.consumer.url,
            relay_state=incoming.relay_state,
            name_id_format=checked.name_id_format,
            encrypt_name_id=checked.encrypt_name_id,
            context=checked.context,
            subject=await self._subject(incoming),
        )
        fresh_since = now if asked.force_authn else self._fresh_since(party)
        if asked.passive:
            return await self._passively(request, party, pending, fresh_since)
        # a name that was encrypted is shown to nobody: another party's ciphertext would be read on the page
        expected = asked.subject.value if asked.subject is not None else ""
        return await self._with_session(request, party, pending, fresh_since=fresh_since, expected=expected)

    async def _subject(self, incoming: IncomingRequest) -> str:
        """Who is asked for; empty: anybody. Raises StatusRefused."""
        asked = incoming.request
        if not asked.encrypted_subject:
            return asked.subject.value if asked.subject is not None else ""
        try:
            if not incoming.signed:
                raise SamlError("AuthnRequest", "its subject is encrypted, and it is not signed")
            return (await read_encrypted_name(self._context, asked.encrypted_subject)).value
        except SamlError as error:
            raise StatusRefused(str(error), REQUEST_UNSUPPORTED, code=RESPONDER) from error

    def _fresh_since(self, party: Party) -> float:
        """How old a sign-in may be for this party; 0: as old as the session."""
        oldest = party.trust.lifetimes.reauthenticate
        return self._context.clock() - oldest if oldest else 0.0

    async def _passively(
        self, request: web.Request, party: Party, pending: PendingSignOn, fresh_since: float
    ) -> web.StreamResponse:
        """The page is not shown (saml-core-2.0-os section 3.4.1.1)."""
        session = await self._signin.session_of(request)
        if session is None or not session.is_since(fresh_since):
            refused = StatusRefused("nobody is signed in, and nobody may be asked", NO_PASSIVE, code=RESPONDER)
            return self._refuse(request, party, pending.consumer, pending.id, pending.relay_state, refused)
        return await self._respond(request, party, pending, session)

    async def _with_session(
        self, request: web.Request, party: Party, pending: PendingSignOn, *, fresh_since: float, expected: str = ""
    ) -> web.StreamResponse:
        """expected: who the party says will sign in."""
        session = await self._signin.session_of(request)
        transaction = Transaction(
            protocol="saml",
            trust=party.trust.id,
            request=_encode(pending),
            fresh_since=fresh_since,
            session=session.name if session is not None else "",
            hint=expected if "@" in expected else "",
        )
        if session is None or not transaction.accepts(session):
            stranger = request[CLIENT_ADDRESS] if session is None else ""
            return self._signin.redirect_to_signin(await self._transactions.url(transaction, stranger=stranger))
        return await self._respond(request, party, pending, session)

    async def _respond(
        self, request: web.Request, party: Party, pending: PendingSignOn, session: Session
    ) -> web.StreamResponse:
        """Whoever is signed in, may use the application, and has not been told of by this request before, is told of."""
        address = request[CLIENT_ADDRESS]
        request[PERSON] = session.identity
        refusal = check_access(party.trust, subject_of(session.identity, address), address)
        if refusal is not None:
            log.info("saml.access_refused", trust=party.trust.id, reason=refusal.reason)
            detail = f"access: {refusal.reason}"
            note_refusal(request, trust=party.trust.id, protocol="saml", reason="access_denied", detail=detail)
            application = Application(name=party.trust.name)
            return self._signin.of_applications.show_no_access(request, application, refusal.ask)
        trial = self._context.trials.of(request, session, party.trust.id)
        asked = Asked(address=address, correlation_id=request[CORRELATION_ID], tried=trial.key_at(self._context.clock()))
        try:
            await self._check_unanswered(party, pending.id)
            told = await self._responses.for_person(party, pending, session, asked)
            await self._join(party, told, session, trial)
            await self._mark_answered(party, pending.id)
        except SessionOver:
            return show_unproven(self._signin, request, PartyRefused("the session has ended meanwhile"), party)
        except PartyRefused as unproven:
            return show_unproven(self._signin, request, unproven, party)
        except StatusRefused as refused:
            return self._refuse(request, party, pending.consumer, pending.id, pending.relay_state, refused, asked.tried)
        except SigningKeyError as error:
            return show_no_key(self._signin, request, party, error)
        self._context.metrics.count_issued(party.trust.id, "saml", request[STARTED])
        return self._post(request, pending.consumer, told.document, pending.relay_state)

    async def _check_unanswered(self, party: Party, request_id: str) -> None:
        """An address that is opened again is refused before anything is made. Raises PartyRefused, StoreError."""
        if request_id and await was_seen(self._context, ANSWERED, party, request_id):
            raise PartyRefused("its request was answered before")

    async def _mark_answered(self, party: Party, request_id: str) -> None:
        """Of two answers to one request that are made at once the second is not given. Raises PartyRefused, StoreError."""
        if request_id and not await note_seen(self._context, ANSWERED, party, request_id, remembered=_REMEMBERED):
            raise PartyRefused("its request was answered before")

    async def _join(self, party: Party, told: Told, session: Session, trial: Trial) -> None:
        details = write_details(told.name_id, session.record.account, encrypted=told.encrypted)
        await self._participants.joined(session, party.trust, details, subject=told.name_id.value, trial=trial)

    def _post(self, request: web.Request, url: str, document: bytes, relay_state: str) -> web.Response:
        fields = {"SAMLResponse": posted(document)}
        if relay_state:
            fields["RelayState"] = relay_state
        return self._signin.post_to(request, url, fields)

    def _refuse(
        self,
        request: web.Request,
        party: Party,
        consumer: str,
        request_id: str,
        relay_state: str,
        refused: StatusRefused,
        tried: str = "",
    ) -> web.Response:
        """Tell the party by a status. tried: see `Asked`."""
        note_refused(request, party, refused)
        try:
            document = self._responses.refusal(party, consumer, request_id, refused, tried)
        except SigningKeyError as error:
            return show_no_key(self._signin, request, party, error)
        return self._post(request, consumer, document, relay_state)
