"""From a name to an account, and from an account to an identity, on a connection that somebody lends."""

from __future__ import annotations

import math

from directory.errors import Ambiguous, StateUnreadable
from directory.ldap import Entry, LdapConnection, codec
from directory.model import AccountStatus, DirectoryIdentity, DirectoryObject, PersonReference
from directory.people.accounts import CERTAIN, Account, Accounts, Rank, choose
from directory.people.cache import Cache
from directory.people.groups import Groups
from directory.people.names import LoginName, parse_name
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
        key = name.text.lower().encode()
        accounts = self._accounts
        known = self._found.get(key)
        if known is not None:
            # Reading a DN costs the server less than a search. Whether it still has the name, and the one that was typed,
            # is the server's to say: two names with one key, or a name that another account has by now, are searched for
            dn, guid = known
            wanted = accounts.attributes if self._groups.has(guid) else accounts.attributes_with_groups
            found = await self._search(connection, dn, codec.SCOPE_BASE, accounts.confirming(name), wanted)
            account = Account(*found[0]) if found else None
            if account is not None and accounts.rank(account, name) == CERTAIN:
                return account
            self._found.drop(key)
        answering = await self._answering(connection, name)
        if not answering:
            return None
        rank, account = choose(name, answering)
        if rank == CERTAIN:  # of others somebody else may be called so in a moment
            self._found.put(key, (account.dn.encode(), account.guid))
        return account

    async def _answering(self, connection: LdapConnection, name: LoginName) -> list[tuple[Rank, Account]]:
        """The accounts that answer to a name: all of them, or those with the best claim where there are many."""
        accounts = self._accounts

        async def search(matching: bytes) -> tuple[list[tuple[Rank, Account]], bool]:
            found = await self._search(connection, self._base, codec.SCOPE_SUBTREE, matching, accounts.attributes)
            ranked = [(accounts.rank(account, name), account) for account in (Account(*entry) for entry in found)]
            return [(rank, account) for rank, account in ranked if rank is not None], len(found) >= _MOST

        answering, too_many = await search(accounts.matching(name))
        if too_many:  # whoever is meant may not be among them
            for matching in accounts.by_precedence(name):
                answering, _ = await search(matching)
                if answering:
                    break
        return answering

    async def find_person(self, connection: LdapConnection, person: PersonReference) -> Account | None:
        """The account that is meant, read with what its state follows from; of a GUID, a SID or a name.

        Raises Ambiguous, LdapConnectionError, ServerRefused.
        """
        accounts, base, scope = self._accounts, self._base, codec.SCOPE_SUBTREE
        matching: bytes | None
        if person.user_name:
            name = parse_name(person.user_name)
            named = await self.find(connection, name) if name is not None else None
            if named is None:
                return None
            base, scope, matching = named.dn.encode(), codec.SCOPE_BASE, accounts.users
        elif person.sid:
            matching = accounts.with_sid(person.sid)
        else:
            matching = accounts.with_guid(person.object_guid)
        if matching is None:
            return None
        found = await self._search(connection, base, scope, matching, accounts.attributes_with_state)
        if len(found) > 1:
            raise Ambiguous(person.text, tuple(dn for dn, _ in found))
        return Account(*found[0]) if found else None

    def status(self, account: Account, now: float) -> AccountStatus:
        """Of what `find_person` found; now: Unix seconds on the server's clock. Raises StateUnreadable."""
        status = self._accounts.status(account, now)
        if status is None:
            raise StateUnreadable(self._settings.name, account.dn)
        return status

    @property
    def offered(self) -> tuple[str, ...]:
        """The attributes that an identity may have beside its fields."""
        return self._settings.attributes

    def password_set(self, account: Account) -> float:
        """When the password of an account was set, Unix seconds; 0 where that is not known."""
        return self._accounts.password_set(account)

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
