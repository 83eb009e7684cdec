"""The one way to a credential check: admission, dispatch, audit, and the delay of what is refused.

The order matters. Admission comes before anybody is asked and learns the outcome before the trail is written: while a
slow store is waited for, the next guess must already be counted. The trail comes before the answer: what it did not take
is not given. Whatever is no success is answered after the one delay of all refusals, and nothing but the request waits:
its agent, its lease and its entry are done with.

Where admission's own store is down, nobody is asked: a guess that nothing counts would be free, and the trail, which has
the same store, would not take the sign-in either. The answer is the same, NOT_RECORDED.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from foundation.addresses import address_key
from gateway.protocol import AccountId, AnswerBody, Outcome
from gateway.relay.agents import Dispatched, Dispatcher, Task
from gateway.relay.credentials.admission import (
    LONGEST_NAME,
    Admission,
    AdmissionRequest,
    Admitted,
    AttemptRefused,
    CallerRates,
    fold_name,
    place_of,
)
from gateway.relay.credentials.attempt import Attempt, Verdict
from gateway.relay.credentials.metrics import REFUSED, SignInMetrics
from gateway.relay.credentials.places import Places
from gateway.relay.refusals import Refusals
from gateway.store import AuditEvent, AuditLog, StoreError

log = structlog.get_logger()

_PATIENCE = 5.0
"""Seconds that an attempt waits for others for the same account."""
_ELSEWHERE = 1.0
"""Seconds after which it looks again unasked: what it waits for may be under way on another node."""
_CROWD = 8
"""Sign-ins under way from which on the next entry of the trail is worth waiting for, to be committed with it …"""
_COMPANY = 0.006
"""… for so many seconds: a commit costs twice as much as an entry in it."""
_LEASE_MARGIN = 5.0
"""Seconds beyond its deadline for which an attempt is taken to be under way: time to settle it."""
"""Stands for an outcome in the trail, the log and the metrics where there is none."""
_TOO_OFTEN = "rate"
"""Why an API key is refused that asks more than it was made for."""
_CROWDED = "too many open requests"
"""Why an attempt was answered before anybody looked at it."""


class RelayAuthenticator:
    """Implements `attempt.Authenticator` over the agents that are connected.

    digest: what an account is counted under, and the id of that key.
    """

    def __init__(
        self,
        admission: Admission,
        dispatcher: Dispatcher,
        audit: AuditLog,
        metrics: SignInMetrics,
        refusals: Refusals,
        *,
        digest: Callable[[AccountId], tuple[bytes, str]],
        timeout: float,
        clock: Callable[[], float],
    ) -> None:
        self._admission, self._dispatcher, self._audit = admission, dispatcher, audit
        self._metrics, self._refusals, self._digest = metrics, refusals, digest
        self._timeout, self._clock = timeout, clock
        self._places, self._callers = Places(), CallerRates()

    async def authenticate(self, attempt: Attempt) -> Verdict:
        """Check a credential; see `attempt.Authenticator`."""
        return await self._check("signin", "verify", attempt, "")

    async def change_password(self, attempt: Attempt, new_password: str) -> Verdict:
        """Change a password, proving the old one; see `attempt.Authenticator`."""
        return await self._check("password_change", "change", attempt, new_password)

    async def _check(self, kind: str, operation: str, attempt: Attempt, new_password: str) -> Verdict:
        if attempt.caller and (wait := self._callers.draw(attempt.caller, attempt.caller_rate, self._clock())) > 0:
            # answered at once, which tells nothing of an account: a key that is refused takes nobody's place
            return await self._record(kind, attempt, Verdict(outcome=None, retry_after=wait), _TOO_OFTEN)
        began = asyncio.get_running_loop().time()
        address = address_key(attempt.address) if attempt.throttled else ""
        if not self._refusals.enter(address):
            return await self._record(kind, attempt, Verdict(outcome=Outcome.BUSY), _CROWDED)
        try:
            verdict = await self._judge(kind, operation, attempt, new_password, began)
            if not verdict.succeeded:
                await self._refusals.hold(began)
        finally:
            self._refusals.leave(address)
        return verdict

    async def _judge(self, kind: str, operation: str, attempt: Attempt, new_password: str, began: float) -> Verdict:
        """began: on the event loop's clock."""
        started = time.perf_counter()
        try:
            decision, waited = await self._admit(attempt)
        except StoreError as error:
            self._log_uncounted(attempt, error)
            return await self._record(kind, attempt, Verdict(outcome=Outcome.NOT_RECORDED), "")
        if isinstance(decision, AttemptRefused):
            verdict = Verdict(outcome=None, retry_after=decision.retry_after)
            return await self._record(kind, attempt, verdict, decision.reason)
        settled = False  # a browser that goes away cancels this task: its place must not stay taken
        try:
            dispatched = await self._dispatch(operation, attempt, new_password)
            body, subject = dispatched.body, dispatched.body.subject
            await self._settle(decision, attempt, body.outcome, subject)
            settled = True
        finally:
            if not settled:
                await self._abandon(decision, attempt)
            self._places.wake(decision.lease)
            self._places.wake(place_of(decision.address))
        if dispatched.agent and not body.outcome.is_infrastructure:
            # without the wait for others: whoever makes their own guesses wait would lengthen everybody's delay
            self._refusals.note(began + waited, exists=subject is not None)
        verdict = _verdict(dispatched, (time.perf_counter() - started) * 1000)
        return await self._record(kind, attempt, verdict, body.detail, body, subject)

    async def _settle(self, admitted: Admitted, attempt: Attempt, outcome: Outcome, subject: AccountId | None) -> None:
        """A store that did not take it leaves the lease, which counts as a failure until its deadline."""
        account, key = self._digest(subject) if subject is not None else (b"", "")
        try:
            await self._admission.settle(admitted, outcome, self._clock(), account=account, account_key=key)
        except StoreError as error:
            self._log_uncounted(attempt, error)

    async def _abandon(self, admitted: Admitted, attempt: Attempt) -> None:
        try:
            await self._admission.abandon(admitted, self._clock())
        except StoreError as error:
            self._log_uncounted(attempt, error)

    def _log_uncounted(self, attempt: Attempt, error: StoreError) -> None:
        log.error("signin.not_counted", user=attempt.known_as, via=attempt.via, error=str(error))

    async def _admit(self, attempt: Attempt) -> tuple[Admitted | AttemptRefused, float]:
        """Ask admission; where others for the same account are under way, wait a little for what comes of them.

        Returns the decision, and the seconds of that wait.
        """
        now = self._clock()
        request = AdmissionRequest(
            user_name=attempt.user_name,
            password=attempt.password,
            address=attempt.address,
            familiar=attempt.familiar,
            throttled=attempt.throttled,
            deadline=now + _PATIENCE + self._timeout + _LEASE_MARGIN,
            correlation_id=attempt.correlation_id,
        )
        decision = await self._admission.check(request, now)
        waited_for: tuple[bytes, ...] = ()
        loop = asyncio.get_running_loop()
        waited, until = 0.0, loop.time() + _PATIENCE
        while isinstance(decision, AttemptRefused) and decision.waits_for and (left := until - loop.time()) > 0:
            first, waited_for = bool(waited_for), decision.waits_for
            before = loop.time()
            await self._places.wait(waited_for, min(left, _ELSEWHERE), first=first)
            waited += loop.time() - before
            decision = await self._admission.check(request, self._clock())
        if not (isinstance(decision, AttemptRefused) and decision.waits_for):
            for key in waited_for:  # whoever got a place, or was refused for another reason, is out of the next one's way
                self._places.wake(key)
        return decision, waited

    async def _dispatch(self, operation: str, attempt: Attempt, new_password: str) -> Dispatched:
        if not attempt.password:  # AD takes an empty password for an anonymous bind that "succeeds"
            return Dispatched(AnswerBody(Outcome.WRONG_CREDENTIAL, detail="empty password"))
        if len(attempt.user_name) > LONGEST_NAME:
            return Dispatched(AnswerBody(Outcome.WRONG_CREDENTIAL, detail="name too long"))
        task = Task(
            operation,
            attempt.user_name,
            attempt.password,
            new_password,
            self._clock() + self._timeout,
            attempt.correlation_id,
        )
        return await self._dispatcher.dispatch(task)

    async def _record(
        self,
        kind: str,
        attempt: Attempt,
        verdict: Verdict,
        detail: str,
        body: AnswerBody | None = None,
        subject: AccountId | None = None,
    ) -> Verdict:
        """Write the trail, then count and log what is answered; returns that. body: what an agent answered, if any did, and
        subject: about whom."""
        written, outcome = True, _outcome(verdict)
        try:
            written = await self._write(self._event(kind, attempt, verdict, outcome, detail, body, subject), attempt)
        except StoreError as error:
            log.error(  # noqa: TRY400 - it says all
                "signin.not_recorded",
                kind=kind,
                outcome=outcome,
                user=attempt.known_as,
                address=attempt.address,
                via=attempt.via,
                error=str(error),
            )
            verdict = _not_recorded(kind, verdict)
            outcome = _outcome(verdict)
        self._metrics.count(kind, outcome, verdict.milliseconds)
        if written:  # what the trail folds, the log does
            log.info(
                "signin.checked",
                kind=kind,
                outcome=outcome,
                user=attempt.known_as,
                agent=verdict.agent,
                milliseconds=round(verdict.milliseconds, 1),
            )
        return verdict

    async def _write(self, event: AuditEvent, attempt: Attempt) -> bool:
        """False where it was counted to an earlier entry: refusals that nobody was asked about."""
        reason = event.detail.get("detail", "")
        if event.outcome == REFUSED or reason == _CROWDED:
            by_address = reason in {"address", _CROWDED}
            whose = address_key(attempt.address) if by_address else fold_name(attempt.user_name)
            if reason == _TOO_OFTEN:  # a key may ask about any name
                by_address, whose = True, f"key {attempt.caller}"
            return await self._refusals.record((event.kind, attempt.via, by_address, whose), event)
        await self._audit.append(event, patience=_COMPANY if self._dispatcher.outstanding >= _CROWD else 0.0)
        return True

    def _event(
        self,
        kind: str,
        attempt: Attempt,
        verdict: Verdict,
        outcome: str,
        detail: str,
        body: AnswerBody | None,
        subject: AccountId | None,
    ) -> AuditEvent:
        return AuditEvent(
            time=self._clock(),
            kind=kind,
            actor=attempt.via,
            subject=attempt.known_as[:LONGEST_NAME],
            account=subject or attempt.account,
            outcome=outcome,
            address=attempt.address,
            agent=verdict.agent,
            controller=body.controller if body is not None else "",
            correlation_id=attempt.correlation_id,
            via=attempt.via,
            milliseconds=verdict.milliseconds,
            detail=_details(detail, body),
        )


def _details(detail: str, body: AnswerBody | None) -> dict[str, str]:
    """For the operator: what the directory said, and of a new password that was refused what the person was told."""
    details = {"detail": detail} if detail else {}
    if body is not None and body.outcome is Outcome.PASSWORD_REJECTED:
        details["rule"] = f"{body.rule} {body.rule_value}" if body.rule_value else body.rule or "unknown"
        if not body.password_proven:
            details["password"] = "not proven"  # noqa: S105 - a remark
    return details


def _outcome(verdict: Verdict) -> str:
    return verdict.outcome.value if verdict.outcome else REFUSED


def _not_recorded(kind: str, verdict: Verdict) -> Verdict:
    """What is answered where the trail did not take it: no sign-in. What has happened or was refused stays so."""
    if verdict.outcome is None or (kind == "password_change" and verdict.succeeded):
        return verdict
    return Verdict(outcome=Outcome.NOT_RECORDED, agent=verdict.agent, milliseconds=verdict.milliseconds)


def _verdict(dispatched: Dispatched, milliseconds: float) -> Verdict:
    body = dispatched.body
    return Verdict(
        outcome=body.outcome,
        identity=body.identity,
        password_proven=body.password_proven,
        rule=body.rule,
        rule_value=body.rule_value,
        new_password=body.new_password,
        password_set=body.password_set,
        agent=dispatched.agent,
        milliseconds=milliseconds,
    )
