"""Browsers by the names that people know."""

from __future__ import annotations

import pytest

from gateway.signin.user_agent import describe

_KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_KIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge, Windows"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {_KIT} Chrome/140.0.0.0 Safari/537.36", "Chrome, Linux"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1", "Safari, iPhone"),
        (f"Mozilla/5.0 (Linux; Android 15) {_KIT} Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome, Android"),
        ("curl/8.9.1", "curl"),
        ("<script>alert(1)</script> x", "<script>alert(1)<"),
        ("", ""),
    ],
)
def test_a_browser_is_named(header: str, name: str) -> None:
    """Whatever it pretends to be as well."""
    assert describe(header) == name
