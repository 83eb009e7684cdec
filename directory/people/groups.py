"""Group memberships, nested ones and the primary group included."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Generic, TypeVar

from directory.ldap import codec
from directory.ldap.connection import Link
from directory.model import Group
from directory.people.accounts import Account, format_sid
from directory.settings import DirectorySettings

V = TypeVar("V")

_TOKEN_GROUPS = codec.attribute_list(("tokenGroups",))
_NAME = codec.attribute_list(("sAMAccountName", "cn"))
_GROUP = codec.attribute_list(("cn", "entryUUID"))
_DEPTH = 8
"""Nesting that is followed in a directory without tokenGroups."""
_MOST = 2000
"""Groups of one person at most."""


class Cache(Generic[V]):
    """Bounded, with an end for each entry; the least recently used goes first."""

    def __init__(self, entries: int, seconds: float) -> None:
        self._entries, self._seconds = entries, seconds
        self._kept: OrderedDict[bytes, tuple[float, V]] = OrderedDict()

    def get(self, key: bytes) -> V | None:
        """What was kept, unless it is too old."""
        kept = self._kept.get(key)
        if kept is None or kept[0] <= time.monotonic():
            return None
        self._kept.move_to_end(key)
        return kept[1]

    def put(self, key: bytes, value: V) -> None:
        """Keep it."""
        if self._seconds <= 0:
            return
        self._kept[key] = (time.monotonic() + self._seconds, value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)

    def drop(self, key: bytes) -> None:
        """Forget it."""
        self._kept.pop(key, None)


_Direct = tuple[tuple[bytes, ...], tuple[bytes, ...]]


def _direct(account: Account) -> _Direct:
    """The direct memberships, which came with the account: where they changed, what is kept no longer holds."""
    entry = account.entry
    return tuple(sorted(entry.get(b"memberof", ()))), tuple(entry.get(b"primarygroupid", ()))


class Groups:
    """Reads memberships; names are kept for `names_cache_seconds`, nested memberships for `groups_cache_seconds`."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._names: Cache[Group] = Cache(settings.cache_entries, settings.names_cache_seconds)
        self._memberships: Cache[tuple[_Direct, tuple[Group, ...]]] = Cache(
            settings.cache_entries, settings.groups_cache_seconds
        )

    async def of(self, link: Link, account: Account) -> tuple[Group, ...]:
        """The groups of an account. Raises LinkError, ServerRefused."""
        if not self._settings.groups:
            return ()
        direct = _direct(account)
        known = self._memberships.get(account.guid)
        if known is not None and known[0] == direct:
            return known[1]
        groups = await (self._by_token(link, account) if self._settings.kind == "ad" else self._by_member(link, account))
        self._memberships.put(account.guid, (direct, groups))
        return groups

    def has(self, guid: bytes) -> bool:
        """Whether memberships are at hand, so that the entry may be read without tokenGroups."""
        return not self._settings.groups or self._memberships.get(guid) is not None

    # -- Active Directory

    async def _by_token(self, link: Link, account: Account) -> tuple[Group, ...]:
        """tokenGroups: what the domain controller itself would put into a token (MS-ADTS section 3.1.1.4.5.19)."""
        tokens = account.entry.get(b"tokengroups")
        if tokens is None:
            found = await self._search(link, account.dn.encode(), codec.SCOPE_BASE, codec.ANYTHING, _TOKEN_GROUPS)
            tokens = found[0][1].get(b"tokengroups", []) if found else []
        return tuple([await self._name(link, sid) for sid in tokens])

    async def _name(self, link: Link, sid: bytes) -> Group:
        known = self._names.get(sid)
        if known is None:
            text = format_sid(sid)
            found = await self._search(link, f"<SID={text}>".encode(), codec.SCOPE_BASE, codec.ANYTHING, _NAME)
            name = text
            for _, entry in found:
                name = next((entry[each][0].decode() for each in (b"samaccountname", b"cn") if entry.get(each)), text)
            known = Group(text, name)
            self._names.put(sid, known)
        return known

    # -- other directories

    async def _by_member(self, link: Link, account: Account) -> tuple[Group, ...]:
        found: dict[str, Group] = {}
        wave = [account.dn]
        for _ in range(_DEPTH):
            if not wave or len(found) >= _MOST:
                break
            wanted = [codec.equals(each, dn.encode()) for dn in wave for each in (b"member", b"uniqueMember")]
            entries = await self._search(
                link, self._settings.base_dn.encode(), codec.SCOPE_SUBTREE, codec.any_of(wanted), _GROUP
            )
            wave = [dn for dn, _ in entries if dn not in found]
            for dn, entry in entries:
                sid = (entry.get(b"entryuuid") or [dn.encode()])[0].decode()
                found.setdefault(dn, Group(sid, (entry.get(b"cn") or [dn.encode()])[0].decode()))
        return tuple(found.values())

    async def _search(
        self, link: Link, base: bytes, scope: int, matching: bytes, attributes: bytes
    ) -> list[tuple[str, codec.Entry]]:
        timeout = self._settings.search_timeout
        return await link.search(base, scope, matching, attributes, limit=_MOST, timeout=timeout)
