"""The page of the sources of synchronisation, from the models of their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isthmus.reference.markdown import page
from isthmus.reference.settings import sections_of
from sync.source import SourceSettings

_INTRODUCTION = """\
Where synchronisation takes users, groups and contacts from: one table `[sources.NAME]` for each source, told apart by
`kind`. The name appears in rules, plans and messages, and stays: under another name, all its objects are new ones.
Synchronisation itself is not built yet; this page is written in advance.

## How a reading ends

| outcome | meaning | what becomes of objects that were not told of |
|---|---|---|
| `complete` | all, or all that changed, was read | after a full reading: they are asked for by key, then absent |
| `partial` | some of it was read; the reason names what is missing, and the remedy | nothing |
| `failed` | nothing was read | nothing |
| `cookie_refused` | the source cannot say what changed since the last reading: everything is read next | nothing |

A value that does not fit its attribute's type is left out and reported with its object; the object is synchronised without
it. How each kind of source decides these things is described in docs/developers/what-no-delta-tells.md.

| kind | delta | identity of an object | links (members, manager) |
|---|---|---|---|
| `ad` | DirSync | objectGUID | objectGUID; the primary group by its SID; somebody of another forest by SID |
| `ldap` | RFC 4533, if the server offers it | entryUUID or nsUniqueId | DN |
| `csv` | none; an unchanged file is not read again | the column `key` | keys of the same file |
| `sql` | none | the column `key`, together with the kind of object | keys, of the kind that `to` names |

## Files

A file counts as complete only if nobody wrote to it for `settle_seconds`, its last line ends as it should, it kept its size
and time while it was read, and no other file took its name meanwhile. The best way to write it is another file, renamed
over the old one. Rows with a column too many or too few, without a key, with the key of another row, or with bytes that are
not in the encoding are left out and named with file, line and column; the reading is then partial. A quote that is not
closed, or stands in the middle of a value, ends the reading at that line. Lines may have up to 1,048,576 characters.

## Databases

All queries of a reading run in one read-only transaction and see the database at one moment. The rows of a query are sorted
by the database by the bytes of the key (`COLLATE "C"`, `COLLATE BINARY`): give the query no ORDER BY. Two rows with one
key, or a row without, make the reading partial. Use an account that can only read.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sources:
    """What the page is about."""

    sources: Mapping[str, SourceSettings] = field(default_factory=dict)


def sources_page() -> str:
    """Every setting of every kind."""
    return page("Sources of synchronisation", _INTRODUCTION.rstrip(), *sections_of(_Sources))
