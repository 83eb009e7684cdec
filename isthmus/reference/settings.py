"""The pages of the settings files, from the models that they are read into."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from isthmus.reference.markdown import code, flow, page, table
from settings import Setting, Shape, docs_of, settings_of, toml_value
from settings import header as header_of

_COLUMNS = ("setting", "kind", "default", "meaning")
_TYPES: dict[Any, str] = {Path: "path", str: "text", float: "number", int: "whole number", bool: "`true` or `false`"}


def settings_page(kind: str, model: type[Any], reloaded: Sequence[str] = ()) -> str:
    """The page of one settings file; kind: `relay` and so on. reloaded: what a running process takes anew."""
    example = "a commented file to begin with" if kind == "sync" else "a complete file with these descriptions as comments"
    introduction = f"""\
TOML file, read by `isthmus {kind}` from `/etc/isthmus/{kind}.toml`, or from the file given with `--config` or
`ISTHMUS_CONFIG`. `isthmus config example {kind}` prints {example};
`isthmus config check FILE` reports every error with its key and line. Unknown keys are errors. Relative paths are relative
to the file. Numbers must be greater than zero unless the description says what 0 means. If the default is empty, `""`
restores it. A file with a password or another secret must not be readable by other users (mode 0600); a file owned by root
may be readable by a group (0640), like those of systemd's `LoadCredential=`. It contains one line in UTF-8."""
    if reloaded:
        introduction += f"""

`systemctl reload isthmus-{kind}` (SIGHUP) applies changes to {", ".join(map(code, reloaded))} and to the files that they
name. All other settings need a restart: `settings.restart_needed` in the log lists those that have changed. If the file has
an error, nothing changes; `settings.refused` reports each error with its key and line."""
    return page(f"Settings of `isthmus {kind}`", introduction, *_sections(model, "", flow(inspect.getdoc(model) or "")))


def trust_page(model: type[Any]) -> str:
    """The page of a trust's document; of its claims policy there is a page that people write."""
    introduction = """\
Every setting of a trust, for files in `trusts_dir` and for `isthmus relay trust import`. `isthmus config check FILE` reports
every error with its key and line; unknown keys are errors. `[oidc]` belongs to `protocol = "oidc"`, `[saml]` to
`protocol = "saml"`. A certificate is written in three quotes: `\'\'\'-----BEGIN CERTIFICATE-----…\'\'\'`. `[claims]` and
`[[claims.rules]]` are in docs/reference/claims.md, what else there is to know about trusts in docs/reference/trusts.md."""
    sections = [text for text in _sections(model, "", "") if not text.startswith(("## `[claims]`", "## `[[claims."))]
    return page("Settings of a trust", introduction, *sections)


def sections_of(model: type[Any]) -> Iterator[str]:
    """The sections of a page about more than one settings file."""
    return _sections(model, "", "")


def _sections(model: type[Any], prefix: str, text: str, heading: str = "") -> Iterator[str]:
    docs = docs_of(model)
    rows, tables = [], []
    for setting in settings_of(model).values():
        inner = setting.shape.table
        if inner is None or inner.in_file:
            rows.append((code(setting.name), type_name(setting.shape), default_of(setting), docs.get(setting.name, "")))
        else:
            key = f"{prefix}.{setting.name}".lstrip(".") + (".NAME" if setting.shape.form == "mapping" else "")
            tables.append((setting.shape, inner, key, flow(docs.get(setting.name, ""))))
    if rows:
        yield "\n\n".join(filter(None, [f"## {heading or 'At the top of the file'}", text, table(_COLUMNS, rows)]))
    for shape, inner, key, words in tables:
        yield from _tables(shape, inner, key, words)


def _tables(shape: Shape, inner: Shape, key: str, words: str) -> Iterator[str]:
    """The section of a table, or one for each kind of it."""
    heading = code(header_of(shape, key))
    if len(inner.models) == 1:
        yield from _sections(inner.models[0], key, words, heading)
        return
    for kind, model in inner.by_kind.items():
        text = f"{words} {flow(inspect.getdoc(model) or '')}".strip()
        yield from _sections(model, key, text, f"{heading} with {code(f'kind = {toml_value(kind)}')}")


def type_name(shape: Shape) -> str:
    """What a person has to write."""
    if shape.form == "choice":
        return " or ".join(code(toml_value(choice)) for choice in shape.choices)
    if shape.item is not None:
        item = type_name(shape.item)
        items = item if item == "text" or item.endswith("`") else f"{item}s"
        return f"list of {items}" if shape.form == "list" else f"table of {items}, by name"
    if shape.in_file:
        return "path of another such file"
    return "path of a file with a secret" if shape.secret else _TYPES[shape.scalar]


def default_of(setting: Setting) -> str:
    """The default as it would stand in the file, or that there is none."""
    return "**required**" if setting.required else code(toml_value(setting.default))
