"""The identity provider mode of the SAML 2.0 conformance document (saml-conformance-2.0-os): table 2, the features,
and table 3, the extended ones. Each has its tests, belongs to a later piece of work, or is refused.
"""

from __future__ import annotations

import pytest

from tests.conformance.tables import named_tests, read_table

LATER = {"artifact binding", "clients without a browser", "sign-in at other identity providers"}
REFUSED = {
    "Name Identifier Management": "a name follows from account, trust and policy; no party changes it",
    "Name Identifier Mapping": "no party learns by which name another one knows a person",
    "Identity Provider Discovery": "its cookie of a common domain is one that browsers no longer send to others",
}
"""Beginnings of requirements, and why they are not met."""
REQUIREMENTS = read_table("saml-conformance.csv")


@pytest.mark.parametrize("row", REQUIREMENTS, ids=lambda row: str(row["requirement"]))
def test_a_requirement_has_its_tests_or_a_place(row: dict[str, str]) -> None:
    """Tests are named where it is met, and nowhere else; each of them exists."""
    named = row["tests"].split()
    assert set(named) <= {test.node_id for test in named_tests()}
    assert bool(named) is (row["belongs_to"] == "here")
    assert row["belongs_to"] in {"here", "refused", *LATER}


def test_what_is_refused_has_its_reason() -> None:
    """And nothing is refused without one."""
    for row in REQUIREMENTS:
        found = [why for begin, why in REFUSED.items() if row["requirement"].startswith(begin)]
        assert bool(found) is (row["belongs_to"] == "refused"), row["requirement"]


def test_both_tables_are_whole() -> None:
    """Fourteen features, and two extended ones."""
    assert [row["table"] for row in REQUIREMENTS] == ["2"] * 14 + ["3"] * 2
