"""Settings files: what is read, what is refused, and where the refusal points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from settings import Problem, SettingsFileError, load_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """A table."""

    seconds: float = 1.0
    """Seconds."""
    file: Path | None = None
    """A file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model with one field of each kind."""

    name: str
    """What it is called. More of it."""
    count: int = 3
    """How many."""
    on: bool = False
    """Whether."""
    kind: Literal["a", "b"] = "a"
    """Which."""
    words: tuple[str, ...] = ()
    """Some words."""
    inner: Inner = field(default_factory=Inner)
    """A table."""
    rows: tuple[Inner, ...] = ()
    """Tables."""


def read(tmp_path: Path, text: str, model: type[Any] = Model) -> Any:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return load_settings(path, model)


def problems(tmp_path: Path, text: str, model: type[Any] = Model) -> tuple[Problem, ...]:
    with pytest.raises(SettingsFileError) as caught:
        read(tmp_path, text, model)
    return caught.value.problems


def test_defaults_fill_what_is_not_said(tmp_path: Path) -> None:
    """Only what is required must be there."""
    assert read(tmp_path, 'name = "x"') == Model(name="x")


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    """Whole numbers count as seconds too; lists become tuples, tables models."""
    text = 'name="x"\ncount=4\non=true\nkind="b"\nwords=["u","v"]\n[inner]\nseconds=2\n[[rows]]\n[[rows]]\nseconds=0.5\n'
    settings = read(tmp_path, text)
    assert settings == Model(
        name="x", count=4, on=True, kind="b", words=("u", "v"), inner=Inner(seconds=2.0), rows=(Inner(), Inner(seconds=0.5))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """A model with a field for any value."""

    value: object = None
    """What it is."""
    values: Mapping[str, object] = field(default_factory=dict)
    """What they are."""


def test_field_of_type_object_takes_what_stands_there(tmp_path: Path) -> None:
    """Also an empty text, a negative number, a list and a table."""
    assert read(tmp_path, 'value = ""', Anything).value == ""
    values = read(tmp_path, "value = [-1]\nvalues = { a = { b = 1.5 } }", Anything)
    assert (values.value, values.values) == ([-1], {"a": {"b": 1.5}})


def test_a_relative_path_is_relative_to_the_settings_file(tmp_path: Path) -> None:
    """Whatever directory the process was started in."""
    assert read(tmp_path, 'name="x"\n[inner]\nfile="key.pem"').inner.file == tmp_path / "key.pem"
    assert read(tmp_path, 'name="x"\n[inner]\nfile="/etc/key.pem"').inner.file == Path("/etc/key.pem")


def test_empty_text_means_none_where_none_is_the_default(tmp_path: Path) -> None:
    """So that a line of the example can be uncommented as it stands."""
    assert read(tmp_path, 'name="x"\n[inner]\nfile=""').inner.file is None


@pytest.mark.parametrize(
    ("line", "key", "words"),
    [
        ("count = 1.5", "count", "expected a whole number"),
        ("count = true", "count", "expected a whole number"),
        ("count = -1", "count", "negative"),
        ('on = "yes"', "on", "expected true or false"),
        ('kind = "c"', "kind", "none of 'a', 'b'"),
        ('words = "u"', "words", "expected a list"),
        ("words = [1]", "words[0]", "expected text in quotes"),
        ("inner = 1", "inner", "expected a table"),
        ("inner.seconds = nan", "inner.seconds", "not a finite number"),
        ("inner.seconds = inf", "inner.seconds", "not a finite number"),
        ("inner.seconds = -0.1", "inner.seconds", "negative"),
        ("inner.file = 7", "inner.file", "expected a path"),
        ("rows = [{seconds = 'x'}]", "rows[0].seconds", "expected a number"),
    ],
)
def test_a_wrong_value_is_named_by_key_and_line(tmp_path: Path, line: str, key: str, words: str) -> None:
    """What was expected is said too."""
    [problem] = problems(tmp_path, f'name = "x"\n\n{line}\n')
    assert (problem.key, problem.line) == (key, 3)
    assert words in problem.problem


def test_an_unknown_key_is_an_error_that_guesses(tmp_path: Path) -> None:
    """A typing error must not silently leave a default in force."""
    [problem] = problems(tmp_path, 'name = "x"\n[inner]\nsecond = 2\n')
    assert str(problem) == "inner.second (line 3): no such setting; did you mean seconds?"


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    """Not the first one only: nobody likes to fix a file in ten rounds."""
    found = problems(tmp_path, 'count = "x"\ncuont = 1\n[inner]\nseconds = "y"\n')
    assert {problem.key for problem in found} == {"count", "cuont", "inner.seconds", "name"}


def test_what_is_missing_is_explained(tmp_path: Path) -> None:
    """With the first sentence of its documentation."""
    [problem] = problems(tmp_path, "")
    assert str(problem) == "name: is missing; What it is called"


@pytest.mark.parametrize("content", [b"name = ", b"a = 1\na = 2\n"])
def test_what_is_not_toml_is_said_so(tmp_path: Path, content: bytes) -> None:
    """Syntax, a key given twice."""
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsFileError, match="is not TOML"):
        load_settings(path, Model)
