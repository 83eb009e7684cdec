"""The relay's own keys: made once, read at every start, renewed in time."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest
from structlog.typing import EventDict

from certs import CertsError, KeyStoreError, MachineIdentity
from gateway.app import (
    ServerError,
    ServerSettings,
    init,
    load_keys,
    serving,
)
from tests.support.relay_and_agent import server_settings
from tests.support.visitors import events

DAY = 86400.0


async def test_without_init_it_does_not_start(tmp_path: Path) -> None:
    """It says which file is missing and what to run."""
    with pytest.raises(ServerError, match=r"authority\.pem is missing: run `isthmus relay init` first"):
        async with serving(server_settings(tmp_path)):
            pass


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o770, 0o701])
async def test_a_state_directory_that_others_can_enter_is_refused(settings: ServerSettings, mode: int) -> None:
    """Whoever may write there can put other keys in place of the relay's; no less where they may only look."""
    settings.state_dir.chmod(mode)
    with pytest.raises(KeyStoreError, match=rf"is open to other users \(mode {mode:04o}\); run chmod 700"):
        async with serving(settings):
            pass


def test_init_does_not_replace_an_authority(settings: ServerSettings) -> None:
    """It would orphan every agent."""
    before = load_keys(settings, time.time())
    with pytest.raises(KeyStoreError, match="already contains a certificate authority"):
        init(settings, name="relay2", now=time.time())
    after = load_keys(settings, time.time())
    assert after.authority.fingerprint == before.authority.fingerprint
    assert after.identity.certificate_der == before.identity.certificate_der
    assert after.secret == before.secret


def test_an_init_that_was_cut_short_can_be_finished(settings: ServerSettings) -> None:
    """By what load_keys tells to do; nobody pins that authority yet."""
    (settings.state_dir / "secret.key").unlink()
    with pytest.raises(ServerError, match="run `isthmus relay init` first"):
        load_keys(settings, time.time())
    init(settings, name="relay1", now=time.time())
    load_keys(settings, time.time())


def test_an_authority_that_is_in_use_is_not_replaced_because_a_file_is_gone(settings: ServerSettings) -> None:
    """It can be restored; a new one would orphan every agent."""
    (settings.state_dir / "authority" / "authority.key").unlink()
    with pytest.raises(ServerError, match=r"authority\.key is missing: restore it from the backup"):
        load_keys(settings, time.time())
    with pytest.raises(KeyStoreError, match="already contains a certificate authority"):
        init(settings, name="relay1", now=time.time())


def test_nobody_else_can_read_the_keys(settings: ServerSettings) -> None:
    """Files 0600 and directories 0700, but for the authority's certificate."""
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in settings.state_dir.rglob("*")}
    assert modes.pop("authority.pem") == 0o644
    assert {name: oct(mode) for name, mode in modes.items()} == {
        "authority": "0o700",
        "authority.key": "0o600",
        "identity": "0o700",
        "identity.pem": "0o600",
        "secret.key": "0o600",
    }
    assert stat.S_IMODE(settings.state_dir.stat().st_mode) == 0o700


KEY_FILES = ("authority/authority.key", "identity/identity.pem", "secret.key")


@pytest.mark.parametrize("name", KEY_FILES)
@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_others_can_read_is_not_used(settings: ServerSettings, name: str, mode: int) -> None:
    """It may have been copied."""
    (settings.state_dir / name).chmod(mode)
    with pytest.raises(KeyStoreError, match=f"{name}: can be read by other users; run chmod 600 .*; other users may have"):
        load_keys(settings, time.time())


@pytest.mark.parametrize("name", [*KEY_FILES, "authority/authority.pem"])
def test_a_missing_file_is_named(settings: ServerSettings, name: str) -> None:
    """And where it belongs."""
    (settings.state_dir / name).unlink()
    with pytest.raises(ServerError, match=f"{name} is missing"):
        load_keys(settings, time.time())


@pytest.mark.parametrize("content", [b"", b"half a fi", b"\0" * 100])
@pytest.mark.parametrize(
    "name",
    [*KEY_FILES, "authority/authority.pem"],
)
def test_a_damaged_file_is_told_so(settings: ServerSettings, name: str, content: bytes) -> None:
    """Under an empty secret anybody could make cookies and entries of the audit trail."""
    (settings.state_dir / name).write_bytes(content)
    with pytest.raises((ServerError, CertsError)):
        load_keys(settings, time.time())


def test_a_file_that_cannot_be_opened_is_told_so(settings: ServerSettings) -> None:
    """As where the relay runs as another user than init did."""
    path = settings.state_dir / "authority" / "authority.pem"
    path.unlink()
    path.mkdir()
    with pytest.raises((ServerError, CertsError), match=r"authority\.pem"):
        load_keys(settings, time.time())


def test_an_identity_of_another_authority_is_told_so(settings: ServerSettings, tmp_path: Path) -> None:
    """Half of a backup: every agent would refuse this relay."""
    other = server_settings(tmp_path / "other")
    init(other, name="relay1", now=time.time())
    (other.state_dir / "identity" / "identity.pem").replace(settings.state_dir / "identity" / "identity.pem")
    with pytest.raises((ServerError, CertsError)):
        load_keys(settings, time.time())


@pytest.mark.parametrize("days", [25, 400])
def test_the_relays_certificate_is_renewed_when_it_is_due(
    settings: ServerSettings, logs: list[EventDict], days: int
) -> None:
    """At the start too, even if it ended long ago; the name and the authority stay."""
    now = time.time() + days * DAY
    before, after = load_keys(settings, time.time()), load_keys(settings, now)
    assert after.identity.not_after == pytest.approx(now + 30 * DAY, abs=10)
    assert after.identity.name == before.identity.name == "relay1"
    assert after.identity.certificate.public_key() != before.identity.certificate.public_key()
    assert after.authority.fingerprint == before.authority.fingerprint
    assert MachineIdentity.load(settings.state_dir / "identity").serial == after.identity.serial
    assert not (settings.state_dir / "identity" / "pending.key").exists()
    assert [entry["relay"] for entry in events(logs, "certificate.renewed")] == ["relay1"]


def test_a_fresh_certificate_is_left_alone(settings: ServerSettings) -> None:
    """At half of its life."""
    before, after = load_keys(settings, time.time()), load_keys(settings, time.time() + 15 * DAY)
    assert after.identity.serial == before.identity.serial
