"""What one request was about, from the entries of the audit trail that carry its reference. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from gateway.protocol import Outcome
from gateway.signin import Message, message_of, rejection
from isthmus.outcomes import REFUSED_BY_ADMISSION, cause_of

if TYPE_CHECKING:
    from gateway.relay import AuditView

CHECKS = {"signin": "sign-in", "password_change": "password change"}
"""Kinds of entries about a credential, and what people call it."""


ADMITTED = "let it through"


class Explanation(msgspec.Struct, kw_only=True):
    """An entry about a credential, in words. Empty where there is nothing to say; times are Unix seconds."""

    reference: str
    time: float
    kind: str
    """`sign-in`, `password change`."""
    user: str
    """As typed; empty where it was removed from the trail."""
    directory: str
    account: str
    """objectGUID or entryUUID."""
    address: str
    via: str
    """`page`, `api:<name of the key>`."""
    shown: str
    """What the user or the back end was told."""
    admission: str
    agent: str
    controller: str
    outcome: str
    detail: str
    """What the directory or the agent said of it."""
    milliseconds: float
    meaning: str
    next: str
    """What to do; empty where there is nothing to do."""


def reference_of(text: str) -> str:
    """A reference as somebody reads it out or pastes it. Raises ValueError for what is none."""
    plain = re.sub(r"[\s-]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{16}", plain):
        raise ValueError(f"{text!r} is not a reference: expected 16 hexadecimal digits, such as 0a202933cc1a983d")
    return plain


def explain(entry: AuditView) -> Explanation:
    """An entry of one of the kinds of `CHECKS`."""
    detail = entry.detail.get("detail", "")
    cause = cause_of(entry.outcome, " ".join(filter(None, (entry.detail.get("rule"), detail))))
    changed = entry.kind == "password_change" and entry.outcome == Outcome.SUCCESS
    return Explanation(
        reference=entry.correlation_id,
        time=entry.time,
        kind=CHECKS[entry.kind],
        user=entry.subject,
        directory=entry.directory,
        account=entry.object_guid,
        address=entry.address,
        via=entry.via,
        shown=_shown(entry.kind, entry.outcome, entry.via, entry.detail),
        admission=_admission(entry.outcome, entry.agent, entry.detail),
        agent=entry.agent,
        controller=entry.controller,
        outcome=entry.outcome,
        detail=detail,
        milliseconds=entry.milliseconds,
        meaning="The password was changed." if changed else cause.meaning,
        next=cause.next,
    )


def _shown(kind: str, outcome: str, via: str, detail: Mapping[str, str]) -> str:
    if via.startswith("api:"):
        return f"HTTP {api_status(outcome)}" + (f", outcome {outcome}" if api_status(outcome) == 200 else "")
    if via.startswith("admin:"):
        return "nothing: an administrator tried it"
    if outcome == Outcome.SUCCESS:
        return Message.CHANGED if kind == "password_change" else "nothing: the user was signed in"
    return page_text(outcome, rule=detail.get("rule", ""), proven="password" not in detail)


def api_status(outcome: str) -> int:
    """The HTTP status of the API's answer."""
    if outcome == REFUSED_BY_ADMISSION:
        return 429
    return 503 if outcome in set(Outcome) and Outcome(outcome).is_infrastructure else 200


def page_text(outcome: str, *, rule: str = "", proven: bool = True) -> str:
    """What the page says, in English. rule: that refused a new password, and its value; proven: the old one was right."""
    if outcome == REFUSED_BY_ADMISSION:
        message = Message.WAIT
    elif outcome not in set(Outcome):
        return ""
    else:
        message = message_of(Outcome(outcome), password_proven=proven)
    name, _, value = rule.partition(" ")
    if message is Message.REJECTED:
        message = rejection(name, int(value) if value.isdecimal() else 0)
    return message.format(n=value, wait="…")


def _admission(outcome: str, agent: str, detail: Mapping[str, str]) -> str:
    said = detail.get("detail", "")
    if outcome == REFUSED_BY_ADMISSION:
        times = detail.get("times")
        return f"refused it ({said})" + (f"; this entry stands for {times} refusals" if times else "")
    if not agent and (outcome == Outcome.NOT_RECORDED or said == "too many open requests"):
        return "was not asked"
    return ADMITTED
