"""One rule: what it draws on, what it lets pass, what it makes of that. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from gateway.federation.claims.memberships import Memberships, group_labels, is_in
from gateway.federation.claims.model import ClaimRule, ClaimsSubject, GroupNames
from gateway.federation.claims.names import fold_case
from gateway.federation.claims.regex import replaced
from gateway.federation.claims.sources import ATTRIBUTE, filled, template_sources, values_of

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document can hold (XML 1.0 section 2.2)."""


class NotIssued(Exception):
    """A rule yields nothing. outcome, why: of its step."""

    def __init__(self, outcome: Literal["no value", "condition", "scope", "not sent"], why: str) -> None:
        super().__init__(outcome, why)
        self.outcome, self.why = outcome, why


def rule_text(rule: ClaimRule) -> str:
    """A rule in short: where its values come from, and what is done with them."""
    if rule.groups:
        text = f"groups by {rule.groups}"
    elif rule.value:
        text = f"constant {rule.value}"
    else:
        text = f"template {rule.template}" if rule.template else f"source {rule.source}"
    if rule.match:
        text += f", match {rule.match}" + (f" as {rule.replace}" if rule.replace else "")
    if rule.map:
        text += ", map" + (" alone" if rule.only_mapped else "")
    return text + (f", {rule.case} case" if rule.case else "")


def has_one_value(rule: ClaimRule) -> bool:
    """Whether a rule yields one value by its nature, so that no list is made of it."""
    if rule.template:
        return not any(source.startswith(ATTRIBUTE) for source in template_sources(rule.template))
    return not rule.groups and not rule.source.startswith(ATTRIBUTE)


def rule_values(rule: ClaimRule, subject: ClaimsSubject, memberships: Memberships) -> list[str]:
    """What a rule yields for a person, its conditions included. Raises NotIssued where that is nothing."""
    _check_conditions(rule, subject, memberships)
    values = _group_values(subject, rule, rule.groups) if rule.groups else _matched(rule, _drawn(subject, rule))
    if rule.map:
        values = list(_mapped(rule, values))
    if rule.case:
        values = [value.lower() if rule.case == "lower" else value.upper() for value in values]
    if not values:
        raise NotIssued("no value", "no value passes the rule")
    if rule.single:  # a directory gives groups and values in no order
        return [min(values)]
    return values


def _check_conditions(rule: ClaimRule, subject: ClaimsSubject, memberships: Memberships) -> None:
    if rule.when_groups and not memberships.include(rule.when_groups):
        raise NotIssued("condition", f"not a member of {', '.join(rule.when_groups)}")
    if rule.unless_groups and memberships.include(rule.unless_groups):
        raise NotIssued("condition", f"a member of {', '.join(rule.unless_groups)}")
    if rule.when_networks and not is_in(subject, rule.when_networks):
        raise NotIssued("condition", f"the client's address is not in {', '.join(rule.when_networks)}")


def _drawn(subject: ClaimsSubject, rule: ClaimRule) -> tuple[str, ...]:
    """What a rule begins with, unless it is about groups."""
    if rule.value:
        return (rule.value,)
    try:
        values = filled(subject, rule.template) if rule.template else values_of(subject, rule.source)
    except ValueError as error:
        raise NotIssued("no value", str(error)) from None
    if not values:
        raise _missing(subject, rule)
    return values


def _missing(subject: ClaimsSubject, rule: ClaimRule) -> NotIssued:
    sources = template_sources(rule.template) if rule.template else (rule.source,)
    empty = next(source for source in sources if not values_of(subject, source))
    if empty.startswith(ATTRIBUTE):
        return NotIssued("not sent", f"the agent sent no {empty.removeprefix(ATTRIBUTE)}")
    return NotIssued("no value", f"{empty} is empty")


def _matched(rule: ClaimRule, values: Sequence[str]) -> list[str]:
    if not rule.match:
        return list(values)
    return [value for value in replaced(rule.match, rule.replace, values) if value]


def _group_values(subject: ClaimsSubject, rule: ClaimRule, form: GroupNames) -> list[str]:
    by_name = rule.match and form == "sid"
    labels = _matched_sids(subject, rule) if by_name else _matched(rule, group_labels(subject, form))
    if not labels:
        raise NotIssued("no value", "no group passes the rule" if subject.groups else "no groups")
    return labels


def _matched_sids(subject: ClaimsSubject, rule: ClaimRule) -> list[str]:
    """A SID passes where the name does; what a match becomes is made of the name."""
    found = replaced(rule.match, rule.replace, group_labels(subject, "name"))
    return [(new if rule.replace else subject.groups[place].sid) for place, new in enumerate(found) if new]


def _mapped(rule: ClaimRule, values: Iterable[str]) -> Iterator[str]:
    table = {fold_case(key): mapped for key, mapped in rule.map.items()}
    for value in values:
        mapped = table.get(fold_case(value))
        if mapped is not None or not rule.only_mapped:
            yield value if mapped is None else mapped
