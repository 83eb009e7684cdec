"""Accounts: how a person is searched for, and how an entry becomes an identity."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass

from directory.credentials.guard import Counters, from_filetime
from directory.credentials.policies import integer_of
from directory.errors import Ambiguous
from directory.ldap import codec
from directory.ldap.codec import Entry
from directory.model import Group, Identity
from directory.people.names import LoginName
from directory.settings import DirectorySettings

_AD = (
    "objectGUID", "objectSid", "userPrincipalName", "sAMAccountName", "mail", "displayName", "givenName", "sn",
    "badPwdCount", "badPasswordTime", "lockoutTime", "msDS-ResultantPSO", "memberOf", "primaryGroupID",
)  # fmt: skip
_LDAP = ("entryUUID", "nsUniqueId", "uid", "mail", "displayName", "cn", "givenName", "sn", "memberOf")


@dataclass(frozen=True, slots=True)
class Account:
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

    @property
    def resultant_policy(self) -> bytes | None:
        """DN of its fine-grained password policy, if there is one."""
        values = self.entry.get(b"msds-resultantpso")
        return values[0] if values else None

    @property
    def shows_count(self) -> bool:
        """Whether it came with a count of wrong passwords."""
        return b"badpwdcount" in self.entry

    @property
    def counters(self) -> Counters:
        """What this domain controller knows of its wrong passwords."""
        entry = self.entry
        return Counters(
            bad_count=integer_of(entry, b"badpwdcount"),
            bad_time=from_filetime(integer_of(entry, b"badpasswordtime")),
            locked_at=from_filetime(integer_of(entry, b"lockouttime")),
            computed=None,  # constructed: it would cost 0.2 ms a search and says no more than lockoutTime and the policy
        )


class Accounts:
    """What to ask one directory for."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._is_ad = settings.kind == "ad"
        names = (_AD if self._is_ad else _LDAP) + settings.attributes
        self.attributes = codec.attribute_list(names)
        self.attributes_with_groups = codec.attribute_list((*names, "tokenGroups")) if self._is_ad else self.attributes
        self._wanted = [(name, name.lower().encode()) for name in settings.attributes]
        default = ("userPrincipalName",) if self._is_ad else ("uid", "mail")
        self._login = [name.encode() for name in settings.login_attributes or default]

    def matching(self, name: LoginName) -> bytes:
        """The filter for a name. Values travel by length: nothing needs escaping (RFC 4511 section 4.5.1.7)."""
        if not self._is_ad:
            alternatives = [codec.equals(attribute, name.text.encode()) for attribute in self._login]
            if name.netbios or name.suffix in self._own_suffixes:
                alternatives += [codec.equals(b"uid", name.user.encode())]
            return codec.any_of(alternatives)
        alternatives = [] if name.netbios else [codec.equals(each, name.text.encode()) for each in self._login]
        if not name.suffix or name.suffix == self._settings.name.lower():
            # DOMAIN\\name, a bare name, and the implicit UPN name@domain (MS-ADTS section 5.1.1.1.1)
            alternatives.append(codec.equals(b"sAMAccountName", name.user.encode()))
        return codec.all_of((codec.equals(b"objectCategory", b"person"), codec.any_of(alternatives)))

    def answers_to(self, account: Account, name: LoginName) -> bool:
        """Whether an account read by its DN still has the name by which it was once found."""
        typed = {name.text.casefold().encode(), name.user.casefold().encode()}
        return _has(account, [b"samaccountname", b"uid", *self._login], typed)

    def is_called(self, account: Account, name: LoginName) -> bool:
        """Whether a login attribute holds the very name that was typed."""
        return _has(account, self._login, {name.text.casefold().encode()})

    def choose(self, name: LoginName, found: list[Account]) -> Account:
        """The account meant, of at least one found. One that has the name itself comes before one that it is merely implied
        for, as in AD's own order (MS-ADTS section 5.1.1.1.1). Raises Ambiguous."""
        if len(found) > 1:
            explicit = [account for account in found if self.is_called(account, name)]
            if len(explicit) != 1:
                raise Ambiguous(name.text, tuple(account.dn for account in found))
            return explicit[0]
        return found[0]

    def identity(self, account: Account, groups: tuple[Group, ...]) -> Identity:
        """Who it is."""
        entry = account.entry
        login = _text(entry, b"userprincipalname" if self._is_ad else b"uid")
        account_name = _text(entry, b"samaccountname" if self._is_ad else b"uid")
        return Identity(
            object_guid=_guid(account.guid, self._is_ad),
            user_name=login or f"{account_name}@{self._settings.name}",
            domain=self._settings.name,
            sid=format_sid(entry[b"objectsid"][0]) if entry.get(b"objectsid") else "",
            account_name=account_name,
            mail=_text(entry, b"mail"),
            display_name=_text(entry, b"displayname") or _text(entry, b"cn"),
            given_name=_text(entry, b"givenname"),
            surname=_text(entry, b"sn"),
            dn=account.dn,
            groups=groups,
            attributes={name: tuple(map(_printable, entry[key])) for name, key in self._wanted if entry.get(key)},
        )

    @property
    def _own_suffixes(self) -> set[str]:
        return {self._settings.name.lower(), *(suffix.lower() for suffix in self._settings.upn_suffixes)}


def _has(account: Account, names: list[bytes], wanted: set[bytes]) -> bool:
    values = (value.decode("utf-8", "replace") for each in names for value in account.entry.get(each.lower(), ()))
    return any(value.casefold().encode() in wanted for value in values)


def format_sid(raw: bytes) -> str:
    """A binary SID as `S-1-…` (MS-DTYP section 2.4.2)."""
    authority = int.from_bytes(raw[2:8], "big")
    parts = [int.from_bytes(raw[at : at + 4], "little") for at in range(8, 8 + 4 * raw[1], 4)]
    return "-".join(map(str, ("S", raw[0], authority, *parts)))


def _guid(raw: bytes, is_ad: bool) -> str:
    if is_ad and len(raw) == 16:
        return str(uuid.UUID(bytes_le=raw))
    return raw.decode("utf-8", "replace").lower()


def _text(entry: Entry, name: bytes) -> str:
    values = entry.get(name)
    return values[0].decode("utf-8", "replace") if values else ""


def _printable(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
    return text if text.isprintable() else base64.b64encode(value).decode()
