"""Questions about one account that are asked outside a sign-in: at any domain controller that answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from directory.errors import LdapConnectionError, NotFound
from directory.ldap import Controllers, LdapConnection
from directory.model import DirectoryIdentity
from directory.people.accounts import Account
from directory.people.finder import AccountFinder
from directory.people.names import parse_name

T = TypeVar("T")


class AccountLookup:
    """One for a directory."""

    def __init__(self, controllers: Controllers, finder: AccountFinder) -> None:
        self._controllers, self._finder = controllers, finder

    async def find_user(self, text: str) -> DirectoryIdentity:
        """Who answers to a name. Raises NotFound, Ambiguous, NoDirectory, ServerRefused."""
        return await self.with_account(text, self._finder.identify)

    async def with_account(
        self, text: str, work: Callable[[LdapConnection, Account], Awaitable[T]], *, once: bool = False
    ) -> T:
        """Do something to the account that answers to a name, on a connection of the service account.

        Where a domain controller fails, the next one is asked; with `once` not after something was sent to it: it may have
        been done. Raises NotFound, Ambiguous, NoDirectory, LdapConnectionError (with `once`), and what `work` raises.
        """
        name = parse_name(text)
        if name is None:
            raise NotFound(text)
        for controller in self._controllers.candidates(name.user):
            try:
                async with controller.searching() as connection:
                    account = await self._finder.find(connection, name)
                    controller.succeeded()
                    if account is None:
                        raise NotFound(text)
                    return await work(connection, account)
            except LdapConnectionError as error:
                controller.failed(error)
                if once and error.sent:
                    raise
        raise self._controllers.none_answered()
