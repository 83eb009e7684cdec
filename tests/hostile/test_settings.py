"""Wrong settings files, as data: `isthmus config check` refuses each, and says where it is wrong and what would be right.

The first line of each file in `settings/` is what has to be said of it; `…` stands for words of a library's, which change.
Everything else that a file names is as it should be, as it is in `settings/right/`.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.stand import free_port
from demo.throwaway_tls import write_certificates
from isthmus import cli

Prepare = Callable[[Path], tuple[Path, str]]
"""Puts a file beside what it names; what has to be said of it."""

FILES = sorted((Path(__file__).parent / "settings").glob("*.toml"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the files name beside themselves."""
    home = tmp_path_factory.mktemp("settings")
    write_certificates(home, dns_name="signin.example.com", address="127.0.0.1")
    (home / "service.password").write_text("Sesam-1\n")
    (home / "service.password").chmod(0o600)
    (home / "open.password").write_text("Sesam-1\n")
    (home / "open.password").chmod(0o644)
    (home / "logo.gif").write_bytes(b"GIF89a")
    write_certificates(home / "other", dns_name="signin.example.com", address="127.0.0.1")
    shutil.copy(home / "other" / "key.pem", home / "other-key.pem")
    shutil.copy(home / "key.pem", home / "open-key.pem")
    (home / "open-key.pem").chmod(0o644)
    for name, mode in (("state", 0o700), ("open-state", 0o755), ("damaged-state", 0o700)):
        (home / name).mkdir()
        (home / name).chmod(mode)
    (home / "damaged-state" / "relay.db").write_bytes(b"not a database" * 1000)
    (home / "damaged-state" / "relay.db").chmod(0o600)
    return home


@pytest.fixture(scope="module")
def taken() -> Iterator[int]:
    """A port that somebody else has, who answers nothing."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        yield other.getsockname()[1]


@pytest.fixture
def prepare(files: Path, taken: int) -> Prepare:
    def prepared(source: Path) -> tuple[Path, str]:
        names = {b"{free}": str(free_port()), b"{taken}": str(taken), b"{home}": str(files)}
        text = source.read_bytes()
        for name, value in names.items():
            text = text.replace(name, value.encode())
        path = files / source.name
        path.write_bytes(text)
        first = text.decode("utf-8-sig").partition("\n")[0]
        return path, first.removeprefix("# ")

    return prepared


def checked(path: Path, *options: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["config", "check", str(path), *options])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_there_are_enough_of_them() -> None:
    """Twenty of a relay, five of an agent."""
    kinds = [path.name.partition("-")[0] for path in FILES]
    assert set(kinds) == {"relay", "agent"}
    assert kinds.count("relay") >= 20
    assert kinds.count("agent") >= 5


@pytest.mark.parametrize("kind", ["relay", "agent"])
def test_the_files_that_they_differ_from_are_right(kind: str, prepare: Prepare, capsys: pytest.CaptureFixture[str]) -> None:
    """So that each is refused for what is told, and for nothing else."""
    path, _ = prepare(FILES[0].parent / "right" / f"{kind}.toml")
    cli.cli.main(["config", "check", str(path)], standalone_mode=False)
    assert capsys.readouterr().out == f"{path}: valid settings for isthmus {kind}\n"


@pytest.mark.parametrize("source", FILES, ids=lambda path: path.stem)
def test_a_wrong_file_is_refused(source: Path, prepare: Prepare, capsys: pytest.CaptureFixture[str]) -> None:
    """With key, line and what would be right; nothing else is found wrong with it."""
    path, expected = prepare(source)
    assert checked(path) == 1
    told = capsys.readouterr().err.strip()
    where = ":\n  " if "(line " in expected else ": it "
    words = ".*".join(map(re.escape, f"Error: {path} cannot be used{where}{expected}".split("…")))
    assert re.fullmatch(words, told), told
    assert checked(path, "--json") == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["line"] == (int(found[1]) if (found := re.search(r"\(line (\d+)\)", expected)) else 1)
