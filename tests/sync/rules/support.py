"""How these tests read rules and make objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sync.model import DesiredAccount, LinkFlow, ObjectKind, Person, SourceObject
from sync.rules import Contributions, Evaluator, MergedPerson, OutOfScope, RuleSet, SourceDescription, read_rules
from sync.rules.trial import TrialDirectory, key_of_name

NOW = 1_775_000_000.0
FILE = Path("rules.toml")


def rules_of(text: str, **schemas: Any) -> RuleSet:
    """Raises RulesRefused."""
    return read_rules(FILE, content=text.encode(), targets=schemas or None)


def inbound(
    flows: str = "",
    *,
    rule: str = "in",
    precedence: int = 10,
    link: str = "provision",
    scope: str = "",
    join: str = "",
    kind: str = "user",
    more: str = "",
) -> str:
    """An inbound rule; flows: lines of the list."""
    text = f'[[inbound]]\nid = "{rule}"\nkind = "{kind}"\nprecedence = {precedence}\nlink = "{link}"\n'
    text += f"scope = {scope}\n" if scope else ""
    text += f"join = {join}\n" if join else ""
    return f"{text}{more}\nflows = [\n{flows}\n]\n"


def outbound(
    flows: str = "",
    *,
    rule: str = "out",
    precedence: int = 10,
    link: str = "provision",
    scope: str = "",
    kind: str = "user",
    more: str = "",
) -> str:
    """An outbound rule."""
    text = f'[[outbound]]\nid = "{rule}"\nkind = "{kind}"\nprecedence = {precedence}\nlink = "{link}"\n'
    text += f"scope = {scope}\n" if scope else ""
    return f"{text}{more}\nflows = [\n{flows}\n]\n"


def copying(*names: str) -> str:
    """An outbound rule by which attributes of persons reach accounts."""
    return outbound(rule="out-all", precedence=99, more=f"copy = {list(names)!r}")


def user(name: str = "anna", source: str = "corp", kind: ObjectKind = ObjectKind.USER, /, **values: Any) -> SourceObject:
    dn = values.pop("dn", f"CN={name},OU=Staff,DC=example,DC=com")
    above = dn.split(",")[1:]
    return SourceObject(
        source=source,
        key=key_of_name(name),
        kind=kind,
        dn=dn,
        path=tuple(key_of_name(",".join(above[index:])) for index in range(len(above))),
        values=values,
    )


def evaluator(rules: RuleSet, *sources: str, directory: TrialDirectory | None = None) -> Evaluator:
    described = [SourceDescription(name=name) for name in sources or ("corp", "hr")]
    return Evaluator(rules, described, directory or TrialDirectory())


def given(engine: Evaluator, found: SourceObject, *, explain: bool = False) -> Contributions:
    contributions = engine.contribute(found, now=NOW, explain=explain)
    assert isinstance(contributions, Contributions), contributions
    return contributions


def in_scope(engine: Evaluator, found: SourceObject) -> bool:
    return not isinstance(engine.contribute(found, now=NOW), OutOfScope)


def person_of(
    rules: str | RuleSet,
    *objects: SourceObject,
    previous: Person | None = None,
    now: float = NOW,
    directory: TrialDirectory | None = None,
    sources: Sequence[str] = ("corp", "hr"),
    explain: bool = False,
) -> MergedPerson:
    """What the objects together are."""
    found = rules_of(rules) if isinstance(rules, str) else rules
    engine = evaluator(found, *sources, directory=directory)
    contributions = [given(engine, one, explain=explain) for one in objects]
    return engine.person(1, contributions, previous=previous, now=now, explain=explain)


def account_of(rules: str | RuleSet, merged: MergedPerson, target: str = "cloud", account: Any = None) -> DesiredAccount:
    found = rules_of(rules) if isinstance(rules, str) else rules
    desired = evaluator(found).account(merged, target, account, now=NOW)
    assert isinstance(desired, DesiredAccount), desired
    return desired


def named(links: Sequence[LinkFlow]) -> list[tuple[str, str]]:
    return [(link.attribute, link.object[0]) for link in links]
