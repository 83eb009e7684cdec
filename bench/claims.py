"""The claims policy by itself: pure, so that all that is measured is what it computes."""

from __future__ import annotations

import random
import statistics
import string
import time

from bench.measure import show
from gateway.federation.claims import ClaimRule, ClaimsPolicy, ClaimsProtocol, ClaimsSubject, issue_claims
from gateway.protocol import Group

_PEOPLE, _GROUPS, _ROUNDS = 500, 200, 9
_DOMAIN = "S-1-5-21-1004336348-1177238915-682003330"
_SCOPES = frozenset({"openid", "profile", "email", "groups"})
_RULES = (
    ClaimRule(claim="role", groups="name", match="^app-([a-z]+)", replace=r"\1"),
    ClaimRule(claim="groups", groups="qualified"),
    ClaimRule(claim="admin", value="yes", when_groups=("Domain Admins",)),
    ClaimRule(claim="account", template="{account_name}@example.org"),
)


def measure() -> None:
    """The standard claims with groups; a policy of four rules, three of which go through all groups; SAML's default."""
    people = _people()
    show("claims.per_s", _per_second(ClaimsPolicy(), people, "oidc"), f"standard claims, {_GROUPS} groups")
    show("claims.rules_per_s", _per_second(ClaimsPolicy(rules=_RULES, standard=False), people, "oidc"), "four rules")
    show("claims.saml_per_s", _per_second(ClaimsPolicy(), people, "saml"), "default attributes")


def _people() -> list[ClaimsSubject]:
    """Who share 1,000 groups of an organisation, in the order of a directory: none."""
    chance = random.Random(12)  # noqa: S311 - the same people each time
    names = ["".join(chance.choices(string.ascii_letters, k=20)) for _ in range(1000)]
    groups = [Group(f"{_DOMAIN}-{1000 + number}", name) for number, name in enumerate(names)]
    return [
        ClaimsSubject(
            directory="8b1d3c55-0000-4000-8000-000000000001",
            object_guid=f"0f1e2d3c-4b5a-6978-8796-{number:012x}",
            user_name=f"user{number}@corp.example.com",
            domain="corp.example.com",
            sid=f"{_DOMAIN}-{5000 + number}",
            account_name=f"user{number}",
            mail=f"user{number}@example.com",
            display_name=f"User {number}",
            given_name="User",
            surname=str(number),
            groups=tuple(chance.sample(groups, _GROUPS)),
        )
        for number in range(_PEOPLE)
    ]


def _per_second(policy: ClaimsPolicy, people: list[ClaimsSubject], protocol: ClaimsProtocol) -> float:
    """The median of rounds in which each person signs in once, on one core."""
    figures = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        for person in people:
            issue_claims(policy, person, protocol=protocol, scopes=_SCOPES, secret=bytes(32), trust="bench")
        figures.append(len(people) / (time.perf_counter() - started))
    return statistics.median(figures)
