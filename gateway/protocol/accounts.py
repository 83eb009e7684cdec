"""Whose account a request is about: what identifies a person everywhere.

The pair comes from the directory itself, never from a name in somebody's settings, so two agents that call one directory
differently still mean the same person. An agent may say any pair: the relay believes those of the directories that belong
to the agent's domains (docs/reference/protocol.md, Accounts).
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from msgspec import Meta

VISIBLE = "^[^\\x00-\\x1f\\x7f-\\x9f]*\\Z"
"""What an agent says is stored and shown: PostgreSQL takes no NUL, terminals take too much."""

Part = Annotated[str, Meta(max_length=1024, pattern=VISIBLE)]


class AccountId(NamedTuple):
    """One person's account. The same pair stands in sessions, audit trail and claims."""

    directory: Part
    """What the directory says of itself. AD: the domain's objectGUID; LDAP: the naming context, lower case. Empty where it
    does not say."""
    object: Part
    """objectGUID or entryUUID, lower case with dashes."""
