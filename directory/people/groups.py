"""Group memberships, nested ones and the primary group included."""

from __future__ import annotations

import math
import time

from directory.ldap import LdapConnection, codec
from directory.ldap.naming_contexts import domain_root
from directory.ldap.values import format_sid, text_of
from directory.model import DirectoryGroup
from directory.people.accounts import Account
from directory.people.cache import Cache
from directory.settings import DirectorySettings

_TOKEN_GROUPS = codec.attribute_list(("tokenGroups",))
_NAME = codec.attribute_list(("objectSid", "sAMAccountName", "cn"))
_GROUP = codec.attribute_list(("cn", "entryUUID"))
_BATCH = 250
"""Groups that one search asks for. One search for each took 23 s for 1,012 groups at 20 ms; Active Directory gives 1,000
entries for one search, and the time that it needs for a filter grows faster than the filter."""
_DEPTH = 8
"""Nesting that is followed in a directory without tokenGroups."""
_MOST = 2000
"""Groups of one person at most."""

_Direct = tuple[tuple[bytes, ...], tuple[bytes, ...]]


def _direct(account: Account) -> _Direct:
    """The direct memberships, which came with the account: where they changed, what is kept no longer holds."""
    entry = account.entry
    return tuple(sorted(entry.get(b"memberof", ()))), tuple(entry.get(b"primarygroupid", ()))


class Groups:
    """Reads memberships; names are kept for `names_cache_seconds`, nested memberships for `groups_cache_seconds`."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._root = domain_root(settings.base_dn).encode()
        """Groups are anywhere in the domain, those of CN=Builtin as well."""
        self._names: Cache[DirectoryGroup] = Cache(settings.cache_entries, settings.names_cache_seconds)
        self._memberships: Cache[tuple[_Direct, tuple[DirectoryGroup, ...]]] = Cache(
            settings.cache_entries, settings.groups_cache_seconds
        )

    async def of(
        self, connection: LdapConnection, account: Account, give_up: float = math.inf
    ) -> tuple[DirectoryGroup, ...]:
        """The groups of an account; give_up: time.monotonic(). Raises LdapConnectionError, ServerRefused."""
        if not self._settings.groups:
            return ()
        direct = _direct(account)
        known = self._memberships.get(account.guid)
        if known is not None and known[0] == direct:
            return known[1]
        search = _Search(self._settings, connection, give_up)
        groups = await (self._by_token(search, account) if self._settings.kind == "ad" else self._by_member(search, account))
        self._memberships.put(account.guid, (direct, groups))
        return groups

    def has(self, guid: bytes) -> bool:
        """Whether memberships are at hand, so that the entry may be read without tokenGroups."""
        return not self._settings.groups or self._memberships.get(guid) is not None

    # -- Active Directory

    async def _by_token(self, search: _Search, account: Account) -> tuple[DirectoryGroup, ...]:
        """tokenGroups: what the domain controller itself would put into a token (MS-ADTS section 3.1.1.4.5.19)."""
        tokens = account.entry.get(b"tokengroups")
        if tokens is None:
            found = await search(account.dn.encode(), codec.SCOPE_BASE, codec.ANYTHING, _TOKEN_GROUPS)
            tokens = found[0][1].get(b"tokengroups", []) if found else []
        named = {sid: group for sid in tokens if (group := self._names.get(sid)) is not None}
        unknown = [sid for sid in tokens if sid not in named]
        for first in range(0, len(unknown), _BATCH):
            named |= await self._named(search, unknown[first : first + _BATCH])
        return tuple([named[sid] for sid in tokens])

    async def _named(self, search: _Search, sids: list[bytes]) -> dict[bytes, DirectoryGroup]:
        """Those groups, by SID. One of another domain, or that may not be read, has its SID for a name."""
        wanted = codec.any_of([codec.equals(b"objectSid", sid) for sid in sids])
        found = await search(self._root, codec.SCOPE_SUBTREE, wanted, _NAME)
        names = {
            entry[b"objectsid"][0]: text_of(entry, b"samaccountname") or text_of(entry, b"cn")
            for _, entry in found
            if entry.get(b"objectsid")
        }
        groups = {}
        for sid in sids:
            text = format_sid(sid)
            groups[sid] = DirectoryGroup(text, names.get(sid) or text)
            self._names.put(sid, groups[sid])
        return groups

    # -- other directories

    async def _by_member(self, search: _Search, account: Account) -> tuple[DirectoryGroup, ...]:
        found: dict[str, DirectoryGroup] = {}
        wave = [account.dn]
        for _ in range(_DEPTH):
            if not wave or len(found) >= _MOST:
                break
            above: list[str] = []
            for first in range(0, len(wave), _BATCH):
                for dn, entry in await self._groups_with(search, wave[first : first + _BATCH]):
                    if dn not in found:
                        sid = text_of(entry, b"entryuuid") or dn
                        found[dn] = DirectoryGroup(sid, text_of(entry, b"cn") or dn)
                        above.append(dn)
            wave = above
        return tuple(found.values())

    async def _groups_with(self, search: _Search, members: list[str]) -> list[tuple[str, codec.Entry]]:
        wanted = [codec.equals(attribute, dn.encode()) for dn in members for attribute in (b"member", b"uniqueMember")]
        return await search(self._settings.base_dn.encode(), codec.SCOPE_SUBTREE, codec.any_of(wanted), _GROUP)


class _Search:
    """Searches on one connection, each within its own time and all before the deadline."""

    def __init__(self, settings: DirectorySettings, connection: LdapConnection, give_up: float) -> None:
        self._connection, self._seconds, self._give_up = connection, settings.search_timeout, give_up

    async def __call__(self, base: bytes, scope: int, matching: bytes, attributes: bytes) -> list[tuple[str, codec.Entry]]:
        timeout = max(0.05, min(self._seconds, self._give_up - time.monotonic()))
        return await self._connection.search(base, scope, matching, attributes, limit=_MOST, timeout=timeout)
