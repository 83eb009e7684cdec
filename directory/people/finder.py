"""From a name to an account, and from an account to an identity, on a connection that somebody lends."""

from __future__ import annotations

import math

from directory.errors import Ambiguous
from directory.ldap import Entry, LdapConnection, codec
from directory.model import DirectoryIdentity, DirectoryObject
from directory.people.accounts import Account, Accounts
from directory.people.cache import Cache
from directory.people.groups import Groups
from directory.people.names import LoginName
from directory.settings import DirectorySettings

_MOST = 3
"""Entries for one name: two are enough to see that it is ambiguous, a third for the error to name."""


class AccountFinder:
    """One for a directory; remembers where names were found for `policy_cache_seconds`."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._base = settings.base_dn.encode()
        self._accounts = Accounts(settings)
        self._groups = Groups(settings)
        self._found: Cache[tuple[bytes, bytes]] = Cache(settings.cache_entries, settings.policy_cache_seconds)
        """(DN, GUID) by the name that was typed."""

    async def find(self, connection: LdapConnection, name: LoginName) -> Account | None:
        """The account that answers to a name. Raises Ambiguous, LdapConnectionError, ServerRefused."""
        key = name.text.casefold().encode()
        accounts = self._accounts
        known = self._found.get(key)
        if known is not None:
            # Reading a DN costs the server less than a search; but the entry may have another name by now
            dn, guid = known
            wanted = accounts.attributes if self._groups.has(guid) else accounts.attributes_with_groups
            found = await self._search(connection, dn, codec.SCOPE_BASE, codec.ANYTHING, wanted)
            account = Account(*found[0]) if found else None
            if account is not None and accounts.answers_to(account, name):
                return account
            self._found.drop(key)
        found = await self._search(connection, self._base, codec.SCOPE_SUBTREE, accounts.matching(name), accounts.attributes)
        account = await self._first(connection, name) if len(found) > 1 else self._only(found, name)
        if account is not None:
            self._found.put(key, (account.dn.encode(), account.guid))
        return account

    async def _first(self, connection: LdapConnection, name: LoginName) -> Account | None:
        """Of several, who has the name in the attribute that counts most. Searched for again: those who have it in another
        one may have filled the answer. Raises Ambiguous."""
        for matching in self._accounts.by_precedence(name):
            found = await self._search(connection, self._base, codec.SCOPE_SUBTREE, matching, self._accounts.attributes)
            account = self._only(found, name)
            if account is not None:
                return account
        return None

    def _only(self, found: list[tuple[str, Entry]], name: LoginName) -> Account | None:
        """Who of those that were found answers to the name. Raises Ambiguous."""
        answering = [account for entry in found if self._accounts.answers_to(account := Account(*entry), name)]
        if len(answering) > 1:
            raise Ambiguous(name.text, tuple(account.dn for account in answering))
        return answering[0] if answering else None

    async def identify(self, connection: LdapConnection, account: Account, give_up: float = math.inf) -> DirectoryIdentity:
        """Who it is, groups included; give_up: time.monotonic(). Raises LdapConnectionError, ServerRefused."""
        groups = await self._groups.of(connection, account, give_up)
        return self._accounts.identity(account, groups, connection.directory)

    def reference(self, connection: LdapConnection, account: Account) -> DirectoryObject:
        """Which object of which directory it is. Costs the server nothing."""
        return DirectoryObject(connection.directory, self._accounts.object_guid(account))

    async def _search(
        self, connection: LdapConnection, base: bytes, scope: int, matching: bytes, attributes: bytes
    ) -> list[tuple[str, Entry]]:
        timeout = self._settings.search_timeout
        return await connection.search(base, scope, matching, attributes, limit=_MOST, timeout=timeout)
