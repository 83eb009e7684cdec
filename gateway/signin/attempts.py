"""A sign-in as credentials are asked about, and what the answer comes down to for the person who waits for it."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from gateway.protocol import Outcome
from gateway.relay import CLIENT_ADDRESS, CORRELATION_ID, Attempt, Verdict
from gateway.signin.cookies import DEVICE, DeviceCookie, read_cookie
from gateway.signin.messages import Message, message_of, rejection

WANTS_CHANGE = frozenset({Outcome.PASSWORD_EXPIRED, Outcome.MUST_CHANGE})


class Notice(NamedTuple):
    """What a person is told, and a number or seconds that go into it."""

    message: Message
    value: float = 0
    reference: str = ""
    """What the help desk finds the request by, told where nobody could look."""


def attempt_of(request: web.Request, device: DeviceCookie, user_name: str, password: str) -> Attempt:
    """What this browser asks."""
    return Attempt(
        user_name=user_name,
        password=password,
        address=request[CLIENT_ADDRESS],
        familiar=device.knows(read_cookie(request, DEVICE), user_name),
        correlation_id=request[CORRELATION_ID],
    )


def explain(request: web.Request, verdict: Verdict) -> Notice:
    """Of a verdict that is no success."""
    if verdict.outcome is None:
        return Notice(Message.WAIT, verdict.retry_after)
    message = message_of(verdict.outcome, password_proven=verdict.password_proven)
    if verdict.outcome.is_infrastructure:
        return Notice(message, reference=request[CORRELATION_ID])
    if message is Message.REJECTED:
        return Notice(rejection(verdict.rule, verdict.rule_value), verdict.rule_value)
    return Notice(message)
