"""What a file of rules says, as it stands there: pure data, read by `settings`.

An inbound rule goes from an object of a source to a person, an outbound one from a person to an account at a target. Both
have a scope (which objects), flows (which attributes) and a precedence (who wins). docs/reference/sync-rules.md explains
all of it with examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, TypeAlias

from settings import Bounds, Lines, Pattern, Unfit, distinct, not_empty

Operator: TypeAlias = Literal[
    "EQUAL",
    "NOTEQUAL",
    "LESSTHAN",
    "LESSTHAN_OR_EQUAL",
    "GREATERTHAN",
    "GREATERTHAN_OR_EQUAL",
    "CONTAINS",
    "NOTCONTAINS",
    "STARTSWITH",
    "NOTSTARTSWITH",
    "ENDSWITH",
    "NOTENDSWITH",
    "ISNULL",
    "ISNOTNULL",
    "ISIN",
    "ISNOTIN",
    "ISBITSET",
    "ISNOTBITSET",
    "ISBITNOTSET",
    "ISMEMBEROF",
    "ISNOTMEMBEROF",
    "ISBELOW",
    "ISNOTBELOW",
]
"""Those of Azure AD Connect, and two for the place of an object in the tree."""
LinkType: TypeAlias = Literal["provision", "join", "sticky_join"]
MergeType: TypeAlias = Literal["update", "merge", "merge_case_insensitive"]
Computation: TypeAlias = Literal["user_principal_name", "mail_nickname"]
TypeWord: TypeAlias = Literal["text", "text[]", "number", "number[]", "boolean", "bytes", "bytes[]", "link"]

PRESENCE: Final = frozenset({"ISNULL", "ISNOTNULL"})
MEMBERSHIP: Final = frozenset({"ISMEMBEROF", "ISNOTMEMBEROF"})
LOCATION: Final = frozenset({"ISBELOW", "ISNOTBELOW"})
BITS: Final = frozenset({"ISBITSET", "ISNOTBITSET", "ISBITNOTSET"})

_ID: Final = Pattern(r"[A-Za-z0-9][A-Za-z0-9._-]*", "an id: letters, digits, hyphens, dots, as in in-user-common")
_LARGEST_NUMBER: Final = 2**63


def plain(value: object) -> None:
    """A text, a whole number of 64 bits, true or false."""
    if not isinstance(value, str | int):
        raise Unfit("is not a value", "write a text in quotes, a whole number, or true or false")
    if isinstance(value, int) and not -_LARGEST_NUMBER <= value < _LARGEST_NUMBER:
        raise Unfit("is a number of more than 64 bits", "write a smaller one")


def plain_or_list(value: object) -> None:
    """The same, or a list of them."""
    for item in value if isinstance(value, list) else [value]:
        plain(item)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeCondition:
    """One condition: a comparison, or an expression that has to be true."""

    attribute: str = ""
    """What is compared. Not of ISMEMBEROF and ISBELOW, which ask about the object itself."""
    operator: Operator | None = None
    """How."""
    value: Annotated[object, plain] = ""
    """With what. Of ISMEMBEROF and ISBELOW the DN or GUID of the group or OU."""
    nested: bool = False
    """Of ISMEMBEROF: members of member groups, too."""
    expression: Lines = ""
    """True or false, in the language of flows."""

    def contradictions(self) -> Iterator[Unfit]:
        """A condition says one thing."""
        if bool(self.expression) == (self.operator is not None):
            yield Unfit("needs an operator, or an expression, and not both", "compare an attribute, or write an expression")
        elif self.expression:
            if self.attribute or self.value != "" or self.nested:
                yield Unfit("an expression stands alone", "write the comparison inside it")
        else:
            yield from self._comparison()

    def _comparison(self) -> Iterator[Unfit]:
        about_object = self.operator in MEMBERSHIP | LOCATION
        if about_object and self.attribute:
            yield Unfit(f"{self.operator} asks about the object itself", "remove it", setting="attribute")
        if not about_object and not self.attribute:
            yield Unfit("is missing", f"name what {self.operator} compares", setting="attribute")
        if self.operator in PRESENCE and self.value != "":
            yield Unfit(f"{self.operator} compares with nothing", "remove it", setting="value")
        if self.operator not in PRESENCE and self.value == "":
            yield Unfit("is missing", f"say what {self.operator} compares with", setting="value")
        if self.nested and self.operator not in MEMBERSHIP:
            yield Unfit("is for ISMEMBEROF and ISNOTMEMBEROF", "remove it", setting="nested")


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinCondition:
    """Equal values: one of the object, one of the person."""

    object: Annotated[str, not_empty]
    """Attribute of the object."""
    person: Annotated[str, not_empty]
    """Attribute of the person."""
    case_sensitive: bool = False
    """Whether texts that differ only in case are different."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What one attribute gets: by exactly one of direct, constant, expression, links and compute."""

    to: Annotated[str, not_empty]
    """Attribute of the person (inbound), or of the account (outbound)."""
    direct: str = ""
    """Attribute whose value it gets."""
    constant: Annotated[object, plain_or_list] = None
    """The value for everybody."""
    expression: Lines = ""
    """Gives the value."""
    links: str = ""
    """Attribute that names other objects, such as member or manager."""
    nested: bool = False
    """Of links: members of member groups, too."""
    compute: Computation | None = None
    """What the target needs in a form of its own (outbound)."""
    merge: MergeType = "update"
    """update: the winner gives all values; merge: the values of all rules."""
    once: bool = False
    """Only while it has no value yet."""

    def contradictions(self) -> Iterator[Unfit]:
        """A flow has one origin."""
        ways = {
            "direct": self.direct,
            "constant": self.constant is not None,
            "expression": self.expression,
            "links": self.links,
            "compute": self.compute,
        }
        given = [name for name, value in ways.items() if value]
        if len(given) != 1:
            found = f"has {' and '.join(given)}" if given else "has none of these"
            yield Unfit(f"{found}; expected one of {', '.join(ways)}", "say in one way where the value comes from")
        if self.nested and not self.links:
            yield Unfit("is for flows of links", "remove it", setting="nested")
        if self.links and self.once:
            yield Unfit("links always flow", "remove it", setting="once")
        if self.links and self.merge == "merge_case_insensitive":
            yield Unfit("links have no case", 'write merge = "merge"', setting="merge")


Scope: TypeAlias = tuple[tuple[ScopeCondition, ...], ...]
JoinGroups: TypeAlias = tuple[tuple[JoinCondition, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRule:
    """From an object of a source to a person."""

    id: Annotated[str, _ID]
    """Stands in lineage and errors: it keeps its meaning."""
    name: str = ""
    """For people."""
    sources: Annotated[tuple[str, ...], distinct] = ()
    """Names of the sources whose objects it is for; none: all."""
    kind: Literal["user", "group", "contact", "other"]
    """Of the object."""
    precedence: Annotated[int, Bounds(least=0, zero=True)]
    """The lower number wins. Own rules have 0 to 99, those by default 100 and more."""
    link: LinkType
    """provision: makes a person where none is joined; join: does not; sticky_join: does not, but keeps one that is there."""
    scope: Scope = ()
    """Groups of conditions: all of one group are true. Without any, every object of the kind is in scope."""
    join: JoinGroups = ()
    """Groups of equal values, tried from the first to the last."""
    copy: Annotated[tuple[str, ...], distinct] = ()
    """Attributes that flow as they are, under the same name."""
    flows: tuple[Flow, ...] = ()
    """All other flows."""

    def contradictions(self) -> Iterator[Unfit]:
        """What cannot be together."""
        yield from _group_problems(self.scope, "scope")
        yield from _group_problems(self.join, "join")
        if self.kind == "other" and self.link == "provision":
            yield Unfit("objects of kind other make no person", 'write link = "join"', setting="link")
        if self.link != "provision" and self.kind == "other" and not self.join:
            yield Unfit("is missing", "say which person an object of kind other belongs to", setting="join")
        for index, flow in enumerate(self.flows):
            if flow.compute is not None:
                yield Unfit(
                    "only accounts have computed attributes",
                    "move it to an outbound rule",
                    setting=("flows", index, "compute"),
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRule:
    """From a person to an account at a target."""

    id: Annotated[str, _ID]
    """Stands in plans and errors."""
    name: str = ""
    """For people."""
    targets: Annotated[tuple[str, ...], distinct] = ()
    """Names of the targets that it is for; none: all."""
    kind: Literal["user", "group", "contact"]
    """Of the person, and of the account."""
    precedence: Annotated[int, Bounds(least=0, zero=True)]
    """The lower number wins."""
    link: LinkType
    """provision: there has to be an account; join: does not make one; sticky_join: does not, but keeps one that is there."""
    scope: Scope = ()
    """Conditions on the person."""
    match: Annotated[tuple[str, ...], distinct] = ()
    """Attributes of the account by which one that is there already is adopted, after the anchor."""
    copy: Annotated[tuple[str, ...], distinct] = ()
    """Attributes that flow as they are, under the same name."""
    flows: tuple[Flow, ...] = ()
    """All other flows."""

    def contradictions(self) -> Iterator[Unfit]:
        """What cannot be together."""
        yield from _group_problems(self.scope, "scope")
        for row, group in enumerate(self.scope):
            for column, condition in enumerate(group):
                if condition.operator in MEMBERSHIP | LOCATION:
                    yield Unfit(
                        f"{condition.operator} asks about objects, and this rule is about persons",
                        "have an inbound rule set an attribute, and ask for that",
                        setting=("scope", row, column, "operator"),
                    )


def _group_problems(groups: tuple[tuple[object, ...], ...], name: str) -> Iterator[Unfit]:
    for index, group in enumerate(groups):
        if not group:  # true of everything, which nobody means
            yield Unfit("a group without conditions", "remove it, or fill it", setting=(name, index))


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorRule:
    """The source anchor: what an account is found by again."""

    attribute: str = "mS-DS-ConsistencyGuid"
    """Of users, where it has a value; else, and of groups and contacts, the key (objectGUID). Empty: always the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDomains:
    """What `compute = "user_principal_name"` has to know of a target."""

    verified_domains: Annotated[tuple[str, ...], distinct] = ()
    """Suffixes that it takes; empty: all."""
    initial_domain: str = ""
    """What stands in place of any other suffix, such as example.onmicrosoft.com."""

    def contradictions(self) -> Iterator[Unfit]:
        """Names are replaced only by something."""
        if bool(self.verified_domains) != bool(self.initial_domain):
            missing = "initial_domain" if self.verified_domains else "verified_domains"
            yield Unfit("is missing", "verified_domains and initial_domain need each other", setting=missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesFile:
    """All that an administrator says of who becomes what."""

    dialect: Literal["connect"] = "connect"
    """Language of the expressions."""
    default_rules: bool = False
    """Whether the default rules for users, groups and contacts hold, too."""
    without: Annotated[tuple[str, ...], distinct] = ()
    """Ids of default rules that do not hold."""
    attributes: Mapping[str, TypeWord] = field(default_factory=dict)
    """Attributes of sources that are not among the known ones, or have another type there."""
    anchor: AnchorRule = AnchorRule()
    """The source anchor."""
    targets: Mapping[str, TargetDomains] = field(default_factory=dict)
    """By name of the target."""
    inbound: tuple[InboundRule, ...] = ()
    """From objects to persons."""
    outbound: tuple[OutboundRule, ...] = ()
    """From persons to accounts."""

    def all(self) -> list[InboundRule | OutboundRule]:
        """Rules of both directions."""
        return [*self.inbound, *self.outbound]

    def contradictions(self) -> Iterator[Unfit]:
        """What cannot be together."""
        if self.without and not self.default_rules:
            yield Unfit("there are no default rules", "write default_rules = true, or remove it", setting="without")
