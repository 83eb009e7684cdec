"""Keys, database, disk and backup of a relay."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app import ServerSettings, init
from gateway.signin import SignInSettings
from isthmus.relay_check.machine import MIB, check_backup, check_database, check_disk, check_keys, check_page, judge_disk
from tests.support.relay_and_agent import server_settings

NOW = 1_800_000_000.0
DAY = 86400.0


@pytest.fixture
def relay_settings(tmp_path: Path) -> ServerSettings:
    """Of a relay that was set up."""
    made = server_settings(tmp_path)
    init(made, name="relay1", now=NOW)
    return made


@pytest.mark.parametrize(("days", "status"), [(0, "pass"), (3650 - 366, "pass"), (3650 - 364, "warn"), (3651, "fail")])
def test_the_authoritys_end_is_told_a_year_before(relay_settings: ServerSettings, days: float, status: str) -> None:
    """After it no agent believes the relay. Its own certificate, which it renews by itself, is nobody's concern."""
    before = (relay_settings.state_dir / "identity" / "identity.pem").read_bytes()
    assert check_keys(relay_settings, NOW + days * DAY).status == status
    assert (relay_settings.state_dir / "identity" / "identity.pem").read_bytes() == before


def test_keys_that_are_missing_are_told(relay_settings: ServerSettings) -> None:
    """As the relay would at its start."""
    (relay_settings.state_dir / "secret.key").unlink()
    finding = check_keys(relay_settings, NOW)
    assert finding.status == "fail"
    assert "isthmus relay init" in finding.seen


def test_a_database_is_looked_at_and_not_made(relay_settings: ServerSettings) -> None:
    """One of another's mode, and one that is none, are told."""
    assert check_database(relay_settings).status == "pass"
    file = relay_settings.state_dir / "relay.db"
    assert not file.exists()
    file.write_bytes(b"no database, but long enough to be taken for one" * 100)
    file.chmod(0o600)
    assert check_database(relay_settings).status == "fail"
    closed = replace(relay_settings, store_url="postgresql://isthmus@127.0.0.1:9/isthmus?password=s3cret")
    finding = check_database(closed)
    assert finding.status == "fail"
    assert "s3cret" not in finding.seen


@pytest.mark.parametrize(("name", "status"), [("Isthmus", "warn"), ("Example University", "pass")])
def test_a_page_without_a_name_of_its_own_is_told(name: str, status: str) -> None:
    """Users check it before they type a password."""
    finding = check_page(SignInSettings(organisation=name))
    assert (finding.status, name in finding.seen) == (status, True)
    assert finding.remedy.startswith("Set `organisation`") is (status == "warn")


@pytest.mark.parametrize(("mib", "status"), [(99, "fail"), (100, "warn"), (1023, "warn"), (1024, "pass")])
def test_a_full_disk_is_told_before_it_is_full(mib: int, status: str) -> None:
    """Nobody can sign in then."""
    assert judge_disk(Path("/var/lib/x"), mib * MIB).status == status


def test_the_disk_is_that_of_the_state_directory(tmp_path: Path) -> None:
    """One that is not there is told, too."""
    assert str(tmp_path) in check_disk(tmp_path).seen
    assert check_disk(tmp_path / "none").status == "fail"


@pytest.mark.parametrize(
    ("written", "status", "word"),
    [
        (None, "warn", "none was made here"),
        (json.dumps({"at": NOW - 7 * DAY}), "pass", "2027-01-08"),
        (json.dumps({"at": NOW - 7.1 * DAY}), "warn", "7 days old"),
        ("{", "warn", "cannot be read"),
        ("[]", "warn", "cannot be read"),
        (json.dumps({"at": "yesterday"}), "warn", "cannot be read"),
    ],
)
def test_a_backup_is_a_week_old_at_most(tmp_path: Path, written: str | None, status: str, word: str) -> None:
    """What `isthmus relay backup` noted; whatever else is there is no backup."""
    if written is not None:
        (tmp_path / "last-backup").write_text(written)
    finding = check_backup(tmp_path, NOW, shared=False)
    assert finding.status == status
    assert word in finding.seen


def test_with_a_database_server_a_backup_is_of_the_keys_alone(tmp_path: Path) -> None:
    """The finding says so."""
    assert "backed up separately" in check_backup(tmp_path, NOW, shared=True).seen
