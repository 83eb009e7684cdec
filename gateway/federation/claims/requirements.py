"""What a policy needs: attributes that an agent has to send, and scopes that stand for single claims. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

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


def scopes_of_claims(
    policy: ClaimsPolicy, wanted: Collection[str], granted: Collection[str], allowed: Collection[str]
) -> tuple[str, ...]:
    """Scopes, beside those granted, that claims belong to which an application asks for one by one (OpenID Connect Core
    section 5.5): whoever agrees to the claims is asked about these. allowed: scopes that the trust may have."""
    needed = [rule.scopes for rule in rules_of(policy, "oidc") if rule.claim in wanted]
    if policy.standard and ADDRESS in wanted:
        needed.append((ADDRESS,))
    missing = (scopes for scopes in needed if set(granted).isdisjoint(scopes))
    firsts = (next((scope for scope in scopes if scope in allowed), "") for scopes in missing)
    return tuple(dict.fromkeys(scope for scope in firsts if scope))


def _sources(rule: ClaimRule) -> tuple[str, ...]:
    return template_sources(rule.template) if rule.template else (rule.source,)


def _attributes(source: str) -> Iterator[str]:
    if source == ANCHOR:
        yield CONSISTENCY_GUID
    elif source.startswith(ATTRIBUTE):
        yield source.removeprefix(ATTRIBUTE)
