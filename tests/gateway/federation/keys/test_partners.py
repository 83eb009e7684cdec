"""Which applications a new key waits for, and how long."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from certs import PartnerKind
from gateway.federation.keys.rollover.partners import by_hand, ledger_of, notice
from gateway.federation.settings import KeySettings
from gateway.federation.trusts import KeyNotice, Trust
from tests.gateway.federation.trusts.samples import oidc, saml

SETTINGS = KeySettings(publish_for=1000.0, lead=200.0)


def learning(trust: Trust, learns: Any, within: float = 400.0) -> Trust:
    return replace(trust, keys=KeyNotice(learns=learns, within=within), contact="ops@example.com")


def test_each_ring_has_the_partners_of_its_protocol() -> None:
    """Those of a disabled trust are waited for by nobody."""
    trusts = [oidc(), saml(), replace(saml(), id="old", enabled=False)]
    assert [partner.name for partner in ledger_of("oidc", trusts).partners] == ["wiki"]
    assert [partner.name for partner in ledger_of("saml", trusts).partners] == ["crm"]
    assert [partner.name for partner in ledger_of("decrypting", trusts).partners] == ["crm"]
    assert ledger_of("saml", trusts).farm == "saml"


@pytest.mark.parametrize(
    ("learns", "of_oidc", "of_saml"),
    [
        ("", PartnerKind.AUTOMATIC, PartnerKind.UNKNOWN),
        ("automatic", PartnerKind.AUTOMATIC, PartnerKind.AUTOMATIC),
        ("by hand", PartnerKind.MANUAL, PartnerKind.MANUAL),
    ],
)
def test_how_a_partner_learns(learns: str, of_oidc: PartnerKind, of_saml: PartnerKind) -> None:
    """Where the trust does not say: clients read the key set when they meet a new key, of SAML parties nothing is known."""
    (client,) = ledger_of("oidc", [learning(oidc(), learns)]).partners
    (party,) = ledger_of("saml", [learning(saml(), learns)]).partners
    assert (client.kind, client.refresh, client.contact) == (of_oidc, 400.0, "ops@example.com")
    assert party.kind is of_saml
    assert by_hand(ledger_of("saml", [learning(saml(), learns)])) == ({"crm"} if of_saml is PartnerKind.MANUAL else set())


@pytest.mark.parametrize(
    ("learns", "within", "beyond"),
    [
        ("automatic", 400.0, 0.0),
        ("automatic", 1000.0 - SETTINGS.max_age, 0.0),
        ("automatic", 1001.0 - SETTINGS.max_age, 1.0),
        ("automatic", 5000.0, 4000.0 + SETTINGS.max_age),
        ("by hand", 5000.0, 0.0),
    ],
)
def test_the_notice_is_that_of_the_slowest_reader(learns: str, within: float, beyond: float) -> None:
    """Every copy made before has expired by then; who installs keys by hand is asked, not given a time."""
    trusts = [learning(saml(), learns, within), replace(learning(saml(), "automatic", 10.0), id="fast")]
    assert notice(ledger_of("saml", trusts), SETTINGS) == 200.0 + 1000.0 + beyond


def test_without_partners_the_settings_count() -> None:
    """A ring that nobody uses yet."""
    assert notice(ledger_of("saml", []), SETTINGS) == 200.0 + 1000.0
