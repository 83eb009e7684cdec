"""What an application is told of a person: in the ID token, and at userinfo."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway.federation.claims import IssuedClaims, Value, issue_claims, subject_of
from gateway.federation.oidc.errors import AuthorizationDenied
from gateway.federation.oidc.grant_details import GrantDetails
from gateway.federation.trusts import Trust
from gateway.protocol import Identity


class PersonClaims:
    """Pure but for its key. secret: of subjects of our own; the same as long as the relay lives."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def subject(self, trust: Trust, identity: Identity, address: str) -> str:
        """`sub` of a person for an application. Raises AuthorizationDenied where its policy has none."""
        return self._issue(trust, identity, address, frozenset(), frozenset()).subject

    def for_id_token(self, trust: Trust, details: GrantDetails, scope: tuple[str, ...]) -> Mapping[str, Value]:
        """Claims of no scope, what `claims` asks for there, and what the scope asks for where the trust says so.

        Raises AuthorizationDenied.
        """
        scopes = frozenset(scope) if trust.oidc.claims_in_id_token else frozenset[str]()
        wanted = frozenset(details.id_token_claims)
        return self._issue(trust, details.identity, details.address, scopes, wanted).values

    def for_userinfo(self, trust: Trust, details: GrantDetails, scope: tuple[str, ...]) -> Mapping[str, Value]:
        """Claims of the scope (OpenID Connect Core section 5.4), and what `claims` asks for there.

        Raises AuthorizationDenied.
        """
        wanted = frozenset(details.userinfo_claims)
        return self._issue(trust, details.identity, details.address, frozenset(scope), wanted).values

    def _issue(
        self, trust: Trust, identity: Identity, address: str, scopes: frozenset[str], wanted: frozenset[str]
    ) -> IssuedClaims:
        issued = issue_claims(
            trust.claims,
            subject_of(identity, address),
            protocol="oidc",
            scopes=scopes,
            wanted=wanted,
            allowed=frozenset(trust.oidc.scopes),
            secret=self._secret,
            trust=trust.id,
            sector=sector_of(trust),
            explained=False,
        )
        if issued.refused:
            raise AuthorizationDenied(f"claims policy: {issued.refused}")
        return issued


def sector_of(trust: Trust) -> str:
    """Whose pairwise subjects are the same (OpenID Connect Core section 8.1); empty for public ones."""
    if trust.oidc.subject == "public":
        return ""
    hosts = (urlsplit(uri).hostname or "" for uri in trust.oidc.redirect_uris)
    return trust.oidc.sector or next(hosts, "") or trust.id
