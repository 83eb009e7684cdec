"""What makes no sense in a policy: told when a trust is read, so that no sign-in has to find it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from gateway.federation.claims.model import ClaimRule, ClaimsPolicy, ClaimsProtocol
from gateway.federation.claims.names import fold_case
from gateway.federation.claims.regex import check_expression, check_replacement
from gateway.federation.claims.sources import check_source, template_sources
from gateway.federation.claims.standard import RESERVED
from settings import Unfit, network, shown

CUT = "_cut"
"""How the claim ends that says how many values were left out."""
_SHARED = frozenset({"display_name", "given_name", "surname", "domain"})
"""Sources that several people have in common."""


def check_policy(policy: ClaimsPolicy, protocol: ClaimsProtocol = "oidc") -> Iterator[Unfit]:
    """Every mistake, with its key relative to the policy."""
    if policy.subject:
        yield from _failed("subject", _check_subject, policy.subject)
    if protocol == "saml" and policy.email_verified:
        yield Unfit("is of OpenID Connect", "leave it out", setting="email_verified")
    for number, rule in enumerate(policy.rules):
        yield from (error.under("rules", number) for error in _rule_mistakes(rule, protocol))
    yield from _disagreements(policy.rules)


def _check_subject(source: str) -> None:
    check_source(source)
    if source in _SHARED:
        raise Unfit(f"{source} is not one person's alone", "use user_name, object_guid or source_anchor")


def _rule_mistakes(rule: ClaimRule, protocol: ClaimsProtocol) -> Iterator[Unfit]:
    yield from _name_mistakes(rule, protocol)
    yield from _origin_mistakes(rule)
    yield from _change_mistakes(rule)
    yield from _condition_mistakes(rule)
    yield from _strangers(rule, protocol)


def _name_mistakes(rule: ClaimRule, protocol: ClaimsProtocol) -> Iterator[Unfit]:
    if not rule.claim.strip():
        yield Unfit("is empty", "name the claim", setting="claim")
    elif rule.claim.endswith(CUT):
        yield Unfit(f"{shown(rule.claim)} ends in {CUT}", "such a claim says how many values were left out", setting="claim")
    elif protocol == "oidc" and rule.claim in RESERVED:
        yield Unfit(f"{shown(rule.claim)} is not a policy's to set", "use another name", setting="claim")


def _origin_mistakes(rule: ClaimRule) -> Iterator[Unfit]:
    given = [name for name in ("source", "value", "template", "groups") if getattr(rule, name)]
    if len(given) != 1:
        has = f"has {' and '.join(given)}" if given else "says nothing of where its values come from"
        yield Unfit(has, "give one of source, value, template, groups")
    if rule.source:
        yield from _failed("source", check_source, rule.source)
    if rule.template:
        yield from _failed("template", _check_template, rule.template)


def _check_template(template: str) -> None:
    for source in template_sources(template):
        check_source(source)


def _change_mistakes(rule: ClaimRule) -> Iterator[Unfit]:
    wrong = list(_failed("match", check_expression, rule.match)) if rule.match else []
    yield from wrong
    if rule.replace and not rule.match:
        yield Unfit("replaces nothing without match", "add match", setting="replace")
    elif rule.replace and not wrong:
        yield from _failed("replace", lambda replacement: check_replacement(rule.match, replacement), rule.replace)
    if rule.only_mapped and not rule.map:
        yield Unfit("lets nothing pass without map", "add map", setting="only_mapped")
    for key, count in Counter(map(fold_case, rule.map)).items():
        if count > 1:
            yield Unfit(f"has {shown(key)} {count} times", "case is ignored", setting=("map", key))


def _condition_mistakes(rule: ClaimRule) -> Iterator[Unfit]:
    for name in ("when_groups", "unless_groups"):
        for number, group in enumerate(getattr(rule, name)):
            if not group.strip():
                yield Unfit("is empty", "name a group", setting=(name, number))
    for number, text in enumerate(rule.when_networks):
        yield from _failed("when_networks", network, text, number)
    for group in {*map(fold_case, rule.when_groups)} & {*map(fold_case, rule.unless_groups)}:
        yield Unfit(f"{shown(group)} is in when_groups, too", "name it in one of them", setting="unless_groups")
    if rule.single and rule.most:
        yield Unfit("bounds nothing beside single", "leave one of them out", setting="most")


def _strangers(rule: ClaimRule, protocol: ClaimsProtocol) -> Iterator[Unfit]:
    """What the other protocol knows."""
    if protocol == "oidc" and rule.friendly_name:
        yield Unfit("is of SAML", "leave it out", setting="friendly_name")
    if protocol == "saml" and rule.scopes:
        yield Unfit("are of OpenID Connect", "use when_groups or when_networks", setting="scopes")


def _disagreements(rules: Iterable[ClaimRule]) -> Iterator[Unfit]:
    """Rules of one claim have to say alike whether it is a list."""
    first: dict[str, ClaimRule] = {}
    for number, rule in enumerate(rules):
        if first.setdefault(rule.claim, rule).single != rule.single:
            yield Unfit(
                f"differs from the first rule of {shown(rule.claim)}",
                "a claim is one value or a list",
                setting=("rules", number, "single"),
            )


def _failed(setting: str, check: Callable[[str], None], value: str, *place: int) -> Iterator[Unfit]:
    """What a check says, with its key."""
    try:
        check(value)
    except Unfit as error:
        yield error.under(setting, *place)
