"""How much of a claim is issued: never less in silence. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.federation.claims.model import ClaimRule, ClaimsPolicy


def bound_values(policy: ClaimsPolicy, rules: Sequence[ClaimRule], values: list[str]) -> tuple[list[str], str]:
    """The values that are issued, and why not all of them are (empty: they are). rules: all of the claim."""
    most, size = _most(policy, rules), policy.groups_bytes if any(rule.groups for rule in rules) else 0
    if most and len(values) > most:
        why = f"{len(values)} values, {most} at most"
    elif size and len("".join(values).encode("utf-8", "surrogatepass")) > size:
        why = f"{len(values)} values of more than {size} bytes"
    else:
        return values, ""
    if policy.groups_over != "cut":
        return [], why
    first = sorted(values)[: most or len(values)]  # the same ones each time, whatever order the directory gives
    return _within(first, size) if size else first, why


def _most(policy: ClaimsPolicy, rules: Sequence[ClaimRule]) -> int:
    """Values of the claim, by the largest bound that a rule of it has; 0: any number."""
    return max(rule.most or (policy.groups_most if rule.groups else 0) for rule in rules)


def _within(values: Sequence[str], size: int) -> list[str]:
    """The first ones that have this many bytes together."""
    kept: list[str] = []
    for value in values:
        size -= len(value.encode("utf-8", "surrogatepass"))
        if size < 0:
            break
        kept.append(value)
    return kept
