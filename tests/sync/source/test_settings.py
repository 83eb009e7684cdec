"""Settings of sources: what is read, and what is refused with its key and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from settings import SettingsFileError, load_settings
from sync.source import AdSource, CsvSource, LdapSource, SourceSettings, open_source
from sync.source.sql import SqlSource

WHOLE = (
    """
[sources.corp]
kind = "ad"
[[sources.corp.domains]]
name = "corp.example.com"
servers = ["ldap://127.0.0.1:1"]
base_dn = "DC=corp,DC=example,DC=com"
send_passwords_unencrypted_over_the_network = true
[sources.corp.attribute_types]
acmeBadge = "number"

[sources.people]
kind = "ldap"
servers = ["ldap://127.0.0.1:1"]
base_dn = "dc=people"
send_passwords_unencrypted_over_the_network = true
key = "nsUniqueId"
kinds = { acmeRobot = "other" }

[sources.hr]
kind = "csv"
file = "people.csv"
key = "Nr"
delimiter = "tab"
[sources.hr.columns.mail]
column = "E-Mail"

[sources.db]
kind = "sql"
url = "postgresql://reader@localhost:5432/hr"
[sources.db.users]
query = """
    + "'''\nSELECT id,\n  mail FROM people\n'''"
    + """
key = "id"
[sources.db.users.columns.mail]
column = "mail"
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """As the settings of synchronisation have them."""

    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    """By name."""


def load(tmp_path: Path, text: str) -> Mapping[str, SourceSettings]:
    file = tmp_path / "sync.toml"
    file.write_text(text)
    return load_settings(file, Sources).sources


def test_each_kind_becomes_its_source(tmp_path: Path, small_ca: Path) -> None:
    """By `kind`."""
    text = WHOLE.replace('base_dn = "D', f'tls.ca_file = "{small_ca}"\nbase_dn = "D')
    text = text.replace('base_dn = "dc', f'tls.ca_file = "{small_ca}"\nbase_dn = "dc')
    read = load(tmp_path, text)
    opened = [open_source(name, settings, ("mail",)) for name, settings in read.items()]
    assert [type(source) for source in opened] == [AdSource, LdapSource, CsvSource, SqlSource]
    assert [(source.name, source.delta) for source in opened] == [
        ("corp", True),
        ("people", True),
        ("hr", False),
        ("db", False),
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "corp.example.com"\nservers = ["ldap://127.0.0.1:1"]', 'name = "corp"', "names no server"),
        ('kind = "ldap"', 'kind = "ldap"\nservice_user = "x"', "has no password"),
        ('kind = "ldap"', 'kind = "ldap"\nservice_password_file = "x"', "nobody's password"),
        (
            "[sources.corp.attribute_types]",
            "[[sources.corp.domains]]\nname = 'CORP.example.com'\nservers = ['a']\nbase_dn = 'x'"
            "\n[sources.corp.attribute_types]",
            "twice",
        ),
        ('delimiter = "tab"', 'encoding = "utf-9"', "'utf-9' is no encoding"),
        ('delimiter = "tab"', 'encoding = "rot13"', "'rot13' is no encoding"),
        ('delimiter = "tab"', 'delimeter = ";"', "delimeter"),
        ("[sources.hr.columns.mail]", "[sources.hr.columns.MAIL]\ncolumn = 'x'\n[sources.hr.columns.mail]", "twice"),
        ("reader@", "reader:secret@", "holds a password"),
        ("/hr", "/hr?password=secret", "holds a password"),
        ("postgresql:", "mysql:", "no database that can be read"),
        ('url = "post', 'url_file = "x"\nurl = "post', "and not both"),
        ('key = "id"', 'key = "the id"', "letters, digits and underscores"),
        (
            "[sources.db.users.columns.mail]",
            "[sources.db.users.lists.mail]\nquery = 'x'\nkey = 'k'\nvalue = 'v'\n[sources.db.users.columns.mail]",
            "among the columns",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    """With what is wrong; never with a password."""
    assert WHOLE.count(old) == 1
    with pytest.raises(SettingsFileError) as refused:
        load(tmp_path, WHOLE.replace(old, new))
    assert words in str(refused.value)
    assert "line " in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_database_without_queries(tmp_path: Path) -> None:
    """It would tell nothing."""
    with pytest.raises(SettingsFileError, match="at least one query"):
        load(tmp_path, WHOLE[: WHOLE.index("[sources.db.users]")])
