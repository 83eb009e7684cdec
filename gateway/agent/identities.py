"""Which part of an entry travels: a directory sets no bound to what is in it, a frame of the protocol has one. Pure."""

from __future__ import annotations

import base64
import operator
from collections.abc import Mapping

from msgspec.structs import replace

import directory
from gateway.protocol import Group, Identity

LONGEST_TEXT = 1024
"""Characters of a name: the bound of userPrincipalName, by far the longest of those that Active Directory bounds."""
LONGEST_VALUE = 160 * 1024
"""Characters of one chosen attribute's value: a thumbnailPhoto has 100 KiB at most, a third more in base64."""
LARGEST_IDENTITY = 512 * 1024
"""Bytes of groups and chosen attributes: half of what a frame takes. AD's most (1,015) groups need about 100 KiB."""

_OVERHEAD = 16
"""Bytes that MessagePack adds to a group, or to a value, at most."""
_FEW_GROUPS = LARGEST_IDENTITY // (4 * (LONGEST_TEXT + 184) + _OVERHEAD)
"""So many fit, whatever they are called (a SID has 184 characters at most): nobody need measure them."""
_NAMES = ("user_name", "sid", "account_name", "mail", "display_name", "given_name", "surname", "dn")
_names = operator.attrgetter(*_NAMES)


def bounded_identity(found: directory.DirectoryIdentity) -> tuple[Identity, list[str]]:
    """What travels, and what does not: each with its size, for the operator.

    What is over its bound is left out whole. A name that was cut would be another name.
    """
    left_out: list[str] = []
    if max(map(len, _names(found))) > LONGEST_TEXT:
        found = _without_long_names(found, left_out)
    groups, left = tuple([_group(group) for group in found.groups]), LARGEST_IDENTITY
    if len(groups) > _FEW_GROUPS or found.attributes:
        groups, left = _fitting(groups, left, left_out)
    identity = Identity(
        object_guid=found.object_guid,
        user_name=found.user_name or found.object_guid,
        domain=found.domain,
        sid=found.sid,
        account_name=found.account_name,
        mail=found.mail,
        display_name=found.display_name,
        given_name=found.given_name,
        surname=found.surname,
        dn=found.dn,
        groups=groups,
        attributes=_attributes(found.attributes, left, left_out) if found.attributes else {},
        directory=found.directory,
    )
    return identity, left_out


def _without_long_names(found: directory.DirectoryIdentity, left_out: list[str]) -> directory.DirectoryIdentity:
    sizes = {name: len(value) for name, value in zip(_NAMES, _names(found), strict=True)}
    too_long = {name: size for name, size in sizes.items() if size > LONGEST_TEXT}
    left_out += [f"{name} ({size} characters)" for name, size in too_long.items()]
    return replace(found, **dict.fromkeys(too_long, ""))


def _group(found: directory.DirectoryGroup) -> Group:
    """One whose name is too long is known by its identifier."""
    return Group(found.sid, found.name if len(found.name) <= LONGEST_TEXT else found.sid)


def _fitting(groups: tuple[Group, ...], left: int, left_out: list[str]) -> tuple[tuple[Group, ...], int]:
    """As many as fit, and the bytes that are left."""
    for number, group in enumerate(groups):
        left -= len(group.sid) + len(group.name.encode()) + _OVERHEAD
        if left < 0:
            left_out.append(f"{len(groups) - number} of {len(groups)} groups")
            return groups[:number], 0
    return groups, left


def _attributes(found: Mapping[str, tuple[str | bytes, ...]], left: int, left_out: list[str]) -> dict[str, tuple[str, ...]]:
    """Each attribute as a whole: half of its values would look like all of them."""
    attributes = {}
    for name, values in found.items():
        texts = tuple(map(_text, values))
        size = len(name) + sum(len(text.encode()) + _OVERHEAD for text in texts)
        if size > left or any(len(text) > LONGEST_VALUE for text in texts):
            left_out.append(f"{name} ({size} bytes)")
        else:
            left -= size
            attributes[name] = texts
    return attributes


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else base64.b64encode(value).decode("ascii")
