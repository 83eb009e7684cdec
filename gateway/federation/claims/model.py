"""The claims policy of a trust, and what comes of it. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from gateway.protocol import Group
from settings import Bounds

ClaimsProtocol = Literal["oidc", "saml"]
"""Whose words a policy is evaluated in."""
GroupNames = Literal["name", "sid", "qualified"]
"""`name`: sAMAccountName or cn; `sid`: the SID, or the entryUUID; `qualified`: DOMAIN\\name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRule:
    """One claim. Exactly one of `source`, `value`, `groups`, `template` says where its values come from.

    Sources: `user_name`, `account_name`, `mail`, `display_name`, `given_name`, `surname`, `sid`, `object_guid`, `domain`,
    `source_anchor` (mS-DS-ConsistencyGuid, else objectGUID, base64 of its 16 bytes), `dn`, or `attribute:NAME`.
    """

    claim: str
    """What the application calls it: a JWT member, or a SAML attribute's Name."""
    friendly_name: str = ""
    """SAML only."""
    source: str = ""
    value: str = ""
    """A constant."""
    template: str = ""
    """Text with `{source}` in it, such as `{account_name}@example.org`."""
    groups: GroupNames | Literal[""] = ""
    match: str = ""
    """Regular expression (RE2): only values in which it is found pass; of groups, those whose name it is found in."""
    replace: str = ""
    """What a match becomes (`\\1` for groups of the expression); empty: unchanged."""
    map: Mapping[str, str] = field(default_factory=dict)
    """By value (case ignored): what it becomes. With `only_mapped` others are left out."""
    only_mapped: bool = False
    when_groups: tuple[str, ...] = ()
    """The claim is issued only to members of one of them (SID, name or DOMAIN\\name)."""
    when_networks: tuple[str, ...] = ()
    """… or only to clients from one of these networks."""
    unless_groups: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    """OpenID Connect: only where one of these scopes was granted, or the `claims` parameter asks for it. Empty: always."""
    single: bool = False
    """The first value alone, not a list."""
    case: Literal["", "lower", "upper"] = ""
    most: Annotated[int, Bounds(zero=True)] = 0
    """Values at most; 0: `ClaimsPolicy.groups_most` for groups, no bound of its own else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsPolicy:
    """All of a trust's rules. Without rules: the standard claims of the granted scopes (OpenID Connect), or mail, names and
    user name (SAML)."""

    subject: str = ""
    """Source of the subject (`sub`, NameID): as in `ClaimRule.source`; empty: a stable identifier of our own."""
    rules: tuple[ClaimRule, ...] = ()
    standard: bool = True
    """OpenID Connect: whether the standard claims of the scopes are issued beside the rules. A rule takes the place of the
    standard claim of its name, whether or not it yields a value."""
    email_verified: bool = False
    """OpenID Connect: whether the organisation vouches for the claim `email`, and the application may take its holder for
    the person. Only where nobody can write the attribute behind it for themselves."""
    groups_most: Annotated[int, Bounds(least=1)] = 200
    """Groups of one claim; more are cut by `groups_over`."""
    groups_bytes: Annotated[int, Bounds(least=1)] = 8192
    groups_over: Literal["cut", "leave_out", "refuse"] = "leave_out"
    """What becomes of a group claim above the bounds. `cut`: the first ones by name, and `<claim>_cut` says how many were
    left out; `leave_out`: no claim, and `<claim>_cut`; `refuse`: no sign-in to this application."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsSubject:
    """The person and the sign-in, as the policy sees them."""

    directory: str
    """What the directory says of itself; with `object_guid` the account."""
    object_guid: str
    user_name: str
    domain: str
    sid: str = ""
    account_name: str = ""
    mail: str = ""
    display_name: str = ""
    given_name: str = ""
    surname: str = ""
    dn: str = ""
    groups: tuple[Group, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    address: str = ""
    """Of the client."""


Value = str | int | bool | tuple[str, ...] | Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimStep:
    """Why a claim has its value, or is not there: one line of `isthmus relay claims`."""

    claim: str
    outcome: Literal["issued", "no value", "condition", "scope", "not sent", "superseded", "cut", "refused"]
    """`not sent`: the agent did not send the attribute: it is not among the agent's `attributes`, or the person has none.
    `superseded`: an earlier rule has set the one value that the claim may have."""
    rule: str
    """The rule in short."""
    values: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedClaims:
    """What a trust is told."""

    subject: str
    values: Mapping[str, Value]
    steps: tuple[ClaimStep, ...]
    friendly_names: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""
    """Why there is no sign-in to this application for this person; empty: there is."""
