"""Every word that people read, in each language. German proves that a second one fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.protocol import Outcome

LANGUAGES: Final = ("en", "de")

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "title": ("Sign in", "Anmelden"),
    "user_name": ("User name", "Benutzername"),
    "user_hint": ("For example anna@example.com", "Zum Beispiel anna@example.com"),
    "next": ("Next", "Weiter"),
    "password": ("Password", "Passwort"),
    "sign_in": ("Sign in", "Anmelden"),
    "not_you": ("Use another name", "Anderer Name"),
    "signing_in_as": ("Signing in as", "Anmelden als"),
    "help": ("Help", "Hilfe"),
    "account": ("My account", "Mein Konto"),
    "sign_out": ("Sign out", "Abmelden"),
    "signed_out": ("You are signed out.", "Sie sind abgemeldet."),
    "change_title": ("Choose a new password", "Neues Passwort wählen"),
    "change_password": ("Change password", "Passwort ändern"),
    "old_password": ("Current password", "Bisheriges Passwort"),
    "new_password": ("New password", "Neues Passwort"),
    "again": ("New password again", "Neues Passwort wiederholen"),
    "changed": ("Your password was changed.", "Ihr Passwort wurde geändert."),
    "groups": ("Groups", "Gruppen"),
    "no_groups": ("You are in no groups.", "Sie sind in keiner Gruppe."),
    "identity": ("About you", "Über Sie"),
    "name": ("Name", "Name"),
    "mail": ("E-mail", "E-Mail"),
    "domain": ("Domain", "Domäne"),
    "last_signins": ("Last sign-ins", "Letzte Anmeldungen"),
    "sessions": ("Signed in on", "Angemeldet auf"),
    "this_browser": ("this browser", "dieser Browser"),
    "browser": ("Browser", "Browser"),
    "this_page": ("this page", "diese Seite"),
    "sign_out_others": ("Sign out everywhere else", "Überall sonst abmelden"),
    "others_signed_out": ("You are signed out everywhere else.", "Sie sind überall sonst abgemeldet."),
    "when": ("When", "Wann"),
    "where": ("From", "Von"),
    "how": ("Through", "Über"),
    "language": ("Deutsch", "English"),
    "skip": ("Skip to the content", "Zum Inhalt springen"),
    "wrong": (
        "That user name and password do not go together, or the account cannot sign in just now. "
        "Check both; if it continues, ask your help desk.",
        "Benutzername und Passwort passen nicht zusammen, oder das Konto kann sich gerade nicht anmelden. "
        "Prüfen Sie beides; bleibt es dabei, fragen Sie Ihren Helpdesk.",
    ),
    "expired": (
        "Your password has expired. Choose a new one and you are in.",
        "Ihr Passwort ist abgelaufen. Wählen Sie ein neues, dann sind Sie angemeldet.",
    ),
    "must_change": (
        "Your password must be changed before you go on.",
        "Ihr Passwort muss geändert werden, bevor es weitergeht.",
    ),
    "disabled": (
        "Your password is right, but your account is switched off. Ask your help desk.",
        "Ihr Passwort stimmt, aber Ihr Konto ist abgeschaltet. Fragen Sie Ihren Helpdesk.",
    ),
    "account_expired": (
        "Your password is right, but your account has ended. Ask your help desk.",
        "Ihr Passwort stimmt, aber Ihr Konto ist abgelaufen. Fragen Sie Ihren Helpdesk.",
    ),
    "hours": (
        "Your password is right, but you may not sign in at this time of day.",
        "Ihr Passwort stimmt, aber um diese Zeit dürfen Sie sich nicht anmelden.",
    ),
    "workstation": (
        "Your password is right, but your account may sign in from certain computers only. Ask your help desk.",
        "Ihr Passwort stimmt, aber Ihr Konto darf sich nur an bestimmten Rechnern anmelden. Fragen Sie Ihren Helpdesk.",
    ),
    "rejected": (
        "That new password is not allowed: it may be too short, too simple, or one you used before.",
        "Dieses neue Passwort ist nicht erlaubt: vielleicht zu kurz, zu einfach oder schon einmal benutzt.",
    ),
    "too_short": (
        "That new password is too short: it needs at least {n} characters.",
        "Dieses neue Passwort ist zu kurz: Es braucht mindestens {n} Zeichen.",
    ),
    "too_short_unsaid": ("That new password is too short.", "Dieses neue Passwort ist zu kurz."),
    "too_simple": (
        "That new password is too simple: it needs characters of at least {n} kinds (capital letters, small letters, "
        "digits, others), and no part of your name.",
        "Dieses neue Passwort ist zu einfach: Es braucht Zeichen von mindestens {n} Arten (Großbuchstaben, "
        "Kleinbuchstaben, Ziffern, andere) und keinen Teil Ihres Namens.",
    ),
    "too_simple_unsaid": (
        "That new password is too simple. Choose a longer one, with more kinds of characters.",
        "Dieses neue Passwort ist zu einfach. Wählen Sie ein längeres mit mehr Arten von Zeichen.",
    ),
    "used_before": (
        "You have used that new password before, or nobody may use it. Choose another one.",
        "Dieses neue Passwort haben Sie schon einmal benutzt, oder niemand darf es benutzen. Wählen Sie ein anderes.",
    ),
    "too_recent": (
        "You changed your password a short time ago. You can change it again in {wait}.",
        "Sie haben Ihr Passwort erst vor kurzer Zeit geändert. Wieder ändern können Sie es in {wait}.",
    ),
    "too_recent_unsaid": (
        "You changed your password a short time ago. You cannot change it again yet.",
        "Sie haben Ihr Passwort erst vor kurzer Zeit geändert. Sie können es noch nicht wieder ändern.",
    ),
    "not_permitted": (
        "Your password is right, but you may not change it yourself. Ask your help desk.",
        "Ihr Passwort stimmt, aber Sie dürfen es nicht selbst ändern. Fragen Sie Ihren Helpdesk.",
    ),
    "reset_required": (
        "Your password is right, but it is too old, and you can no longer change it yourself. "
        "Ask your help desk for a new one.",
        "Ihr Passwort stimmt, ist aber zu alt, und Sie können es nicht mehr selbst ändern. "
        "Bitten Sie Ihren Helpdesk um ein neues.",
    ),
    "unavailable": (
        "We could not check your password. This is not your fault and nothing was counted against you. "
        "Please try again in a moment.",
        "Wir konnten Ihr Passwort nicht prüfen. Das liegt nicht an Ihnen und wird Ihnen nicht angerechnet. "
        "Bitte versuchen Sie es gleich noch einmal.",
    ),
    "later": (
        "That does not work just now. This is not your fault. Please try again later.",
        "Das geht gerade nicht. Das liegt nicht an Ihnen. Bitte versuchen Sie es später noch einmal.",
    ),
    "wait": (
        "Too many tries. Please wait {wait} and try again.",
        "Zu viele Versuche. Bitte warten Sie {wait} und versuchen Sie es dann noch einmal.",
    ),
    "seconds": ("{n} seconds", "{n} Sekunden"),
    "minutes": ("{n} minutes", "{n} Minuten"),
    "hours_left": ("{n} hours", "{n} Stunden"),
    "days_left": ("{n} days", "{n} Tagen"),
    "reference": ("If you ask for help, name this reference:", "Falls Sie Hilfe brauchen, nennen Sie diese Kennung:"),
    "missing_user": ("Type your user name.", "Geben Sie Ihren Benutzernamen ein."),
    "missing_password": ("Type your password.", "Geben Sie Ihr Passwort ein."),
    "too_long": ("That is too long.", "Das ist zu lang."),
    "bad_characters": ("That has characters that cannot be used.", "Das enthält Zeichen, die nicht gehen."),
    "not_same": ("The two new passwords differ.", "Die beiden neuen Passwörter sind verschieden."),
    "stale": (
        "This page was open for too long, or it came from somewhere else. Please try again.",
        "Diese Seite war zu lange offen, oder sie kam von anderswo. Bitte versuchen Sie es noch einmal.",
    ),
    "not_found": ("There is no such page.", "Diese Seite gibt es nicht."),
}

_STRANGER: Final = "wrong"
_KNOWN: Final = {
    Outcome.PASSWORD_EXPIRED: "expired",
    Outcome.MUST_CHANGE: "must_change",
    Outcome.ACCOUNT_DISABLED: "disabled",
    Outcome.ACCOUNT_EXPIRED: "account_expired",
    Outcome.LOGON_HOURS: "hours",
    Outcome.WORKSTATION: "workstation",
    Outcome.PASSWORD_REJECTED: "rejected",
    Outcome.RESET_REQUIRED: "reset_required",
}
_RULES: Final = {
    "min_length": "too_short",
    "complexity": "too_simple",
    "history": "used_before",
    "min_age": "too_recent",
    "not_permitted": "not_permitted",
}
_WITH_VALUE: Final = frozenset({"too_short", "too_simple", "too_recent"})


def message_of(outcome: Outcome, *, password_proven: bool) -> str:
    """The key of what a person is told. Whoever did not prove the password learns nothing but that it failed."""
    if outcome is Outcome.NOT_RECORDED:
        return "later"
    if outcome.is_infrastructure:
        return "unavailable"
    return _KNOWN.get(outcome, _STRANGER) if password_proven else _STRANGER


def rejection(language: str, rule: str, value: int) -> tuple[str, dict[str, object]]:
    """Key and fields of what is told of a new password that was refused; of a rule that is not known here, the least."""
    key = _RULES.get(rule, "rejected")
    if key not in _WITH_VALUE:
        return key, {}
    return (key, {"n": value, "wait": waiting_time(language, value)}) if value > 0 else (f"{key}_unsaid", {})


def text(language: str, key: str, **fields: object) -> str:
    """A text in a language; fields are filled in."""
    return TEXTS[key][LANGUAGES.index(language)].format(**fields)


def waiting_time(language: str, seconds: float) -> str:
    """A duration in words, rounded up, so that nobody comes back too early."""
    if seconds <= 90:
        return text(language, "seconds", n=max(5, -int(-seconds // 5) * 5))
    for key, unit, longest in (("minutes", 60, 120), ("hours_left", 3600, 48)):
        if seconds <= unit * longest:
            return text(language, key, n=-int(-seconds // unit))
    return text(language, "days_left", n=-int(-seconds // 86400))


def choose_language(wanted: str | None, accept: str, default: str) -> str:
    """The language: the one chosen on the page, else the first that the browser accepts, else the default."""
    if wanted in LANGUAGES:
        return str(wanted)
    return next((tag for tag in _accepted(accept) if tag in LANGUAGES), default)


def _accepted(header: str) -> Sequence[str]:
    """Languages of an Accept-Language header, most wanted first (RFC 9110 section 12.5.4)."""
    weighted = []
    for part in header[:1000].split(","):
        tag, _, parameter = part.partition(";")
        try:
            weight = float(parameter.partition("=")[2] or 1)
        except ValueError:
            weight = 0.0
        weighted.append((-weight, tag.strip().lower().partition("-")[0]))
    return [tag for _, tag in sorted(weighted, key=lambda pair: pair[0])]
