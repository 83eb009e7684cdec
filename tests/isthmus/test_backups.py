"""`isthmus relay backup` and `restore`: what is typed, what is said, and how a command ends."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from demo.stand import free_port
from gateway.backup import Passphrase
from tests.isthmus.conftest import Run

PHRASE = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _quick_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.cli.relay.encryption.Passphrase", functools.partial(Passphrase, work=4))


@pytest.fixture
def config(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of a relay that was set up, and has a trail; the current directory is that of its backups."""
    path = tmp_path / "relay.toml"
    path.write_text(
        f'[server]\nstate_dir = "state"\npublic_url = "https://signin.test"\nlisten = "127.0.0.1:{free_port()}"\n'
        'metrics_listen = ""\n'
    )
    (tmp_path / "phrase").write_text(f"{PHRASE}\n")
    (tmp_path / "phrase").chmod(0o600)
    (tmp_path / "backups").mkdir()
    (tmp_path / "state").mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path / "backups")
    monkeypatch.setenv("ISTHMUS_CONFIG", str(path))
    assert run("relay", "init", "--name", "relay1")[0] == 0
    assert run("relay", "token", "--name", "dc1", "--any-domain")[0] == 0
    return path


@pytest.mark.usefixtures("config")
def test_there_and_back(run: Run, tmp_path: Path) -> None:
    """With a passphrase in a file: made, verified, put back; the trail says who did."""
    code, out, err = run("relay", "backup", "relay.age", "--passphrase-file", "../phrase")
    assert (code, err) == (0, "")
    assert "relay.age: keys and database of the relay relay1" in out
    assert "1 entry in its audit trail" in out
    assert run("relay", "backup", "verify", "relay.age", "--passphrase-file", "../phrase")[0] == 0
    code, _, err = run("relay", "restore", "relay.age", "--passphrase-file", "../phrase", "--yes")
    assert (code, "use --replace" in err) == (1, True)
    code, out, _ = run("relay", "restore", "relay.age", "--passphrase-file", "../phrase", "--yes", "--replace")
    assert code == 0
    ended = "0 sessions, 0 grants of applications and 1 enrolment token"
    for said in (
        ended,
        "revoke agents",
        "What was there before is in",
        "isthmus relay run",
    ):
        assert said in out
    kinds = [entry["kind"] for entry in json.loads(run("relay", "audit", "list", "--json")[1])]
    assert kinds == ["admin.restored", "admin.token_created"]
    assert run("relay", "audit", "verify")[0] == 0
    (aside,) = (tmp_path / "state").glob("replaced-*")
    assert (aside / "secret.key").exists()


@pytest.mark.usefixtures("config")
def test_the_trail_says_that_a_backup_was_made(run: Run) -> None:
    """All keys are in it."""
    run("relay", "backup", "relay.age", "--passphrase-file", "../phrase")
    entry = json.loads(run("relay", "audit", "list", "--json")[1])[0]
    assert (entry["kind"], Path(entry["subject"]).name) == ("admin.backed_up", "relay.age")


@pytest.mark.usefixtures("config")
def test_with_a_public_key_nothing_here_opens_it(run: Run) -> None:
    """The private key is made elsewhere, and needed for the way back only."""
    code, public, _ = run("relay", "backup", "key", "backup.key")
    assert (code, public.startswith("age1")) == (0, True)
    Path("backup.pub").write_text(f"# the safe's\n{public}")
    code, out, _ = run("relay", "backup", "relay.age", "--public-key-file", "backup.pub", "--json")
    assert (code, json.loads(out)["entries"]) == (0, 1)
    code, _, err = run("relay", "backup", "verify", "relay.age", "--passphrase-file", "../phrase")
    assert (code, "encrypted to a public key, not to a passphrase" in err) == (1, True)
    code, out, _ = run("relay", "backup", "verify", "relay.age", "--private-key-file", "backup.key", "--json")
    assert (code, json.loads(out)["node"]) == (0, "relay1")
    code, _, err = run("relay", "backup", "again.age", "--public-key-file", "backup.key")
    assert (code, "contains a private key, which must not be on a relay" in err) == (1, True)
    code, _, err = run("relay", "backup", "key", "backup.key")
    assert (code, "exists already" in err) == (1, True)


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["backup", "x.age"], 1, "there is no terminal to ask for the passphrase"),
        (["backup", "x.age", "--passphrase-file", "../phrase", "--public-key-file", "b"], 2, "not both"),
        (["backup", "x.age", "--passphrase-file", "missing"], 1, "missing"),
        (["backup", "x.age", "--public-key-file", "../phrase"], 1, "line 1"),
        (["backup", "verify", "x.age", "--passphrase-file", "../phrase"], 1, "x.age: cannot be opened"),
        (["restore", "x.age", "--passphrase-file", "../phrase"], 1, "nothing was changed, because nobody could be asked"),
        (["restore", "x.age", "--passphrase-file", "../phrase", "--private-key-file", "b"], 2, "not both"),
    ],
)
def test_what_is_wrong_is_told(run: Run, arguments: list[str], code: int, said: str) -> None:
    """And no file is left."""
    found, _, err = run("relay", *arguments)
    assert (found, said in err) == (code, True), err
    assert not list(Path().glob("*.age"))
    assert PHRASE not in err


@pytest.mark.usefixtures("config")
def test_a_passphrase_is_asked_for_without_showing_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice where it is new; too short a one is refused."""
    typed = ["too short", "too short", PHRASE, PHRASE, PHRASE]
    monkeypatch.setattr("isthmus.cli.relay.encryption.someone_is_there", lambda: True)
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _prompt: typed.pop(0))
    code, _, err = run("relay", "backup", "relay.age")
    assert (code, "fewer than 12 characters" in err) == (1, True)
    assert run("relay", "backup", "relay.age")[0] == 0
    code, out, err = run("relay", "backup", "verify", "relay.age")
    assert (code, PHRASE in out + err, typed) == (0, False, [])


def test_an_interrupted_restore_is_finished_by_the_same_command(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither backup nor passphrase is needed any more; until then no other command works on what is half there."""
    run("relay", "backup", "relay.age", "--passphrase-file", "../phrase")
    with monkeypatch.context() as patch:
        patch.setattr("gateway.backup.restoration._finish", lambda _settings: (_ for _ in ()).throw(OSError("killed")))
        assert run("relay", "restore", "relay.age", "--passphrase-file", "../phrase", "--replace", "--yes")[0] == 1
    code, _, err = run("relay", "agents")
    assert (code, "contains an interrupted restore" in err) == (1, True)
    Path("relay.age").unlink()
    code, out, _ = run("relay", "restore", "relay.age")
    assert (code, "A restore that was interrupted is finished" in out) == (0, True)
    assert run("relay", "agents")[0] == 0
    assert not (config.parent / "state" / ".restoring").exists()
