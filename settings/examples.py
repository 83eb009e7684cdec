"""A settings file as it is printed for somebody who begins: every setting with its docstring and its default."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from settings.fields import TAG, Shape, docs_of, settings_of


def example(model: type[Any], title: str, required: Mapping[str, str]) -> str:
    """A complete, commented settings file: defaults commented out, required settings with the values of `required`.

    Of a union of models there is one table for each kind. Keys of `required` are dotted, without indexes and with the
    name NAME in a mapping: `targets.NAME.url`.
    """
    lines = [f"# {line}" for line in textwrap.wrap(title, 100)]
    lines += _table(model, "", required, {})
    return "\n".join(lines) + "\n"


def _table(model: type[Any], prefix: str, required: Mapping[str, str], given: Mapping[str, object]) -> Iterator[str]:
    docs, tables = docs_of(model), []
    for setting in settings_of(model).values():
        key = f"{prefix}.{setting.name}" if prefix else setting.name
        table = setting.shape.table
        if table is not None and not table.in_file:
            tables.append((setting.shape, table, key))
            continue
        yield ""
        yield from (f"# {line}" for line in textwrap.wrap(" ".join(docs.get(setting.name, "").split()), 100))
        if setting.name in given:
            yield f"{setting.name} = {toml_value(given[setting.name])}"
        elif key in required:
            yield f"{setting.name} = {required[key]}"
        else:
            yield f"# {setting.name} = {toml_value(setting.default)}"
    for shape, table, key in tables:
        for variant in table.models:
            given = {TAG: settings_of(variant)[TAG].shape.choices[0]} if len(table.models) > 1 else {}
            inner = f"{key}.NAME" if shape.form == "mapping" else key
            yield from ("", header(shape, f"{key}.{given[TAG]}" if given and shape.form == "mapping" else inner))
            yield from _table(variant, inner, required, given)


def header(shape: Shape, key: str) -> str:
    """The line that begins a table: `[key]`, or `[[key]]` in a list."""
    return f"[[{key}]]" if shape.form == "list" else f"[{key}]"


def toml_value(value: object) -> str:
    """A value as it is written in TOML."""
    if value is None or value is dataclasses.MISSING:
        return '""'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:g}" if value < 1e6 else str(int(value))
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {toml_value(one)}" for name, one in value.items()) + "}"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML knows all of JSON's escapes
