"""Whether what a client was given for a person still holds: the account is asked about, and the grant ends where it must."""

from __future__ import annotations

from gateway.federation.oidc.errors import InvalidGrant
from gateway.federation.oidc.grant_details import GrantDetails, read_details
from gateway.signin import PATIENCE, AccountChecks, AccountVerdict, HeldAccount
from gateway.store import GrantRecord, GrantStore


class GrantChecks:
    """For a refresh, and for the sweep."""

    def __init__(self, grants: GrantStore, accounts: AccountChecks) -> None:
        self._grants, self._accounts = grants, accounts

    async def check(self, record: GrantRecord, *, patience: float = 0.0, correlation_id: str = "") -> AccountVerdict:
        """Ask; the grant has ended where the verdict says so. Raises StoreError, and InvalidGrant for what cannot be read.

        That the account lives is for the caller to note. patience: see `AccountChecks.check`.
        """
        held = held_account(record, read_details(record.details))
        verdict = await self._accounts.check(held, patience=patience, correlation_id=correlation_id)
        if verdict.ends and await self._grants.end(record.digest) is not None:
            await self._accounts.tell_end("federation.grant_ended", held, verdict.ends, trust=record.trust)
        return verdict

    async def sweep(self, record: GrantRecord) -> None:
        """Ask, and note the answer. Raises StoreError."""
        try:
            verdict = await self.check(record, patience=PATIENCE)
        except InvalidGrant:
            return  # another version's, or a mark where a code was used twice: it ends by itself
        if verdict.checked_at:
            await self._grants.note_check(record.digest, verdict.checked_at)


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
