"""Thumbprints as people paste them."""

from __future__ import annotations

import pytest

from certs import ThumbprintMalformed, normal_thumbprint, parse_thumbprint, thumbprint_of

PLAIN = "0123456789ABCDEF0123456789ABCDEF01234567"
SPACED = "01 23 45 67 89 ab cd ef 01 23 45 67 89 ab cd ef 01 23 45 67"


@pytest.mark.parametrize(
    "pasted",
    [
        PLAIN,
        PLAIN.lower(),
        SPACED,
        SPACED.replace(" ", ":"),
        SPACED.replace(" ", "\u00a0"),
        "\u200e" + SPACED,
        "\ufeff" + PLAIN + "\r\n",
        SPACED.replace(" ", "\u202f"),
        SPACED.replace(" ", "\u2011"),
        "\u00ad" + SPACED.replace(" ", "\u2009") + "\u2069",
    ],
    ids=[
        "plain",
        "lower case",
        "blanks",
        "colons",
        "no-break spaces",
        "left-to-right mark",
        "byte order mark",
        "narrow blanks",
        "no-break hyphens",
        "soft hyphen, thin blanks, isolate",
    ],
)
def test_one_form_for_all(pasted: str) -> None:
    """Blanks, colons, marks that nobody sees, either case: all are the same thumbprint."""
    assert parse_thumbprint(pasted) == normal_thumbprint(pasted) == PLAIN


@pytest.mark.parametrize(
    "pasted", ["", "01", PLAIN + "89", "G" + PLAIN[1:], PLAIN[:-1] + "\u0661", "\ufb00" + PLAIN[2:], "Thumbprint: " + PLAIN]
)
def test_what_is_none(pasted: str) -> None:
    """Too short, too long, other letters, other scripts' digits: refused, and the error quotes it."""
    with pytest.raises(ThumbprintMalformed, match="is not a thumbprint"):
        parse_thumbprint(pasted)


def test_an_errors_text_is_bounded() -> None:
    """Whatever was pasted."""
    with pytest.raises(ThumbprintMalformed) as caught:
        parse_thumbprint("x" * 100_000)
    assert len(str(caught.value)) < 200


def test_of_a_certificate() -> None:
    """SHA-1 of the DER (FIPS 180-4's vector for `abc`)."""
    assert thumbprint_of(b"abc") == "A9993E364706816ABA3E25717850C26C9CD0D89D"


def test_a_letter_that_only_looks_like_digits() -> None:
    """A ligature becomes two letters in upper case; what was pasted has 39 of 40 digits."""
    with pytest.raises(ThumbprintMalformed):
        parse_thumbprint("\ufb00" + "A" * 39)
