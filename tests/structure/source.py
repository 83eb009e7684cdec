"""The project's own modules as syntax trees, and what can be counted of them. Tests and benchmarks are not counted."""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("isthmus", "gateway", "sync", "adfs_mgmt", "foundation", "certs", "directory", "findings", "settings")
"""What the wheel holds."""
_SECOND_LEVEL = frozenset({"isthmus", "gateway", "sync", "adfs_mgmt", "foundation"})
"""Packages whose sub-packages have an interface each; the others have one as a whole."""
_INNER = ("gateway.relay", "certs", "sync.target")
"""Packages whose sub-packages have interfaces of their own; in the last two, because they load large libraries."""
_NOT_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}


@dataclass(frozen=True, slots=True)
class Module:
    """One file: its dotted name, its path below the root, its text and its tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """The dotted name of the package that it lies in; of a package's `__init__`, the package itself."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


@functools.cache
def modules() -> tuple[Module, ...]:
    """Every module of the project's packages, in order of path."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name, path.relative_to(ROOT), text, ast.parse(text)))
    return tuple(found)


def lines_of_code(module: Module) -> int:
    """Lines with code on them: no blank lines, no comments, no docstrings (those of attributes included)."""
    prose = {line for start, end in _docstrings(module.tree) for line in range(start, end + 1)}
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type not in _NOT_CODE and token.type != tokenize.ENDMARKER:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - prose)


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, int]]:
    """First and last line of each string that stands alone as a statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.end_lineno or node.lineno


def public_classes() -> dict[str, list[str]]:
    """Names of public classes, with the modules that define one of that name."""
    found: dict[str, list[str]] = defaultdict(list)
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(module.name)
    return dict(found)


def interface_of(name: str) -> str:
    """The package whose interface a dotted name belongs to: `adfs_mgmt.farm` for `adfs_mgmt.farm.model`.

    A module that lies directly in `gateway` or `isthmus`, such as `gateway.app`, is an interface itself.
    """
    parts = name.split(".")
    for inner in _INNER:
        depth = inner.count(".") + 2
        if name.startswith(inner + ".") and _is_package(".".join(parts[:depth])):
            return ".".join(parts[:depth])
    return ".".join(parts[:2] if parts[0] in _SECOND_LEVEL else parts[:1])


def _is_package(name: str) -> bool:
    return (ROOT / Path(*name.split(".")) / "__init__.py").exists()


@dataclass(frozen=True, slots=True)
class Import:
    """An import of one module by another."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def imports_past_interfaces() -> list[Import]:
    """Imports of a module inside a package by somebody outside that package: they should go through its `__init__`."""
    names = {module.name for module in modules()}
    found = []
    for module in modules():
        home = interface_of(module.name)
        for name, line in _imported(module, names):
            other = interface_of(name)
            if name != other and not _inside(home, other) and not _inside(module.name, other):
                found.append(Import(module.name, name, line))
    return found


def _inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def _imported(module: Module, names: set[str]) -> Iterator[tuple[str, int]]:
    """Dotted names of the project's modules that a module imports, wherever in it."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in names or node.module in names:
                    yield (whole if whole in names else node.module), node.lineno


def loops_over(variable: str) -> list[str]:
    """Places where a loop or comprehension binds this name."""
    found = []
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
                bound = {name.id for name in ast.walk(node.target) if isinstance(name, ast.Name)}
                if variable in bound:
                    found.append(f"{module.path}:{node.target.lineno}")
    return found


_FILLERS = frozenset(["a", "an", "the", "of", "for", "to", "in", "on", "is", "are", "and", "it", "its", "this", "that"])


def echoing_docstrings() -> list[str]:
    """Public classes and functions whose docstring says nothing that their name does not say."""
    found = []
    for module in modules():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
                continue
            text = ast.get_docstring(node)
            if text is not None and _words(text) <= _words(_spaced(node.name)):
                found.append(f"{module.path}:{node.lineno} {node.name}: {text}")
    return found


def _spaced(name: str) -> str:
    """`PendingKeys` and `pending_keys` as words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ")


def _words(text: str) -> set[str]:
    """Lower case, without fillers and without the ending that plurals and third persons have."""
    return {word.removesuffix("s") for word in re.findall(r"[a-z0-9]+", text.lower()) if word not in _FILLERS}
