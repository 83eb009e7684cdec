"""The identity provider mode of the SAML 2.0 conformance document (saml-conformance-2.0-os, errata 05): tables 2 to 4, and
sections 3.3 to 4.2. Each requirement has its tests, belongs to a later piece of work, or is refused.

Conformance as a whole is not claimed: what is refused was mandatory in 2005.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conformance.tables import named_tests, read_table

LATER = {"artifact binding", "clients without a browser", "sign-in at other identity providers"}
REFUSED = {
    "Name Identifier Management": "a name follows from account, trust and policy; no party changes it",
    "Name Identifier Mapping": "no party learns by which name another one knows a person",
    "Identity Provider Discovery": "its cookie of a common domain is one that browsers no longer send to others",
    "Request for Assertion by Identifier": "no assertion is kept",
    "SAML URI Binding": "no assertion is kept",
    "Authorities": "nobody is asked about people but by signing in; a party that needs more asks by OpenID Connect",
    "Name Identifier Formats of others": "no name here is one of those: InvalidNameIDPolicy (SAMLCore 3.4.1.1)",
    "<EncryptedAttribute>": "whoever may not see attributes may not see who it is: the assertion is encrypted as a whole",
    "SOAP: HTTP basic": "messages are signed, which proves more",
    "HMAC-SHA1": "no secret is shared with a party; whoever knows a public key could make one",
    "CanonicalXML": "exclusive canonicalization is what SAMLCore section 5.4.3 recommends",
    "TRIPLE DES": "both can be broken; errata 05 (E93) advises against version 1.5",
}
"""Beginnings of requirements, and why they are not met."""
REQUIREMENTS = read_table("saml-conformance.csv")


@pytest.mark.parametrize("row", REQUIREMENTS, ids=lambda row: f"{row['part']}: {row['requirement']}")
def test_a_requirement_has_its_tests_or_a_place(row: dict[str, str]) -> None:
    """Tests are named where it is met, and where a refusal can be seen; each of them exists."""
    named = row["tests"].split()
    assert set(named) <= {test.node_id for test in named_tests()}
    assert row["belongs_to"] in {"here", "refused", *LATER}
    assert named or row["belongs_to"] != "here"
    assert not named or row["belongs_to"] in {"here", "refused"}


def test_what_is_refused_has_its_reason() -> None:
    """And nothing is refused without one."""
    for row in REQUIREMENTS:
        found = [why for begin, why in REFUSED.items() if row["requirement"].startswith(begin)]
        assert bool(found) is (row["belongs_to"] == "refused"), row["requirement"]


def test_the_tables_are_whole() -> None:
    """Fourteen features and four of the errata, two extended ones, the authorities; then the sections behind the tables."""
    parts = Counter(row["part"] for row in REQUIREMENTS)
    assert [parts[name] for name in ("table 2", "table 2 (E25)", "table 2 (E29)", "table 3", "table 4")] == [14, 2, 2, 2, 1]
    assert [parts[f"section {number}"] for number in ("3.3", "3.4", "3.5", "4.1", "4.2")] == [3, 3, 2, 3, 2]
