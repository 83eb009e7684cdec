"""The pages of the settings files, from the models that they are read into."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from isthmus.config import docs_of, table_of, toml_value
from isthmus.reference.markdown import code, flow, page, table

_TYPES: dict[Any, str] = {Path: "path", str: "text", float: "number", int: "whole number", bool: "`true` or `false`"}


def settings_page(kind: str, model: type[Any]) -> str:
    """The page of one settings file; kind: `relay` or `agent`."""
    introduction = f"""\
TOML, read by `isthmus {kind}` from `/etc/isthmus/{kind}.toml`, or from what `--config` or `ISTHMUS_CONFIG` names.
`isthmus config example {kind}` prints a complete file with these texts as comments; `isthmus config check FILE` names
every error with its key and line. An unknown key is an error. Relative paths are relative to the file. Numbers are
never negative. Where a default is empty, `""` sets it again."""
    return page(f"Settings of `isthmus {kind}`", introduction, *_sections(model, "", flow(inspect.getdoc(model) or "")))


def _sections(model: type[Any], prefix: str, text: str, *, repeated: bool = False) -> Iterator[str]:
    hints, docs = typing.get_type_hints(model), docs_of(model)
    rows, tables = [], []
    for field in dataclasses.fields(model):
        inner, many = table_of(hints[field.name])
        if inner is None:
            rows.append((code(field.name), type_name(hints[field.name]), default_of(field), docs.get(field.name, "")))
        else:
            tables.append((inner, f"{prefix}.{field.name}".lstrip("."), flow(docs.get(field.name, "")), many))
    if rows:
        heading = f"[[{prefix}]]" if repeated else f"[{prefix}]"
        title = f"## {code(heading) if prefix else 'At the top of the file'}"
        yield "\n\n".join([title, text, table(("setting", "kind", "default", "meaning"), rows)])
    for inner, key, words, many in tables:
        yield from _sections(inner, key, words, repeated=many)


def type_name(hint: Any) -> str:
    """What a person has to write."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        return type_name(next(argument for argument in arguments if argument is not types.NoneType))
    if origin is Literal:
        return " or ".join(code(toml_value(argument)) for argument in arguments)
    if origin is tuple:
        return f"list of {type_name(arguments[0])}s".replace("texts", "text")
    return _TYPES[hint]


def default_of(field: dataclasses.Field[Any]) -> str:
    """The default as it would stand in the file, or that there is none."""
    if field.default is not dataclasses.MISSING:
        return code(toml_value(field.default))
    if field.default_factory is not dataclasses.MISSING:
        return code(toml_value(field.default_factory()))
    return "**required**"
