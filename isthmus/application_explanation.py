"""What an application asked and was told, from an entry of the audit trail. Pure; the trail has no token and no value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from gateway.relay import AuditView

AT_APPLICATIONS: Final = {
    "federation.issued": "issued",
    "federation.refused": "refused",
    "federation.consent_given": "the user agreed",
    "federation.token_reused": "refused, and what was given before has ended",
    "federation.revoked": "revoked at the application's request",
    "federation.device_connected": "the user connected a device",
    "federation.logout_requested": "the application signed the user out",
    "federation.logout_told": "told of the user's logout",
    "federation.grant_ended": "what the application had been given has ended",
}
"""Kinds of entries about applications, and what came of them."""
ANSWER_TIME: Final = 300.0
"""Seconds after which an application to which a browser was sent for logout has not answered: for so long its LogoutRequest
is good (a test compares the two)."""
_LOGOUTS: Final = {
    "asked": ("the user's browser was sent there to log out", "Whether it answered cannot be seen yet."),
    "told": ("logged the user out", ""),
    "failed": ("answered the logout badly", "The user may still be signed in there."),
    "not answered": ("did not answer the logout, and was skipped", "The user may still be signed in there."),
    "did not answer": (
        "did not answer",
        "The browser was sent there for logout, and did not come back: the application answered with an error or a page of"
        " its own. The user may still be signed in there, and applications after it were not told.",
    ),
}
"""What came of an application to which a browser was sent for logout, by the outcome of its entry, and what it means."""
_MAYBE_SIGNED_IN: Final = frozenset({"failed", "not answered", "did not answer"})
"""Outcomes after which an administrator looks at the application."""
_LOOK_THERE: Final = "See the application's log at this time, and its sign-out address: isthmus relay trust show {trust}"
_GRANTS: Final = {
    "authorization_code": "code",
    "refresh_token": "refresh",
    "client_credentials": "client credentials",
    "password": "password",
    "urn:ietf:params:oauth:grant-type:device_code": "device code",
}
"""Types of grants in words."""
_PASSED: Final = {
    "refresh_token": "client, refresh token, account, access, claims policy",
    "client_credentials": "client, scope",
    "password": "client, password, access, claims policy",
    "urn:ietf:params:oauth:grant-type:device_code": "client, device code, the user's consent, access, claims policy",
}
"""What was checked before something was issued, by the type of grant; otherwise `_PASSED_AT_SIGN_IN`."""
_PASSED_AT_SIGN_IN: Final = "request, sign-in, access, claims policy"
_TOKENS: Final = ("access_token", "id_token", "refresh_token")

_MEANINGS: Final = {
    "access_denied": (
        "The user is known, and may not use this application, or did not agree.",
        "Who may: isthmus relay trust show {trust}. What it would be told: isthmus relay claims {trust} {user}",
    ),
    "consent_required": ("The application asked without showing a page, and the user has to agree first.", ""),
    "invalid_client": (
        "The application did not prove itself, or there is no such client.",
        "Compare its client_id and its secret or key; a new secret: isthmus relay trust secret",
    ),
    "invalid_grant": (
        "A code or refresh token was used before, has expired, is another application's, or the sign-in has ended.",
        "If it happens to one user once, they sign in again. If it repeats, see the detail.",
    ),
    "invalid_request": (
        "The request is not as OpenID Connect wants it.",
        "The detail says what the application has to send.",
    ),
    "invalid_scope": ("The application asked for a scope that its trust does not have.", "See `scopes` of the trust."),
    "login_required": ("The application asked without showing a page, and nobody is signed in.", ""),
    "NoPassive": ("The application asked without showing a page, and nobody is signed in.", ""),
    "server_error": ("The relay could not answer.", "See its log at this time: journalctl -u isthmus-relay"),
    "temporarily_unavailable": (
        "The relay's database, or the agent that knows the user, did not answer.",
        "See isthmus relay check.",
    ),
    "unproven": (
        "It was not proven which application sent the request, so it got no answer; the user saw an error page.",
        "Compare redirect address, client_id, entity ID and certificate on both sides with the detail.",
    ),
}

_REGISTER: Final = "isthmus relay trust export {trust}, edit the file, isthmus relay trust import"


class RefusalCause(NamedTuple):
    """said: stands in the detail of such a refusal."""

    said: str
    meaning: str
    next: str


CAUSES: Final = (
    RefusalCause(
        "access: test users",
        "The application is limited to test users, and this user is none of them.",
        "Add the user to those that isthmus relay trust show {trust} lists, or let everybody in:"
        " isthmus relay trust test-users {trust} --live",
    ),
    RefusalCause(
        "access: group",
        "The user is in none of the groups that may use the application.",
        "The groups that may: isthmus relay trust show {trust}. The user's groups: isthmus relay claims {trust} {user}",
    ),
    RefusalCause(
        "access: network",
        "The application may not be used from this address.",
        "The networks that may: isthmus relay trust show {trust}",
    ),
    RefusalCause(
        "redirect_uri is not one of the trust's",
        "The address that the application wants its answer at is not registered. The user saw an error page.",
        "If it is the application's, add exactly this address to `redirect_uris`: "
        + _REGISTER
        + ". Otherwise correct the address in the application",
    ),
    RefusalCause(
        "the client is unknown or disabled",
        "No enabled trust has this client_id.",
        "Compare the client_id in the application with isthmus relay trust list",
    ),
    RefusalCause(
        "the secret is wrong",
        "The application's secret is none of the trust's, or no trust has this client_id.",
        "Compare the client_id with isthmus relay trust list. A new secret: isthmus relay trust secret add {trust};"
        " enter it in the application",
    ),
    RefusalCause(
        "; its trust says ",
        "The application proves itself in another way than its trust says.",
        "Change it in the application, or `authentication` of the trust: " + _REGISTER,
    ),
    RefusalCause(
        "no trust has the entity ID",
        "No enabled trust has this entity ID.",
        "Compare the entity ID in the application with isthmus relay trust list",
    ),
    RefusalCause(
        ", which is none of the trust's",
        "The address that the application wants its answer at (ACS URL) is not registered. The user saw an error page.",
        "If it is the application's, add it to `saml.consumers`: "
        + _REGISTER
        + ". If the trust reads metadata: isthmus relay trust refresh {trust}",
    ),
    RefusalCause(
        "the request is not signed, and the trust demands it",
        "The trust takes signed requests only.",
        "Turn on signing in the application, with a key whose certificate is in the trust; only as a last resort"
        " set `require_signed_requests = false`",
    ),
    RefusalCause(
        "it is meant for ",
        "The application sends its requests to another address than this one.",
        "Correct the sign-in URL in the application",
    ),
    RefusalCause(
        " s old",
        "The request was made too long ago: the user waited or went back to an old page, or the application's clock is"
        " behind.",
        "If it happens to everybody, compare the application's clock with the relay's",
    ),
    RefusalCause(
        " ahead of this relay's clock",
        "The application's clock is ahead of the relay's.",
        "Correct the clock that is wrong: timedatectl shows whether it is synchronised",
    ),
    RefusalCause(
        "its request was answered before",
        "The user opened the answer to a request a second time, with the browser's Back button or by reloading.",
        "The user opens the application anew",
    ),
)
"""What a detail says of the cause, the first that fits. A detail is in a check's own words: a test looks for each there."""
_OTHERWISE: Final = ("The request is not what its protocol or the trust allows; the detail says why.", "")


class ApplicationExplanation(msgspec.Struct, kw_only=True):
    """An entry about an application, in words. Empty where there is nothing to say; times are Unix seconds."""

    reference: str
    time: float
    kind: str
    trust: str
    protocol: str
    request: str
    client: str
    """The client_id that the request names, where it is not proven whose it is."""
    user: str
    account: str
    """objectGUID or entryUUID."""
    address: str
    checks: str
    """Which one refused, or that none did."""
    claims: str
    """Names, without values."""
    answer: str
    """What came of it."""
    reason: str
    """The error of the protocol; what was issued."""
    key: str
    """The signing key of what was issued, and whether it was only tried."""
    meaning: str
    next: str


def logout_outcome(entry: AuditView, later: Iterable[AuditView], now: float) -> str:
    """What came of the application of a `federation.logout_told`. later: the entries of that kind about the same person.

    Nothing writes that a browser never came back, so it is read from what is missing. now: Unix seconds.
    """
    outcome = entry.detail.get("outcome", "")
    if outcome != "asked":
        return outcome
    answers = sorted(
        (found for found in later if found.actor == entry.actor and entry.time <= found.time <= entry.time + ANSWER_TIME),
        key=lambda found: found.time,
    )
    ends = (found.detail["outcome"] for found in answers if found.detail.get("outcome", "asked") != "asked")
    return next(ends, "did not answer" if now > entry.time + ANSWER_TIME else outcome)


def explain_application(entry: AuditView, *, logout: str = "") -> ApplicationExplanation:
    """An entry of one of the kinds of `AT_APPLICATIONS`. logout: what `logout_outcome` says of it."""
    detail, trust = entry.detail, entry.actor.removeprefix("trust:") if entry.actor.startswith("trust:") else ""
    refused = entry.kind == "federation.refused"
    meaning, following = _meaning(detail) if refused else ("", "")
    answer = AT_APPLICATIONS[entry.kind]
    if entry.kind == "federation.logout_told":
        answer, meaning = _LOGOUTS.get(logout or detail.get("outcome", ""), (answer, ""))
        following = _LOOK_THERE if (logout or detail.get("outcome")) in _MAYBE_SIGNED_IN else ""
    return ApplicationExplanation(
        reference=entry.correlation_id,
        time=entry.time,
        kind=entry.kind,
        trust=trust,
        protocol=entry.via,
        request=_request(entry),
        client="" if trust else detail.get("client", ""),
        user=entry.subject,
        account=entry.object_guid,
        address=entry.address,
        checks=_checks(entry),
        claims=detail.get("attributes", "") or detail.get("claims", ""),
        answer=answer,
        reason=detail.get("reason", "") or _issued(entry),
        key=_key(entry),
        meaning=meaning,
        next=following.format(trust=trust or _named(detail) or "TRUST", user=entry.subject or "USER"),
    )


def _named(detail: Mapping[str, str]) -> str:
    """The client_id that a request names, where it can stand in a command: whoever sent it may be a stranger."""
    client = detail.get("client", "")
    return client if re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,63}", client) else ""


def _meaning(detail: Mapping[str, str]) -> tuple[str, str]:
    """Of the cause where the detail tells it, else of the protocol's error."""
    said = detail.get("detail", "")
    for cause in CAUSES:
        if cause.said in said:
            return cause.meaning, cause.next
    return _MEANINGS.get(detail.get("reason", ""), _OTHERWISE)


def _request(entry: AuditView) -> str:
    path, scope, grant = (entry.detail.get(name, "") for name in ("path", "scope", "grant"))
    protocol = {"oidc": "OpenID Connect", "saml": "SAML"}.get(entry.via, entry.via)
    return " ".join(filter(None, (protocol, path, _GRANTS.get(grant, ""), f"scope {scope}" if scope else "")))


def _checks(entry: AuditView) -> str:
    if entry.kind == "federation.issued":
        return f"all passed: {_PASSED.get(entry.detail.get('grant', ''), _PASSED_AT_SIGN_IN)}"
    if entry.kind == "federation.logout_requested":
        told = [f"{name.removeprefix('to ')} {said}" for name, said in entry.detail.items() if name.startswith("to ")]
        return f"its signature and name; {entry.detail.get('sessions', '0')} sessions ended" + "".join(
            f"; {one}" for one in told
        )
    times = entry.detail.get("times", "")
    more = f" (this entry stands for {times} refusals)" if times else ""
    said = entry.detail.get("detail", "")
    return f"refused: {said}{more}" if said and entry.kind == "federation.refused" else ""


def _issued(entry: AuditView) -> str:
    names: list[str] = [name for name in _TOKENS if name in entry.detail]
    if "assertion_id" in entry.detail:
        names.append(f"assertion {entry.detail['assertion_id']}")
    return ", ".join(names)


def _key(entry: AuditView) -> str:
    key = entry.detail.get("key", "")
    return f"{key} (tried: `isthmus certs try`)" if key and entry.detail.get("trial") else key
