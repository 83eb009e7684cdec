"""Causes, evidence and values in words."""

from __future__ import annotations

from typing import Any

import pytest

from sync.plan import CauseKind, ChangeCause, DepartureEvidence, EvidenceKind
from sync.plan.texts import cause_text, evidence_text, value_texts

AD = {"source": "ad", "key": b"\x01\x02"}


@pytest.mark.parametrize(
    ("evidence", "text"),
    [
        ((EvidenceKind.TOMBSTONE, {"reading": "r7"}), "0102 of ad: its tombstone was seen in reading r7"),
        ((EvidenceKind.TOMBSTONE, {}), "0102 of ad: its tombstone was seen"),
        (
            (EvidenceKind.ABSENT, {"reading": "r7", "asked": 1e9}),
            "0102 of ad: not in the complete reading r7, asked for by its key at 2001-09-09 01:46Z",
        ),
        ((EvidenceKind.ABSENT, {}), "0102 of ad: not in the complete reading (none), not asked for by its key"),
        (
            (EvidenceKind.LEFT_SCOPE, {"rule": "users", "edition": "e2", "attribute": "title"}),
            "0102 of ad: the rule users no longer has it in scope, because the rule was edited and its title changed",
        ),
        (
            (EvidenceKind.DISABLED, {"rule": "users", "moved": ("OU=a", "OU=b")}),
            "0102 of ad: the rule users says that it is disabled, because it was moved from OU=a to OU=b",
        ),
        ((EvidenceKind.LEFT_SCOPE, {}), "0102 of ad: the rule (none) no longer has it in scope"),
        ((EvidenceKind.UNDO, {"run": "17"}), "run 17 is undone"),
    ],
)
def test_evidence_is_a_sentence(evidence: tuple[EvidenceKind, dict[str, Any]], text: str) -> None:
    """What was seen of which object, and where."""
    kind, fields = evidence
    assert evidence_text(DepartureEvidence(kind, **AD | fields)) == text


@pytest.mark.parametrize("kind", list(CauseKind))
def test_every_cause_has_words(kind: CauseKind) -> None:
    """A name of somebody else's is a name, and no place for another one."""
    text = cause_text(ChangeCause(kind, "{name}\n{0}", "e2"))
    assert text
    assert "\n" not in text
    assert ("{name}" in text) == (kind not in {CauseKind.NEW, CauseKind.RETURNED, CauseKind.TARGET, CauseKind.UNKNOWN})


def test_long_values_are_cut_and_say_so() -> None:
    """How long they are, and how many there are."""
    assert value_texts("x" * 201) == ["x" * 200 + "… (201 characters)"]
    assert value_texts("x" * 200) == ["x" * 200]
    assert value_texts(b"\xff" * 300) == ["ff" * 100 + " (300 bytes)"]
    assert value_texts(tuple(range(25))) == [*map(str, range(20)), "and 5 more"]
    assert value_texts("\x00" + "x" * 200) == ["\\x00" + "x" * 199 + "… (201 characters)"]
    assert value_texts(None) == []
    assert value_texts("a\u202eb\x00") == ["a\\u202eb\\x00"]
