"""Editing a settings file: the wanted values are in it, and everything else is as it was."""

from __future__ import annotations

import tomllib

import pytest

from isthmus.setup import NotEditable, current_value, edited

TEXT = """\
# mine
[server]
public_url = "https://old.example.com"  # for now
# listen = "0.0.0.0:8443"
trusted_proxies = [
    "10.0.0.0/8",   # ours
    "[::1]/128",
]
[server.signin]
organisation = "Old"

[log]
level = "debug"
"""


def test_values_are_changed_and_added_in_their_tables() -> None:
    """Lines that are not concerned stay as they are."""
    after = edited(
        TEXT,
        {"server.public_url": "https://new", "server.listen": "0.0.0.0:443", "server.signin.organisation": 'A "B" \\ C'},
    )
    data = tomllib.loads(after)
    assert data["server"]["public_url"] == "https://new"
    assert data["server"]["listen"] == "0.0.0.0:443"
    assert data["server"]["signin"]["organisation"] == 'A "B" \\ C'
    assert data["server"]["trusted_proxies"] == ["10.0.0.0/8", "[::1]/128"]
    assert "# mine\n" in after
    assert '    "10.0.0.0/8",   # ours\n' in after


def test_what_is_so_already_is_not_touched() -> None:
    """Not even the way that it is written."""
    wanted = {"server.public_url": "https://old.example.com", "server.trusted_proxies": ("10.0.0.0/8", "[::1]/128")}
    assert edited(TEXT, wanted) == TEXT
    assert edited(TEXT, {"server.listen": None}) == TEXT


def test_a_list_on_several_lines_is_replaced_as_a_whole() -> None:
    """With its comments, which were about what is gone."""
    after = edited(TEXT, {"server.trusted_proxies": ("192.0.2.1/32",)})
    assert tomllib.loads(after)["server"]["trusted_proxies"] == ["192.0.2.1/32"]
    assert tomllib.loads(after)["server"]["signin"] == {"organisation": "Old"}


def test_a_setting_is_taken_out() -> None:
    """None says so."""
    assert "organisation" not in edited(TEXT, {"server.signin.organisation": None})


def test_a_table_that_is_not_there_is_added() -> None:
    """At the end."""
    assert tomllib.loads(edited(TEXT, {"server.core.ping_interval": 5}))["server"]["core"] == {"ping_interval": 5}
    assert tomllib.loads(edited("", {"state_dir": "/x"})) == {"state_dir": "/x"}


@pytest.mark.parametrize(
    "text",
    [
        'server = { public_url = "a" }\n',
        'server.public_url = "a"\n',
        '[server]\n"public_url" = "a"\n',
    ],
)
def test_what_cannot_be_changed_safely_is_left_to_the_administrator(text: str) -> None:
    """The error says what to write."""
    with pytest.raises(NotEditable, match=r'set server\.public_url = "b" in it yourself'):
        edited(text, {"server.public_url": "b"})


def test_a_value_that_looks_like_a_table() -> None:
    """A text over several lines with a header in it is not taken for one."""
    text = '[server]\npublic_url = "a"\nnote = """\n[server.signin]\norganisation = "x"\n"""\n'
    after = tomllib.loads(edited(text, {"server.public_url": "b", "server.listen": "c"}))
    assert after["server"]["note"] == '[server.signin]\norganisation = "x"\n'
    with pytest.raises(NotEditable):
        edited(text, {"server.signin.organisation": "y"})


def test_a_current_value() -> None:
    """By its dotted key; None where it is not there, or where a value stands in the way."""
    data = tomllib.loads(TEXT)
    assert current_value(data, "server.signin.organisation") == "Old"
    assert current_value(data, "server.public_url.x") is None
    assert current_value(data, "agent") is None
