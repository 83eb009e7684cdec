"""What of a person stands in the ID token, and what userinfo tells."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.federation.claims import ClaimsPolicy
from gateway.federation.oidc.errors import AuthorizationDenied
from gateway.federation.oidc.grant_details import GrantDetails
from gateway.federation.oidc.person_claims import PersonClaims
from gateway.federation.trusts import OidcClient, Trust
from gateway.protocol import Group, Identity

ANNA = Identity(
    object_guid="0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
    user_name="anna@corp.example.com",
    domain="corp.example.com",
    mail="anna@example.com",
    display_name="Anna Berg",
    groups=(Group("S-1-5-32-545", "Users"),),
)
CLAIMS = PersonClaims(bytes(32))


def trust(claims: ClaimsPolicy = ClaimsPolicy(), **client: Any) -> Trust:  # noqa: B008 - frozen
    return Trust(id="app", name="App", protocol="oidc", claims=claims, oidc=OidcClient(**client))


def details(**changes: tuple[str, ...]) -> GrantDetails:
    return GrantDetails(scope=("openid", "profile"), subject="s", auth_time=0.0, identity=ANNA, **changes)  # type: ignore[arg-type]


def test_userinfo_tells_what_the_scope_asks_for() -> None:
    """OpenID Connect Core section 5.4; the ID token only where the trust says so."""
    wanted = {"name": "Anna Berg", "preferred_username": "anna@corp.example.com"}
    assert CLAIMS.for_userinfo(trust(), details(), ("openid", "profile")) == wanted
    assert CLAIMS.for_id_token(trust(), details(), ("openid", "profile")) == {}
    assert CLAIMS.for_id_token(trust(claims_in_id_token=True), details(), ("openid", "profile")) == wanted


def test_the_claims_parameter_asks_within_the_scopes_of_the_client() -> None:
    """O23: a scope that the client may not have is not had claim by claim."""
    client, asked = trust(scopes=("openid", "email")), ("groups", "email")
    userinfo = CLAIMS.for_userinfo(client, details(userinfo_claims=asked), ("openid",))
    id_token = CLAIMS.for_id_token(client, details(id_token_claims=asked), ("openid",))
    assert userinfo == id_token == {"email": "anna@example.com", "email_verified": False}
    assert "groups" in CLAIMS.for_userinfo(trust(), details(userinfo_claims=asked), ("openid",))


def test_whom_the_policy_refuses_is_not_signed_in() -> None:
    """The reason is the operator's."""
    refusing = trust(ClaimsPolicy(subject="attribute:employeeID"))
    with pytest.raises(AuthorizationDenied):
        CLAIMS.subject(refusing, ANNA, "192.0.2.7")
    with pytest.raises(AuthorizationDenied):
        CLAIMS.for_userinfo(refusing, details(), ("openid",))


def test_pairwise_subjects_are_of_a_sector() -> None:
    """O18: clients of one host, or of one configured sector, share them; others do not (Core section 8.1)."""

    def subject(**client: Any) -> str:
        return CLAIMS.subject(trust(subject="pairwise", **client), ANNA, "")

    one = subject(redirect_uris=("https://a.example.com/cb",))
    assert one == subject(redirect_uris=("https://a.example.com/other",))
    assert one == subject(redirect_uris=("https://b.example.com/cb",), sector="a.example.com")
    assert one != subject(redirect_uris=("https://b.example.com/cb",))
    assert one != CLAIMS.subject(trust(), ANNA, "")
