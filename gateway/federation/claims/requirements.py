"""What a policy needs from the agents: attributes that one has to send. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.claims.model import ClaimRule, ClaimsPolicy, ClaimsProtocol
from gateway.federation.claims.sources import ANCHOR, ATTRIBUTE, CONSISTENCY_GUID, template_sources
from gateway.federation.claims.standard import ADDRESS, ADDRESS_PARTS, STANDARD_SCOPES, rules_of


def wanted_attributes(
    policy: ClaimsPolicy, protocol: ClaimsProtocol = "oidc", scopes: frozenset[str] = STANDARD_SCOPES
) -> frozenset[str]:
    """Their names as the policy spells them; the directory ignores case. scopes: those that the trust may grant. Claims that
    the `claims` parameter alone asks for do not count."""
    needed = set(_attributes(policy.subject))
    for rule in rules_of(policy, protocol):
        if protocol == "saml" or not rule.scopes or not scopes.isdisjoint(rule.scopes):
            needed |= {name for source in _sources(rule) for name in _attributes(source)}
    if protocol == "oidc" and policy.standard and ADDRESS in scopes and all(rule.claim != ADDRESS for rule in policy.rules):
        needed |= set(ADDRESS_PARTS.values())
    return frozenset(needed)


def _sources(rule: ClaimRule) -> tuple[str, ...]:
    return template_sources(rule.template) if rule.template else (rule.source,)


def _attributes(source: str) -> Iterator[str]:
    if source == ANCHOR:
        yield CONSISTENCY_GUID
    elif source.startswith(ATTRIBUTE):
        yield source.removeprefix(ATTRIBUTE)
