"""Codes that are given out: what was asked for, and who signed in, put together."""

from __future__ import annotations

from gateway.federation.keys import Trial
from gateway.federation.oidc.authorization_request import AuthorizationRequest
from gateway.federation.oidc.checks.authorization import ACR, granted_scope
from gateway.federation.oidc.codes import CodeDetails
from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.errors import LoginRequired
from gateway.federation.oidc.grant_details import GrantDetails
from gateway.federation.participants import SessionOver
from gateway.federation.trusts import Trust
from gateway.protocol import Identity
from gateway.signin import Session


async def issue_code(
    context: OidcContext,
    asked: AuthorizationRequest,
    trust: Trust,
    session: Session,
    subject: str,
    *,
    address: str,
    request: str,
    trial: Trial,
) -> str:
    """A code, and that the application takes part in the session. request: its correlation id. trial: of the browser.

    Raises LoginRequired where the session has ended meanwhile, StoreFull, StoreUnavailable.
    """
    now = context.clock()
    try:
        index = await context.participants.joined(session, trust, subject.encode(), trial=trial)
    except SessionOver as over:
        raise LoginRequired("the session has ended meanwhile") from over
    grant = GrantDetails(
        scope=granted_scope(asked.scope, trust.oidc),
        resources=asked.resource,
        userinfo_claims=tuple(sorted(asked.claims.userinfo)),
        id_token_claims=tuple(sorted(asked.claims.id_token)),
        subject=subject,
        auth_time=session.auth_time,
        acr=ACR,
        amr=session.amr,
        sid=index,
        identity=plain_identity(session.identity),
        agent=session.agent,
        password_set=session.password_set,
        address=address,
        tried_until=trial.until,
    )
    details = CodeDetails(
        trust=trust.id,
        redirect_uri=asked.redirect_uri,
        challenge=asked.code_challenge,
        nonce=asked.nonce,
        request=request,
        session=session.key,
        session_ends_at=session.ends_at,
        checked_at=session.checked_at,
        grant=grant,
    )
    return await context.codes.issue(details, now, context.lifetimes_of(trust).code)


def plain_identity(identity: Identity) -> Identity:
    """Without what a session keeps beside it."""
    return Identity(**{name: getattr(identity, name) for name in Identity.__struct_fields__})
