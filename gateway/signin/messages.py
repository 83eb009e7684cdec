"""What the pages tell people: of an outcome, of a form, of a page that is none. English; `catalogue.py` has the languages.

A member's name travels in cookies and addresses; its value is what is translated (`N_` marks it for the extraction).
"""

from __future__ import annotations

import enum
from typing import Final

from gateway.protocol import Outcome


def N_(text: str) -> str:  # noqa: N802 - gettext's name for it, by which `pybabel extract` finds the texts
    """The text as it is: translated where it is shown."""
    return text


class Message(enum.StrEnum):
    """A message; the value is its English text."""

    WRONG = N_(
        "Incorrect user name or password, or the account can't sign in right now. Check both and try again. "
        "If the problem continues, contact your help desk."
    )
    WRONG_CURRENT = N_(
        "Incorrect current password, or your account is locked right now. Check it and try again. "
        "If the problem continues, contact your help desk."
    )
    EXPIRED = N_("Your password has expired. Choose a new one to continue.")
    MUST_CHANGE = N_("Your password must be changed before you can sign in. Choose a new one to continue.")
    DISABLED = N_("Your password is correct, but your account is disabled. Contact your help desk.")
    ACCOUNT_EXPIRED = N_("Your password is correct, but your account has expired. Contact your help desk.")
    LOGON_HOURS = N_(
        "Your password is correct, but your account isn't allowed to sign in at this time. "
        "Try again during your permitted hours, or contact your help desk."
    )
    WORKSTATION = N_(
        "Your password is correct, but your account is allowed to sign in from certain computers only. "
        "Contact your help desk."
    )
    RESET_REQUIRED = N_(
        "Your password is correct, but it is too old and you can no longer change it yourself. "
        "Ask your help desk to reset it."
    )
    REJECTED = N_("This new password isn't allowed. It may be too short, too simple, or one that you used before.")
    TOO_SHORT = N_("This new password is too short. It must have at least {n} characters.")
    TOO_SHORT_UNKNOWN = N_("This new password is too short.")
    TOO_SIMPLE = N_(
        "This new password is too simple. It must contain at least {n} of these: upper-case letters, lower-case letters, "
        "digits, symbols; and it must not contain your name."
    )
    TOO_SIMPLE_UNKNOWN = N_("This new password is too simple. Choose a longer one with more kinds of characters.")
    USED_BEFORE = N_("You have used this password before, or it is on a list of banned passwords. Choose another.")
    TOO_RECENT = N_(
        "Your password was changed recently. You can change it again in {wait}. "
        "If you need a new one sooner, contact your help desk."
    )
    TOO_RECENT_UNKNOWN = N_(
        "Your password was changed recently. You can't change it again yet. "
        "If you need a new one now, contact your help desk."
    )
    NOT_PERMITTED = N_("Your password is correct, but you aren't allowed to change it yourself. Contact your help desk.")
    UNAVAILABLE = N_(
        "We couldn't check your password because of a problem on our side. This didn't count as a failed attempt. "
        "Try again in a moment."
    )
    LATER = N_("This isn't possible right now because of a problem on our side. Try again later.")
    WAIT = N_("Too many attempts. Try again in {wait}.")
    MISSING_USER = N_("Enter your user name.")
    MISSING_PASSWORD = N_("Enter your password.")
    MISSING_NEW = N_("Enter a new password.")
    TOO_LONG = N_("This is too long.")
    BAD_CHARACTERS = N_("This contains characters that aren't allowed.")
    NOT_SAME = N_("The new passwords don't match.")
    STALE = N_("This page is no longer valid, perhaps because it was open for too long. Try again.")
    NO_COOKIE = N_(
        "Your browser didn't send the cookie that this page needs. Allow cookies for this site if they are blocked, "
        "then try again."
    )
    APPLICATION_STALE = N_(
        "This sign-in is no longer valid, perhaps because it was open for too long. "
        "Go back to the application and start again."
    )
    NO_ACCESS = N_("Your account is fine, but it isn't allowed to use this application.")
    UNKNOWN_CODE = N_("This code isn't valid, or is no longer. Check it, or start again on the device.")
    DEVICE_CONNECTED = N_("Your device is connected.")
    DEVICE_DENIED = N_("The device wasn't connected.")
    TRIAL_ADDRESS_OVER = N_(
        "This address is no longer valid: it was used before, or is older than five minutes. "
        "Get a new one with isthmus certs try."
    )
    TRIAL_IMPOSSIBLE = N_(
        "This key can't be tried any more: it is in use or was deleted, or the application is disabled. "
        "See isthmus certs list."
    )
    NO_TRIAL = N_("No signing key is being tried in this browser.")
    BAD_REQUEST = N_("The application sent a request that can't be answered. Go back to it and try again.")
    NOT_FOUND = N_("This page doesn't exist.")
    CHANGED = N_("Your password was changed.")
    SIGNED_OUT = N_("You are signed out.")
    ACCESS_REMOVED = N_("The application has no access any more.")
    SESSION_ENDED = N_("That session was ended.")
    OTHERS_SIGNED_OUT = N_("You are signed out everywhere else.")


ASKED: Final = frozenset({Message.EXPIRED, Message.MUST_CHANGE})
"""Which ask for something and are no errors."""
FINAL: Final = frozenset(
    {
        Message.DISABLED,
        Message.ACCOUNT_EXPIRED,
        Message.LOGON_HOURS,
        Message.WORKSTATION,
        Message.RESET_REQUIRED,
        Message.NOT_PERMITTED,
        Message.TOO_RECENT,
        Message.TOO_RECENT_UNKNOWN,
    }
)
"""Where trying again is of no use, so that no form is offered."""
_OF_OUTCOME: Final = {
    Outcome.PASSWORD_EXPIRED: Message.EXPIRED,
    Outcome.MUST_CHANGE: Message.MUST_CHANGE,
    Outcome.ACCOUNT_DISABLED: Message.DISABLED,
    Outcome.ACCOUNT_EXPIRED: Message.ACCOUNT_EXPIRED,
    Outcome.LOGON_HOURS: Message.LOGON_HOURS,
    Outcome.WORKSTATION: Message.WORKSTATION,
    Outcome.PASSWORD_REJECTED: Message.REJECTED,
    Outcome.RESET_REQUIRED: Message.RESET_REQUIRED,
}
_OF_RULE: Final = {
    "min_length": (Message.TOO_SHORT, Message.TOO_SHORT_UNKNOWN),
    "complexity": (Message.TOO_SIMPLE, Message.TOO_SIMPLE_UNKNOWN),
    "history": (Message.USED_BEFORE, Message.USED_BEFORE),
    "min_age": (Message.TOO_RECENT, Message.TOO_RECENT_UNKNOWN),
    "not_permitted": (Message.NOT_PERMITTED, Message.NOT_PERMITTED),
}
"""With the rule's value, and where it is not known."""


def message_of(outcome: Outcome, *, password_proven: bool) -> Message:
    """What a person is told. Whoever did not prove the password learns nothing but that it failed."""
    if outcome is Outcome.NOT_RECORDED:
        return Message.LATER
    if outcome.is_infrastructure:
        return Message.UNAVAILABLE
    return _OF_OUTCOME.get(outcome, Message.WRONG) if password_proven else Message.WRONG


def rejection(rule: str, value: int) -> Message:
    """What is told of a new password that was refused; of a rule that is not known here, the least."""
    known, unknown = _OF_RULE.get(rule, (Message.REJECTED, Message.REJECTED))
    return known if value > 0 else unknown
