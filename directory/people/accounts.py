"""Accounts: how a person is searched for, and how an entry becomes an identity. Pure."""

from __future__ import annotations

from msgspec import Struct

from directory.ldap import codec
from directory.ldap.codec import Entry
from directory.ldap.filters import user_filter
from directory.ldap.values import as_text, format_guid, format_sid, text_of
from directory.model import DirectoryGroup, DirectoryIdentity
from directory.people.names import LoginName, fold, spellings
from directory.settings import DirectorySettings

_AD = (
    "objectGUID", "objectSid", "userPrincipalName", "sAMAccountName", "mail", "displayName", "givenName", "sn",
    "badPwdCount", "badPasswordTime", "lockoutTime", "msDS-ResultantPSO", "memberOf", "primaryGroupID",
)  # fmt: skip
"""What the lockout guard reads is asked for with the rest: a search of its own would double what a sign-in costs."""
_LDAP = ("entryUUID", "nsUniqueId", "uid", "mail", "displayName", "cn", "givenName", "sn", "memberOf")


class Account(Struct, frozen=True):
    """An entry that answers to a name."""

    dn: str
    entry: Entry

    @property
    def guid(self) -> bytes:
        """Raw objectGUID or entryUUID: the key of everything that is kept about the account."""
        for name in (b"objectguid", b"entryuuid", b"nsuniqueid"):
            values = self.entry.get(name)
            if values:
                return values[0]
        return self.dn.lower().encode()


class Accounts:
    """What one directory is asked for about people, and how its entries are read; by `kind` and login attributes."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._is_ad = settings.kind == "ad"
        names = tuple(dict.fromkeys((*(_AD if self._is_ad else _LDAP), *settings.login_attributes, *settings.attributes)))
        self.attributes = codec.attribute_list(names)
        self.attributes_with_groups = codec.attribute_list((*names, "tokenGroups")) if self._is_ad else self.attributes
        self._wanted = [(name, name.lower().encode()) for name in settings.attributes]
        default = ("userPrincipalName",) if self._is_ad else ("uid", "mail")
        self._login = [name.encode() for name in settings.login_attributes or default]
        listed = [name.lower() for name in self._login]
        implied = b"userprincipalname" if self._is_ad else b"uid"
        self._implied_at = listed.index(implied) + 1 if implied in listed else len(listed)
        self._users = user_filter(settings).encoded

    def matching(self, name: LoginName) -> bytes:
        """The filter for a name. Values travel by length: nothing needs escaping (RFC 4511 section 4.5.1.7)."""
        return codec.all_of((codec.any_of(self._alternatives(name)), self._users))

    def by_precedence(self, name: LoginName) -> list[bytes]:
        """The parts of that filter, for where it finds several: whom the first one finds is meant, else the second, …"""
        return [codec.all_of((alternative, self._users)) for alternative in self._alternatives(name)]

    def _alternatives(self, name: LoginName) -> list[bytes]:
        """Each attribute that may hold the name. What implies one ranks with the attribute that it implies."""
        account = codec.equals(b"sAMAccountName" if self._is_ad else b"uid", name.user.encode())
        if name.netbios:
            return [account]
        alternatives = [codec.equals(attribute, name.text.encode()) for attribute in self._login]
        if self._is_ad and not name.suffix:
            return [account, *alternatives]
        # The implicit UPN name@domain (MS-ADTS section 5.1.1.1.1), and the same with a uid
        if name.suffix and name.suffix in ({self._settings.name.lower()} if self._is_ad else self._own_suffixes):
            alternatives.insert(self._implied_at, account)
        return alternatives

    def answers_to(self, account: Account, name: LoginName) -> bool:
        """Whether an account has the name that was typed, in one of its few spellings (see `spellings`).

        What a directory takes for equal beyond that is refused: smart lockout counts by spelling until it knows the account.
        """
        typed = {fold(name.text), fold(name.user)}
        held = _values(account, [b"samaccountname", b"uid", *self._login])
        return any(fold(value) in typed or not typed.isdisjoint(spellings(value)) for value in held)

    def object_guid(self, account: Account) -> str:
        """objectGUID or entryUUID as text."""
        return format_guid(account.guid) if self._is_ad else account.guid.decode("utf-8", "replace").lower()

    def identity(self, account: Account, groups: tuple[DirectoryGroup, ...], directory: str = "") -> DirectoryIdentity:
        """Who it is. directory: what the directory says of itself."""
        entry = account.entry
        login = text_of(entry, b"userprincipalname" if self._is_ad else b"uid")
        account_name = text_of(entry, b"samaccountname" if self._is_ad else b"uid")
        return DirectoryIdentity(
            object_guid=self.object_guid(account),
            user_name=login or f"{account_name}@{self._settings.name}",
            domain=self._settings.name,
            sid=format_sid(entry[b"objectsid"][0]) if entry.get(b"objectsid") else "",
            account_name=account_name,
            mail=text_of(entry, b"mail"),
            display_name=text_of(entry, b"displayname") or text_of(entry, b"cn"),
            given_name=text_of(entry, b"givenname"),
            surname=text_of(entry, b"sn"),
            dn=account.dn,
            groups=groups,
            attributes={name: tuple(map(as_text, entry[key])) for name, key in self._wanted if entry.get(key)},
            directory=directory,
        )

    @property
    def _own_suffixes(self) -> set[str]:
        return {self._settings.name.lower(), *(suffix.lower() for suffix in self._settings.upn_suffixes)}


def _values(account: Account, names: list[bytes]) -> list[str]:
    return [value.decode("utf-8", "replace") for name in names for value in account.entry.get(name.lower(), ())]
