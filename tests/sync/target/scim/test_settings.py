"""Settings of a SCIM service: what makes no sense is named, with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from settings import SettingsFileError, Unfit, load_settings
from sync.model import ObjectKind
from sync.target.scim import ScimSettings
from sync.target.scim.paths import GROUP_PATHS, PHOTO_PATH, USER_PATHS, parse_path

_RIGHT = """
url = "https://scim.example.com/v2"
token_file = "token"
"""
_OAUTH = """
url = "https://scim.example.com/v2"
[oauth]
token_url = "https://login.example.com/token"
client_id = "isthmus"
client_secret_file = "secret"
"""


def _load(tmp_path: Path, text: str) -> ScimSettings:
    file = tmp_path / "scim.toml"
    file.write_text(text)
    return load_settings(file, ScimSettings)


def test_what_is_enough(tmp_path: Path) -> None:
    """An address and a token; every default path is one that the library knows."""
    settings = _load(tmp_path, _RIGHT)
    assert settings.token_file == tmp_path / "token"
    assert {n: str(p) for n, p in settings.paths(ObjectKind.USER).items()} == dict(USER_PATHS)
    assert {n: str(p) for n, p in settings.paths(ObjectKind.GROUP).items()} == dict(GROUP_PATHS)


def test_photos_where_they_are_asked_for(tmp_path: Path) -> None:
    """Not otherwise: they make accounts large."""
    name, path = PHOTO_PATH
    assert name not in _load(tmp_path, _RIGHT).paths(ObjectKind.USER)
    assert str(_load(tmp_path, _RIGHT + "photos = true").paths(ObjectKind.USER)[name]) == path


def test_attributes_are_added_replaced_and_removed(tmp_path: Path) -> None:
    """By name; an empty path takes a default out."""
    text = _RIGHT + '[user_attributes]\nextensionAttribute1 = "nickName"\nsn = "name.formatted"\nc = ""\n'
    paths = _load(tmp_path, text).paths(ObjectKind.USER)
    assert (str(paths["extensionAttribute1"]), str(paths["sn"])) == ("nickName", "name.formatted")
    assert "c" not in paths


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (_RIGHT.replace("https", "http"), "not encrypted"),
        (_RIGHT.replace("https://", "https://user:pw@"), "user name"),
        (_RIGHT.replace("/v2", "/v2?x=1"), "query"),
        (_RIGHT.replace("https://", "ftp://"), "not an https"),
        ('url = "https://scim.example.com"', "no credential"),
        (_RIGHT + 'token_variable = "SCIM_TOKEN"', "several credentials"),
        (_RIGHT + 'token_variable = "A B"', "environment variable"),
        (_RIGHT + "concurrency = 0", "too small"),
        (_RIGHT + "patch = false", "put = true"),
        (_RIGHT + 'member_removal = "all"', "none of"),
        (_RIGHT + '[user_attributes]\nx = "nosuch"', "not an attribute of a user"),
        (_RIGHT + '[user_attributes]\nx = "title"', "holds title already"),
        (_RIGHT + '[group_attributes]\nx = "userName"', "not an attribute of a group"),
        (_RIGHT + "tokenfile = 1", "did you mean"),
        (
            _RIGHT + '[oauth]\ntoken_url = "http://login.example.com"\nclient_id = "x"\nclient_secret_file = "y"',
            "not encrypted",
        ),
    ],
)
def test_what_makes_no_sense(text: str, told: str, tmp_path: Path) -> None:
    """Named with its key, and never with a password in it."""
    with pytest.raises(SettingsFileError) as caught:
        _load(tmp_path, text)
    assert told in str(caught.value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "127.9.9.9"])
def test_this_machine_needs_no_tls(host: str, tmp_path: Path) -> None:
    """Nothing leaves it."""
    assert _load(tmp_path, _RIGHT.replace("https://scim.example.com", f"http://{host}:8080")).url


@pytest.mark.parametrize(
    "text",
    [
        "emails",
        "emails.value",
        'emails[type eq "work"]',
        'emails[value eq "x"].value',
        'emails[type eq "a" or type eq "b"].value',
        'userName[type eq "a"]',
        "userName.x",
        "name",
        "groups",
        "id",
        "meta.created",
        "externalId",
        "password",
        "schemas",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        "urn:example:of:mine:thing",
        "",
        "a b",
    ],
)
def test_paths_that_are_none(text: str) -> None:
    """Several values, nothing that is written by flows, or not in RFC 7643."""
    with pytest.raises(Unfit):
        parse_path(ObjectKind.USER, text)
    with pytest.raises(Unfit):
        parse_path(ObjectKind.GROUP, "members")


def test_the_core_schema_may_be_named() -> None:
    """It is the same attribute."""
    text = "urn:ietf:params:scim:schemas:core:2.0:User:nickName"
    assert parse_path(ObjectKind.USER, text) == parse_path(ObjectKind.USER, "nickName")
