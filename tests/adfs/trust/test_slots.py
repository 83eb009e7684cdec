"""Which slot may be written: the table at the head of the module."""

from __future__ import annotations

import itertools

import pytest

from adfs_mgmt.trust import Configuration, Slot
from adfs_mgmt.trust.errors import TrustRefused
from adfs_mgmt.trust.slots import slot_for, slot_to_retire
from certs import Certificate

NAMES = {"live": "1" * 40, "coming": "2" * 40, "old": "3" * 40, "stray": "4" * 40}


def _certificate(name: str) -> Certificate:
    ends = 100.0 + list(NAMES).index(name)
    return Certificate(thumbprint=NAMES[name], subject=name, issuer=name, not_before=0, not_after=ends, der=b"x")


def _configuration(signing: str, following: str) -> Configuration:
    held = {Slot.SIGNING: signing, Slot.NEXT: following}
    certificates = {slot: _certificate(name) for slot, name in held.items() if name}
    return Configuration(id="1", issuer_uri="urn:x", certificates=certificates)


@pytest.mark.parametrize(
    ("signing", "following", "expected"),
    [
        ("live", "", Slot.NEXT),
        ("live", "old", Slot.NEXT),
        ("live", "live", Slot.NEXT),
        ("", "live", Slot.SIGNING),
        ("old", "live", Slot.SIGNING),
        ("live", "coming", None),
        ("coming", "live", None),
    ],
)
def test_where_a_successor_goes(signing: str, following: str, expected: Slot | None) -> None:
    """The slot that does not hold the live key, or none where it is there already."""
    assert slot_for("d", _configuration(signing, following), NAMES["coming"], NAMES["live"]) is expected


@pytest.mark.parametrize(
    ("signing", "following", "expected"),
    [("", "", Slot.SIGNING), ("old", "", Slot.NEXT), ("old", "stray", Slot.SIGNING), ("stray", "old", Slot.NEXT)],
)
def test_where_a_lost_live_key_goes(signing: str, following: str, expected: Slot) -> None:
    """An empty slot, else the one whose certificate ends sooner."""
    assert slot_for("d", _configuration(signing, following), NAMES["live"].lower(), NAMES["live"]) is expected


def test_the_live_slot_is_never_written() -> None:
    """Over every content of both slots and every wish: what holds the only copy of the live key is not touched."""
    contents = ["", *NAMES]
    for signing, following, wanted in itertools.product(contents, contents, NAMES):
        configuration = _configuration(signing, following)
        holding = [slot for slot in Slot if (signing, following)[list(Slot).index(slot)] == "live"]
        for decide in (slot_for, slot_to_retire):
            try:
                slot = decide("d", configuration, NAMES[wanted], NAMES["live"])
            except TrustRefused:
                continue
            assert slot is None or holding != [slot]
