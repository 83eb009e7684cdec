"""A change of password over several forms: what was typed, what of it is kept, and what is asked for again. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.signin.attempts import Notice
from gateway.signin.errors import BadForm
from gateway.signin.forms import new_password_of, password_of
from gateway.signin.messages import Message
from gateway.signin.steps import KeptPasswords, SignInStep

_OLD_AT_FAULT = frozenset({Message.WRONG, Message.WRONG_CURRENT})
_NOBODY_AT_FAULT = frozenset({Message.WAIT, Message.UNAVAILABLE, Message.LATER})


def with_typed(kept: KeptPasswords, fields: Mapping[str, str]) -> tuple[KeptPasswords, BadForm | None]:
    """What was kept, with what a form holds of the rest; and the first thing that is wrong with that."""
    problem = None
    try:
        kept = kept if kept.old else replace(kept, old=password_of(fields))
    except BadForm as bad:
        problem = bad
    try:
        kept = kept if kept.new else replace(kept, new=new_password_of(fields))
    except BadForm as bad:
        problem = problem or bad
    return kept, problem


def after_refusal(page: str, kept: KeptPasswords, told: Notice) -> SignInStep:
    """The form again, without what was at fault: the old password, the new one, or neither."""
    field = ""
    if told.message in _OLD_AT_FAULT:
        field, kept = "password", replace(kept, old="")
    elif told.message not in _NOBODY_AT_FAULT:
        field, kept = "new_password", replace(kept, new="")
    message = told.message.name
    return SignInStep(page=page, kept=kept, message=message, value=told.value, reference=told.reference, field=field)


def after_bad_form(page: str, kept: KeptPasswords, bad: BadForm) -> SignInStep:
    """The form again, with what is good of it kept."""
    return SignInStep(page=page, kept=kept, message=bad.message.name, field=bad.field)
