"""Who is signed in, in the tests of claims."""

from __future__ import annotations

import dataclasses
from typing import Any

from gateway.federation.claims import ClaimsPolicy, ClaimsProtocol, ClaimsSubject, IssuedClaims, issue_claims
from gateway.protocol import Group

SECRET = bytes(range(32))
DOMAIN_SID = "S-1-5-21-1004336348-1177238915-682003330"
GUID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
ENGINEERS = Group(f"{DOMAIN_SID}-1105", "Engineering")
ADMINS = Group(f"{DOMAIN_SID}-512", "Domain Admins")
USERS = Group("S-1-5-32-545", "Users")
FOREIGN = Group("S-1-5-21-7-7-7-512", "S-1-5-21-7-7-7-512")
ALL_SCOPES = frozenset({"openid", "profile", "email", "phone", "address", "groups"})

ANNA = ClaimsSubject(
    directory="8b1d3c55-0000-4000-8000-000000000001",
    object_guid=GUID,
    user_name="anna@corp.example.com",
    domain="corp.example.com",
    sid=f"{DOMAIN_SID}-1104",
    account_name="anna",
    mail="anna.berg@example.com",
    display_name="Anna Berg",
    given_name="Anna",
    surname="Berg",
    dn="CN=Anna Berg,OU=People,DC=corp,DC=example,DC=com",
    groups=(ENGINEERS, USERS),
    attributes={
        "department": ("Research",),
        "telephoneNumber": ("+49 30 123456",),
        "streetAddress": ("Isthmus Street 1",),
        "l": ("Berlin",),
        "proxyAddresses": ("SMTP:anna.berg@example.com", "smtp:a.berg@example.com"),
    },
    address="192.0.2.7",
)


def person(**changes: Any) -> ClaimsSubject:
    """Anna, but for these."""
    return dataclasses.replace(ANNA, **changes)


def issued(
    policy: ClaimsPolicy,
    subject: ClaimsSubject = ANNA,
    protocol: ClaimsProtocol = "oidc",
    scopes: frozenset[str] = ALL_SCOPES,
    **more: Any,
) -> IssuedClaims:
    """What a policy issues, with the secret and the trust that do not matter; the same, with or without reasons."""
    asked = {"protocol": protocol, "scopes": scopes, "secret": SECRET, "trust": "wiki", **more}
    found = issue_claims(policy, subject, **asked)
    assert dataclasses.replace(issue_claims(policy, subject, **asked, explained=False), steps=found.steps) == found
    return found


def crowd(count: int, length: int = 12) -> tuple[Group, ...]:
    """Groups of the own domain, against the order of their names."""
    return tuple(
        Group(f"{DOMAIN_SID}-{5000 + number}", f"g{number:05d}".ljust(length, "x")) for number in range(count, 0, -1)
    )
