"""Tells the sign-in page which application waits for the person: implements `gateway.signin.Applications`."""

from __future__ import annotations

from collections.abc import Callable
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
    """By the transaction in the address that the person goes back to. logo: path of a trust's, by its id."""

    def __init__(self, transactions: Transactions, trusts: TrustsById, logo: Callable[[str], str]) -> None:
        self._transactions, self._trusts, self._logo = transactions, trusts, logo

    def waiting(self, return_to: str) -> Application | None:
        """See `Applications`."""
        transaction = self._transactions.peek(return_to)
        trust = self._trusts.get(transaction.trust) if transaction is not None else None
        if transaction is None or trust is None:
            return None
        return Application(
            name=trust.name,
            logo=self._logo(trust.id),
            hint=transaction.hint,
            languages=transaction.languages,
            fresh_since=transaction.fresh_since,
            session=transaction.session,
        )
