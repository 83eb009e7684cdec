"""From a TOML file to a model: every problem at once, each with its file, key and line.

An unknown key is an error. Relative paths are relative to the file that they stand in. Numbers are finite and not negative.
What else a value must be is asked of `settings.sense`.
Secrets are never in the file itself: a setting names a file or an environment variable.
"""

from __future__ import annotations

import contextlib
import datetime
import difflib
import math
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from settings.errors import Problem, SettingsFileError, Unfit, UnusableFile
from settings.fields import TAG, Shape, docs_of, settings_of
from settings.positions import Key, dotted, lines_of, short
from settings.sense import contradictions, unfit_value
from settings.source import TomlFile, parse_toml, read_toml

M = TypeVar("M")

_EXPECTED: dict[Any, str] = {
    Path: "a path in quotes",
    float: "a number",
    int: "a whole number",
    str: "text in quotes",
    bool: "true or false",
}
_LARGEST = 2**63 - 1
"""Of whole numbers, by TOML; tomllib reads larger ones, of which some have no float, or too many digits to be shown."""
_VERY_NEAR = 0.85
"""Likeness from which on two known keys are named, not only the nearest: `service_password` has two."""
_DEEPEST_HINT = 8
"""Levels of tables that are searched for a setting that stands in the wrong one; a model may hold itself."""


def load_settings(path: Path, model: type[M], content: bytes | None = None) -> M:
    """Read a settings file into its model. Raises SettingsFileError with every problem.

    content: what is to be in the file, instead of what is there.
    """
    try:
        file = read_toml(path) if content is None else parse_toml(path, content)
    except UnusableFile as error:
        remedy = error.remedy or ("name the file with --config" if isinstance(error.__cause__, OSError) else "")
        raise SettingsFileError(path, [Problem(error.key, error.problem, remedy, error.line, path)]) from error
    reader = _Reader(file, model, ())
    settings = reader.read()
    if reader.problems:
        raise SettingsFileError(path, reader.problems)
    return typing.cast(M, settings)


def locate(path: Path, errors: Iterable[Unfit], text: str = "") -> list[Problem]:
    """What is wrong with settings that were read from a file, with the lines there, in their order.

    The key of each error is that in the whole file. text: the file's; without it, the file is read again, if it can be.
    """
    if not text:
        with contextlib.suppress(UnusableFile):
            text = read_toml(path).text
    lines = lines_of(text)
    told = [Problem(dotted(error.key), error.problem, error.remedy, _line(error.key, lines), path) for error in errors]
    return sorted(told, key=lambda problem: problem.line or 0)


class _Reader:
    """Of one file; `via`: the files that led to it."""

    def __init__(self, file: TomlFile, model: type[Any], via: Sequence[Path]) -> None:
        self._file, self._model = file, model
        self._base = file.path.parent.absolute()
        self._via = (*via, file.path.resolve())
        self._found: list[tuple[Key, str, str]] = []
        self._elsewhere: list[Problem] = []

    def read(self) -> Any:
        """The model; None where there are problems."""
        return self._read_model(self._model, self._file.data, ())

    @property
    def problems(self) -> list[Problem]:
        """In the order of the file."""
        if not self._found:
            return self._elsewhere
        lines = lines_of(self._file.text)
        told = [
            Problem(dotted(key), problem, remedy, _line(key, lines), self._file.path) for key, problem, remedy in self._found
        ]
        return sorted(told, key=lambda problem: problem.line or 0) + self._elsewhere

    def _wrong(self, key: Key, problem: str, remedy: str = "") -> None:
        self._found.append((key, problem, remedy))

    def _read_model(self, model: type[Any], data: Mapping[str, Any], key: Key) -> Any:
        settings = settings_of(model)
        before = len(self._found) + len(self._elsewhere)
        for name in data:
            if name not in settings:
                self._wrong((*key, name), "no such setting", self._hint(name, settings))
        values = {}
        for name, setting in settings.items():
            if name in data:
                values[name] = self._read_value(setting.shape, data[name], (*key, name))
            elif setting.required:
                self._wrong((*key, name), "is missing", _first_sentence(docs_of(model).get(name, "")))
        if len(self._found) + len(self._elsewhere) > before:
            return None
        read = model(**values)
        for inner, error in contradictions(read):
            self._wrong((*key, *inner), error.problem, error.remedy)
        return read

    def _hint(self, name: str, settings: Mapping[str, Any]) -> str:
        near = difflib.get_close_matches(name, settings, 2, _VERY_NEAR) or difflib.get_close_matches(name, settings, 1)
        if near:
            return f"did you mean {' or '.join(near)}?"
        places = list(dict.fromkeys(_tables_with(name, self._model, "")))
        return f"it belongs in {places[0]}" if len(places) == 1 else ""

    def _read_value(self, shape: Shape, value: Any, key: Key) -> Any:
        if value == "" and shape.optional:
            return None
        before = len(self._found) + len(self._elsewhere)
        read = self._read_form(shape, value, key)
        if len(self._found) + len(self._elsewhere) == before:
            for error in unfit_value(shape, read):
                self._wrong(key, error.problem, error.remedy)
        return read

    def _read_form(self, shape: Shape, value: Any, key: Key) -> Any:
        if shape.in_file:
            return self._read_file(shape, value, key)
        if shape.form == "table":
            return self._read_table(shape, value, key)
        if shape.form == "list":
            return self._read_list(typing.cast(Shape, shape.item), value, key)
        if shape.form == "mapping":
            return self._read_mapping(typing.cast(Shape, shape.item), value, key)
        if shape.form == "choice":
            return self._read_choice(shape.choices, value, key)
        if shape.form == "any":
            return value
        return self._read_scalar(shape, value, key)

    def _read_table(self, shape: Shape, value: Any, key: Key) -> Any:
        if not isinstance(value, dict):
            return self._wrong(key, f"expected a table [{dotted(key)}], found {_found(value)}")
        if len(shape.models) == 1:
            return self._read_model(shape.models[0], value, key)
        by_kind = shape.by_kind
        if TAG not in value:
            return self._wrong((*key, TAG), "is missing", f"one of {_listed(by_kind)}")
        kind = self._read_choice(tuple(by_kind), value[TAG], (*key, TAG))
        return self._read_model(by_kind[kind], value, key) if kind is not None else None

    def _read_file(self, shape: Shape, value: Any, key: Key) -> Any:
        path = self._read_scalar(Shape("scalar", scalar=Path), value, key)
        if path is None:
            return None
        try:
            file = read_toml(path)
        except UnusableFile as error:
            return self._wrong(key, f"{path} {error.problem}", error.remedy)
        if path.resolve() in self._via:  # after it was read: a link to itself has no such path
            return self._wrong(key, f"{path} leads back to itself")
        reader = _Reader(file, shape.models[0], self._via)
        settings = reader.read()
        self._elsewhere += reader.problems
        return settings

    def _read_list(self, item: Shape, value: Any, key: Key) -> Any:
        if not isinstance(value, list):
            expected = f"tables [[{dotted(key)}]]" if item.form == "table" else "a list [ … ]"
            return self._wrong(key, f"expected {expected}, found {_found(value)}")
        return tuple(self._read_value(item, one, (*key, index)) for index, one in enumerate(value))

    def _read_mapping(self, item: Shape, value: Any, key: Key) -> Any:
        if not isinstance(value, dict):
            expected = f"tables [{dotted(key)}.NAME]" if item.form == "table" else f"a table [{dotted(key)}]"
            return self._wrong(key, f"expected {expected}, found {_found(value)}")
        return types.MappingProxyType({name: self._read_value(item, one, (*key, name)) for name, one in value.items()})

    def _read_choice(self, choices: tuple[object, ...], value: Any, key: Key) -> Any:
        if value in choices:
            return value
        near = difflib.get_close_matches(value.casefold(), map(str, choices), 1) if isinstance(value, str) else []
        hint = f"did you mean '{near[0]}'?" if near else ""
        return self._wrong(key, f"{_found(value)} is none of {_listed(choices)}", hint)

    def _read_scalar(self, shape: Shape, value: Any, key: Key) -> Any:
        expected, is_bool = shape.scalar, isinstance(value, bool)
        if expected in {int, float} and isinstance(value, (int, float) if expected is float else int) and not is_bool:
            return self._read_number(expected, value, key)
        if expected is bool and is_bool:
            return value
        if expected in {str, Path} and isinstance(value, str) and (value or expected is str):
            return self._base / value if expected is Path else value
        quoted = isinstance(value, str) and expected in {int, float, bool} and _is_literal(value)
        remedy = "write it without quotes" if quoted else ""
        found = _kind_of(value) if shape.secret else _found(value)
        return self._wrong(key, f"expected {_EXPECTED[expected]}, found {found}", remedy)

    def _read_number(self, expected: type[Any], value: float, key: Key) -> Any:
        if isinstance(value, int) and abs(value) > _LARGEST:
            return self._wrong(key, "is too large a number")
        if not math.isfinite(value):
            return self._wrong(key, f"{value} is not a finite number")
        return expected(value) if value >= 0 else self._wrong(key, f"{value} is negative")


def _line(key: Key, lines: Mapping[Key, int]) -> int | None:
    """Of a key, or of the innermost table around what is missing."""
    return next((lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in lines), None)


def _tables_with(name: str, model: type[Any], prefix: str) -> Iterator[str]:
    """Headers of the tables of a model, and inside it, that have a setting of this name."""
    for setting in settings_of(model).values():
        table = setting.shape.table
        if table is None or table.in_file or prefix.count(".") > _DEEPEST_HINT:
            continue
        inner = f"{prefix}.{setting.name}".lstrip(".") + (".NAME" if setting.shape.form == "mapping" else "")
        for variant in table.models:
            if name in settings_of(variant):
                yield f"[[{inner}]]" if setting.shape.form == "list" else f"[{inner}]"
            yield from _tables_with(name, variant, inner)


def _found(value: object) -> str:
    """A value as an error repeats it: one line, and neither all of a long text nor an address that may hold a password."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and "://" not in value:
        return repr(short(value))
    if isinstance(value, float) or (isinstance(value, int) and abs(value) <= _LARGEST):
        return str(value)
    return _kind_of(value)


def _kind_of(value: object) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a table"}
    if isinstance(value, (datetime.date, datetime.time)):
        return "a date or a time"
    return kinds.get(type(value), "something else")


def _is_literal(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return text in {"true", "false"} or math.isfinite(float(text))
    return False


def _listed(choices: Sequence[object] | Mapping[object, Any]) -> str:
    return ", ".join(map(repr, choices))


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".")
