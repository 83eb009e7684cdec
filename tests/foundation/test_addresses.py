"""Addresses as others write them."""

from __future__ import annotations

import ipaddress

import pytest

from foundation import addresses
from foundation.addresses import address_key, lies_within, parse_address

FORMS = {
    "203.0.113.5": "203.0.113.5",
    "203.0.113.5:4711": "203.0.113.5",
    '"203.0.113.5:4711"': "203.0.113.5",
    "2001:db8::1": "2001:db8::1",
    "2001:DB8:0::1": "2001:db8::1",
    "[2001:db8::1]": "2001:db8::1",
    "[2001:db8::1]:4711": "2001:db8::1",
    '"[2001:db8::1]:4711"': "2001:db8::1",
    "::ffff:203.0.113.5": "203.0.113.5",
    "[::ffff:203.0.113.5]:4711": "203.0.113.5",
}


@pytest.mark.parametrize(("text", "address"), FORMS.items())
def test_an_address_is_read_in_every_form(text: str, address: str) -> None:
    """One client is one address, however a proxy writes it."""
    assert str(parse_address(text)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unknown",
        "_hidden",
        "203.0.113.5:",
        "203.0.113.5:http",
        "203.0.113.5:123456",
        "203.0.113.5 ",
        "203.0.113.5\n",
        "203.0.113.5\x1b[31m",
        "010.0.0.1",
        "\u0661.\u0662.\u0663.\u0664",
        "203.0.113.5/32",
        "fe80::1%eth0",
        'fe80::1%"><b>',
        "fe80::1%\x1b[2J",
        "[fe80::1%1]:443",
        "[2001:db8::1",
        "[2001:db8::1]443",
        "2001:db8::1]:443",
        '"203.0.113.5',
        '""203.0.113.5""',
        "for=203.0.113.5",
        "https://203.0.113.5",
        "1" * 100_000,
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    """Nor is what has a zone, which may be any text and means nothing here."""
    assert parse_address(text) is None
    assert not lies_within(text, [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")])


def test_long_texts_are_not_kept() -> None:
    """Whatever a stranger writes comes here, and what is kept is kept as it is."""
    for function, kept in ((parse_address, addresses._parse), (address_key, addresses._key)):
        before = kept.cache_info()
        function("1" * 65)
        assert kept.cache_info() == before


def test_addresses_are_counted_by_what_one_customer_has() -> None:
    """IPv6 by its /64; IPv4 written as IPv6 is not one customer for the whole world."""
    assert address_key("2001:db8:0:1::1") == address_key("[2001:db8:0:1:ffff::2]:443") != address_key("2001:db8:0:2::1")
    assert address_key("::ffff:203.0.113.5") == address_key("203.0.113.5") == "203.0.113.5"
    assert address_key("203.0.113.5") != address_key("203.0.113.6")
    assert address_key("") == ""
