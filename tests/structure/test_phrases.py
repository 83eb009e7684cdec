"""What people read is English that is read once: see `tests.structure.phrases`."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.structure import source
from tests.structure.phrases import PHRASES, Phrase

CODE = re.compile(r"`[^`\n]*`")
"""Names of the program's, which a document may quote as they were."""
ROOT = Path(__file__).parents[2]
DOCUMENTS = (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
TEMPLATES = (*ROOT.glob("gateway/signin/templates/*.html"), *ROOT.glob("gateway/signin/locale/*.pot"))


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.better)
def test_a_phrase_stands_nowhere(phrase: Phrase) -> None:
    """Neither in a document nor in a message, a help text or a page."""
    found = [f"{path.relative_to(ROOT)}: {words}" for path, text in _texts() for words in phrase.found_in(text)]
    assert found == [], f"write: {phrase.better}"


def test_phrases_are_found_in_whatever_case_and_across_lines() -> None:
    """Else the test above could not fail."""
    (phrase,) = (phrase for phrase in PHRASES if phrase.better == "permanently")
    assert phrase.found_in(_plain("It stays For\n    ever, and ever.")) == ["It stays For ever, and ever."]
    assert phrase.found_in("It stays forever.") == []


@functools.cache
def _texts() -> tuple[tuple[Path, str], ...]:
    return tuple((path, _plain(text)) for path, text in _read())


def _plain(text: str) -> str:
    return " ".join(text.split())


def _read() -> Iterator[tuple[Path, str]]:
    for path in DOCUMENTS:
        yield path, CODE.sub("", path.read_text(encoding="utf-8"))
    for path in TEMPLATES:
        yield path, path.read_text(encoding="utf-8")
    for module in source.modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield ROOT / module.path, node.value
