"""Settings files: TOML read into the packages' frozen models, with every error named by its key and line.

An unknown key is an error. Relative paths are relative to the settings file. Secrets are never in the file itself: a
setting names a file or an environment variable.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import math
import textwrap
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from isthmus.toml_lines import key_lines

M = TypeVar("M")

_EXPECTED: dict[Any, str] = {
    Path: "a path in quotes",
    float: "a number",
    int: "a whole number",
    str: "text in quotes",
    bool: "true or false",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a settings file."""

    key: str
    """Dotted, with indexes: `directories[0].servers`."""
    problem: str
    remedy: str = ""
    line: int | None = None
    """Where it is in the file, counted from 1; None for what is not there."""

    def __str__(self) -> str:
        where = f"{self.key} (line {self.line})" if self.line else self.key
        return f"{where}: {self.problem}" + (f"; {self.remedy}" if self.remedy else "")


class ConfigError(Exception):
    """A settings file cannot be used; holds every problem in it."""

    def __init__(self, path: Path | None, problems: list[Problem]) -> None:
        super().__init__(path, problems)
        self.path, self.problems = path, problems

    def __str__(self) -> str:
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        return f"{self.path or 'settings'} cannot be used:{lines}"


def load(path: Path, model: type[M]) -> M:
    """Read a settings file into its model. Raises ConfigError with every problem."""
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(path, [Problem("file", f"cannot be read ({error.strerror})", "give it with --config")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(path, [Problem("file", f"is not TOML ({error})")]) from error
    problems: list[Problem] = []
    settings = _read_model(model, data, "", path.parent.absolute(), problems)
    if problems:
        lines = key_lines(text)
        raise ConfigError(path, [dataclasses.replace(problem, line=lines.get(problem.key)) for problem in problems])
    return typing.cast(M, settings)


def _read_model(model: type[Any], data: Mapping[str, Any], prefix: str, base: Path, problems: list[Problem]) -> Any:
    hints = typing.get_type_hints(model)
    fields = {field.name: field for field in dataclasses.fields(model)}
    for key in data:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, 1)
            problems.append(Problem(prefix + key, "no such setting", f"did you mean {near[0]}?" if near else ""))
    values = {}
    before = len(problems)
    for name, field in fields.items():
        if name in data:
            values[name] = _read_value(hints[name], data[name], prefix + name, base, problems)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            problems.append(Problem(prefix + name, "is missing", _first_line(docs_of(model).get(name, ""))))
    return model(**values) if len(problems) == before else None


def _read_value(hint: Any, value: Any, key: str, base: Path, problems: list[Problem]) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        if value == "" and types.NoneType in arguments:
            return None
        hint = next(argument for argument in arguments if argument is not types.NoneType)
        return _read_value(hint, value, key, base, problems)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, dict):
            return _read_model(hint, value, key + ".", base, problems)
        return _wrong(problems, key, f"expected a table [{key}]")
    if origin is tuple:
        if not isinstance(value, list):
            return _wrong(problems, key, "expected a list [ … ]")
        return tuple(_read_value(arguments[0], item, f"{key}[{n}]", base, problems) for n, item in enumerate(value))
    if origin is Literal:
        if value in arguments:
            return value
        return _wrong(problems, key, f"{value!r} is none of {', '.join(map(repr, arguments))}")
    return _read_scalar(hint, value, key, base, problems)


def _read_scalar(hint: Any, value: Any, key: str, base: Path, problems: list[Problem]) -> Any:
    if hint is Path and isinstance(value, str) and value:
        return base / value
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            return _wrong(problems, key, f"{value} is not a finite number")
        return float(value) if value >= 0 else _wrong(problems, key, f"{value} is negative")
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else _wrong(problems, key, f"{value} is negative")
    if hint in {str, bool} and isinstance(value, hint):
        return value
    return _wrong(problems, key, f"expected {_EXPECTED.get(hint, hint)}, found {value!r}")


def _wrong(problems: list[Problem], key: str, problem: str) -> None:
    problems.append(Problem(key, problem))


def docs_of(model: type[Any]) -> dict[str, str]:
    """The docstring behind each field of a model, those of its bases among them."""
    docs = {name: text for base in reversed(model.__mro__[1:-1]) for name, text in docs_of(base).items()}
    tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    body = typing.cast(ast.ClassDef, tree.body[0]).body
    for field, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            docs[field.target.id] = inspect.cleandoc(str(typing.cast(ast.Constant, after.value).value))
    return docs


def example(model: type[Any], title: str, required: Mapping[str, str]) -> str:
    """A complete, commented settings file: defaults commented out, required settings with the values of `required`."""
    lines = [f"# {line}" for line in textwrap.wrap(title, 100)]
    lines += _example_table(model, "", required, repeated=False)
    return "\n".join(lines) + "\n"


def _example_table(model: type[Any], prefix: str, required: Mapping[str, str], *, repeated: bool) -> Iterator[str]:
    hints, docs = typing.get_type_hints(model), docs_of(model)
    tables = []
    if prefix:
        yield from ("", f"[[{prefix}]]" if repeated else f"[{prefix}]")
    for field in dataclasses.fields(model):
        key = f"{prefix}.{field.name}" if prefix else field.name
        hint, is_list = table_of(hints[field.name])
        if hint is not None:
            tables.append((hint, key, is_list))
            continue
        yield ""
        yield from (f"# {line}" for line in textwrap.wrap(" ".join(docs.get(field.name, "").split()), 100))
        if key in required:
            yield f"{field.name} = {required[key]}"
        else:
            yield f"# {field.name} = {toml_value(field.default)}"
    for hint, key, is_list in tables:
        yield from _example_table(hint, key, required, repeated=is_list)


def table_of(hint: Any) -> tuple[type[Any] | None, bool]:
    """The model that a field is a table of (None: a plain value), and whether it is a list of such tables."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return hint, False
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and dataclasses.is_dataclass(arguments[0]):
        return typing.cast(type[Any], arguments[0]), True
    return None, False


def toml_value(value: Any) -> str:
    """A default as it is written in TOML."""
    if value is None or value is dataclasses.MISSING:
        return '""'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:g}" if value < 1e6 else str(int(value))
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return '"' + str(value).replace("\\", "\\\\") + '"'


def _first_line(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".")
