"""Exports of the trail: whole or a part, checked on the way, and checkable again in each form."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from typing import cast

import msgspec
import pytest

from gateway.protocol import AccountId
from gateway.relay import AuditView
from gateway.relay.administration.views import audit_view
from gateway.store import (
    AuditBroken,
    AuditEvent,
    ExportBroken,
    ExportForm,
    Store,
    TrailExport,
    check_export,
    event_fields,
)
from gateway.store.trail_export import ExportLine
from tests.gateway.store.conftest import NOW, Opener
from tests.gateway.store.test_audit import Edit, event, fill

FORMS: tuple[ExportForm, ...] = ("jsonl", "csv")
STRANGE = '=HYPERLINK("http://evil.test","x")'


async def exported(store: Store, form: ExportForm, since: float | None = None, until: float | None = None) -> bytes:
    file = io.BytesIO()
    export = TrailExport(file, form, store.keyring, since, until)
    export.end(await store.audit.verify(take=export.take), NOW)
    return file.getvalue()


async def lived(store: Store, other: Store) -> None:
    """Two chains, a person removed, names of all kinds."""
    for number, name in enumerate((STRANGE, "'quoted", "-1+1", "@sum", 'a,b\n"c"\r\nd', "\t=1", "ünï\0code", "anna")):
        await store.audit.append(event(number, subject=name, detail={"detail": f"{name}; x"}, milliseconds=1.5))
    await fill(other, 5, first=4)
    await store.audit.append(event(20, account=AccountId("d1", "ben")))
    await other.audit.remove_person(AccountId("d1", "ben"), NOW + 21, "admin:test")


@pytest.mark.parametrize("form", FORMS)
async def test_an_export_holds_all_and_can_be_checked_again(opener: Opener, form: ExportForm) -> None:
    """By another process with the same keys, also when the entries are gone by now."""
    store = opener()
    await lived(store, opener())
    content = await exported(store, form)
    await store.audit.prune(NOW + 99, NOW + 100)
    end = check_export(io.BytesIO(content), opener().keyring)
    assert (end.entries, end.trail_entries, end.removed, end.pruned) == (15, 15, 1, 0)
    assert [head.partition(":")[0] for head in end.heads] == ["1-9", "2-6"]


async def test_what_an_entry_says_is_in_its_line(opener: Opener) -> None:
    """As JSON with its own types; in a spreadsheet no name is a formula."""
    store = opener()
    await lived(store, opener())
    first = json.loads((await exported(store, "jsonl")).splitlines()[0])
    assert (first["id"], first["subject"], first["milliseconds"]) == ("1-1", STRANGE, 1.5)
    assert first["detail"] == {"detail": f"{STRANGE}; x"}
    assert first["time"] == "2027-01-15T08:00:00.000000Z"
    rows = list(csv.DictReader(io.StringIO((await exported(store, "csv")).decode(), newline="")))
    assert rows[0]["subject"] == f"'{STRANGE}"
    cells = [cell for row in rows for cell in row.values() if isinstance(cell, str)]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


async def test_a_part_is_by_time(opener: Opener) -> None:
    """From a moment on, up to one; all of the trail is checked for it."""
    store = opener()
    await fill(store, 10)
    end = check_export(io.BytesIO(await exported(store, "jsonl", NOW + 3, NOW + 7)), store.keyring)
    assert (end.entries, end.trail_entries) == (4, 10)
    assert (end.since, end.until) == ("2027-01-15T08:00:03.000000Z", "2027-01-15T08:00:07.000000Z")


async def test_a_trail_that_does_not_hold_is_not_exported(store: Store, edit: Edit) -> None:
    """Not even the part that does: what is written has no last line."""
    await fill(store, 10)
    edit("UPDATE audit_events SET subject = 'x' WHERE seq = 9")
    with pytest.raises(AuditBroken):
        await exported(store, "jsonl", None, NOW + 2)


def change(content: bytes, line: int, **fields: object) -> bytes:
    lines = content.splitlines()
    lines[line] = msgspec.json.encode({**json.loads(lines[line]), **fields})
    return b"\n".join(lines) + b"\n"


ATTACKS = {
    "another name": (lambda content: change(content, 2, subject="x"), 3, "the fields of entry 1-3 are not what"),
    "another outcome": (lambda content: change(content, 2, outcome="locked"), 3, "the fields of entry 1-3 are not what"),
    "another digest": (lambda content: change(content, 2, digest="00" * 32), 3, "personal part of entry 1-3 was changed"),
    "another hash": (lambda content: change(content, 2, hash="00" * 32), 3, "entry 1-3 was changed"),
    "another place": (lambda content: change(content, 2, id="1-4"), 3, "entry 1-4 was changed"),
    "no hex": (lambda content: change(content, 2, hash="x"), 3, "is not an entry"),
    "an unknown key": (lambda content: change(content, 2, key_id="x"), 3, "is not in the keyring"),
    "a line away": (lambda content: b"".join(content.splitlines(True)[1:]), 5, "removed or added"),
    "a line twice": (lambda content: content.splitlines(True)[0] + content, 7, "removed or added"),
    "the end away": (lambda content: b"".join(content.splitlines(True)[:-1]), 6, "cut short"),
    "half a line": (lambda content: content[:-40], 6, "not a line of an export"),
    "more behind the end": (lambda content: content + content.splitlines(True)[0], 7, "something follows"),
    "fewer pruned": (lambda content: change(content, 5, pruned=3), 6, "the seal"),
    "another range": (lambda content: change(content, 5, until="2027"), 6, "the seal"),
    "a field more": (lambda content: change(content, 2, note="x"), 3, "not written as"),
    "a field twice": (lambda content: content.replace(b'"outcome":', b'"outcome":"","outcome":', 3), 1, "not written as"),
    "a field of the end twice": (
        lambda content: content.replace(b'"removed":', b'"removed":7,"removed":'),
        6,
        "not written as",
    ),
    "a blank": (lambda content: content.replace(b'"actor":', b'"actor": '), 1, "not written as"),
    "a time that is none": (lambda content: change(content, 0, facts='{"time":1e300,"kind":""}'), 1, "is not an entry"),
    "a time beyond all years": (lambda content: change(content, 0, facts='{"time":1e18,"kind":""}'), 1, "is not an entry"),
    "facts without end": (lambda content: change(content, 0, facts='{"x":' + "[" * 100_000), 1, "is not an entry"),
    "a line without end": (lambda content: b'{"x":' + b"[" * 100_000 + content, 1, "not a line of an export"),
    "a number below all": (lambda content: change(content, 0, id="1--1"), 1, "is not an entry"),
    "a number above all": (lambda content: change(content, 0, id=f"1-{1 << 64}"), 1, "is not an entry"),
    "something else": (lambda _content: b"\x89PNG", 1, "UTF-8|not an export"),
    "nothing": (lambda _content: b"", 1, "not an export"),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_export_that_was_changed_is_found_out(store: Store, attack: str) -> None:
    """The line is named, where it is one."""
    await fill(store, 5)
    spoil, line, problem = ATTACKS[attack]
    with pytest.raises(ExportBroken, match=problem) as broken:
        check_export(io.BytesIO(cast(bytes, spoil(await exported(store, "jsonl")))), store.keyring)  # type: ignore[no-untyped-call]
    assert broken.value.line == line


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"user1", b"user9"),
        (b"signin", b"sign_in"),
        (b"export", b"exbort"),
        (b"id,time", b"id,tim"),
        (b",signin", b',"signin"'),
        (b",signin", b",'signin"),
        (b"\n", b"\r\n"),
        (b"user1", b"\0"),
        (b"user1", b"x" * 200_000),
    ],
)
async def test_a_table_that_was_changed_is_found_out(store: Store, old: bytes, new: bytes) -> None:
    """The same for CSV."""
    await fill(store, 3)
    content = (await exported(store, "csv")).replace(old, new, 1)
    with pytest.raises(ExportBroken):
        check_export(io.BytesIO(content), store.keyring)


async def test_a_table_with_something_behind_its_end_is_found_out(store: Store) -> None:
    """A cell more in the last row, which a spreadsheet would show."""
    await fill(store, 1)
    content = (await exported(store, "csv")).rstrip(b"\n") + b",x\n"
    with pytest.raises(ExportBroken, match="line 3: it is not written as a relay writes it"):
        check_export(io.BytesIO(content), store.keyring)


async def test_nothing_that_an_event_says_is_left_out(store: Store) -> None:
    """Each of its fields is in an export and in what administrators are shown, the domain controller among them."""
    said = {field.name for field in dataclasses.fields(AuditEvent)} - {"account"} | {"directory", "object_guid"}
    assert said == event_fields(event(0)).keys()
    assert said <= set(ExportLine.__struct_fields__)
    assert said <= set(AuditView.__struct_fields__)
    await store.audit.append(event(1, controller="dc1.corp.example.com:636"))
    line = json.loads((await exported(store, "jsonl")).splitlines()[0])
    (entry,) = await store.audit.entries()
    assert line["controller"] == audit_view(entry).controller == "dc1.corp.example.com:636"


async def test_whoever_has_other_keys_checks_nothing(store: Store, opener: Opener, tmp_path: object) -> None:
    """Another relay's export says so."""
    await fill(store, 1)
    content = await exported(store, "jsonl")
    from gateway.store import open_store

    other = open_store(f"sqlite:///{tmp_path}/other.db", secret=b"o" * 32, node="other")
    try:
        with pytest.raises(ExportBroken, match="is not in the keyring"):
            check_export(io.BytesIO(content), other.keyring)
    finally:
        await other.close()
