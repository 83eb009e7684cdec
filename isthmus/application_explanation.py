"""What an application asked and was told, from an entry of the audit trail. Pure; the trail has no token and no value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from gateway.relay import AuditView

AT_APPLICATIONS: Final = {
    "federation.issued": "issued",
    "federation.refused": "refused",
    "federation.consent_given": "the user agreed",
    "federation.token_reused": "refused, and what was given before has ended",
    "federation.revoked": "revoked at the application's request",
}
"""Kinds of entries about applications, and what came of them."""
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
_OTHERWISE: Final = ("The request is not what its protocol or the trust allows; the detail says why.", "")


class ApplicationExplanation(msgspec.Struct, kw_only=True):
    """An entry about an application, in words. Empty where there is nothing to say; times are Unix seconds."""

    reference: str
    time: float
    kind: str
    trust: str
    protocol: str
    request: str
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
    meaning: str
    next: str


def explain_application(entry: AuditView) -> ApplicationExplanation:
    """An entry of one of the kinds of `AT_APPLICATIONS`."""
    detail, trust = entry.detail, entry.actor.removeprefix("trust:") if entry.actor.startswith("trust:") else ""
    refused = entry.kind == "federation.refused"
    meaning, following = _MEANINGS.get(detail.get("reason", ""), _OTHERWISE) if refused else ("", "")
    return ApplicationExplanation(
        reference=entry.correlation_id,
        time=entry.time,
        kind=entry.kind,
        trust=trust,
        protocol=entry.via,
        request=_request(entry),
        user=entry.subject,
        account=entry.object_guid,
        address=entry.address,
        checks=_checks(entry),
        claims=detail.get("attributes", "") or detail.get("claims", ""),
        answer=AT_APPLICATIONS[entry.kind],
        reason=detail.get("reason", "") if refused else _issued(entry),
        meaning=meaning,
        next=following.format(trust=trust or "TRUST", user=entry.subject or "USER"),
    )


def _request(entry: AuditView) -> str:
    path, scope = entry.detail.get("path", ""), entry.detail.get("scope", "")
    protocol = {"oidc": "OpenID Connect", "saml": "SAML"}.get(entry.via, entry.via)
    return " ".join(filter(None, (protocol, path, f"scope {scope}" if scope else "")))


def _checks(entry: AuditView) -> str:
    if entry.kind == "federation.issued":
        return "all passed: request, sign-in, access, claims policy"
    times = entry.detail.get("times", "")
    more = f" (this entry stands for {times} refusals)" if times else ""
    said = entry.detail.get("detail", "")
    return f"refused: {said}{more}" if said and entry.kind == "federation.refused" else ""


def _issued(entry: AuditView) -> str:
    names: list[str] = [name for name in _TOKENS if name in entry.detail]
    if "assertion_id" in entry.detail:
        names.append(f"assertion {entry.detail['assertion_id']}")
    return ", ".join(names)
