"""Whether what a client was given for a person still holds: the account is asked about, then the trust's rules for access.

    account lives? ──► who it is by now, groups and attributes ──► may they still use the application? ──► claims
       │ no                                                           │ no
       └────────────────► the grant ends, all tokens with it ◄────────┘

Where no agent says who it is by now, the rules are asked about the person as last known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from msgspec.structs import replace

from gateway.federation.claims import subject_of
from gateway.federation.oidc.errors import InvalidGrant
from gateway.federation.oidc.grant_details import GrantDetails, read_details, write_details
from gateway.federation.trusts import Trust, check_access
from gateway.signin import PATIENCE, AccountChecks, AccountVerdict, HeldAccount
from gateway.store import GrantRecord, GrantStore


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedGrant:
    """What came of asking about a grant."""

    verdict: AccountVerdict
    details: GrantDetails
    """With the person as the directory says now."""
    changed: bytes | None = field(default=None, repr=False)
    """The details for the store, where they are other ones than it has."""


class GrantChecks:
    """For refresh, userinfo, and the sweep."""

    def __init__(self, grants: GrantStore, accounts: AccountChecks) -> None:
        self._grants, self._accounts = grants, accounts

    async def check(self, record: GrantRecord, *, patience: float = 0.0, correlation_id: str = "") -> CheckedGrant:
        """Ask about the account; the grant has ended where the verdict says so.

        That the account lives is for the caller to note. patience: see `AccountChecks.check`. Raises StoreError, and
        InvalidGrant for what cannot be read.
        """
        details = read_details(record.details)
        held = held_account(record, details)
        verdict = await self._accounts.check(held, patience=patience, correlation_id=correlation_id)
        if verdict.ends:
            await self._end(record, held, verdict.ends)
            return CheckedGrant(verdict=verdict, details=details)
        renewed = replace(
            details,
            identity=verdict.renewed(details.identity),
            password_set=details.password_set or verdict.password_set,
        )
        changed = write_details(renewed) if renewed != details else None
        return CheckedGrant(verdict=verdict, details=renewed, changed=changed)

    async def check_access(self, record: GrantRecord, trust: Trust, details: GrantDetails) -> None:
        """The trust's rules, asked again: where they let the person in no longer, the grant has ended.

        Networks are compared with the address of the sign-in: the request is the application's. Raises InvalidGrant,
        StoreError.
        """
        address = details.browser or details.address
        refusal = check_access(trust, subject_of(details.identity, address), address)
        if refusal is not None:
            await self.refuse(record, details, f"access: {refusal.reason}")

    async def refuse(self, record: GrantRecord, details: GrantDetails, reason: str) -> NoReturn:
        """End the grant. reason: for the trail and the log. Raises InvalidGrant, StoreError."""
        await self._end(record, held_account(record, details), reason)
        raise InvalidGrant(reason)

    async def check_use(self, record: GrantRecord, trust: Trust, correlation_id: str) -> GrantDetails:
        """Both, for a use of what was given: the account every 5 minutes at most.

        An outage refuses nothing before its time. Raises InvalidGrant, StoreError.
        """
        details = read_details(record.details)
        if self._accounts.is_due(record.checked_at):
            checked = await self.check(record, patience=PATIENCE, correlation_id=correlation_id)
            if checked.verdict.ends:
                raise InvalidGrant(f"the account: {checked.verdict.ends}")
            await self._note(record, checked)
            details = checked.details
        await self.check_access(record, trust, details)
        return details

    async def sweep(self, record: GrantRecord) -> None:
        """Ask, and note the answer. Raises StoreError."""
        try:
            checked = await self.check(record, patience=PATIENCE)
        except InvalidGrant:
            return  # another version's, or a mark where a code was used twice: it ends by itself
        await self._note(record, checked)

    async def _note(self, record: GrantRecord, checked: CheckedGrant) -> None:
        if checked.verdict.checked_at:
            await self._grants.note_check(record.digest, checked.verdict.checked_at, checked.changed)

    async def _end(self, record: GrantRecord, held: HeldAccount, reason: str) -> None:
        """The trail has it once, whoever else ends it at the same moment."""
        if await self._grants.end(record.digest) is not None:
            await self._accounts.tell_end("federation.grant_ended", held, reason, trust=record.trust)


def held_account(record: GrantRecord, details: GrantDetails) -> HeldAccount:
    """What is known of the account that a grant hangs on."""
    identity = details.identity
    return HeldAccount(
        account=record.account,
        user_name=identity.user_name,
        domain=identity.domain,
        agent=details.agent,
        password_set=details.password_set,
        checked_at=record.checked_at,
    )
