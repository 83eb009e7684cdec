"""Whom an administrator means: people are found by what the audit trail says of their sign-ins."""

from __future__ import annotations

import uuid

from gateway.protocol import AccountId
from gateway.relay.errors import AmbiguousPerson, UnknownPerson
from gateway.store import AuditLog

RECENT = 1000
"""Sign-ins among which the directories are looked for that a GUID may be of."""
_SPELLING = 20
"""Sign-ins under one user name that are looked at for its accounts: more than one where a name was given to another."""


async def account_of(audit: AuditLog, user: str) -> AccountId:
    """The one account that is meant. user: see `accounts_of`. Raises UnknownPerson, AmbiguousPerson."""
    guid = guid_of(user)
    accounts = await audit.accounts(guid) if guid else await accounts_of(audit, user)
    if not accounts:
        raise UnknownPerson(user)
    if len(accounts) > 1:
        raise AmbiguousPerson(user, [account.object for account in accounts])
    return accounts[0]


async def accounts_of(audit: AuditLog, user: str) -> list[AccountId]:
    """Who that can be. user: any name that was typed at a sign-in that succeeded, or an objectGUID or entryUUID."""
    guid = guid_of(user)
    if guid:  # of which directory does not stand in it: of each that somebody signed in from lately
        entries = await audit.entries(kind="signin", outcome="success", limit=RECENT)
        directories = {entry.event.account.directory for entry in entries if entry.event.account}
        return [AccountId(directory, guid) for directory in sorted(directories)]
    entries = await audit.entries(subject=user, outcome="success", limit=_SPELLING)
    return sorted({entry.event.account for entry in entries if entry.event.account})


def guid_of(text: str) -> str:
    """A GUID as the trail has it, lower case with dashes; empty for what is none."""
    try:
        return str(uuid.UUID(text.strip().strip("{}")))
    except ValueError:
        return ""
