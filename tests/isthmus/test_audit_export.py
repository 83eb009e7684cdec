"""`isthmus relay audit export` and `verify-export`, and what `verify` says of a trail that was pruned."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import app
from gateway.store import AuditEvent, Store
from isthmus.relay_settings import RelaySettings
from settings import load_settings
from tests.isthmus.conftest import Run

DAY = 86_400.0


@pytest.fixture
def config(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A relay that was set up, with entries of the last days."""
    path = tmp_path / "relay.toml"
    path.write_text('[server]\nstate_dir = "state"\npublic_url = "https://signin.test"\nlisten = "127.0.0.1:18443"\n')
    (tmp_path / "state").mkdir(mode=0o700)  # root makes none
    monkeypatch.setenv("ISTHMUS_CONFIG", str(path))
    monkeypatch.chdir(tmp_path)
    assert run("relay", "init", "--name", "relay1")[0] == 0

    async def fill(store: Store) -> None:
        for days in (5, 4, 0):
            await store.audit.append(AuditEvent(time=time.time() - days * DAY, kind="signin", subject=f"user{days}"))

    on_store(path, fill)
    return path


def on_store(config: Path, work: Callable[[Store], object]) -> None:
    settings = load_settings(config, RelaySettings).server

    async def run() -> None:
        store = app.open_relay_store(settings, app.load_keys(settings, time.time()))
        await work(store)  # type: ignore[misc]
        await store.close()

    asyncio.run(run())


@pytest.mark.usefixtures("config")
def test_a_part_of_the_trail_is_a_file_that_can_be_checked(run: Run, tmp_path: Path) -> None:
    """For its caller's eyes; that it was made is an entry."""
    code, out, _ = run("relay", "audit", "export", "--since", "3d", "--output", "trail.jsonl")
    assert (code, out.startswith("trail.jsonl: 1 entry from ")) == (0, True)
    assert stat.S_IMODE((tmp_path / "trail.jsonl").stat().st_mode) == 0o600
    assert run("relay", "audit", "verify-export", "trail.jsonl")[1].startswith("1 entry, exported at 20")
    assert json.loads(run("relay", "audit", "verify-export", "trail.jsonl", "--json")[1])["ok"] is True
    (entry,) = json.loads(run("relay", "audit", "list", "--kind", "admin.audit_exported", "--json")[1])
    assert (Path(entry["subject"]).name, entry["detail"]["detail"][:12]) == ("trail.jsonl", "1 entry from")
    content = (tmp_path / "trail.jsonl").read_text()
    (tmp_path / "trail.jsonl").write_text(content.replace("user0", "user1", 1))
    code, _, err = run("relay", "audit", "verify-export", "trail.jsonl")
    assert (code, "is invalid at line 1" in err) == (1, True)


@pytest.mark.usefixtures("config")
def test_the_trail_goes_to_standard_output(run: Run, tmp_path: Path) -> None:
    """And nothing else does."""
    code, out, _ = run("relay", "audit", "export", "--format", "csv")
    assert (code, len(out.splitlines())) == (0, 5)
    (tmp_path / "trail.csv").write_text(out)
    assert run("relay", "audit", "verify-export", "trail.csv")[0] == 0


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["export", "--since", "1d", "--until", "2d"], 2, "is not before"),
        (["export", "--output", "relay.toml"], 1, "exists already"),
        (["export", "--output", "nowhere/x"], 1, "cannot be written"),
        (["export", "--format", "xml"], 2, "xml"),
        (["verify-export", "missing"], 1, "cannot be read"),
        (["verify-export", "relay.toml"], 1, "not an export of an audit trail"),
    ],
)
def test_what_is_wrong_is_told(run: Run, arguments: list[str], code: int, said: str) -> None:
    """Before anything is written, and no entry is left of an export that there is not."""
    found, _, err = run("relay", "audit", *arguments)
    assert (found, said in err) == (code, True), err
    assert json.loads(run("relay", "audit", "list", "--kind", "admin.audit_exported", "--json")[1]) == []


def test_a_trail_that_does_not_hold_leaves_no_file(run: Run, config: Path, tmp_path: Path) -> None:
    """Half of one could be taken for all."""

    async def spoil(store: Store) -> None:
        statement = "UPDATE audit_events SET subject = 'x' WHERE seq = 2"
        await store._database.write(  # type: ignore[attr-defined]
            lambda connection: connection.exec_driver_sql(statement).close()
        )

    on_store(config, spoil)
    code, _, err = run("relay", "audit", "export", "--output", "trail.jsonl")
    assert (code, "broken at entry 1-2" in err) == (1, True)
    assert [path.name for path in tmp_path.iterdir() if "trail" in path.name] == []


def test_verify_says_from_when_the_trail_is(run: Run, config: Path) -> None:
    """Also where nothing is left."""

    async def prune(store: Store) -> None:
        await store.audit.prune(time.time() - 3 * DAY, time.time())

    on_store(config, prune)
    code, out, _ = run("relay", "audit", "verify")
    assert (code, "2 older entries up to 20" in out, "1 entry in 1 chain, none changed" in out) == (0, True, True)
    report = json.loads(run("relay", "audit", "verify", "--json")[1])
    assert (report["pruned"], report["entries"]) == (2, 1)
    assert report["pruned_until"] < time.time() - 3 * DAY


@pytest.mark.usefixtures("config")
def test_a_terminal_gets_no_export(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would obey the control characters in what somebody typed as a name; a pipe gets every byte as it is covered."""
    assert run("relay", "audit", "export")[1].count("\n") > 1
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, err = run("relay", "audit", "export")
    assert (code, out) == (2, "")
    assert "isthmus relay audit list" in err
    code, out, _ = run("relay", "audit", "export", "--output", "trail.jsonl")
    assert (code, "checked." in out) == (0, True)
