"""A plan as a file: whole or not at all, in the order of writes, and refused when it was changed."""

from __future__ import annotations

import json
import resource
import stat
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.model import ObjectKind, OperationKind
from sync.plan import (
    AccountProblem,
    CauseKind,
    ChangeCause,
    GuardStop,
    LimitName,
    PlanDamaged,
    PlanEntry,
    PlanFile,
    PlanHeader,
    PlanLine,
    PlanNotWritten,
    PlanWriter,
    RewrittenValue,
    fingerprint,
)
from sync.plan.lines import LineDamaged, decode_line, encode_line
from tests.sync.plan.samples import SCIM, account, desired, entry, leaving

UNIQUE = {SCIM: {"userName": "userName"}}
MIXED: tuple[PlanLine, ...] = (
    RewrittenValue(SCIM, 1, "phone", "+43 1", b"\x00", name="Anna"),
    leaving(OperationKind.DELETE, 3, before={"a": ("x", b"\xff", 7, True)}, links=4, protected="role"),
    entry(OperationKind.LINK, 4, object=ObjectKind.GROUP, added={"members": (1, 2)}, removed={}),
    entry(OperationKind.UPDATE, 5, set={"userName": "b"}, before={"userName": "a"}, name="Ödön\n\x00"),
    AccountProblem(SCIM, 6, "AnchorChanged", "was a", name="Zoë"),
    entry(OperationKind.UPDATE, 7, set={"userName": "a", "title": ()}, before={"userName": "b"}, clear=frozenset("zy")),
    leaving(OperationKind.DISABLE, 8, held="no evidence: none"),
    entry(OperationKind.CREATE, 9, set={"userName": "z"}, enabled=False, fingerprint=fingerprint(desired(), account())),
)


def write(path: Path, lines: Sequence[PlanLine], key: bytes = b"", **fields: Any) -> PlanHeader:
    """A plan of these lines."""
    with PlanWriter(path, UNIQUE, key=key) as writer:
        for line in lines:
            writer.add(line)
        return writer.finish("17", made_at=1e9, made_by="anna", marks={"rules": "e2"}, **fields)


def read(path: Path, key: bytes = b"") -> tuple[PlanHeader, list[PlanLine]]:
    """What is in the file."""
    with PlanFile(path, key=key) as plan:
        return plan.header, list(plan.lines())


def entries(lines: Sequence[PlanLine]) -> list[PlanEntry]:
    """Operations among them."""
    return [line for line in lines if isinstance(line, PlanEntry)]


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    """In the order of writes, with a temporary value for two names that are swapped; held ones last."""
    stop = GuardStop(LimitName.FIRST_RUN, 3, target=SCIM, decide="first_run:scim")
    written = write(tmp_path / "plan", MIXED, stops=(stop,))
    header, lines = read(tmp_path / "plan")
    assert header == written
    assert (header.id, header.made_at, header.made_by, header.marks, header.stops) == (
        "17",
        1e9,
        "anna",
        {"rules": "e2"},
        (stop,),
    )
    assert header.operations == {SCIM: {"create": 1, "delete": 1, "link": 1, "update": 3}}
    assert (header.held, header.problems, header.rewritten, header.total) == (1, 1, 1, 6)
    found = entries(lines)
    assert [(line.operation.id, line.operation.person, line.phase.value) for line in found] == [
        (1, 5, "moves"),
        (2, 7, "moves"),
        (3, 5, "moves"),
        (4, 9, "accounts"),
        (5, 4, "link"),
        (6, 3, "delete"),
        (7, 8, "held"),
    ]
    assert [line.operation.temporary for line in found] == [True] + [False] * 6
    given_ = {line.operation.person: line for line in MIXED if isinstance(line, PlanEntry)}
    for line in found[1:]:
        original = given_[line.operation.person]
        for name in ("set", "clear", "added", "before", "enabled", "kind"):
            assert getattr(line.operation, name) == getattr(original.operation, name)
        for name in ("causes", "evidence", "objects", "protected", "links", "fingerprint", "held", "name"):
            assert getattr(line, name) == getattr(original, name)
    assert set(lines[-2:]) == {MIXED[0], MIXED[4]}
    with PlanFile(tmp_path / "plan") as plan:
        assert [line.operation.id for line in plan.entries()] == [1, 2, 3, 4, 5, 6]


def test_a_plan_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Mode 0600; nothing else is left in the folder."""
    write(tmp_path / "plan", MIXED)
    assert stat.S_IMODE((tmp_path / "plan").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["plan"]


def test_two_who_are_to_get_one_value_are_held(tmp_path: Path) -> None:
    """Both, each with the other's name, until somebody decides; whoever moves without them goes on."""
    lines = [
        entry(OperationKind.CREATE, 1, set={"userName": "Anna"}, name="Anna B."),
        entry(OperationKind.UPDATE, 2, set={"userName": "anna"}, before={"userName": "b"}, name="Anna C."),
        entry(OperationKind.CREATE, 3, set={"userName": "carl"}),
    ]
    write(tmp_path / "plan", lines)
    header, found = read(tmp_path / "plan")
    held = {line.operation.person: line.held for line in entries(found) if line.held}
    assert held == {
        1: "DuplicateInSource: Anna C. (person 2) is to get the same value (userName)",
        2: "DuplicateInSource: Anna B. (person 1) is to get the same value (userName)",
    }
    assert (header.operations, header.held) == ({SCIM: {"create": 1}}, 2)


def test_an_empty_plan_is_a_plan(tmp_path: Path) -> None:
    """Nothing is to be done."""
    write(tmp_path / "plan", ())
    header, lines = read(tmp_path / "plan")
    assert (header.total, lines) == (0, [])


def test_what_was_at_its_path_stays_when_it_is_not_finished(tmp_path: Path) -> None:
    """And no other file is left."""
    path = tmp_path / "plan"
    path.write_text("before")
    with PlanWriter(path, UNIQUE) as writer:
        writer.add(MIXED[1])
    assert ([found.name for found in tmp_path.iterdir()], path.read_text()) == (["plan"], "before")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Before anything is laid aside, and at the end."""
    with pytest.raises(PlanNotWritten, match="No such file"):
        write(tmp_path / "missing" / "plan", MIXED)
    with pytest.raises(PlanNotWritten, match="No such file"):
        write(tmp_path / "missing" / "plan", ())
    (tmp_path / "folder").mkdir()
    with pytest.raises(PlanNotWritten, match="directory"):
        write(tmp_path / "folder", MIXED)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """A file size limit of the process stands for it."""
    path = tmp_path / "plan"
    write(path, MIXED)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(PlanNotWritten, match="too large"):
            write(path, [entry(person=person, set={"a": "x" * 100}) for person in range(1_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (path.read_bytes(), [found.name for found in tmp_path.iterdir()]) == (before, ["plan"])


def test_half_a_character_is_told_with_its_person(tmp_path: Path) -> None:
    """No file can hold it."""
    with pytest.raises(PlanNotWritten, match="person 5: a text is not valid Unicode"):
        write(tmp_path / "plan", [entry(person=5, set={"a": "\ud800"})])
    with pytest.raises(PlanNotWritten, match="person 6"):
        write(tmp_path / "plan", [RewrittenValue(SCIM, 6, "a", "\ud800", None)])


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a letter": lambda text: text.replace(b"anna", b"otto", 1),
    "a value": lambda text: text.replace(b'"userName":"z"', b'"userName":"y"'),
    "a blank": lambda text: text.replace(b'{"line"', b'{ "line"', 1),
    "a line less": lambda text: b"".join(line for at, line in enumerate(text.splitlines(True)) if at != 4),
    "a line more": lambda text: b"".join(line * (1 + (at == 4)) for at, line in enumerate(text.splitlines(True))),
    "two lines exchanged": lambda text: b"".join(text.splitlines(True)[at] for at in (0, 1, 2, 4, 3, 5, 6, 7, 8, 9, 10)),
    "held no more": lambda text: text.replace(b"no evidence: none", b""),
    "no stop": lambda text: text.replace(b'"stops":[]', b'"stops":[ ]'),
    "the end": lambda text: text[:-40],
    "the last line": lambda text: b"".join(text.splitlines(True)[:-1]),
    "all but the header": lambda text: text.splitlines(True)[0],
    "something behind": lambda text: text + b"{}\n",
    "itself behind": lambda text: text + text,
    "the digest": lambda text: text[:-20] + b"0" + text[-19:] if text[-20:-19] != b"0" else text[:-20] + b"1" + text[-19:],
    "nothing left": lambda text: b"",
    "no plan": lambda text: b'{"format":"other","version":1}\n',
    "no JSON": lambda text: b"\x00" * 100,
    "a list": lambda text: b"[1]\n",
    "deep": lambda text: b"[" * 100_000,
    "no fields": lambda text: b'{"format":"isthmus-sync-plan","version":1}\n',
    "another version": lambda text: text.replace(b'"version":1', b'"version":2', 1),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_or_edited_plan_is_refused(name: str, tmp_path: Path) -> None:
    """Before anything of it is used, and the error says so."""
    path = tmp_path / "plan"
    write(path, MIXED)
    text = path.read_bytes()
    damaged = DAMAGES[name](text)
    assert damaged != text
    path.write_bytes(damaged)
    with pytest.raises(PlanDamaged, match="nothing was written to a target: make a new plan"):
        read(path)


@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_is_noticed(data: st.DataObject, tmp_path: Path) -> None:
    """Wherever it is."""
    path = tmp_path / "plan"
    write(path, MIXED)
    text = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(text) - 2))
    text[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(text)
    with pytest.raises(PlanDamaged):
        read(path)


def test_with_a_key_nobody_makes_the_digest_anew(tmp_path: Path) -> None:
    """The plan of one state is none of another."""
    path = tmp_path / "plan"
    write(path, MIXED, key=b"state")
    assert read(path, b"state")[0].id == "17"
    for key in (b"", b"other"):
        with pytest.raises(PlanDamaged, match="digest"):
            read(path, key)


def test_a_missing_plan_is_told(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(PlanDamaged, match=r"gone: cannot be read \(No such file"):
        PlanFile(tmp_path / "gone")


def test_a_plan_that_is_changed_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """Each pass checks all bytes again."""
    path = tmp_path / "plan"
    write(path, MIXED)
    with PlanFile(path) as plan:
        with path.open("r+b") as file:
            file.write(path.read_bytes().replace(b'"userName":"z"', b'"userName":"y"'))
        with pytest.raises(PlanDamaged, match="digest"):
            list(plan.lines())


def test_the_same_plan_gives_the_same_bytes(tmp_path: Path) -> None:
    """Sets have no order in memory."""
    for name in ("a", "b"):
        write(tmp_path / name, MIXED)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert all(isinstance(json.loads(line), dict) for line in (tmp_path / "a").read_text().splitlines())


def test_causes_are_counted_and_the_small_ones_left_out(tmp_path: Path) -> None:
    """How many there are is said."""
    causes = [ChangeCause(CauseKind.OU, f"OU={at}") for at in range(1_005)]
    lines = [entry(person=at, causes=(cause, causes[0])) for at, cause in enumerate(causes)]
    header = write(tmp_path / "plan", lines)
    assert (len(header.causes), header.causes_count, header.causes[0].total) == (1_000, 1_005, 1_006)


def test_memory_does_not_grow_with_the_plan(tmp_path: Path) -> None:
    """Twenty bytes or so for each operation, whatever its values are."""

    def peak(count: int) -> int:
        tracemalloc.start()
        with PlanWriter(tmp_path / "plan", UNIQUE) as writer:
            for person in range(count):
                writer.add(entry(OperationKind.CREATE, person, set={"userName": f"name{person}", "title": "x" * 2_000}))
            writer.finish("17", made_at=1e9, made_by="anna", marks={})
        with PlanFile(tmp_path / "plan") as plan:
            assert sum(1 for _ in plan.lines()) == count
        _, found = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return found

    assert (peak(4_000) - peak(500)) / 3_500 < 120


@pytest.mark.parametrize(
    "text",
    [
        b'{"line":"operation"}',
        b'{"line":"other"}',
        b'{"line":"rewritten","target":"t","person":1,"attribute":"a","sent":null,"kept":null}',
        b'{"line":"rewritten","target":"t","person":1,"attribute":"a","sent":1.5,"kept":null}',
        b'{"line":"rewritten","target":"t","person":1,"attribute":"a","sent":{"base64":"***"},"kept":null}',
        b'{"line":"rewritten","target":"t","person":1,"attribute":"a","sent":{"base64":"","x":1},"kept":null}',
        b'{"line":"rewritten","target":"t","person":1,"attribute":"a","sent":[["x"]],"kept":null}',
        b'{"line":"rewritten","target":"t","person":1,"attribute":"a","sent":"x","kept":null,"more":1}',
        b'{"line":"problem","target":"t","person":"1","cause":"c","detail":"d"}',
        b"\xff",
    ],
)
def test_a_line_that_is_none_is_refused(text: bytes) -> None:
    """Unknown fields, wrong types and values that no attribute has."""
    with pytest.raises(LineDamaged):
        decode_line(text)


def test_a_line_that_is_none_is_refused_with_its_plan(tmp_path: Path) -> None:
    """Though its digest fits, as of a release that writes more."""
    path = tmp_path / "plan"
    write(path, [AccountProblem(SCIM, 6, "AnchorChanged", "x")])
    with PlanFile(path) as plan, pytest.raises(PlanDamaged, match="is not a plan"):
        list(map(plan._decoded, [b'{"line":"other"}']))


PLAIN = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.binary()
)
VALUES = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.one_of(PLAIN, st.lists(PLAIN).map(tuple)))


@given(VALUES, VALUES)
@settings(max_examples=100, deadline=None)
def test_every_value_comes_back_as_it_was(written: dict[str, Any], before: dict[str, Any]) -> None:
    """With its type: text is no bytes, True is not 1, and an attribute may be called base64."""
    line = entry(set=written | {"base64": "x"}, before=before)
    back = decode_line(encode_line(line))
    assert isinstance(back, PlanEntry)
    for name in ("set", "before"):
        one, other = getattr(back.operation, name), getattr(line.operation, name)
        assert repr(sorted(one.items())) == repr(sorted(other.items()))
