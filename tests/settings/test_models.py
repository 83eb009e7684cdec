"""The models of the three processes: documented, and printed as examples that can be used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isthmus.adfs_settings import AdfsSettings
from isthmus.agent_settings import AgentSettings
from isthmus.cli.configuration import KINDS, model_of
from isthmus.relay_settings import RelaySettings
from settings import Bounds, Shape, Unfit, docs_of, example, load_settings, settings_of
from settings.sense import unfit_value

MADE = [kind for kind in KINDS if kind != "sync"]
"""Whose example is made from its model; that of synchronisation is a file (`tests.isthmus.sync.test_settings`)."""


def read(tmp_path: Path, text: str, model: type[Any]) -> Any:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return load_settings(path, model)


@pytest.mark.parametrize("kind", MADE)
def test_the_example_is_a_settings_file(tmp_path: Path, kind: str) -> None:
    """It can be used as it is printed."""
    model, *_ = model_of(kind)
    assert isinstance(read(tmp_path, example(*model_of(kind)), model), model)


@pytest.mark.parametrize("kind", MADE)
def test_what_the_example_comments_out_is_the_default(tmp_path: Path, kind: str) -> None:
    """Uncommenting every line changes nothing."""
    model, title, required = model_of(kind)
    text = example(model, title, required)
    uncommented = re.sub(r"(?m)^# (?=[a-z_0-9]+ = )", "", text)
    assert uncommented != text
    assert read(tmp_path, uncommented, model) == read(tmp_path, text, model)


def documentation(model: type[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    docs = docs_of(model)
    for setting in settings_of(model).values():
        yield prefix + setting.name, docs.get(setting.name, "")
        for inner in setting.shape.table.models if setting.shape.table else ():
            yield from documentation(inner, f"{prefix}{setting.name}.")


@pytest.mark.parametrize("model", [RelaySettings, AgentSettings, AdfsSettings])
def test_every_setting_has_its_documentation(model: type[Any]) -> None:
    """Unit and reason, in a docstring behind the field."""
    assert [key for key, text in documentation(model) if not text] == []


@pytest.mark.parametrize("model", [RelaySettings, AgentSettings, AdfsSettings])
def test_zero_is_refused_unless_the_documentation_says_what_it_means(model: type[Any]) -> None:
    """`threshold = 0` would lock everybody out; `canary_interval = 0` switches something off, and says so."""
    taken = {key: any(check.zero for check in shape.checks if isinstance(check, Bounds)) for key, shape in numbers(model)}
    texts = dict(documentation(model))
    assert taken
    assert {key for key, zero in taken.items() if zero} == {key for key in taken if re.search(r"\b0\b(?!\.)", texts[key])}


def numbers(model: type[Any], prefix: str = "") -> Iterator[tuple[str, Shape]]:
    for setting in settings_of(model).values():
        if setting.shape.scalar in {int, float}:
            yield prefix + setting.name, setting.shape
        for inner in setting.shape.table.models if setting.shape.table else ():
            yield from numbers(inner, f"{prefix}{setting.name}.")


@pytest.mark.parametrize("model", [RelaySettings, AgentSettings, AdfsSettings])
def test_defaults_pass_their_own_checks(model: type[Any]) -> None:
    """Settings that are not in the file are checked where a process starts, too."""
    assert [key for key, error in defaults(model) if error] == []


def defaults(model: type[Any]) -> Iterator[tuple[str, list[Unfit]]]:
    for setting in settings_of(model).values():
        table = setting.shape.table
        if table is None and not setting.required and setting.default is not None:
            yield setting.name, list(unfit_value(setting.shape, setting.default))
        for inner in table.models if table else ():
            yield from defaults(inner)


@pytest.mark.parametrize("model", [RelaySettings, AgentSettings, AdfsSettings])
def test_files_with_secrets_are_marked(model: type[Any]) -> None:
    """So that what stands there by mistake is in no error."""
    secret = re.compile("password|secret|hmac|key_file|tls_key")
    assert [key for key, marked in paths(model) if not marked and secret.search(key)] == []


def paths(model: type[Any], prefix: str = "") -> Iterator[tuple[str, bool]]:
    for setting in settings_of(model).values():
        if setting.shape.scalar is Path:
            yield prefix + setting.name, setting.shape.secret
        for inner in setting.shape.table.models if setting.shape.table else ():
            yield from paths(inner, f"{prefix}{setting.name}.")
