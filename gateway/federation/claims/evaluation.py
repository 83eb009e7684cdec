"""The evaluation of a policy: rules in their order, claim by claim, each with the reason for its value. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.federation.claims.bounds import bound_values
from gateway.federation.claims.memberships import Memberships
from gateway.federation.claims.model import (
    ClaimRule,
    ClaimsPolicy,
    ClaimsProtocol,
    ClaimsSubject,
    ClaimStep,
    IssuedClaims,
    Value,
)
from gateway.federation.claims.rules import NOT_XML, NotIssued, has_one_value, rule_text, rule_values
from gateway.federation.claims.sources import attribute, values_of
from gateway.federation.claims.standard import ADDRESS, ADDRESS_PARTS, rules_of
from gateway.federation.claims.subjects import SUBJECT, account_of, pairwise_subject, public_subject, trust_subject

_LONGEST_SUB = 255
"""ASCII characters (OpenID Connect Core section 2)."""

_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What the rules are evaluated for."""

    policy: ClaimsPolicy
    subject: ClaimsSubject
    protocol: ClaimsProtocol
    scopes: frozenset[str]
    wanted: frozenset[str]
    allowed: frozenset[str] | None
    memberships: Memberships

    def asks_for(self, claim: str, scopes: Iterable[str]) -> bool:
        """Whether one of the scopes was granted, or the claim is wanted by itself and the trust may have such a scope."""
        if not self.scopes.isdisjoint(scopes):
            return True
        return claim in self.wanted and (self.allowed is None or not self.allowed.isdisjoint(scopes))

    def admits(self, rule: ClaimRule) -> bool:
        """Whether what was granted or asked for is enough for a rule."""
        return self.protocol != "oidc" or not rule.scopes or self.asks_for(rule.claim, rule.scopes)


@dataclass(slots=True)
class _Issue:
    """What has come of the rules so far."""

    subject: str = ""
    values: dict[str, Value] = field(default_factory=dict)
    steps: list[ClaimStep] = field(default_factory=list)
    friendly_names: dict[str, str] = field(default_factory=dict)
    refused: str = ""


def issue_claims(
    policy: ClaimsPolicy,
    subject: ClaimsSubject,
    *,
    protocol: ClaimsProtocol,
    scopes: frozenset[str] = frozenset(),
    wanted: frozenset[str] = frozenset(),
    allowed: frozenset[str] | None = None,
    secret: bytes,
    trust: str,
    sector: str = "",
    explained: bool = True,
) -> IssuedClaims:
    """What a trust is told of a person. Where `refused` is not empty it is told nothing.

    scopes: those granted; wanted: claims that the `claims` parameter asks for; allowed: scopes that the trust may have, so
    that nothing of others is wanted (None: any); secret: the key of subjects of our own; sector: of a pairwise subject,
    empty for a public one (OpenID Connect). SAML: a subject for each trust. explained: whether `steps` says of claims that
    nobody has asked for why they are not there.
    """
    request = _Request(
        policy=policy,
        subject=subject,
        protocol=protocol,
        scopes=scopes,
        wanted=wanted,
        allowed=allowed,
        memberships=Memberships(subject),
    )
    issue = _Issue()
    _issue_subject(request, issue, secret=secret, trust=trust, sector=sector)
    for claim, rules in _by_claim(request).items():
        if explained or any(map(request.admits, rules)):
            _issue_claim(request, issue, claim, rules)
    if protocol == "oidc" and policy.standard:
        _issue_structured(request, issue)
    if issue.refused:
        return IssuedClaims(subject="", values={}, steps=tuple(issue.steps), refused=issue.refused)
    return IssuedClaims(
        subject=issue.subject, values=issue.values, steps=tuple(issue.steps), friendly_names=issue.friendly_names
    )


# -- subject


def _issue_subject(request: _Request, issue: _Issue, *, secret: bytes, trust: str, sector: str) -> None:
    source = request.policy.subject
    rule = f"source {source}" if source else _own_subject(request.protocol, sector)
    try:
        name = _sourced_subject(request) if source else _made_subject(request, secret, trust, sector)
        _check_subject(name, request.protocol)
    except ValueError as error:
        issue.refused = f"no subject: {error}"
        issue.steps.append(ClaimStep(claim=SUBJECT, outcome="refused", rule=rule, why=str(error)))
    else:
        issue.subject = name
        issue.steps.append(ClaimStep(claim=SUBJECT, outcome="issued", rule=rule, values=(name,)))


def _own_subject(protocol: ClaimsProtocol, sector: str) -> str:
    if protocol == "saml":
        return "derived from the account for this trust"
    where = f"the clients of {sector}" if sector else "all OpenID Connect clients"
    return f"derived from the account, the same for {where}"


def _made_subject(request: _Request, secret: bytes, trust: str, sector: str) -> str:
    account = account_of(request.subject)
    if not account.object:
        raise ValueError("the account has no identifier")
    if request.protocol == "saml":
        return trust_subject(trust, account, secret)
    return pairwise_subject(sector, account, secret) if sector else public_subject(account, secret)


def _sourced_subject(request: _Request) -> str:
    values = values_of(request.subject, request.policy.subject)
    if len(values) != 1:
        raise ValueError(
            f"{request.policy.subject} has {len(values)} values" if values else f"{request.policy.subject} is empty"
        )
    return values[0]


def _check_subject(name: str, protocol: ClaimsProtocol) -> None:
    """Raises ValueError for one that an application would read in another way, and take for somebody else's."""
    if protocol == "oidc" and not (name.isascii() and len(name) <= _LONGEST_SUB):
        raise ValueError(f"a sub has at most {_LONGEST_SUB} characters, all of them ASCII")
    if name != name.strip() or _UNREADABLE.search(name) or NOT_XML.search(name):
        raise ValueError("it has control characters, or blanks at an end")


# -- rules


def _by_claim(request: _Request) -> Mapping[str, list[ClaimRule]]:
    """The rules of each claim, in order."""
    policy = request.policy
    if not policy.rules and policy.standard:
        return _STANDARD[request.protocol]
    return _grouped(rules_of(policy, request.protocol))


def _grouped(rules: Iterable[ClaimRule]) -> dict[str, list[ClaimRule]]:
    found: dict[str, list[ClaimRule]] = {}
    for rule in rules:
        found.setdefault(rule.claim, []).append(rule)
    return found


_STANDARD: Mapping[ClaimsProtocol, Mapping[str, list[ClaimRule]]] = {
    "oidc": _grouped(rules_of(ClaimsPolicy(), "oidc")),
    "saml": _grouped(rules_of(ClaimsPolicy(), "saml")),
}
"""Of policies without rules, which are most of them."""


def _issue_claim(request: _Request, issue: _Issue, claim: str, rules: list[ClaimRule]) -> None:
    texts: list[str] = []
    single = any(rule.single for rule in rules)
    for rule in rules:
        try:
            _check_scope(request, rule)
            values = _sendable(rule_values(rule, request.subject, request.memberships))
        except NotIssued as not_issued:
            issue.steps.append(ClaimStep(claim=claim, outcome=not_issued.outcome, rule=rule_text(rule), why=not_issued.why))
            continue
        if single and texts:
            why = "an earlier rule has set the single value"
            issue.steps.append(ClaimStep(claim=claim, outcome="superseded", rule=rule_text(rule), why=why))
            continue
        issue.steps.append(ClaimStep(claim=claim, outcome="issued", rule=rule_text(rule), values=tuple(values)))
        texts += values
        if rule.friendly_name:
            issue.friendly_names[claim] = rule.friendly_name
    if texts:
        _keep(request, issue, claim, rules, list(dict.fromkeys(texts)))


def _check_scope(request: _Request, rule: ClaimRule) -> None:
    """Raises NotIssued where it is not among what was granted or asked for."""
    if not request.admits(rule):
        raise NotIssued("scope", f"needs the scope {' or '.join(rule.scopes)}")


def _sendable(values: list[str]) -> list[str]:
    """Those that XML can carry; the others end in JSON, headers and databases no better. Raises NotIssued without any."""
    if all(map(str.isprintable, values)):  # nearly always, and five times faster than the expression
        return values
    kept = [value for value in values if not NOT_XML.search(value)]
    if not kept:
        raise NotIssued("no value", "it has characters that XML cannot hold")
    return kept


def _keep(request: _Request, issue: _Issue, claim: str, rules: list[ClaimRule], values: list[str]) -> None:
    """A claim's values, within their bounds."""
    if any(rule.single for rule in rules):
        issue.values[claim] = values[0]
        return
    kept, why = bound_values(request.policy, rules, values)
    left_out = len(values) - len(kept)
    if left_out and request.policy.groups_over == "refuse":
        issue.refused = issue.refused or f"{claim}: {why}"
        issue.steps.append(ClaimStep(claim=claim, outcome="refused", rule="bounds", why=why))
        return
    if left_out:
        issue.values[f"{claim}_cut"] = left_out
        issue.steps.append(ClaimStep(claim=claim, outcome="cut", rule="bounds", values=tuple(kept), why=why))
    if kept:
        plain = len(rules) == 1 and has_one_value(rules[0])
        issue.values[claim] = kept[0] if plain else tuple(kept)


# -- claims of a form of their own


def _issue_structured(request: _Request, issue: _Issue) -> None:
    """`address` and `email_verified` (OpenID Connect Core section 5.1)."""
    own = {rule.claim for rule in request.policy.rules}
    if "email" in issue.values and "email_verified" not in own:
        issue.values["email_verified"] = request.policy.email_verified
        said = str(request.policy.email_verified).lower()
        issue.steps.append(ClaimStep(claim="email_verified", outcome="issued", rule=_VERIFIED_RULE, values=(said,)))
    if ADDRESS in own:
        return
    if not request.asks_for(ADDRESS, (ADDRESS,)):
        issue.steps.append(ClaimStep(claim=ADDRESS, outcome="scope", rule=_ADDRESS_RULE, why="needs the scope address"))
        return
    parts = {part: found for part, name in ADDRESS_PARTS.items() if (found := _address_part(request.subject, name))}
    if parts:
        issue.values[ADDRESS] = parts
    outcome: Literal["issued", "not sent"] = "issued" if parts else "not sent"
    why = "" if parts else "the agent sent none of them"
    step = ClaimStep(claim=ADDRESS, outcome=outcome, rule=_ADDRESS_RULE, values=tuple(parts.values()), why=why)
    issue.steps.append(step)


def _address_part(subject: ClaimsSubject, name: str) -> str | None:
    return next((value for value in attribute(subject, name) if not NOT_XML.search(value)), None)


_VERIFIED_RULE = "claims.email_verified of the trust"
_ADDRESS_RULE = "attributes " + ", ".join(ADDRESS_PARTS.values())
