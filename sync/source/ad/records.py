"""Active Directory's records as changes. Pure.

- The naming attribute (`cn`, `ou`) is never told by DirSync: `name` has the same value (MS-ADTS section 3.1.1.1.4).
- An account is not in `member` of its primary group: it has that group's relative identifier in `primaryGroupID` (MS-ADA3).
  This becomes a link of the account, named by the group's SID. It is not told as a member of the group: when an account's
  primary group changes, the domain controller itself makes it a member of the old group and removes it from the members of
  the new one, in changes of the groups that come before or after the account's own (seen on Samba). Two changes of one set,
  in any order, would lose one of them.
- A foreign security principal stands for an object of another forest, and is named by that object's SID. A link to it has
  both: its key, and the SID as its name.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from directory import DirectoryRecord, RecordKind, format_sid
from sync.distinguished_names import normal_dn
from sync.model import ChangeKind, LinkChange, LinkTarget, ObjectKind, Plain, SourceChange
from sync.source.attributes import AttributeType
from sync.source.links import How, ToldLinks, with_links
from sync.source.schema import Schema, read_values

PRIMARY_GROUP = "primaryGroupID"
"""The link from an account to its primary group."""
NEEDED = ("objectClass", PRIMARY_GROUP)
"""Read whatever rules name."""
ALWAYS = ("objectSid",)
"""Told whatever rules name: names of links are resolved by it."""
BACK_LINKS = {"memberOf": "member", "directReports": "manager", "managedObjects": "managedBy"}
"""Attributes that the directory computes from links of other objects, and those."""

_FOREIGN = b",CN=ForeignSecurityPrincipals,"
_DELETED = "\\0ADEL:"
"""In the DN of an object that was deleted (MS-ADTS section 3.1.1.5.5.1.1). When it loses attributes later, as at the end of
its time in the recycle bin, DirSync tells that without `isDeleted`, which did not change."""


def changes_of(record: DirectoryRecord, schema: Schema, domain_sid: str, *, full: bool) -> Iterator[SourceChange]:
    """What a record says; several changes of the object where it has many links.

    full: of a reading from no cookie. An object comes with its class the first time, with all it has; what comes after it of
    the same object, which DirSync may send in pieces, has none.
    """
    if record.kind is RecordKind.DELETED or _DELETED in record.dn:
        yield SourceChange(ChangeKind.DELETED, record.key, _kind(record), dn=record.dn)
        return
    entry = record.attributes
    whole = record.kind is RecordKind.WHOLE or (full and b"objectclass" in entry)
    values: dict[str, Plain | tuple[Plain, ...]] = {}
    invalid = read_values(schema, entry, values)
    if b"name" in entry:
        _set_naming_attribute(record, schema, values)
    parent = entry.get(b"parentguid")
    change = SourceChange(
        ChangeKind.WHOLE if whole else ChangeKind.CHANGED,
        record.key,
        _kind(record),
        record.dn,
        parent[0] if parent else b"",
        values,
        frozenset() if whole or not record.cleared else _cleared(record, schema),
        restored=record.restored,
        invalid=invalid,
    )
    rid = entry.get(b"primarygroupid")
    primary = [ToldLinks(PRIMARY_GROUP, How.ALL, [b"%b-%b" % (domain_sid.encode(), rid[0])])] if rid else []
    yield from with_links(change, [*_links(record, schema, whole=whole), *primary], link_target)


def _kind(record: DirectoryRecord) -> ObjectKind:
    classes = record.attributes.get(b"objectclass")
    return kind_of(tuple(classes)) if classes else ObjectKind.OTHER


@functools.lru_cache(maxsize=256)  # a forest has few combinations
def kind_of(classes: tuple[bytes, ...]) -> ObjectKind:
    """By object classes. A computer is a user to the schema (MS-ADSC), and so are managed service accounts."""
    names = {name.lower() for name in classes}
    if b"computer" in names:
        return ObjectKind.OTHER
    if names & {b"user", b"inetorgperson"}:
        return ObjectKind.USER
    if b"group" in names:
        return ObjectKind.GROUP
    return ObjectKind.CONTACT if b"contact" in names else ObjectKind.OTHER


def _set_naming_attribute(record: DirectoryRecord, schema: Schema, values: dict[str, Plain | tuple[Plain, ...]]) -> None:
    naming = schema.attributes.get(record.dn.partition("=")[0].strip().lower().encode())
    if naming is not None:
        values[naming.name] = record.attributes[b"name"][0].decode("utf-8", "replace")


def _cleared(record: DirectoryRecord, schema: Schema) -> frozenset[str]:
    known = (schema.attributes.get(name) for name in record.cleared)
    return frozenset(attribute.name for attribute in known if attribute is not None)


def _links(record: DirectoryRecord, schema: Schema, *, whole: bool) -> Iterator[ToldLinks]:
    """whole: what was added is all."""
    for how, entry in ((How.ALL, record.attributes), (How.ADDED, record.added), (How.REMOVED, record.removed)):
        for name, values in entry.items():
            attribute = schema.attributes.get(name)
            if attribute is None or attribute.type is not AttributeType.LINK:
                continue
            if how is How.REMOVED and whole:
                continue  # values that are gone, of an object of which all is told
            yield ToldLinks(attribute.name, How.ALL if whole else how, values)


def link_target(value: bytes) -> LinkTarget:
    """`<GUID=…>;<SID=…>;CN=…` (MS-ADTS section 3.1.1.3.4.1.5), a SID, or a DN.

    By slices: a directory has millions of them, and `parse_extended_dn` takes three times as long.
    """
    if value[:6] == b"<GUID=" and value[42:44] == b">;":
        try:
            guid = bytes.fromhex(value[6:42].decode("ascii").replace("-", ""))
        except ValueError:
            return LinkTarget(name=normal_dn(value.decode("utf-8", "replace")))
        key = guid[3::-1] + guid[5:3:-1] + guid[7:5:-1] + guid[8:]  # as objectGUID is stored (MS-DTYP section 2.3.4)
        return LinkTarget(key, _sid(value) if _FOREIGN in value else "")
    if value.startswith(b"S-1-"):
        return LinkTarget(name=value.decode("ascii", "replace"))
    return LinkTarget(name=normal_dn(value.decode("utf-8", "replace")))


def _sid(value: bytes) -> str:
    begin, mark, rest = value[44:].partition(b"<SID=")
    return rest.partition(b">")[0].decode("ascii", "replace") if mark and not begin else ""


def sid_of(record: DirectoryRecord) -> str:
    """`S-1-…`; empty where the record has none."""
    values = record.attributes.get(b"objectsid")
    return format_sid(values[0]) if values else ""


def forward_links(record: DirectoryRecord, schema: Schema) -> Iterator[SourceChange]:
    """Links of other objects to this one, as the directory computes them: a delta does not tell that they are back."""
    for back, forward in BACK_LINKS.items():
        if forward.lower().encode() not in schema.attributes:
            continue
        for value in record.attributes.get(back.lower().encode(), ()):
            other = link_target(value)
            if other.key:
                added = LinkChange(added=(LinkTarget(record.key),))
                yield SourceChange(ChangeKind.CHANGED, other.key, links={forward: added})
