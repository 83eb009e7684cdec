"""What a value must be to make sense: each check, at its edges, with what it says."""

from __future__ import annotations

from typing import Any

import pytest

from settings import (
    Bounds,
    OrEmpty,
    Pattern,
    Unfit,
    distinct,
    host_name,
    link,
    listen_address,
    network,
    not_empty,
    origin,
    proxy_address,
    readable,
    web_address,
)
from settings.checks import Check, no_controls, shown

RED = Pattern("#[0-9a-f]{6}", "a colour")

TAKEN: list[tuple[Check, Any]] = [
    (Bounds(), 1),
    (Bounds(), 0.001),
    (Bounds(), 1_000_000_000),
    (Bounds(zero=True), 0),
    (Bounds(zero=True), 0.0),
    (Bounds(least=5, most=7), 5),
    (Bounds(least=5, most=7), 7),
    (RED, "#aa0000"),
    (OrEmpty(RED), ""),
    (not_empty, ("one",)),
    (distinct, ("a", "b")),
    (no_controls, "Zoë, two words, and \\ a backslash"),
    (readable, "\u0646\u0627\u0645\u0647\u200c\u0647\u0627 \U0001f468\u200d\U0001f4bb Café\u00a0: 1"),  # Persian, an emoji
    (host_name, "relay.example.com"),
    (host_name, "relay"),
    (host_name, "192.0.2.1"),
    (host_name, "2001:db8::1"),
    (origin, "https://signin.example.com"),
    (origin, "https://signin.example.com:8443/"),
    (origin, "https://[2001:db8::1]:8443"),
    (web_address, "https://acme.example.com/directory?x=1"),
    (link, "https://help.example.com/a?b=c#d"),
    (link, "mailto:help@example.com"),
    (link, "tel:+49-30-123456"),
    (proxy_address, "none"),
    (proxy_address, "http://proxy.example.com:3128"),
    (listen_address, "127.0.0.1:8443"),
    (listen_address, ":8443"),
    (listen_address, "[::]:8443"),
    (network, "10.0.0.0/8"),
    (network, "10.1.2.3/8"),
    (network, "2001:db8::1"),
]

HIDDEN = "\0\n\x1b\x9b\xad\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\ud800"

REFUSED: list[tuple[Check, Any, str]] = [
    (Bounds(), 0, "0 is too small; give at least 1"),
    (Bounds(), 0.0, "0 is too small; give more than 0"),
    (Bounds(zero=True), -1, "-1 is too small; give at least 1, or 0"),
    (Bounds(), 1_000_000_001, "1000000001 is too large; give at most 1000000000"),
    (Bounds(least=5, most=7), 4, "4 is too small; give at least 5"),
    (Bounds(least=5, most=7), 7.5, "7.5 is too large; give at most 7"),
    (RED, "#aa00000", "'#aa00000' is not a colour"),
    (OrEmpty(RED), "red", "'red' is not a colour"),
    (not_empty, "  ", "is empty"),
    (not_empty, (), "is empty"),
    (distinct, ("a", "b", "A"), "has 'A' twice; name it once"),
    (no_controls, "CORP\new", "has a control character"),
    (no_controls, "C:\temp", "has a control character"),
    (no_controls, "\x9b", "has a control character"),
    (no_controls, "\x7f", "has a control character"),
    (no_controls, "a\0", "has a NUL character"),
    *((readable, f"a{hidden}b", f"has the character U+{ord(hidden):04X}, which") for hidden in HIDDEN),
    (host_name, "relay.example.com:443", "is not the name of a host"),
    (host_name, "https://relay", "is not the name of a host"),
    (host_name, "-relay", "is not the name of a host"),
    (host_name, "a" * 64, "is not the name of a host"),
    (host_name, "two words", "is not the name of a host"),
    (origin, "signin.example.com", "is not an https:// address"),
    (origin, "http://signin.example.com", "is not encrypted"),
    (origin, "https://", "is not an https:// address"),
    (origin, "https://signin.example.com:port", "is not an https:// address"),
    (origin, "https://anna:hunter2@signin.example.com", "holds a user name or a password"),
    (origin, "https://anna@signin.example.com", "holds a user name or a password"),
    (origin, "https://signin.example.com/signin", "has something after the host"),
    (origin, "https://signin.example.com?a=b", "has something after the host"),
    (origin, "https://signin.example.com#a", "has something after the host"),
    (origin, "https://two words", "is not an https:// address"),
    (web_address, "http://acme.example.com", "is not an https:// address"),
    (link, "javascript:alert(1)", "is not a link that the page can have"),
    (link, "JavaScript:alert(1)", "is not a link that the page can have"),
    (link, "data:text/html,x", "is not a link that the page can have"),
    (link, "http://help.example.com", "is not a link that the page can have"),
    (link, 'https://help.example.com/"onclick="', "is not a link that the page can have"),
    (link, "mailto:nobody", "is not a link that the page can have"),
    (link, "tel:call me", "is not a link that the page can have"),
    (link, "help.example.com", "is not a link that the page can have"),
    (proxy_address, "proxy.example.com:3128", "is not a proxy's address"),
    (proxy_address, "socks5://proxy.example.com", "is not a proxy's address"),
    (proxy_address, "http://svc:hunter2@proxy.example.com:3128", "holds a password"),
    (listen_address, "8443", "is not host:port"),
    (listen_address, "::1:8443", "is not host:port"),
    (listen_address, "[127.0.0.1:80", "is not host:port"),
    (listen_address, "host:٣", "is not host:port"),
    (network, "10.0.0.0/33", "is not a network"),
    (network, "example.com", "is not a network"),
    (network, "::/0", "is every address there is"),
]


@pytest.mark.parametrize(("check", "value"), TAKEN)
def test_what_makes_sense_is_taken(check: Check, value: Any) -> None:
    """Edges included."""
    check(value)


@pytest.mark.parametrize(("check", "value", "words"), REFUSED)
def test_what_makes_no_sense_is_refused(check: Check, value: Any, words: str) -> None:
    """With what would be right, and no password repeated."""
    with pytest.raises(Unfit) as refused:
        check(value)
    assert words in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_value_is_repeated_but_not_all_of_a_long_one() -> None:
    """Nor an address that may hold a password."""
    assert shown("red") == "'red'"
    assert len(shown("x" * 1000)) < 70
    assert shown("http://svc:hunter2@proxy") == "an address with a user name in it"
