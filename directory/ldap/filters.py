"""Which entries are users: the filter that is part of every search for a name.

An administrator writes it as text (RFC 4515). ldap3 reads that, once, and only where there is one: no sign-in waits for it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from directory.errors import SettingsProblem
from directory.ldap import codec
from directory.settings import DirectorySettings


class UserFilter(NamedTuple):
    """As it is written, as LDAP carries it, and the attributes in it."""

    text: str
    encoded: bytes
    attributes: tuple[str, ...]


def _classes(*names: bytes) -> list[bytes]:
    return [codec.equals(b"objectClass", name) for name in names]


_DEFAULTS = {
    # Contacts are persons too, computers are users too (MS-ADTS section 3.1.1.2.4.8)
    "ad": UserFilter(
        "(&(objectCategory=person)(objectClass=user))",
        codec.all_of((codec.equals(b"objectCategory", b"person"), *_classes(b"user"))),
        (),
    ),
    # RFC 4519 section 3.12, RFC 4524 section 3.1, RFC 2307 section 4
    "ldap": UserFilter(
        "(|(objectClass=person)(objectClass=account)(objectClass=posixAccount))",
        codec.any_of(_classes(b"person", b"account", b"posixAccount")),
        (),
    ),
}


def user_filter(settings: DirectorySettings) -> UserFilter:
    """The one of the settings, else that of the kind. Raises SettingsProblem."""
    text = settings.user_filter.strip()
    return read_filter(text) if text else _DEFAULTS[settings.kind]


def read_filter(text: str, setting: str = "user_filter") -> UserFilter:
    """A filter as an administrator writes it (RFC 4515). setting: where it stands. Raises SettingsProblem."""
    from ldap3.core.exceptions import LDAPException
    from ldap3.operation.search import compile_filter, parse_filter
    from pyasn1.codec.ber import encoder
    from pyasn1.error import PyAsn1Error

    try:
        root = parse_filter(text, None, False, False, None, False).elements[0]
        encoded = encoder.encode(compile_filter(root))
    except (LDAPException, PyAsn1Error, ValueError) as error:
        remedy = "Write it as in (&(objectClass=person)(!(employeeType=robot))), in brackets (RFC 4515)."
        raise SettingsProblem(setting, f"{text!r} is not an LDAP filter ({error})", remedy) from error
    return UserFilter(text, encoded, tuple(dict.fromkeys(_attributes(root))))


def _attributes(node: Any) -> list[str]:
    own = [node.assertion["attr"]] if node.assertion and node.assertion.get("attr") else []
    return own + [name for element in node.elements for name in _attributes(element)]
