"""Wrong settings files, as data: `isthmus config check` refuses each, and says where it is wrong and what would be right.

The first line of each file in `settings/` is what has to be said of it (`(…)`: in the words of Python's TOML reader, which
change). Everything else that it names is as it should be.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from demo.stand import free_port
from demo.throwaway_tls import write_certificates
from isthmus import cli

FILES = sorted((Path(__file__).parent / "settings").glob("*.toml"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the files name beside themselves."""
    home = tmp_path_factory.mktemp("settings")
    write_certificates(home, dns_name="signin.example.com", address="127.0.0.1")
    (home / "service.password").write_text("Sesam-1\n")
    (home / "service.password").chmod(0o600)
    (home / "state").mkdir(mode=0o700)
    return home


def prepared(source: Path, home: Path) -> tuple[Path, str]:
    """The file beside what it names, and what has to be said of it."""
    text = source.read_bytes().replace(b"{free}", str(free_port()).encode())
    path = home / source.name
    path.write_bytes(text)
    first = text.decode("utf-8-sig").partition("\n")[0]
    return path, first.removeprefix("# ")


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


@pytest.mark.parametrize("source", FILES, ids=lambda path: path.stem)
def test_a_wrong_file_is_refused(source: Path, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With key, line and what would be right; nothing else is found wrong with it."""
    path, expected = prepared(source, files)
    assert checked(path) == 1
    told = re.sub(r"is not TOML \(.* \(at line .*\)\)", "is not TOML (…)", capsys.readouterr().err.strip())
    assert told in {f"Error: {path} cannot be used:\n  {expected}", f"Error: {path} cannot be used: it {expected}"}
    assert checked(path, "--json") == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["line"] == (int(found[1]) if (found := re.search(r"\(line (\d+)\)", expected)) else 1)
