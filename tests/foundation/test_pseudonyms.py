"""Texts that leave an organisation without its names."""

from __future__ import annotations

from foundation.pseudonyms import Pseudonyms, words_of

KNOWN = frozenset({"http", "com", "service"})


def made(key: bytes = b"k") -> Pseudonyms:
    return Pseudonyms(key, KNOWN, r"MSIS[0-9]{4}")


def test_only_known_words_stay() -> None:
    """Each other word becomes the same pseudonym wherever it is, under the same key."""
    scrub = made()
    text = scrub.text("http://fs.contoso.com/service")
    assert "contoso" not in text
    assert text.startswith("http://n")
    assert text.endswith(".com/service")
    assert words_of(scrub.text("contoso"))[0] in text
    assert made(b"other").text("contoso") != scrub.text("contoso")


def test_addresses_and_identifiers_stay_of_their_kind() -> None:
    """An address becomes one of those for documentation (RFC 5737, RFC 3849), a SID keeps its last number."""
    scrub = made()
    assert scrub.text("10.1.2.3").startswith("192.0.2.")
    assert scrub.text("fd00::1:2:3").startswith("2001:db8::")
    assert scrub.text("S-1-5-21-1-2-3-1105").endswith("-1105")
    assert len(scrub.text("0F" * 20)) == 40


def test_in_prose_ordinary_words_stay() -> None:
    """But not those that look like a name, or were met as one; numbers of messages stay."""
    scrub = made()
    scrub.text("payroll")
    said = scrub.prose("MSIS7068: the payroll server CORP is down")
    assert said.startswith("MSIS7068: the n")
    assert "payroll" not in said
    assert "CORP" not in said
    assert said.endswith(" is down")


def test_a_property_keeps_its_name() -> None:
    """One that is no identifier is a text like others."""
    assert made().identifier("HostName") == "HostName"
    assert "contoso" not in made().identifier("contoso.com")
