"""A plan as a page: everything is on it, nothing in it is obeyed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.model import ObjectKind, OperationKind
from sync.plan import (
    AccountProblem,
    CauseKind,
    CauseTable,
    ChangeCause,
    DepartureEvidence,
    EvidenceKind,
    GuardStop,
    LimitName,
    PlanEntry,
    PlanHeader,
    PlanLine,
    RewrittenValue,
    plan_page,
)
from tests.sync.plan.samples import SCIM, entry, leaving

EVIL = "<script>alert(1)</script>\"'&amp;<img src=x onerror=alert(1)></bdi></details></style>\u202e\x00{0}%s"
_VOID = {"meta", "input", "br"}


class Reader(HTMLParser):
    """Elements, attributes and text of a page; whether elements are closed in their order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.crossed: list[str] = []
        self.feed(page)
        self.close()
        self.crossed += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It has to be the last one that was opened."""
        if not self._open or self._open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.text.append(data)


def header(lines: Sequence[PlanLine], **fields: Any) -> PlanHeader:
    """As the file's would be."""
    table = CauseTable()
    operations: dict[str, dict[str, int]] = {}
    for line in lines:
        if isinstance(line, PlanEntry):
            table.add(line)
            if not line.held:
                kinds = operations.setdefault(line.operation.target, {})
                kinds[line.operation.kind.value] = kinds.get(line.operation.kind.value, 0) + 1
    filled: dict[str, Any] = {
        "id": "17",
        "made_at": 1e9,
        "made_by": "anna",
        "operations": operations,
        "held": sum(isinstance(line, PlanEntry) and bool(line.held) for line in lines),
        "problems": sum(isinstance(line, AccountProblem) for line in lines),
        "rewritten": sum(isinstance(line, RewrittenValue) for line in lines),
        "causes": table.rows(),
        "causes_count": len(table.rows()),
    }
    return PlanHeader(**filled | fields)


def page(lines: Sequence[PlanLine], **fields: Any) -> str:
    """The whole of it."""
    options = {name: fields.pop(name) for name in ("shown", "name_of") if name in fields}
    return "".join(plan_page(header(lines, **fields), lines, **options))


def all_of(text: str) -> tuple[list[PlanLine], dict[str, Any]]:
    """A plan in which every text is this one."""
    causes = (ChangeCause(CauseKind.RULE, text, text), ChangeCause(CauseKind.ATTRIBUTE, text, text))
    evidence = DepartureEvidence(EvidenceKind.LEFT_SCOPE, text, b"\x01", text, 1.0, text, text, text, (text, text), text)
    common: dict[str, Any] = {"name": text, "causes": causes, "evidence": (evidence,), "protected": text}
    values = {text: (text, b"\xff"), "plain": text}
    own: dict[str, Any] = {"target": text, "anchor": text, "remote": text}
    links = {text: (1, 2)}
    lines: list[PlanLine] = [
        entry(OperationKind.UPDATE, set=values, before=values, clear=frozenset({text}), **own, **common),
        entry(OperationKind.LINK, added=links, removed=links, object=ObjectKind.GROUP, **own, **common),
        entry(OperationKind.DELETE, before=values, held=text, links=3, **own, **common),
        AccountProblem(text, 1, text, text, text),
        RewrittenValue(text, 1, text, text, (text,), text),
    ]
    stops = (
        GuardStop(LimitName.SOURCE_EMPTY, 1, 2, target=text, subject=text, decide=text),
        GuardStop(LimitName.RULE_EDIT, 1, 2, target=text, subject=text, causes=((text, 1),)),
    )
    return lines, {"id": text, "made_by": text, "marks": {text: text}, "stops": stops}


def check_harmless(text: str) -> Reader:
    """The same elements and attributes as for a harmless text."""
    lines, fields = all_of(text)
    found = Reader(page(lines, name_of=lambda _: text, **fields))
    lines, fields = all_of("harmless")
    plain = Reader(page(lines, name_of=lambda _: "harmless", **fields))
    assert (found.elements, found.crossed) == (plain.elements, [])
    return found


def test_nothing_in_a_text_is_obeyed() -> None:
    """By the browser, in whatever place it stands: it is there to be read."""
    found = check_harmless(EVIL)
    assert "c-1" in [attributes.get("id") for _, attributes in found.elements]
    text = "".join(found.text)
    assert "<script>alert(1)</script>" in text
    assert "\\u202e\\x00" in text
    assert not {"\u202e", "\x00"} & set(text)
    tags = {tag for tag, _ in found.elements}
    assert not {"script", "img", "iframe", "link", "form", "object"} & tags
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    assert {
        value for tag, attributes in found.elements for name, value in attributes.items() if name in {"href", "src"}
    } == {"#operations"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=60, deadline=None)
def test_no_text_changes_the_page_around_it(text: str) -> None:
    """Whatever it is made of. Texts that are none would leave a label out."""
    check_harmless(text + "x")


@pytest.mark.parametrize(
    "text", ['"', "'", "<", ">", "&", "</", "<!--", "]]>", "\x00", "`", "\u2028", "javascript:", "*/", "}"]
)
def test_no_character_changes_the_page_around_it(text: str) -> None:
    """One by one."""
    check_harmless(text)


def test_every_operation_is_there_with_before_and_after() -> None:
    """With who, what, why, and what shows it."""
    lines = [
        entry(OperationKind.UPDATE, 1, id=1, name="Anna", set={"title": "Prof.", "mail": "a@x"}, before={"title": "Dr."}),
        leaving(OperationKind.DELETE, 2, id=2, name="Carl", before={"title": "Ing."}, links=1_234),
        entry(OperationKind.LINK, 3, id=3, added={"members": tuple(range(60))}),
        entry(OperationKind.UPDATE, 4, id=4, set={"tags": ("old", "new")}, before={"tags": ("old",)}),
    ]
    text = page(lines, name_of=lambda person: f"P{person}")
    assert '<div class="before"><bdi>Dr.</bdi></div>' in text
    assert '<div class="after"><bdi>Prof.</bdi></div>' in text
    assert '<div class="before"><bdi>Ing.</bdi></div>' in text
    assert "<div><bdi>old</bdi></div>" in text
    assert '<div class="after"><bdi>new</bdi></div>' in text
    assert '<span class="quiet">nothing</span>' in text
    words = re.sub(r"<[^>]*>", "", text)
    for said in (
        "its tombstone was seen in reading r7",
        "deleted in ad",
        "1,234",
        "members, come (60): P0, P1",
        "and 10 more",
    ):
        assert said in words


def test_a_large_plan_is_cut_by_kind_and_says_so() -> None:
    """A thousand creations hide no deletion; numbers are of the whole plan."""
    lines: list[PlanLine] = [entry(OperationKind.CREATE, person, id=person) for person in range(30)]
    lines += [leaving(OperationKind.DELETE, person) for person in range(3)]
    lines += [leaving(OperationKind.DELETE, person, held="because") for person in range(12)]
    lines += [AccountProblem(SCIM, person, "AnchorChanged", "x") for person in range(11)]
    text = page(lines, shown=10)
    assert text.count('<details class="op k-create') == 10
    assert text.count('<details class="op k-delete') == 3
    assert text.count('<details class="op k-held') == 10
    assert text.count("AnchorChanged") == 10
    words = re.sub(r"<[^>]*>", "", text)
    assert "10 of 30 operations of the kind create are shown." in words
    assert "10 of 12 held operations are shown." in words
    assert "10 of 11 problems are shown." in words
    assert "of the kind delete" not in words
    assert "create (30)" in words
    assert "of the kind" not in re.sub(r"<[^>]*>", "", page(lines, shown=30))


def test_filters_name_kinds_and_causes_of_all_targets_together() -> None:
    """A rule that hides has a button, and each row its classes."""
    rule = ChangeCause(CauseKind.RULE, "users", "e2")
    lines = [
        entry(OperationKind.UPDATE, 1, causes=(rule,)),
        entry(OperationKind.UPDATE, 2, causes=(rule,), target="other"),
        leaving(OperationKind.SOFT_DELETE, 3),
    ]
    text = page(lines)
    ids = set(re.findall(r'type="radio" name="\w+" id="([\w-]+)"', text))
    assert ids == {"k-all", "k-update", "k-soft_delete", "c-all", "c-0", "c-1"}
    assert "rule users edited (2)" in text
    assert text.count('<details class="op k-update c-0"') == 2
    assert text.count('<details class="op k-soft_delete c-1"') == 1
    for name in ids - {"k-all", "c-all"}:
        assert f"main:has(#{name}:checked) .op:not(.{name})" in text
    assert "By target" in text


def test_a_stop_stands_first_with_what_decides() -> None:
    """Before everything else."""
    stops = (GuardStop(LimitName.FIRST_RUN, 3, target=SCIM, decide="first_run:scim"),)
    text = page([entry()], stops=stops)
    assert text.index("Nothing of it is written") < text.index("operations for")
    assert "first_run:scim" in text
    assert 'class="stop"' not in page([entry()])


def test_a_plan_that_does_nothing_says_so() -> None:
    """No filter, no table of causes."""
    text = page([])
    assert "Nothing has to be done." in text
    assert "By target" not in text
    assert 'id="causes"' not in text


def test_many_causes_are_cut() -> None:
    """The largest are shown, and how many there are."""
    lines = [entry(person=at, causes=(ChangeCause(CauseKind.OU, f"OU={at}"),)) for at in range(120)]
    text = page(lines)
    assert "100 of 120 causes" in text
    assert text.count('name="cause"') == 13


def test_the_page_comes_in_pieces() -> None:
    """A plan of a million operations is never one text in memory."""
    lines = [entry(person=person, set={"a": "x" * 100}) for person in range(400)]
    pieces = list(plan_page(header(lines), iter(lines)))
    assert len(pieces) > 400
    assert max(map(len, pieces[1:])) < 8_000
