"""Accounts: how a person is searched for, and how an entry becomes an identity. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from directory.errors import Ambiguous
from directory.ldap import codec
from directory.ldap.codec import Entry
from directory.ldap.filters import user_filter
from directory.ldap.values import as_text, format_guid, format_sid, parse_guid, parse_sid, text_of
from directory.model import AccountStatus, DirectoryGroup, DirectoryIdentity
from directory.people.names import LoginName, fold, spellings
from directory.people.states import AD_STATE, LDAP_STATE, password_set, status_of
from directory.settings import DirectorySettings

_AD = (
    "objectGUID", "objectSid", "userPrincipalName", "sAMAccountName", "mail", "displayName", "givenName", "sn",
    "badPwdCount", "badPasswordTime", "lockoutTime", "msDS-ResultantPSO", "pwdLastSet", "memberOf", "primaryGroupID",
)  # fmt: skip
"""What the lockout guard and the minimum age of a password need comes with the rest: a second search would cost double."""
_LDAP = ("entryUUID", "nsUniqueId", "uid", "mail", "displayName", "cn", "givenName", "sn", "memberOf", "pwdChangedTime")


Rank = tuple[int, bool]
CERTAIN: Rank = 0, False
"""The attribute that counts before all others holds the name as it was typed: nobody else can be meant."""


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


def choose(name: LoginName, answering: Sequence[tuple[Rank, Account]]) -> tuple[Rank, Account]:
    """The account meant, of those that answer to a name. The attributes' order decides: one that has the name itself comes
    before one that it is merely implied for, as in AD's own order (MS-ADTS section 5.1.1.1.1). Then the spelling: one that
    has it as typed comes before one that has it with marks. Raises Ambiguous."""
    best = min(rank for rank, _ in answering)
    meant = [account for rank, account in answering if rank == best]
    if len(meant) > 1:
        raise Ambiguous(name.text, tuple(account.dn for account in meant))
    return best, meant[0]


class Accounts:
    """What one directory is asked for about people, and how its entries are read; by `kind` and login attributes."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._is_ad = settings.kind == "ad"
        names = tuple(dict.fromkeys((*(_AD if self._is_ad else _LDAP), *settings.login_attributes, *settings.attributes)))
        self.attributes = codec.attribute_list(names)
        self.attributes_with_groups = codec.attribute_list((*names, "tokenGroups")) if self._is_ad else self.attributes
        self.attributes_with_state = codec.attribute_list((*names, *(AD_STATE if self._is_ad else LDAP_STATE)))
        self._wanted = [(name, name.lower().encode()) for name in settings.attributes]
        default = ("userPrincipalName",) if self._is_ad else ("uid", "mail")
        self._login = [name.encode() for name in settings.login_attributes or default]
        self._users = user_filter(settings).encoded
        self._account_name = b"sAMAccountName" if self._is_ad else b"uid"
        domains = (settings.name, settings.netbios_name, *(() if self._is_ad else settings.upn_suffixes))
        listed = [attribute.lower() for attribute in self._login]
        stands_for = b"userprincipalname" if self._is_ad else b"uid"
        self._implied_at = listed.index(stands_for) + 1 if stands_for in listed else len(listed)
        """Place of the implicit name `name@domain` (MS-ADTS section 5.1.1.1.1): after the attribute that it stands for."""
        self._domains = {domain.lower() for domain in domains if domain}
        """What may stand after the @ behind an account name, as well as before a backslash."""

    def matching(self, name: LoginName) -> bytes:
        """The filter for a name. Values travel by length: nothing needs escaping (RFC 4511 section 4.5.1.7)."""
        return self._filter(self._readings(name))

    def by_precedence(self, name: LoginName) -> list[bytes]:
        """A filter for each attribute that may hold the name; who is found by the first is meant before all others."""
        return [self._filter([reading]) for reading in self._readings(name)]

    def confirming(self, name: LoginName) -> bytes:
        """The filter that only accounts pass of which it is certain that no other one is meant before them."""
        return self._filter(self._readings(name)[:1])

    def rank(self, account: Account, name: LoginName) -> Rank | None:
        """How an account holds the name that was typed, in one of its few spellings (see `spellings`): place of the
        attribute, and whether with marks or separators that were not typed. The lower, the sooner is the account meant.

        None where it does not answer to the name. What a directory takes for equal beyond those spellings is refused: smart
        lockout counts by spelling until it knows the account.
        """
        for place, (attribute, value) in enumerate(self._readings(name)):
            values = account.entry.get(attribute.lower())
            if not values:
                continue
            typed, held = fold(value), [one.decode("utf-8", "replace") for one in values]
            if typed in map(fold, held):
                return place, False
            if any(typed in spellings(one) for one in held):
                return place, True
        return None

    def _readings(self, name: LoginName) -> list[tuple[bytes, str]]:
        """Which attributes may hold what of the name: who has it in an earlier one is meant before who has it in a later."""
        account_name = (self._account_name, name.user)
        if name.netbios:  # an account name of that domain and, in other directories, whatever people sign in with there
            others = [] if self._is_ad else [(attribute, name.user) for attribute in self._login]
            return list(dict.fromkeys((*others, account_name)))
        readings = [(attribute, name.text) for attribute in self._login]
        if self._is_ad and not name.suffix:
            readings.insert(0, account_name)
        elif name.suffix in self._domains:
            readings.insert(self._implied_at, account_name)
        return readings

    def _filter(self, readings: list[tuple[bytes, str]]) -> bytes:
        held = codec.any_of([codec.equals(attribute, value.encode()) for attribute, value in readings])
        return codec.all_of((held, self._users))

    def with_guid(self, guid: str) -> bytes | None:
        """The filter for whoever is that object, as far as it is a user; None where no object can be called so."""
        if not self._is_ad:
            if "\0" in guid:
                return None
            value = guid.encode("utf-8", "replace")
            held = codec.any_of([codec.equals(attribute, value) for attribute in (b"entryUUID", b"nsUniqueId")])
            return codec.all_of((held, self._users))
        raw = parse_guid(guid)
        return codec.all_of((codec.equals(b"objectGUID", raw), self._users)) if raw is not None else None

    def with_sid(self, sid: str) -> bytes | None:
        """The filter for the user with that SID; None where there can be none."""
        raw = parse_sid(sid) if self._is_ad else None
        return codec.all_of((codec.equals(b"objectSid", raw), self._users)) if raw is not None else None

    @property
    def users(self) -> bytes:
        """The filter that users pass."""
        return self._users

    def status(self, account: Account, now: float) -> AccountStatus | None:
        """The state of an account that was read with `attributes_with_state`; None where the entry does not say it.

        now: Unix seconds on the server's clock."""
        return status_of(account.entry, active_directory=self._is_ad, now=now)

    def password_set(self, account: Account) -> float:
        """When its password was set, Unix seconds; 0 where that is not known."""
        return password_set(account.entry, active_directory=self._is_ad)

    def object_guid(self, account: Account) -> str:
        """objectGUID or entryUUID as text."""
        return format_guid(account.guid) if self._is_ad else account.guid.decode("utf-8", "replace").lower()

    def identity(self, account: Account, groups: tuple[DirectoryGroup, ...], directory: str = "") -> DirectoryIdentity:
        """Who it is. directory: what the directory says of itself."""
        entry = account.entry
        account_name = text_of(entry, self._account_name.lower())
        return DirectoryIdentity(
            object_guid=self.object_guid(account),
            user_name=self._user_name(entry, account_name),
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

    def _user_name(self, entry: Entry, account_name: str) -> str:
        if self._is_ad:
            return text_of(entry, b"userprincipalname") or f"{account_name}@{self._settings.name}"
        return account_name or next(filter(None, (text_of(entry, name.lower()) for name in self._login)), "")
