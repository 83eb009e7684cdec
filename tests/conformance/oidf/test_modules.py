"""The table of all modules: each has a test here, belongs to a later piece of work, or is refused."""

from __future__ import annotations

from collections import Counter

from tests.conformance.tables import named_tests, read_table

PLANS = {
    "oidcc-config-certification-test-plan",
    "oidcc-basic-certification-test-plan",
    "oidcc-rp-initiated-logout-certification-test-plan",
    "oidcc-backchannel-rp-initiated-logout-certification-test-plan",
}
"""Every module of these is tested here."""
LATER = {
    "dynamic registration",
    "FAPI 2",
    "front-channel logout",
    "hybrid flow",
    "request objects",
    "third-party-initiated login",
}
REFUSED = "refused"
"""Session management: its frames need third-party cookies, which browsers no longer send."""
MODULES = read_table("oidf-modules.csv")


def _name_of(module: str) -> str:
    return "test_" + module.replace("-", "_")


def test_every_module_has_a_test_or_a_place() -> None:
    """And no test is called after a module that there is not."""
    here = [_name_of(row["module"]) for row in MODULES if row["belongs_to"] == "here"]
    tests = Counter(test.name for test in named_tests("conformance/oidf") if test.name.startswith("test_oidcc_"))
    assert tests == Counter(here)
    assert {row["belongs_to"] for row in MODULES} <= {"here", REFUSED, *LATER}


def test_the_plans_that_are_met_are_met_whole() -> None:
    """None of their modules is put off."""
    for row in MODULES:
        if PLANS & set(row["plans"].split()):
            assert row["belongs_to"] == "here", row["module"]


def test_session_management_alone_is_refused() -> None:
    """Whatever else is not here comes later."""
    refused = [row["module"] for row in MODULES if row["belongs_to"] == REFUSED]
    assert refused
    assert all(module.startswith("oidcc-session-management") for module in refused)
