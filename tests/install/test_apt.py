"""The mirror, keys and proxy for a bare Debian are those of the machine's own apt settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.install import apt

ONE_LINE = """\
# deb http://elsewhere.example.com/debian bookworm main
deb [arch=amd64 signed-by=/etc/apt/keys/mirror.gpg] http://mirror.example.com/debian/ bookworm main
deb http://plain.example.com/debian bookworm main
"""
STANZAS = """\
Types: deb
# http://snapshot.example.com/debian
URIs: http://mirror.example.com/debian http://second.example.com/debian
Suites: bookworm
Signed-By: /usr/share/keyrings/mirror.gpg

Types: deb
URIs: http://other.example.com/debian
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
"""


@pytest.mark.parametrize(
    ("targets", "url"),
    [
        ("http://a.example.com/debian/ bookworm main Debian", "http://a.example.com/debian"),
        (
            "http://a.example.com/debian trixie main Debian\nhttp://b.example.com/debian bookworm main Debian",
            "http://b.example.com/debian",
        ),
        ("http://a.example.com/debian trixie main Debian", "http://a.example.com/debian"),
        (
            "http://s.example.com/debian-security bookworm-security main Debian-Security\n"
            "http://a.example.com/debian bookworm contrib Debian\nfile:/srv/debian bookworm main Debian",
            "file:/srv/debian",
        ),
    ],
)
def test_the_mirror_is_debians_own(targets: str, url: str) -> None:
    """Debian's main component, of the wanted suite if the machine has that one; neither security nor a vendor's."""
    assert apt.choose_mirror(targets) == url


@pytest.mark.parametrize(
    "targets", ["", "http://u.example.com/ubuntu noble main Ubuntu", "cdrom://disk/ bookworm main Debian"]
)
def test_without_a_mirror_it_says_so(targets: str) -> None:
    """A machine of another system makes no Debian."""
    with pytest.raises(apt.NoMirror, match="apt sources"):
        apt.choose_mirror(targets)


@pytest.mark.parametrize(
    ("url", "keyring"),
    [
        ("http://mirror.example.com/debian", "/usr/share/keyrings/mirror.gpg"),
        ("http://second.example.com/debian", "/usr/share/keyrings/mirror.gpg"),
        ("http://other.example.com/debian", None),
        ("http://plain.example.com/debian", None),
        ("http://elsewhere.example.com/debian", None),
    ],
)
def test_the_keys_are_those_of_its_entry(url: str, keyring: str | None) -> None:
    """In either format of sources.list(5); what is no file is left to Debian's own keys."""
    found = apt.signed_by(url, {"debian.sources": STANZAS, "sources.list": ONE_LINE})
    assert found == (Path(keyring) if keyring else None)


def test_an_entry_of_one_line_names_its_keys() -> None:
    """Among other options, in brackets."""
    found = apt.signed_by("http://mirror.example.com/debian", {"sources.list": ONE_LINE})
    assert found == Path("/etc/apt/keys/mirror.gpg")
