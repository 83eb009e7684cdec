"""Whatever lies where a settings file should be: one clear line, nothing waited for, no traceback."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus import cli
from settings import Problem, SettingsFileError, UnusableFile, load_settings, read_toml
from settings.source import LARGEST


def make_loop(path: Path) -> None:
    path.symlink_to(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


MADE: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda path: None, "cannot be read (No such file or directory); name the file with --config"),
    "directory": (lambda path: path.mkdir(), "is a directory; name the file with --config"),
    "pipe": (os.mkfifo, "is not a regular file, but a pipe or a device"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is not a regular file, but a pipe or a device"),
    "loop of links": (make_loop, "cannot be read (Too many levels of symbolic links); name the file with --config"),
    "socket": (make_socket, "cannot be read (No such device or address); name the file with --config"),
    "a file as a folder": (lambda path: None, "cannot be read (Not a directory); name the file with --config"),
}


@pytest.mark.parametrize("kind", MADE)
def test_what_is_no_file_is_one_clear_line(tmp_path: Path, kind: str) -> None:
    """Reading a pipe would wait for ever, a device would never end."""
    make, said = MADE[kind]
    path = tmp_path / "settings.toml"
    make(path)
    if kind == "a file as a folder":
        path.write_text("")
        path /= "settings.toml"
    with pytest.raises(SettingsFileError) as caught:
        load_settings(path, Everything)
    assert str(caught.value) == f"{path} cannot be used: it {said}"


@pytest.mark.parametrize("kind", [*(kind for kind in MADE if kind != "directory"), "deep"])
@pytest.mark.parametrize("command", ["config check", "agent check --config"])
def test_the_commands_say_it_and_end(tmp_path: Path, command: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, one line, no traceback; `config check` guesses whose file it is without falling over it.

    A directory is refused by click before that.
    """
    path = tmp_path / "settings.toml"
    make, _ = MADE.get(kind, (lambda path: path.write_text("a = " + "[" * 2000), ""))
    make(path)
    with pytest.raises(SystemExit) as ended:
        cli.main([*command.split(), str(path)])
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert told.count("\n") == 1
    assert f"{path} cannot be used: it " in told


def test_no_permission(tmp_path: Path) -> None:
    """The system's word for it; told by a process that is not root's."""
    path = tmp_path / "settings.toml"
    path.write_text("")
    path.chmod(0)
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from settings import SettingsFileError, load_settings\n"
        "from isthmus.log_settings import LogSettings\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: load_settings(Path(sys.argv[2]), LogSettings)\n"
        "except SettingsFileError as error: print(error)\n"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code, root, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{path} cannot be used: it cannot be read (Permission denied); name the file with --config\n"


def test_the_largest_file_is_read_and_no_larger_one(tmp_path: Path) -> None:
    """To the byte."""
    path = tmp_path / "settings.toml"
    path.write_bytes(b"#" * LARGEST)
    assert read_toml(path).data == {}
    path.write_bytes(b"#" * (LARGEST + 1))
    with pytest.raises(UnusableFile, match=f"has more than {LARGEST} bytes"):
        read_toml(path)


def test_a_path_with_nul_is_refused(tmp_path: Path) -> None:
    """As a setting, where every later use of it would be a ValueError; and as the file's own name."""
    path = tmp_path / "settings.toml"
    path.write_text('file = "a\\u0000b"\nname = "\\u0000"\n')
    with pytest.raises(SettingsFileError) as caught:
        load_settings(path, Everything)
    told = [str(problem) for problem in caught.value.problems]
    assert told == ["file (line 1): has a NUL character", "name (line 2): has a NUL character"]
    with pytest.raises(SettingsFileError, match="embedded null byte"):
        load_settings(tmp_path / "a\0b", Everything)


# -- whatever bytes


@dataclass(frozen=True, kw_only=True)
class Small:
    """A table."""

    number: float = 0.0
    """A number."""


@dataclass(frozen=True, kw_only=True)
class A:
    """A kind."""

    kind: Literal["a"]
    """Which."""
    count: int
    """How many."""


@dataclass(frozen=True, kw_only=True)
class B:
    """Another kind."""

    kind: Literal["b", "c"]
    """Which."""
    on: bool = False
    """Whether."""


@dataclass(frozen=True, kw_only=True)
class Everything:
    """A field of each kind."""

    name: str = ""
    """Text."""
    count: int = 0
    """A whole number."""
    number: float = 0.0
    """A number."""
    on: bool = False
    """Whether."""
    file: Path | None = None
    """A path."""
    choice: Literal["x", "y"] = "x"
    """Which."""
    words: tuple[str, ...] = ()
    """Texts."""
    table: Small = field(default_factory=Small)
    """A table."""
    rows: tuple[A | B, ...] = ()
    """Tables."""
    named: Mapping[str, A | B] = field(default_factory=dict)
    """Tables with names."""
    lists: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Lists with names."""


WORDS = "name count number on file choice words table rows named lists kind a b x y secret"
MARKS = ["[[", "]]", "nan", "true", "1.5", "2026-01-01", "'''", '"""', *"[]{}=.,#\\+-1'\" \n\r\0é\ufeff\u2028"]
FRAGMENTS = [*WORDS.split(), *MARKS]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings") / "settings.toml"


def outcome(path: Path) -> tuple[Everything | None, tuple[Problem, ...]]:
    try:
        return load_settings(path, Everything), ()
    except SettingsFileError as error:
        return None, error.problems


@given(content=st.one_of(st.binary(), st.lists(st.sampled_from(FRAGMENTS)).map(lambda parts: "".join(parts).encode())))
def test_any_bytes_are_read_or_refused(place: Path, content: bytes) -> None:
    """Nothing but a model or our own error, and that error can be printed, each problem in one line."""
    place.write_bytes(content)
    settings, problems = outcome(place)
    assert isinstance(settings, Everything) or problems
    assert all("\n" not in str(problem) for problem in problems)


Tree = dict[str, Any]
JSON = st.recursive(
    st.one_of(st.integers(-9, 9), st.booleans(), st.floats(), st.sampled_from(["", "a", "x", "c", "hunter2"])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(WORDS.split()), inner, max_size=3)),
    max_leaves=8,
)


@given(tree=st.dictionaries(st.sampled_from(WORDS.split()), JSON, max_size=4))
def test_every_problem_has_its_line(place: Path, tree: Tree) -> None:
    """Each setting on a line of its own: the line that is told is that of the setting that the key begins with."""
    place.write_text("".join(f"{key} = {written(value)}\n" for key, value in tree.items()))
    lines = list(tree)
    for problem in outcome(place)[1]:
        assert problem.line is not None
        assert lines[problem.line - 1] == problem.key.partition(".")[0].partition("[")[0]


def written(value: object) -> str:
    """As TOML; tables and lists in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "nan" if math.isnan(value) else "inf" if value == math.inf else "-inf" if value == -math.inf else repr(value)
    if isinstance(value, (dict, Mapping)):
        return "{" + ", ".join(f"{quoted(key)} = {written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, (A, B, Small)):
        return written(vars(value))
    return str(value) if isinstance(value, int) else quoted(str(value))


def quoted(text: str) -> str:
    """JSON, but for the one character that it does not escape and TOML does."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
NUMBERS = st.floats(0, 1e9, exclude_min=True)
COUNTS = st.integers(1, 10**9)
ROWS = st.one_of(
    st.builds(A, kind=st.just("a"), count=COUNTS), st.builds(B, kind=st.sampled_from(["b", "c"]), on=st.booleans())
)
MODELS = st.builds(
    Everything,
    name=TEXT,
    count=COUNTS,
    number=NUMBERS,
    on=st.booleans(),
    file=st.sampled_from([None, Path("/etc/key.pem"), Path("/a b/é")]),
    choice=st.sampled_from(["x", "y"]),
    words=st.lists(TEXT).map(tuple),
    table=st.builds(Small, number=NUMBERS),
    rows=st.lists(ROWS, max_size=3).map(tuple),
    named=st.dictionaries(TEXT, ROWS, max_size=3),
    lists=st.dictionaries(TEXT, st.lists(COUNTS).map(tuple), max_size=3),
)


@given(model=MODELS)
def test_what_was_written_is_read(place: Path, model: Everything) -> None:
    """Every model comes back as it was."""
    text = "".join(f"{name} = {written(value)}\n" for name, value in vars(model).items() if value is not None)
    place.write_text(text, encoding="utf-8", newline="")
    assert load_settings(place, Everything) == model


@pytest.mark.parametrize(
    "number", ["1" + 400 * "0", "-1" + 400 * "0", "0x" + 5000 * "f"], ids=["long", "negative", "hexadecimal"]
)
@pytest.mark.parametrize("setting", ["count", "number", "choice", "name", "words"])
def test_a_number_that_no_float_holds_is_an_error_as_any_other(tmp_path: Path, setting: str, number: str) -> None:
    """Python refuses to convert it, and to show it where it has more than 4,300 digits."""
    path = tmp_path / "settings.toml"
    path.write_text(f"{setting} = {number}\n")
    with pytest.raises(SettingsFileError) as caught:
        load_settings(path, Everything)
    [problem] = caught.value.problems
    assert (problem.key, problem.line) == (setting, 1)
    assert len(problem.problem) < 100


def test_the_largest_number(tmp_path: Path) -> None:
    """Of TOML has 64 bits with a sign; what is told of a larger one must not be converted."""
    path = tmp_path / "settings.toml"
    path.write_text(f"count = {2**63 - 1}\n")
    with pytest.raises(SettingsFileError, match=r"9\.22337e\+18 is too large; give at most 1000000000"):
        load_settings(path, Everything)
    path.write_text(f"count = {2**63}\n")
    with pytest.raises(SettingsFileError, match="count \\(line 1\\): is too large a number"):
        load_settings(path, Everything)
