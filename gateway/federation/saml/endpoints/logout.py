"""Single logout: a party wants it, or answers ours; see `gateway.federation.saml.logout`.

    message ─► whose? ─► signature ─► meant for us? ─► lately, once ─► sessions that the party means ─► they end
       └── not proven: a page, or a SOAP fault                                                            │
                                                           others are told, by SOAP, back channel, browser ◄┘

A request needs no cookie: the session is found by what the party was told of it. So it also ends where the browser is
another one, or sends none from the other site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web
from msgspec.structs import replace

from certs import CertsError
from foundation.saml import (
    LOGOUT_REQUEST,
    LOGOUT_RESPONSE,
    SOAP_TYPE,
    SOAP_TYPES,
    LogoutRequest,
    NameIdentifier,
    SamlError,
    read_logout_request,
    read_logout_response,
    write_envelope,
    write_fault,
)
from gateway.federation.keys import SigningKeyError
from gateway.federation.participants import Participant, Participants
from gateway.federation.saml.bindings import (
    IncomingMessage,
    find_party,
    read_message,
    read_soap,
    verify_message,
)
from gateway.federation.saml.context import SINGLE_LOGOUT, SamlContext
from gateway.federation.saml.encrypted_names import read_encrypted_name
from gateway.federation.saml.endpoints.refusals import note_refused, note_unproven, show_no_key, show_unproven
from gateway.federation.saml.errors import PartyRefused, SamlRefusal, StatusRefused
from gateway.federation.saml.logout.chains import LOGOUT, AskedBy, LogoutChain, LogoutChains, sessions_of
from gateway.federation.saml.logout.checks import (
    check_proof,
    check_request_time,
    check_response,
    logout_status,
)
from gateway.federation.saml.logout.messages import CarriedMessage, LogoutMessages, browser_endpoint
from gateway.federation.saml.logout.subjects import SubjectDetails, read_details
from gateway.federation.saml.logout.trail import LogoutTrail
from gateway.federation.saml.names import PARTIAL_LOGOUT, REQUEST_DENIED, SUCCESS
from gateway.federation.saml.parties import Party
from gateway.federation.saml.seen_messages import note_seen
from gateway.signin import DepartureOutcome, Message, SignInPages
from gateway.store import ParticipantRecord

log = structlog.get_logger()

SEEN: Final = "saml logout request"
"""Kind of what was seen before."""
WAIT: Final = 15.0
"""Seconds that the page waits for a party's answer to the browser."""
_REMEMBERED: Final = 3600.0
"""Seconds: longer than a request is good for."""
_UNPROVEN = (SamlRefusal, SamlError, CertsError)


@dataclass(frozen=True, slots=True)
class EndedSessions:
    """What hung on sessions that a party ended."""

    others: list[Participant]
    """Whoever else has to be told."""
    tried: str
    """Id of the signing key that one of them tried with the party."""
    known_as: list[SubjectDetails]
    """Of each, as whom the party knew the person."""


class LogoutService:
    """`/saml/slo`, where parties come, and `/saml/logout/…`, where the person's browser goes from party to party."""

    def __init__(self, context: SamlContext, signin: SignInPages, participants: Participants, chains: LogoutChains) -> None:
        self._context, self._signin, self._participants, self._chains = context, signin, participants, chains
        self._messages = LogoutMessages(context)
        self._trail = LogoutTrail(context)
        self._destination = context.public_url + SINGLE_LOGOUT

    def add_routes(self, app: web.Application) -> None:
        """Serve it."""
        app.router.add_get(SINGLE_LOGOUT, self._signin.guarded(self.receive))
        app.router.add_post(SINGLE_LOGOUT, self._signin.guarded(self.receive))
        app.router.add_get(LOGOUT + "{sealed}", self._signin.guarded(self.proceed))

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """A message by any of the three bindings."""
        if request.method == "POST" and request.content_type in SOAP_TYPES:
            return await self._receive_soap(request)
        try:
            incoming = await read_message(request, "SAMLRequest", "SAMLResponse")
            if incoming.name == "SAMLResponse":
                return await self._answered(request, incoming)
            party, asked = self._read(incoming)
        except _UNPROVEN as unproven:
            return show_unproven(self._signin, request, unproven)
        try:
            ended = await self._end(party, asked)
        except StatusRefused as refused:
            return self._refuse(request, party, asked, incoming.relay_state, refused)
        direct, by_browser = self._participants.by_way(ended.others)
        departures = await self._participants.tell(direct)
        await self._trail.requested(request, party, ended.known_as, departures)
        chain = self._chains.chain(by_browser, departures)
        asked_by = AskedBy(trust=party.trust.id, id=asked.id, relay_state=incoming.relay_state, tried=ended.tried)
        chain = replace(chain, asked_by=asked_by, sessions=sessions_of(ended.others))
        if request.method == "POST" and chain.missed:  # browsers keep our cookies from other sites' forms
            return _see_other(await self._chains.path(chain))
        return await self._continue(request, chain)

    async def proceed(self, request: web.Request) -> web.StreamResponse:
        """The browser is on its way from party to party."""
        chain = await self._chains.open(request.match_info["sealed"])
        if chain is None:
            return self._signin.show_problem(request, Message.STALE, status=400)
        if not self._signin.had_session(request, chain.sessions):
            return self._part(request, chain)
        if chain.left and (waited := await self._chains.take(chain.left)) is not None and waited.ahead:
            await self._trail.told(request, waited.ahead[0], "not answered")
        if not chain.ahead:
            return await self._continue(request, chain)
        stop = chain.ahead[0]
        party = self._context.parties.of(stop.trust)
        endpoint = browser_endpoint(party) if party is not None else None
        if party is None or endpoint is None:
            await self._trail.told(request, stop, "no way")
            return await self._continue(request, chain.after("no way"))
        try:
            outgoing = self._messages.request(party, endpoint, chain.id, stop)
        except SigningKeyError as error:
            return show_no_key(self._signin, request, party, error)
        except (PartyRefused, SamlError) as error:
            log.warning("saml.logout_failed", trust=party.trust.id, reason=str(error))
            await self._trail.told(request, stop, "failed")
            return await self._continue(request, chain.after("failed"))
        first = await self._chains.keep(chain)
        if first:
            await self._trail.told(request, stop, "asked")
        return self._signin.of_applications.show_leaving(
            request,
            chain.departures,
            [ahead.name for ahead in chain.ahead],
            url=outgoing.url,
            fields=outgoing.fields,
            skip=await self._chains.path(replace(chain.after("failed"), left=chain.id)),
            wait=WAIT if first else 0,  # Back from a page of the party's: sent there again, nobody would ever get past it
        )

    # -- a request

    def _read(self, incoming: IncomingMessage) -> tuple[Party, LogoutRequest]:
        """What was verified, of whom. Raises PartyRefused, SamlError."""
        party = find_party(self._context.parties, read_logout_request(incoming.document).issuer)
        verified, signed = verify_message(incoming, party, LOGOUT_REQUEST)
        asked = read_logout_request(verified)
        check_proof(asked, party, destination=self._destination, signed=signed)
        return party, asked

    async def _end(self, party: Party, asked: LogoutRequest) -> EndedSessions:
        """End the sessions that the party means. Raises StatusRefused, StoreError."""
        now = self._context.clock()
        check_request_time(asked, now)
        if not await note_seen(self._context, SEEN, party, asked.id, remembered=_REMEMBERED):
            raise StatusRefused("it came before", REQUEST_DENIED)
        ended: list[Participant] = []
        known_as: list[SubjectDetails] = []
        sessions = await self._meant(party, asked)
        for record in sessions:
            details = read_details(record.details)
            if details is not None:
                known_as.append(details)
                await self._signin.forget_session(details.account, record.session)
            ended += await self._participants.take(record.session)
        log.info("saml.logout_requested", trust=party.trust.id, sessions=len(sessions), applications=len(ended))
        others = [participant for participant in ended if participant.trust.id != party.trust.id]
        tried = next((key for record in sessions if (key := record.tried_at(now))), "")
        return EndedSessions(others, tried, known_as)

    async def _meant(self, party: Party, asked: LogoutRequest) -> list[ParticipantRecord]:
        """Of the party's own sessions those with the index, or all of the person; nobody learns which of others exist.

        A name that is encrypted, and is none that such a session has, is refused in one way, whatever is wrong with it: the
        answer says nothing about the ciphertext. Raises StatusRefused, StoreError.
        """
        store = self._context.store.participants
        if asked.session_indexes:
            by_index = [await store.find(party.trust.id, index) for index in dict.fromkeys(asked.session_indexes)]
            found = [record for record in by_index if record is not None]
            if not found:
                return []
            name = await self._name(party, asked)
        else:
            name = await self._name(party, asked)
            found = await store.of_subject(party.trust.id, name.value)
        meant = [
            record for record in found if (details := read_details(record.details)) is not None and details.is_meant(name)
        ]
        if asked.encrypted_name_id and not meant:
            raise StatusRefused("the name that it has encrypted is of none of its sessions", REQUEST_DENIED)
        return meant

    async def _name(self, party: Party, asked: LogoutRequest) -> NameIdentifier:
        """Who is meant. Raises StatusRefused."""
        if asked.name_id is not None:
            return asked.name_id
        try:
            return await read_encrypted_name(self._context, asked.encrypted_name_id, cbc=party.trust.saml.accept_cbc)
        except SamlError as error:
            raise StatusRefused(str(error), REQUEST_DENIED) from error

    async def _receive_soap(self, request: web.Request) -> web.Response:
        """The party asks by itself: others can be told without a browser only."""
        try:
            party, asked = self._read(await read_soap(request))
        except _UNPROVEN as unproven:
            note_unproven(request, unproven)
            return _soap(write_fault("Client", "the request cannot be answered"), status=500)
        try:
            ended = await self._end(party, asked)
            departures = await self._participants.tell(ended.others)
            await self._trail.requested(request, party, ended.known_as, departures)
            tried, status = ended.tried, logout_status(departures)
        except StatusRefused as refused:
            note_refused(request, party, refused)
            tried, status = "", (refused.code, refused.sub_code)
        try:
            return _soap(write_envelope(self._messages.soap_response(party, asked.id, status, tried)))
        except SigningKeyError as error:
            log.error("saml.no_key", trust=party.trust.id, error=str(error))  # noqa: TRY400 - it says all
            return _soap(write_fault("Server", "try again later"), status=500)

    # -- an answer to a request of ours

    async def _answered(self, request: web.Request, incoming: IncomingMessage) -> web.Response:
        """A party has been told; on to the next. Raises PartyRefused, SamlError, StoreError."""
        chain = await self._chains.take(read_logout_response(incoming.document).in_response_to)
        if chain is None or not chain.ahead:
            raise PartyRefused("its LogoutResponse answers no request, or comes too late")
        outcome = self._outcome(incoming, chain.ahead[0].trust)
        await self._trail.told(request, chain.ahead[0], outcome)
        return _see_other(await self._chains.path(chain.after(outcome)))

    def _outcome(self, incoming: IncomingMessage, trust: str) -> DepartureOutcome:
        """Whoever sends nonsense keeps nobody from leaving the others."""
        party = self._context.parties.of(trust)
        try:
            if party is None:
                raise PartyRefused("its trust is gone")
            verified, signed = verify_message(incoming, party, LOGOUT_RESPONSE)
            check_response(read_logout_response(verified), party, destination=self._destination, signed=signed)
        except _UNPROVEN as error:
            log.warning("saml.logout_failed", trust=trust, reason=str(error))
            return "failed"
        return "told"

    # -- the end

    async def _continue(self, request: web.Request, chain: LogoutChain) -> web.StreamResponse:
        """To the next party; with none left, to whoever wanted the logout. Who was not reached is shown before."""
        if chain.ahead:
            return _see_other(await self._chains.path(chain))
        pages = self._signin.of_applications
        asker = self._context.parties.of(chain.asked_by.trust) if chain.asked_by is not None else None
        endpoint = browser_endpoint(asker) if asker is not None else None
        if chain.asked_by is None or asker is None or endpoint is None:
            if chain.return_to and not chain.missed:
                return _see_other(chain.return_to)
            return pages.show_signed_out(request, chain.departures, return_to=chain.return_to, application=chain.application)
        if chain.missed and not chain.shown and self._signin.had_session(request, chain.sessions):
            path = await self._chains.path(replace(chain, shown=True))
            return pages.show_signed_out(request, chain.departures, return_to=path, application=asker.trust.name)
        asked = chain.asked_by
        return self._answer(request, asker, asked.id, logout_status(chain.departures), asked.relay_state, asked.tried)

    def _part(self, request: web.Request, chain: LogoutChain) -> web.Response:
        """Somebody is on the way whose session it was not: whoever wanted the logout hears that others were not told."""
        asked = chain.asked_by
        party = self._context.parties.of(asked.trust) if asked is not None else None
        log.info("saml.logout_left", trust=asked.trust if asked is not None else "", applications=len(chain.ahead))
        if asked is None or party is None:
            return self._signin.show_problem(request, Message.STALE, status=400)
        return self._answer(request, party, asked.id, (SUCCESS, PARTIAL_LOGOUT), asked.relay_state, asked.tried)

    def _refuse(
        self, request: web.Request, party: Party, asked: LogoutRequest, relay_state: str, refused: StatusRefused
    ) -> web.Response:
        note_refused(request, party, refused)
        return self._answer(request, party, asked.id, (refused.code, refused.sub_code), relay_state)

    def _answer(
        self, request: web.Request, party: Party, asked: str, status: Sequence[str], relay_state: str, tried: str = ""
    ) -> web.Response:
        """Tell the party by a status, where it has an address for that; else the person. tried: as of `Stop`."""
        endpoint = browser_endpoint(party)
        if endpoint is None:
            return show_unproven(
                self._signin, request, PartyRefused("it names no address for answers", trust=party.trust.id)
            )
        try:
            outgoing = self._messages.response(party, endpoint, asked, status, relay_state, tried)
        except SigningKeyError as error:
            return show_no_key(self._signin, request, party, error)
        return self._send(request, outgoing)

    def _send(self, request: web.Request, outgoing: CarriedMessage) -> web.Response:
        if outgoing.fields:
            return self._signin.post_to(request, outgoing.url, outgoing.fields)
        return _see_other(outgoing.url)


def _see_other(url: str) -> web.Response:
    return web.Response(status=303, headers={"Location": url, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def _soap(envelope: bytes, *, status: int = 200) -> web.Response:
    return web.Response(body=envelope, status=status, content_type=SOAP_TYPE, charset="utf-8")
