"""The ledger of partners."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from adfs_mgmt.farm.model import RelyingParty
from certs import CertsError, KeyStoreError, Ledger, Ledgers, PartnerKind, PartnerUnknown, ThumbprintMalformed

OURS = "A1" * 20
PARTIES = [
    RelyingParty(name="Office", identifiers=("urn:federation:MicrosoftOnline",)),
    RelyingParty(name="Wiki", identifiers=("https://wiki.example/",), metadata_url="https://wiki.example/metadata"),
    RelyingParty(name="Old", identifiers=("urn:old",), enabled=False),
]


def _ledger() -> Ledger:
    return Ledger(farm="prod").learn(PARTIES)


def test_new_partners_are_unknown() -> None:
    """Nobody is taken to be automatic unless somebody said so; disabled trusts are none."""
    assert _ledger().unknown == ("Office", "Wiki")
    assert _ledger().partner("WIKI").metadata_url == "https://wiki.example/metadata"


def test_notes_outlive_a_new_reading_and_a_new_name() -> None:
    """A trust that was renamed is found by its identifier; one that is gone is left out."""
    ledger = _ledger().classify("Wiki", PartnerKind.MANUAL, contact="wiki@example.com")
    renamed = [RelyingParty(name="Knowledge", identifiers=("https://wiki.example/",))]
    again = ledger.learn(renamed)
    assert [each.name for each in again.partners] == ["Knowledge"]
    assert (again.partner("Knowledge").kind, again.partner("Knowledge").contact) == (PartnerKind.MANUAL, "wiki@example.com")


def test_who_lags() -> None:
    """A manual one until it has acknowledged, an automatic one until its refresh is over, an unknown one never."""
    ledger = _ledger().classify("Wiki", PartnerKind.MANUAL, contact="Ada")
    ledger = ledger.classify("urn:federation:microsoftonline", PartnerKind.AUTOMATIC, refresh=7200)
    assert set(ledger.lagging(OURS, 1000, 1000 + 7199)) == {"Office", "Wiki"}
    assert "Ada" in ledger.lagging(OURS, 1000, 1000)["Wiki"]
    ledger = ledger.acknowledge("wiki", OURS.lower(), "admin", 5.0)
    assert ledger.lagging(OURS, 1000, 1000 + 7200) == {}
    assert set(ledger.lagging("B2" * 20, 1000, 99999)) == {"Wiki"}


@pytest.mark.parametrize("text", ["", "A1", "Z" * 40, "A1" * 21])
def test_an_acknowledgement_names_a_certificate(text: str) -> None:
    """What is not a thumbprint is not written down."""
    with pytest.raises(ThumbprintMalformed, match="thumbprint"):
        _ledger().acknowledge("Wiki", text, "admin", 0)


def test_an_unknown_partner_is_told_who_is_known() -> None:
    """The error lists the names."""
    with pytest.raises(PartnerUnknown, match="Office, Wiki"):
        _ledger().partner("Wikki")


def test_the_file_keeps_everything(tmp_path: Path) -> None:
    """Saved and loaded is the same; mode 0600."""
    tmp_path.chmod(0o700)
    ledgers = Ledgers(tmp_path)
    with ledgers.changing("prod") as box:
        box.ledger = (
            _ledger()
            .classify("Wiki", PartnerKind.MANUAL)
            .acknowledge("Wiki", OURS, "admin", 5.0)
            .note_metadata("Wiki", [OURS], 6.0)
        )
    assert ledgers.load("prod") == box.ledger
    assert stat.S_IMODE((tmp_path / "partners-prod.json").stat().st_mode) == 0o600
    assert ledgers.load("other") == Ledger(farm="other")


def test_two_at_once(tmp_path: Path) -> None:
    """The second administrator is told, instead of the first one's notes being lost."""
    tmp_path.chmod(0o700)
    ledgers = Ledgers(tmp_path)
    with ledgers.changing("prod"), pytest.raises(KeyStoreError, match="another administrator"), ledgers.changing("prod"):
        pass


def test_a_change_that_fails_is_not_saved(tmp_path: Path) -> None:
    """An error inside leaves the file as it was, and the lock free."""
    tmp_path.chmod(0o700)
    ledgers = Ledgers(tmp_path)
    with pytest.raises(CertsError), ledgers.changing("prod") as box:
        box.ledger = _ledger().classify("Nobody", PartnerKind.MANUAL)
    assert ledgers.load("prod").partners == ()
    with ledgers.changing("prod") as box:
        box.ledger = _ledger()


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"version": 9}', '{"version": 1, "farm": "other"}', '{"version": 1, "farm": "prod", "partners": [7]}'],
)
def test_a_damaged_ledger_is_not_started_afresh(tmp_path: Path, content: str) -> None:
    """Acknowledgements would be lost silently."""
    tmp_path.chmod(0o700)
    path = tmp_path / "partners-prod.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyStoreError, match=r"partners-prod\.json"):
        Ledgers(tmp_path).load("prod")


def test_a_farms_name_cannot_lead_elsewhere(tmp_path: Path) -> None:
    """A farm is called what its administrator likes."""
    tmp_path.chmod(0o700)
    with Ledgers(tmp_path).changing("../../x") as box:
        assert box.ledger.farm == "../../x"
    assert [each.suffix for each in sorted(tmp_path.iterdir())] == [".json", ".lock"]


def test_a_lock_that_cannot_be_opened(tmp_path: Path) -> None:
    """Said like any other trouble with the ledger."""
    tmp_path.chmod(0o700)
    (tmp_path / "partners-prod.lock").mkdir()
    with pytest.raises(KeyStoreError, match=r"partners-prod\.lock: cannot be opened"), Ledgers(tmp_path).changing("prod"):
        pass


def test_a_large_farm(tmp_path: Path) -> None:
    """What was written can be read: five thousand relying parties are no reason to lose the ledger."""
    tmp_path.chmod(0o700)
    url = "https://app{}.apps.contoso.example/saml/metadata"
    parties = [
        RelyingParty(name=f"Relying party number {number}", identifiers=(url.format(number),), metadata_url=url)
        for number in range(5000)
    ]
    with Ledgers(tmp_path).changing("prod") as edit:
        edit.ledger = edit.ledger.learn(parties)
    assert len(Ledgers(tmp_path).load("prod").partners) == 5000
