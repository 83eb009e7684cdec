"""What shows that a person has left, and what does not."""

from __future__ import annotations

import pytest

from sync.model import OperationKind
from sync.plan import DepartureEvidence, EvidenceKind, missing_evidence
from tests.sync.plan.samples import OBJECT, TOMBSTONE, entry

KEY = OBJECT[1]
OTHER = ("hr", b"\x09")
LEFT = EvidenceKind.LEFT_SCOPE
OFF = EvidenceKind.DISABLED
MOVE = ("OU=Sales,DC=x", "OU=Old,DC=x")


def of(kind: EvidenceKind, **fields: object) -> DepartureEvidence:
    """Of the object in AD."""
    return DepartureEvidence(kind, **{"source": "ad", "key": KEY} | fields)  # type: ignore[arg-type]


ABSENT = of(EvidenceKind.ABSENT, reading="r7", asked=0.5)
DEPARTED = (
    TOMBSTONE,
    ABSENT,
    of(LEFT, rule="users", edition="e2"),
    of(LEFT, rule="users", attribute="department"),
    of(LEFT, rule="users", moved=MOVE),
    DepartureEvidence(EvidenceKind.UNDO, run="17"),
)
SAYS_DISABLED = (
    of(OFF, rule="users", attribute="userAccountControl"),
    of(OFF, rule="users", edition="e2"),
    of(OFF, rule="users", moved=MOVE),
)
NOTHING = (
    of(EvidenceKind.ABSENT),
    of(EvidenceKind.ABSENT, reading="r7"),  # not asked for by its key
    of(EvidenceKind.ABSENT, asked=5.0),  # not in a complete reading
    of(LEFT),
    of(LEFT, rule="users"),  # nothing has changed
    of(LEFT, edition="e2"),  # whose scope?
    of(LEFT, attribute="department"),
    of(LEFT, rule="users", moved=(MOVE[0], MOVE[0])),
    of(OFF, rule="users"),
    of(OFF, attribute="userAccountControl"),
    DepartureEvidence(EvidenceKind.UNDO),
    DepartureEvidence(EvidenceKind.TOMBSTONE, "ad", b"\x77"),  # of another object
    DepartureEvidence(EvidenceKind.TOMBSTONE, "hr", KEY),  # of another source
)
DEPARTURES = (OperationKind.DISABLE, OperationKind.SOFT_DELETE, OperationKind.DELETE)


@pytest.mark.parametrize("kind", DEPARTURES)
@pytest.mark.parametrize("evidence", DEPARTED)
def test_evidence_that_is_enough(kind: OperationKind, evidence: DepartureEvidence) -> None:
    """For each step of a deletion."""
    assert missing_evidence(entry(kind, objects=(OBJECT,), evidence=(evidence,))) == ""


@pytest.mark.parametrize("evidence", SAYS_DISABLED)
def test_an_object_that_says_that_it_is_disabled_is_enough_to_disable(evidence: DepartureEvidence) -> None:
    """And for no deletion. One of several objects may say it."""
    assert missing_evidence(entry(OperationKind.DISABLE, objects=(OBJECT, OTHER), evidence=(evidence,))) == ""
    for kind in (OperationKind.SOFT_DELETE, OperationKind.DELETE):
        assert "0102 of ad" in missing_evidence(entry(kind, objects=(OBJECT,), evidence=(evidence,)))


@pytest.mark.parametrize("kind", DEPARTURES)
@pytest.mark.parametrize("evidence", [(), NOTHING, *((single,) for single in NOTHING)])
def test_evidence_that_is_not_enough(kind: OperationKind, evidence: tuple[DepartureEvidence, ...]) -> None:
    """A person is not let go because nothing was heard, and many weak pieces are no strong one."""
    assert "nothing shows that 0102 of ad left" in missing_evidence(entry(kind, objects=(OBJECT,), evidence=evidence))


@pytest.mark.parametrize("kind", DEPARTURES)
def test_a_person_in_two_sources_has_to_leave_both(kind: OperationKind) -> None:
    """Whoever leaves one keeps what the other gives. The missing ones are named, the first three of them."""
    objects = (OBJECT, OTHER, ("hr", b"\x0a"), ("hr", b"\x0b"), ("hr", b"\x0c"))
    found = missing_evidence(entry(kind, objects=objects, evidence=(TOMBSTONE,)))
    assert found == "nothing shows that 09 of hr, 0a of hr, 0b of hr and 1 more left"
    three = missing_evidence(entry(kind, objects=objects[:4], evidence=(TOMBSTONE,)))
    assert three == "nothing shows that 09 of hr, 0a of hr, 0b of hr left"
    scope = of(LEFT, rule="users", edition="e2")  # left one, and is no more disabled for that than deleted
    assert missing_evidence(entry(kind, objects=(OBJECT, OTHER), evidence=(scope,))) == "nothing shows that 09 of hr left"
    both = (TOMBSTONE, DepartureEvidence(EvidenceKind.TOMBSTONE, *OTHER))
    assert missing_evidence(entry(kind, objects=(OBJECT, OTHER), evidence=both)) == ""


@pytest.mark.parametrize(
    "evidence", [of(OFF, rule="users", attribute="x", key=b"\x77"), of(OFF, rule="u", attribute="x", source="hr")]
)
def test_another_object_says_nothing_about_this_one(evidence: DepartureEvidence) -> None:
    """Not that it is disabled either."""
    assert missing_evidence(entry(OperationKind.DISABLE, objects=(OBJECT,), evidence=(evidence,)))


@pytest.mark.parametrize("kind", DEPARTURES)
def test_an_account_made_of_nothing_known_stays(kind: OperationKind) -> None:
    """However much there is about others."""
    assert missing_evidence(entry(kind, evidence=(TOMBSTONE,))) == "it is not known what the account was made of"


@pytest.mark.parametrize("kind", sorted(set(OperationKind) - set(DEPARTURES)))
def test_other_operations_need_no_evidence(kind: OperationKind) -> None:
    """They take nothing away that a source would have to show."""
    assert missing_evidence(entry(kind, objects=(OBJECT,))) == ""
