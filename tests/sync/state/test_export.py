"""The copy for bug reports: the same structure, nobody's names."""

from __future__ import annotations

import stat
import struct
from pathlib import Path

import pytest

from sync.model import (
    AccountOperation,
    Confirmation,
    GuardDecision,
    LinkTarget,
    ObjectKind,
    OperationKind,
    Person,
    WriteOutcome,
)
from sync.state import StateUnavailable, SyncState, open_state
from sync.state.database import StateFile
from sync.state.export import COLUMNS, LEFT_OUT
from tests.sync.state.support import COOKIE, NOW, account, join_all, keys, names, read, whole

A, B, G = b"secretkeyofann!!", b"secretkeyofbob!!", b"secretkeyofgroup"
SECRETS = (b"secret", b"ann", b"bob", b"contoso", b"98765", b"topsecret", COOKIE)
SID = b"topsecretsid" + struct.pack("<I", 513)


def filled(state: SyncState) -> None:
    people = "OU=secret people,DC=contoso,DC=com"
    read(
        state,
        whole(
            A,
            dn=f"CN=Ann\\, A,{people}",
            mail=("Ann@contoso.com", "98765"),
            photo=b"topsecret",
            userAccountControl=514,
            n=98765,
        ),
        whole(B, dn=f"CN=Bob,{people}", links={"manager": keys(A)}),
        whole(
            G,
            ObjectKind.GROUP,
            dn="CN=secret,DC=contoso",
            objectSid=SID,
            links={"member": names(f"cn=bob,{people}", "CN=topsecret")},
        ),
        source="contoso.com",
    )
    persons = join_all(state, "contoso.com")
    state.persons.index("person", ["mail"])
    state.persons.index("account", ["userName"])
    state.persons.save(Person(persons[A], ObjectKind.USER, {"mail": "Ann@contoso.com"}), NOW)
    state.accounts.confirm(account(persons[A], userName="ann", anchor="topsecret"))
    run = state.journal.begin_run("run", NOW)
    one = AccountOperation(
        1, OperationKind.UPDATE, "contoso app", persons[A], ObjectKind.USER, "topsecret", "secret", {"name": "Ann"}
    )
    state.journal.intend(run, [one])
    state.journal.settle(run, one, Confirmation(WriteOutcome.REFUSED, "ann", {"x": "bob"}, "conflict", "Bob has it"), NOW)
    state.journal.end_run(run, "stopped", NOW, detail="for Ann")
    state.decisions.decide(
        GuardDecision(True, "bob", "because of Ann", NOW, "contoso app", persons[A], cause="ou:OU=contoso")
    )


def test_no_name_and_no_value_is_in_the_copy(state: SyncState, tmp_path: Path) -> None:
    """Not in any page of it: looked for as bytes, in every case and in UTF-16."""
    filled(state)
    copy = tmp_path / "copy.db"
    state.export_scrubbed(copy)
    content = copy.read_bytes().lower()
    assert [secret for secret in SECRETS if secret in content] == []
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("copy")] == ["copy.db"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert copy.read_bytes()[18:20] == b"\1\1", "a file with a log beside it cannot be sent alone"
    assert b"ann" in (tmp_path / "state.db").read_bytes().lower() + (tmp_path / "state.db-wal").read_bytes().lower()


def test_the_structure_is_the_same(state: SyncState, tmp_path: Path) -> None:
    """As many rows, links and values; the same name is the same pseudonym; flags stay."""
    filled(state)
    state.export_scrubbed(tmp_path / "copy.db")
    copy = StateFile(tmp_path / "copy.db")
    original: StateFile = state._file  # type: ignore[attr-defined]
    for table in COLUMNS:
        count = f"SELECT count(*) FROM {table}"  # noqa: S608 - names of our own
        assert copy.one(count) == original.one(count), table
    assert copy.all("SELECT * FROM links") == original.all("SELECT * FROM links")
    (source,) = (row[0] for row in copy.all("SELECT text FROM names WHERE kind = 'source'"))
    copy.close()
    opened = open_state(tmp_path / "copy.db")
    opened.verify()
    ann = next(known for known in opened.objects.all(source) if "photo" in known.values)
    assert ann.values["userAccountControl"] == 514
    assert isinstance(ann.values["mail"], tuple)
    first, _ = ann.values["mail"]
    assert str(first).split("@")[0].lower() == ann.dn[3:].split("\\")[0].lower()
    assert ann.dn.count("=") == 4
    (joined,) = opened.persons.objects_of(opened.persons.of_object(source, ann.key))
    assert joined.object == ann
    opened.close()


def test_links_by_name_still_find_their_objects(state: SyncState, tmp_path: Path) -> None:
    """The copy can be worked with: an object that takes a name is found by it."""
    filled(state)
    state.export_scrubbed(tmp_path / "copy.db")
    copy = open_state(tmp_path / "copy.db")
    file: StateFile = copy._file  # type: ignore[attr-defined]
    (source,) = (row[0] for row in file.all("SELECT text FROM names WHERE kind = 'source'"))
    found = next(known for known in copy.objects.all(source) if known.kind is ObjectKind.GROUP)
    waiting = [target.name for target in copy.objects.links_of(source, found.key, "member") if target.name]
    assert len(waiting) == 1
    copy.take_lease("a test", NOW * 2, 60.0)
    read(copy, whole(b"new", dn=waiting[0]), source=source)
    assert LinkTarget(key=b"new") in copy.objects.links_of(source, found.key, "member")
    copy.close()


def test_every_column_has_its_rule(state: SyncState) -> None:
    """A column that is added later cannot leave unnoticed."""
    file: StateFile = state._file  # type: ignore[attr-defined]
    tables = {row[0] for row in file.all("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert tables == COLUMNS.keys() | LEFT_OUT
    for table, columns in COLUMNS.items():
        assert {row[1] for row in file.all(f"PRAGMA table_info({table})")} == columns.keys(), table


def test_a_file_that_is_there_is_not_overwritten(state: SyncState, tmp_path: Path) -> None:
    """Whatever it is."""
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(StateUnavailable, match="there already"):
        state.export_scrubbed(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"
