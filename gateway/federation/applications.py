"""Tells the sign-in page which application waits for the person: implements `gateway.signin.Applications`."""

from __future__ import annotations

from typing import Protocol

from gateway.federation.transactions import Transactions
from gateway.federation.trusts import Trust
from gateway.signin import Application


class TrustsById(Protocol):
    """The trusts of this relay (`TrustRegistry`)."""

    def get(self, trust_id: str, /) -> Trust | None:
        """None where there is none, or no longer."""
        ...


class WaitingApplications:
    """By the transaction in the address that the person goes back to."""

    def __init__(self, transactions: Transactions, trusts: TrustsById) -> None:
        self._transactions, self._trusts = transactions, trusts

    def waiting(self, return_to: str) -> Application | None:
        """See `Applications`."""
        transaction = self._transactions.peek(return_to)
        trust = self._trusts.get(transaction.trust) if transaction is not None else None
        if transaction is None or trust is None:
            return None
        return Application(
            name=trust.name,
            hint=transaction.hint,
            languages=transaction.languages,
            fresh_since=transaction.fresh_since,
            session=transaction.session,
        )
