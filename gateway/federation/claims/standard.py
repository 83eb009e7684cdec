"""What is issued without rules: the standard claims of OpenID Connect by scope, the usual attributes of SAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from gateway.federation.claims.model import ClaimRule, ClaimsPolicy, ClaimsProtocol

STANDARD_SCOPES = frozenset({"profile", "email", "address", "phone", "groups"})


def _claim(claim: str, source: str, scope: str) -> ClaimRule:
    return ClaimRule(claim=claim, source=source, scopes=(scope,), single=True)


OIDC_RULES = (
    _claim("name", "display_name", "profile"),
    _claim("family_name", "surname", "profile"),
    _claim("given_name", "given_name", "profile"),
    _claim("middle_name", "attribute:middleName", "profile"),
    _claim("preferred_username", "user_name", "profile"),
    _claim("website", "attribute:wWWHomePage", "profile"),
    _claim("locale", "attribute:preferredLanguage", "profile"),
    _claim("email", "mail", "email"),
    _claim("phone_number", "attribute:telephoneNumber", "phone"),
    ClaimRule(claim="groups", groups="name", scopes=("groups",)),
)
"""OpenID Connect Core section 5.1 and 5.4; `groups` is what many applications ask for beside it. Claims of which a directory
says nothing (birthdate, picture, zoneinfo, phone_number_verified …) are not made up."""

ADDRESS = "address"
ADDRESS_PARTS: Mapping[str, str] = MappingProxyType(
    {
        "street_address": "streetAddress",
        "locality": "l",
        "region": "st",
        "postal_code": "postalCode",
        "country": "co",
    }
)
"""Members of the claim `address` (Core section 5.1.1), each with its attribute."""


def _attribute(oid: str, friendly_name: str, source: str) -> ClaimRule:
    return ClaimRule(claim=f"urn:oid:{oid}", friendly_name=friendly_name, source=source, single=True)


SAML_RULES = (
    _attribute("0.9.2342.19200300.100.1.3", "mail", "mail"),
    _attribute("2.5.4.42", "givenName", "given_name"),
    _attribute("2.5.4.4", "sn", "surname"),
    _attribute("2.16.840.1.113730.3.1.241", "displayName", "display_name"),
    _attribute("0.9.2342.19200300.100.1.1", "uid", "user_name"),
)
"""Attributes by their OIDs in LDAP (SAML Profiles section 8.2, X.500/LDAP attribute profile). `uid` is the whole user
name: the part before the @ may be somebody else's in another domain."""

RESERVED = frozenset(
    {
        *("iss", "sub", "aud", "exp", "nbf", "iat", "jti"),  # RFC 7519 section 4.1
        *("nonce", "auth_time", "acr", "amr", "azp", "at_hash", "c_hash", "s_hash", "sub_jwk"),  # OpenID Connect Core
        *("sid", "events", "toe", "txn"),  # OpenID Connect Back-Channel Logout, RFC 8417
        *("client_id", "scope", "cnf", "act", "may_act", "authorization_details"),  # RFC 9068, 7800, 8693, 9396
        *("active", "token_type", "username", "token_introspection"),  # RFC 7662, 9701
        *("_claim_names", "_claim_sources", "vp", "trust_framework", "verified_claims"),  # Core section 5.6.2, IDA
    }
)
"""Members of tokens that say who issued them, to whom and for what: no rule sets one."""


def rules_of(policy: ClaimsPolicy, protocol: ClaimsProtocol) -> Iterator[ClaimRule]:
    """The policy's own, and the standard ones whose claims it does not set."""
    if protocol == "saml":
        yield from policy.rules or SAML_RULES
        return
    yield from (rule for rule in policy.rules if rule.claim not in RESERVED)
    if policy.standard:
        own = {rule.claim for rule in policy.rules}
        yield from (rule for rule in OIDC_RULES if rule.claim not in own)
