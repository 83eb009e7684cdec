"""Tables of requirements and attacks, and the tests that name their rows: read from the sources, nothing is run."""

from __future__ import annotations

import ast
import csv
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
_DATA = Path(__file__).parent / "data"
_ROW = re.compile(r"\b([OS])(\d\d)(?:(?:-| to )\1(\d\d))?\b")
"""A row of the attack tables, or several in a row: `S01-S08`."""


def read_table(name: str) -> list[dict[str, str]]:
    """The rows of a file in `data`, by the names of its columns."""
    with (_DATA / name).open(newline="") as file:
        return list(csv.DictReader(file))


def rows_in(text: str) -> Iterator[str]:
    """The ids of the attack tables' rows that a text names."""
    for letter, first, last in _ROW.findall(text):
        for number in range(int(first), int(last or first) + 1):
            yield f"{letter}{number:02}"


@dataclass(frozen=True)
class NamedTest:
    """A test function, with all that says what it is for."""

    node_id: str
    """Relative to the directory of the tests, without parameters."""
    name: str
    text: str
    """Its docstring, and the texts of its parameters."""


@functools.cache
def named_tests(directory: str = "") -> tuple[NamedTest, ...]:
    """Those below a directory of the tests."""
    files = sorted((TESTS / directory).rglob("test_*.py"))
    return tuple(test for file in files for test in _tests_of(file))


def _tests_of(file: Path) -> Iterator[NamedTest]:
    tree = ast.parse(file.read_text())
    tables = {name: node for node in tree.body for name in _assigned(node)}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            texts = [ast.get_docstring(node) or ""]
            for decorator in node.decorator_list:
                texts += _texts(decorator)
                for name in _names(decorator) & set(tables):
                    texts += _texts(tables[name])
            yield NamedTest(f"{file.relative_to(TESTS)}::{node.name}", node.name, "\n".join(texts))


def _assigned(node: ast.stmt) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return (target.id for target in targets if isinstance(target, ast.Name))


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _texts(node: ast.AST) -> list[str]:
    return [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant) and isinstance(inner.value, str)]
