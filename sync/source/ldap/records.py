"""Records of LDAP servers as changes. Pure.

Entries come whole, or named as unchanged or deleted. Links name others by DN: servers do not tell identifiers with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from directory import DirectoryRecord, RecordKind
from sync.distinguished_names import normal_dn
from sync.model import ChangeKind, LinkTarget, ObjectKind, Plain, SourceChange
from sync.source.attributes import AttributeType
from sync.source.links import How, ToldLinks, with_links
from sync.source.schema import Schema, read_values

KINDS = {
    # RFC 4519 section 3, RFC 4524 section 3.1, RFC 2798, RFC 2307 section 4
    "person": ObjectKind.USER,
    "organizationalperson": ObjectKind.USER,
    "residentialperson": ObjectKind.USER,
    "inetorgperson": ObjectKind.USER,
    "account": ObjectKind.USER,
    "posixaccount": ObjectKind.USER,
    "groupofnames": ObjectKind.GROUP,
    "groupofuniquenames": ObjectKind.GROUP,
    "groupofmembers": ObjectKind.GROUP,
    "groupofentries": ObjectKind.GROUP,
    "posixgroup": ObjectKind.GROUP,
}
"""By object class, in lower case."""
_UNIQUE_IDENTIFIER = re.compile(rb"#'[01]*'B$")
"""What may follow a name in `uniqueMember` (RFC 4517 section 3.3.21)."""


def changes_of(record: DirectoryRecord, schema: Schema, kinds: Mapping[str, ObjectKind]) -> Iterator[SourceChange]:
    """What a record says; several changes of the object where it has many links. kinds: of further object classes."""
    if record.kind is RecordKind.DELETED:
        yield SourceChange(ChangeKind.DELETED, record.key, dn=record.dn)
        return
    if record.kind is RecordKind.PRESENT:
        yield SourceChange(ChangeKind.PRESENT, record.key, dn=record.dn)
        return
    values: dict[str, Plain | tuple[Plain, ...]] = {}
    invalid = read_values(schema, record.attributes, values)
    kind = kind_of(record.attributes.get(b"objectclass", []), kinds)
    change = SourceChange(ChangeKind.WHOLE, record.key, kind, record.dn, values=values, invalid=invalid)
    told = [
        ToldLinks(attribute.name, How.ALL, octets)
        for name, octets in record.attributes.items()
        if (attribute := schema.attributes.get(name)) is not None and attribute.type is AttributeType.LINK
    ]
    yield from with_links(change, told, link_target)


def kind_of(classes: list[bytes], kinds: Mapping[str, ObjectKind]) -> ObjectKind:
    """The settings' word counts first; a group that is an account, too, is a group: it has members."""
    names = {name.decode("utf-8", "replace").lower() for name in classes}
    for table in (kinds, KINDS):
        found = {kind for name, kind in table.items() if name in names}
        for kind in (ObjectKind.GROUP, ObjectKind.CONTACT, ObjectKind.USER):
            if kind in found:
                return kind
        if found:
            return ObjectKind.OTHER
    return ObjectKind.OTHER


def link_target(value: bytes) -> LinkTarget:
    """By name, written in one way."""
    return LinkTarget(name=normal_dn(_UNIQUE_IDENTIFIER.sub(b"", value).decode("utf-8", "replace")))
