"""Whether the person has to do something before a code is issued. Pure.

                     ┌── nobody signed in, too long ago, prompt=login, another person wanted ──► SIGN_IN
authorization ──► ───┼── the trust asks for consent, and there is none ──► CONSENT
                     └── else ──► NONE
with prompt=none each of the first two is an error that the application gets
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from gateway.federation.oidc.authorization_request import AuthorizationRequest
from gateway.federation.oidc.errors import ConsentRequired, LoginRequired


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Who is signed in with this browser, as this application would know them."""

    subject: str
    names: frozenset[str] = field(default=frozenset(), repr=False)
    """What a login_hint may call them, lower case."""
    auth_time: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How recent the sign-in has to be."""

    max_age: float | None = None
    """Seconds, of the trust; the request may want less."""
    returned: bool = False
    """The person comes from the sign-in page with a session that is fresh enough (`Transaction.accepts`)."""


def required_sign_in(
    request: AuthorizationRequest, signed_in: SignedIn | None, freshness: Freshness, hinted: str, now: float
) -> bool:
    """Whether the person has to sign in, again or as somebody else. hinted: `sub` of the id_token_hint, empty for none.

    Raises LoginRequired where they may not be asked, or were asked and are still another one (Core section 3.1.2.1).
    """
    if signed_in is None:
        return _ask(request, "nobody is signed in")
    wanted = {subject for subject in (hinted, request.claims.subject) if subject}
    if wanted - {signed_in.subject}:
        if freshness.returned:
            raise LoginRequired("somebody else has signed in than id_token_hint or claims say")
        return _ask(request, "somebody else is signed in than id_token_hint or claims say")
    if freshness.returned:
        return False
    if request.prompt & {"login", "select_account"}:
        return True
    if request.login_hint and request.login_hint.strip().lower() not in signed_in.names:
        return _ask(request, "somebody else is signed in than login_hint says")
    ages = [age for age in (request.max_age, freshness.max_age) if age is not None]
    if ages and now - signed_in.auth_time > min(ages):
        return _ask(request, "the sign-in is too old")
    return False


def _ask(request: AuthorizationRequest, why: str) -> bool:
    if "none" in request.prompt:
        raise LoginRequired(why)
    return True


def required_consent(
    request: AuthorizationRequest,
    policy: Literal["none", "once", "always"],
    scope: Iterable[str],
    before: frozenset[str],
    just: frozenset[str],
) -> bool:
    """Whether the person has to agree. before: scopes agreed to earlier; just: in answer to this request.

    Of a trust without consent the organisation has agreed for its people, whatever `prompt` says. Raises ConsentRequired
    where they may not be asked.
    """
    wanted = set(scope)
    if policy == "none" or wanted <= just:
        return False
    if policy == "once" and wanted <= before and "consent" not in request.prompt:
        return False
    if "none" in request.prompt:
        raise ConsentRequired("the trust asks for consent, and the person has not agreed to this scope")
    return True
