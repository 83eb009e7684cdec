"""Where an administrator starts a trial in their own browser, sees it, and ends it.

    GET /key-trial/SEALED ─► signed in? ─no─► sign-in page ─► what will happen ─► POST /key-trial/start ─► GET /key-trial
                                                                                                             │
                                                          POST /key-trial/end ◄── until when, where to go ◄──┘

Whoever only opens the address has started nothing: programs that look at links open them too, and nobody can be made to
try a key by a link alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from aiohttp import web

from gateway.federation.applications import TrustsById
from gateway.federation.keys import SigningKey, Trial, may_be_tried, signs_with, trial_refusal
from gateway.federation.trials.carriage import KEY_TRIAL, TRIAL_LIFETIME, TrialOffer, Trials
from gateway.federation.trusts import Trust
from gateway.relay import CLIENT_ADDRESS, CORRELATION_ID
from gateway.signin import Application, ApplicationLink, Message, Session, SignInPages
from gateway.store import AuditEvent, Store

log = structlog.get_logger()

START, END = f"{KEY_TRIAL}/start", f"{KEY_TRIAL}/end"


class KeysById(Protocol):
    """Of `SigningKeys` what starting a trial needs."""

    def find(self, key: str) -> SigningKey | None:
        """One that is published."""
        ...


class TrialPages:
    """links: where a sign-in to an application starts. clock: Unix seconds."""

    def __init__(
        self,
        trials: Trials,
        keys: KeysById,
        trusts: TrustsById,
        store: Store,
        signin: SignInPages,
        links: Callable[[Trust], Sequence[ApplicationLink]],
        clock: Callable[[], float],
    ) -> None:
        self._trials, self._keys, self._trusts, self._store = trials, keys, trusts, store
        self._signin, self._links, self._clock = signin, links, clock

    def add_routes(self, app: web.Application) -> None:
        """Serve them."""
        app.router.add_get(KEY_TRIAL, self._signin.guarded(self.show))
        app.router.add_get(KEY_TRIAL + "/{sealed}", self._signin.guarded(self.ask))
        app.router.add_post(START, self._signin.guarded(self.start))
        app.router.add_post(END, self._signin.guarded(self.end))

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """The address was opened: say what will happen. Raises StoreError."""
        sealed = request.match_info["sealed"]
        offer = self._trials.read(sealed)
        if offer is None:
            return self._refuse(request, Message.TRIAL_ADDRESS_OVER, "the address is over, or none of ours")
        session = await self._signin.session_of(request)
        if session is None:
            return self._signin.redirect_to_signin(f"{KEY_TRIAL}/{sealed}")
        trust = self._trusts.get(offer.trust)
        if trust is None or (refusal := self._refusal(offer, trust)):
            return self._refuse(request, Message.TRIAL_IMPOSSIBLE, refusal if trust is not None else "no such trust")
        return self._signin.of_applications.show_trial_question(
            request,
            Application(name=trust.name),
            session.identity,
            key=offer.key,
            minutes=int(TRIAL_LIFETIME // 60),
            action=START,
            fields={"offer": sealed, "session": session.name},
        )

    async def start(self, request: web.Request) -> web.StreamResponse:
        """The button was pressed. Raises BadForm, StoreError."""
        fields = await self._signin.of_applications.read_form(request)
        sealed = fields.get("offer", "")
        offer = self._trials.read(sealed)
        if offer is None:
            return self._refuse(request, Message.TRIAL_ADDRESS_OVER, "the address is over, or none of ours")
        session = await self._signin.session_of(request)
        if session is None or session.name != fields.get("session"):  # somebody else has signed in meanwhile
            return self._signin.redirect_to_signin(f"{KEY_TRIAL}/{sealed}")
        if refusal := self._refusal(offer, self._trusts.get(offer.trust)):
            return self._refuse(request, Message.TRIAL_IMPOSSIBLE, refusal)
        if not await self._trials.take(offer):
            return self._refuse(request, Message.TRIAL_ADDRESS_OVER, "the address was used before")
        response = self._signin.redirect_after_form(KEY_TRIAL)
        trial = self._trials.begin(response, session, offer)
        await self._record("signing_key.trial_started", request, session, trial)  # what cannot be recorded does not begin
        return response

    async def show(self, request: web.Request) -> web.StreamResponse:
        """What is tried in this browser. Raises StoreError."""
        session = await self._signin.session_of(request)
        if session is None:
            return self._signin.redirect_to_signin(KEY_TRIAL)
        trial = self._trials.running(request, session)
        trust = self._trusts.get(trial.trust)
        if trust is None or not self._signs(trial, trust):
            return self._signin.of_applications.show_result(request, Message.NO_TRIAL)
        return self._signin.of_applications.show_trial(
            request, Application(name=trust.name), key=trial.key, until=trial.until, links=self._links(trust), action=END
        )

    async def end(self, request: web.Request) -> web.StreamResponse:
        """The button was pressed: what is signed from now on is signed with the key in use. Raises BadForm, StoreError."""
        await self._signin.of_applications.read_form(request)
        response = self._signin.redirect_after_form(KEY_TRIAL)
        session = await self._signin.session_of(request)
        trial = self._trials.running(request, session) if session is not None else None
        self._trials.end(response)
        if session is not None and trial is not None and trial.key:
            await self._store.participants.end_trial(trial.trust, session.index(trial.trust))
            await self._record("signing_key.trial_ended", request, session, trial)
        return response

    # -- inside

    def _refusal(self, offer: TrialOffer, trust: Trust | None) -> str:
        """Why the key cannot be tried any more; empty where it can."""
        key = self._keys.find(offer.key)
        return trial_refusal(key.record if key is not None else None, trust)

    def _signs(self, trial: Trial, trust: Trust) -> bool:
        key = self._keys.find(trial.key)
        return key is not None and may_be_tried(key, *signs_with(trust))

    def _refuse(self, request: web.Request, message: Message, reason: str) -> web.Response:
        log.info("signing_key.trial_refused", reason=reason)
        return self._signin.show_problem(request, message, status=400, reference=request[CORRELATION_ID])

    async def _record(self, kind: str, request: web.Request, session: Session, trial: Trial) -> None:
        event = AuditEvent(
            time=self._clock(),
            kind=kind,
            actor="page",
            subject=session.identity.user_name,
            account=session.record.account,
            address=request[CLIENT_ADDRESS],
            correlation_id=request[CORRELATION_ID],
            detail={"trust": trial.trust, "key": trial.key, "ordered_by": trial.by},
        )
        await self._store.audit.append(event)
