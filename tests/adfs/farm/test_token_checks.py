"""Tokens whose signature holds, and what the health checks make of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adfs_mgmt.health.checks import check_farm
from adfs_mgmt.health.settings import Thresholds
from foundation.saml import Assertion, SignInOutcome, SyntheticSignIn, read_assertion
from tests.adfs.farm import samples
from tests.adfs.farm.samples import NOW
from tests.foundation.saml.test_assertion import PARTY, STRANGER, good, reread

FARM = samples.farm()


def status(token: Assertion, party: str = PARTY) -> tuple[str, str]:
    """Status of the check, and what was seen."""
    asked = SyntheticSignIn(host="sts1.example.com", outcome=SignInOutcome.ISSUED, relying_party=party, at=NOW, token=token)
    checks = check_farm(FARM, samples.outside(FARM), Thresholds(), NOW, (), [asked])
    (found,) = [each for each in checks if each.name == "synthetic-token"]
    assert bool(found.remedy) is (found.status != "pass")
    return found.status, found.seen


@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_a_good_assertion_passes(version: str) -> None:
    """Of both versions."""
    assert status(read_assertion(reread(good(version))))[0] == "pass"


def test_signed_by_a_stranger() -> None:
    """The signature holds, and proves nothing."""
    found, seen = status(read_assertion(reread(good(signer=STRANGER))))
    assert found == "fail"
    assert "not the primary" in seen


@pytest.mark.parametrize(
    ("at", "expected", "words"),
    [
        (NOW - 3600 - 61, "fail", "expired 61 s ago"),
        (NOW - 3600 - 59, "pass", ""),
        (NOW + 61, "fail", "not valid until 61 s from now"),
        (NOW + 59, "pass", ""),
    ],
    ids=["ended", "just ended", "begins later", "begins soon"],
)
def test_its_time(at: float, expected: str, words: str) -> None:
    """Clocks may differ by a minute."""
    found, seen = status(read_assertion(reread(good(at=at))))
    assert found == expected
    assert words in seen


def test_for_somebody_else() -> None:
    """A token for another relying party is no answer to what was asked."""
    found, seen = status(read_assertion(reread(good(audience="urn:other"))))
    assert found == "fail"
    assert "urn:other instead of urn:payroll" in seen


def test_by_somebody_else() -> None:
    """Another issuer is a failure, but for Entra ID, which wants one for each domain."""
    token = replace(read_assertion(reread(good())), issuer="http://example.org/adfs/services/trust/")
    assert status(token)[0] == "fail"
    entra = "urn:federation:MicrosoftOnline"
    assert status(replace(token, audiences=(entra,)), entra)[0] == "pass"


def test_a_farm_of_which_nothing_is_known() -> None:
    """A token alone proves nothing: a warning."""
    nothing = replace(FARM, nodes=(), properties=replace(FARM.properties, identifier=""))
    (asked, *_) = samples.sign_ins(FARM)
    checks = check_farm(nothing, None, Thresholds(), NOW, (), [asked])
    assert [each.status for each in checks if each.name == "synthetic-token"] == ["warn"]


def test_a_slow_token_is_a_warning() -> None:
    """Encrypted or not."""
    (asked, *_) = samples.sign_ins(FARM)
    slow = [
        replace(asked, milliseconds=1501),
        replace(asked, milliseconds=1501, outcome=SignInOutcome.ENCRYPTED, token=None),
    ]
    found = [each for each in check_farm(FARM, None, Thresholds(), NOW, (), slow) if each.name == "synthetic-token"]
    assert [each.status for each in found] == ["warn", "warn"]
    assert all("slow" in each.seen for each in found)
