"""Group memberships, nested ones and the primary group included."""

from __future__ import annotations

from directory.ldap import LdapConnection, codec
from directory.ldap.values import format_sid
from directory.model import DirectoryGroup
from directory.people.accounts import Account
from directory.people.cache import Cache
from directory.settings import DirectorySettings

_TOKEN_GROUPS = codec.attribute_list(("tokenGroups",))
_NAME = codec.attribute_list(("sAMAccountName", "cn"))
_GROUP = codec.attribute_list(("cn", "entryUUID"))
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
        self._names: Cache[DirectoryGroup] = Cache(settings.cache_entries, settings.names_cache_seconds)
        self._memberships: Cache[tuple[_Direct, tuple[DirectoryGroup, ...]]] = Cache(
            settings.cache_entries, settings.groups_cache_seconds
        )

    async def of(self, connection: LdapConnection, account: Account) -> tuple[DirectoryGroup, ...]:
        """The groups of an account. Raises LdapConnectionError, ServerRefused."""
        if not self._settings.groups:
            return ()
        direct = _direct(account)
        known = self._memberships.get(account.guid)
        if known is not None and known[0] == direct:
            return known[1]
        groups = await (
            self._by_token(connection, account) if self._settings.kind == "ad" else self._by_member(connection, account)
        )
        self._memberships.put(account.guid, (direct, groups))
        return groups

    def has(self, guid: bytes) -> bool:
        """Whether memberships are at hand, so that the entry may be read without tokenGroups."""
        return not self._settings.groups or self._memberships.get(guid) is not None

    # -- Active Directory

    async def _by_token(self, connection: LdapConnection, account: Account) -> tuple[DirectoryGroup, ...]:
        """tokenGroups: what the domain controller itself would put into a token (MS-ADTS section 3.1.1.4.5.19)."""
        tokens = account.entry.get(b"tokengroups")
        if tokens is None:
            found = await self._search(connection, account.dn.encode(), codec.SCOPE_BASE, codec.ANYTHING, _TOKEN_GROUPS)
            tokens = found[0][1].get(b"tokengroups", []) if found else []
        return tuple([await self._name(connection, sid) for sid in tokens])

    async def _name(self, connection: LdapConnection, sid: bytes) -> DirectoryGroup:
        known = self._names.get(sid)
        if known is None:
            text = format_sid(sid)
            found = await self._search(connection, f"<SID={text}>".encode(), codec.SCOPE_BASE, codec.ANYTHING, _NAME)
            name = text
            for _, entry in found:
                name = next((entry[key][0].decode() for key in (b"samaccountname", b"cn") if entry.get(key)), text)
            known = DirectoryGroup(text, name)
            self._names.put(sid, known)
        return known

    # -- other directories

    async def _by_member(self, connection: LdapConnection, account: Account) -> tuple[DirectoryGroup, ...]:
        found: dict[str, DirectoryGroup] = {}
        wave = [account.dn]
        for _ in range(_DEPTH):
            if not wave or len(found) >= _MOST:
                break
            wanted = [codec.equals(attribute, dn.encode()) for dn in wave for attribute in (b"member", b"uniqueMember")]
            entries = await self._search(
                connection, self._settings.base_dn.encode(), codec.SCOPE_SUBTREE, codec.any_of(wanted), _GROUP
            )
            wave = [dn for dn, _ in entries if dn not in found]
            for dn, entry in entries:
                sid = (entry.get(b"entryuuid") or [dn.encode()])[0].decode()
                found.setdefault(dn, DirectoryGroup(sid, (entry.get(b"cn") or [dn.encode()])[0].decode()))
        return tuple(found.values())

    async def _search(
        self, connection: LdapConnection, base: bytes, scope: int, matching: bytes, attributes: bytes
    ) -> list[tuple[str, codec.Entry]]:
        timeout = self._settings.search_timeout
        return await connection.search(base, scope, matching, attributes, limit=_MOST, timeout=timeout)
