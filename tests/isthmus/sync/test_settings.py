"""The settings file of synchronisation: what is wrong is named with file, line, key, and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.cli.configuration import example_text
from isthmus.sync_process import describe
from isthmus.sync_settings import SyncSettings
from settings import SettingsFileError, load_settings
from sync.source import AdDomainSettings, AdSourceSettings
from tests.isthmus.conftest import Run
from tests.isthmus.sync.conftest import Write

SOURCE = '[sources.staff]\nkind = "csv"\nfile = "a.csv"\nkey = "id"\n[sources.staff.columns]\nmail = { column = "m" }\n'
TARGET = '[targets.app]\nurl = "https://scim.example.com/v2"\ntoken_variable = "TOKEN"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (SOURCE, "targets: is missing"),
        (TARGET, "sources: is missing"),
        (f"[sources]\n{TARGET}", "sources (line 2): is empty"),
        (SOURCE.replace('"csv"', '"cvs"') + TARGET, "sources.staff.kind (line 3): 'cvs' is none of"),
        (SOURCE.replace("[sources.staff", '[sources."a b"') + TARGET, "'a b' is not a name; a name has letters, digits"),
        (SOURCE + TARGET + "[targets.app.deletion]\ndisable_afer = 3\n", "did you mean disable_after"),
        (SOURCE + TARGET + "[guard]\ndeletions_percent = 101\n", "guard.deletions_percent (line 12)"),
        (SOURCE + TARGET + '[parameters.other]\n"Forest.FQDN" = "x"\n', "there is no source 'other'; there are: staff"),
        (SOURCE + TARGET + '[parameters.staff]\n"%Forest.FQDN%" = "x"\n', "write it without percent signs"),
        (SOURCE + TARGET + '[log]\nlevel = "loud"\n', "'loud' is none of"),
    ],
)
def test_what_is_wrong_is_named(write: Write, text: str, problem: str) -> None:
    """One mistake each."""
    with pytest.raises(SettingsFileError) as refused:
        load_settings(write(f'state_dir = "state"\n{text}'), SyncSettings)
    assert problem in str(refused.value)


def test_paths_are_relative_to_the_file_and_graces_belong_to_a_target(write: Write) -> None:
    """As in every settings file."""
    path = write(f'state_dir = "state"\n{SOURCE}{TARGET}[targets.app.deletion]\ndelete = true\n')
    settings = load_settings(path, SyncSettings)
    assert settings.state_file == path.parent / "state" / "sync.db"
    assert settings.targets["app"].deletion.delete


def test_a_mistake_in_the_settings_ends_every_command(write: Write, run: Run) -> None:
    """Before anything is made."""
    path = write('state_dir = "state"\n')
    for command in (["check"], ["plan", "x"], ["run"], ["status"]):
        code, _, err = run("sync", *command, "--config", str(path))
        assert code == 1
        assert "sources: is missing" in err
    assert not (path.parent / "state").exists()


def test_config_check_knows_the_file_and_looks_at_what_it_names(write: Write, run: Run, tmp_path: Path) -> None:
    """Rules with mistakes, and a secret that is not there."""
    (tmp_path / "rules.toml").write_text("[[inbound]]\n")
    (tmp_path / "a.csv").write_text("id,m\n")
    target = '[targets.app]\nurl = "https://scim.example.com/v2"\ntoken_file = "token"\n'
    path = write(f'state_dir = "state"\nrules_file = "rules.toml"\n{SOURCE}{target}')
    code, _, err = run("config", "check", str(path))
    assert code == 1
    assert "rules_file (line 2): has" in err
    assert "targets.app.token_file" in err
    assert run("config", "check", "--file-only", str(path))[1].endswith("valid settings for isthmus sync\n")


def test_every_source_in_the_example_is_right_once_it_is_not_commented_out(write: Write) -> None:
    """Each kind of source, and the defaults that it shows."""
    text = example_text("sync")
    lines = [line[2:] if line.startswith("# ") and ("=" in line or "[" in line) else line for line in text.splitlines()]
    settings = load_settings(write("\n".join(line for line in lines if not line.startswith("Settings"))), SyncSettings)
    assert {source.kind for source in settings.sources.values()} == {"ad", "ldap", "csv", "sql"}
    assert settings.rules_file is None


def test_domains_of_a_forest_bring_their_parameters() -> None:
    """Those of the settings come first."""
    domains = tuple(
        AdDomainSettings(name=f"{name}.example.com", base_dn=f"DC={name},DC=example,DC=com", servers=("dc",))
        for name in ("a", "b")
    )
    found = describe("corp", AdSourceSettings(domains=domains), {"Forest.FQDN": "example.com", "Domain.LDAP": "mine"})
    assert found.domains["DC=b,DC=example,DC=com"] == {
        "Domain.FQDN": "b.example.com",
        "Domain.LDAP": "mine",
        "Forest.FQDN": "example.com",
    }
