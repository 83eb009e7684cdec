"""Groups and networks, as conditions name them and as claims show them. Pure.

A group is what its identifier says: two groups may have one name. A name in a condition therefore means a group of the
person's own domain, a name that looks like an identifier is never one, and what is known of a group of another domain is its
SID alone.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable, Sequence

from foundation.addresses import lies_within
from gateway.federation.claims.model import ClaimsSubject, GroupNames
from gateway.federation.claims.names import fold_case
from gateway.protocol import Group

BUILTIN = "BUILTIN"
"""The domain of the groups that every domain has (MS-DTYP section 2.4.2.4), in AD's English name."""
_BUILTIN_SID = "S-1-5-32-"
_GUID = 36
"""Characters."""
_IDENTIFIER = re.compile(r"s-[0-9]+(?:-[0-9]+)+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
"""A SID, or an entryUUID."""


class Memberships:
    """In which groups a person is, made ready for conditions as far as these ask."""

    def __init__(self, subject: ClaimsSubject) -> None:
        self._subject = subject

    def include(self, names: Iterable[str]) -> bool:
        """Whether one of them is there: SID (or entryUUID), name, or `DOMAIN\\name`; case ignored."""
        return any(self._includes(fold_case(name)) for name in names if name)

    def _includes(self, name: str) -> bool:
        """A text is one of the three by its form, so that a group is none of the others for being named like one."""
        if is_identifier(name):
            return name in self._identifiers
        domain, backslash, bare = name.partition("\\")
        if not backslash:
            return name in self._own or name in self._builtin
        if domain == BUILTIN.lower():
            return bool(bare) and bare in self._builtin
        return bool(bare) and domain == fold_case(self._subject.domain) and bare in self._own

    @functools.cached_property
    def _identifiers(self) -> frozenset[str]:
        """A directory without entryUUID has distinguished names for them, which are none."""
        return frozenset([group.sid.lower() for group in self._subject.groups])

    @functools.cached_property
    def _own(self) -> frozenset[str]:
        home = _home(self._subject)
        return frozenset([fold_case(group.name) for group in self._subject.groups if group.sid.startswith(home)])

    @functools.cached_property
    def _builtin(self) -> frozenset[str]:
        groups = self._subject.groups
        return frozenset([fold_case(group.name) for group in groups if group.sid.startswith(_BUILTIN_SID)])


def is_member(subject: ClaimsSubject, names: Iterable[str]) -> bool:
    """Whether the person is in one of the groups: SID (or entryUUID), name, or `DOMAIN\\name`; case ignored."""
    return Memberships(subject).include(names)


def is_in(subject: ClaimsSubject, networks: Sequence[str]) -> bool:
    """Whether the client's address is in one of the networks; never for what is not an address."""
    return lies_within(subject.address, _networks(tuple(networks)))


def group_labels(subject: ClaimsSubject, form: GroupNames) -> list[str]:
    """What a claim calls the person's groups, in their order. One that is known by its identifier alone, or is named like
    one, is called by its identifier in every form."""
    if form == "sid":
        return [group.sid for group in subject.groups]
    if form == "name":
        names = [group.name for group in subject.groups]
        if _are_plain(names):
            return names
        return [group.sid if is_identifier(group.name) else group.name for group in subject.groups]
    home, own = _home(subject), f"{subject.domain}\\"
    return [_qualified(group, home, own) for group in subject.groups]


def is_identifier(name: str) -> bool:
    """Whether a text looks like a SID or an entryUUID. Cheap for nearly every name, since all of a person's are asked."""
    return (name[1:2] == "-" or len(name) == _GUID) and _IDENTIFIER.fullmatch(name) is not None


def _are_plain(names: Sequence[str]) -> bool:
    """Whether none can look like an identifier: all at once, since one by one they take twice the time of all else."""
    text = "\n" + "\n".join(names)
    return "\nS-" not in text and "\ns-" not in text and _GUID not in map(len, names)


def _qualified(group: Group, home: str, own: str) -> str:
    if is_identifier(group.name):
        return group.sid
    if group.sid.startswith(home):
        return own + group.name
    return f"{BUILTIN}\\{group.name}" if group.sid.startswith(_BUILTIN_SID) else group.sid


def _home(subject: ClaimsSubject) -> str:
    """How the SIDs of the person's own domain begin; in an LDAP directory every identifier does."""
    own = subject.sid.rpartition("-")[0]
    return f"{own}-" if own else ""


@functools.lru_cache(maxsize=1024)
def _networks(texts: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple([ipaddress.ip_network(text, strict=False) for text in texts])
