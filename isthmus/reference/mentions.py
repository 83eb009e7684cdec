"""Files, tests and modules that documents name in backticks, checked against the repository."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path

from isthmus.reference.links import COMMENT, FENCE, SPAN, BrokenLink, blank

_TEST = re.compile(r"^(?P<path>[\w./-]*)::(?P<test>[\w:]+)(?:\[.*)?$")
_DOTTED = re.compile(r"^[a-z_]\w*(?:\.\w+)+$")
_GENERATED = frozenset({"build", "dist", "__pycache__"})
_FOR_DEVELOPERS = frozenset({"developers", "decisions"})


def stale_mentions(files: Iterable[Path], *, root: Path) -> list[BrokenLink]:
    """Every mention in these files of a path, test or module that is not in the repository at `root`.

    Paths are what begins with a folder of the repository, and every `*.py`; `*` stands for any part of a name. A test is
    `path::name`, or `::name` for the path that was named last, without regard to its class and parameters. Dotted names
    of modules, and of what they define, are checked in documents for developers only: elsewhere they are log events.
    """
    tree = _Tree(root)
    found = []
    for file in files:
        for_developers = file.parent.name in _FOR_DEVELOPERS
        last_path = ""
        for line, word in mentions_of(file.read_text(encoding="utf-8")):
            problem = ""
            if test := _TEST.match(word):
                last_path = test["path"] or last_path
                problem = tree.problem_of_test(last_path, test["test"])
            elif tree.is_path(word):
                last_path = word
                problem = tree.problem_of_path(word)
            elif for_developers and _DOTTED.match(word):
                problem = tree.problem_of_module(word)
            if problem:
                found.append(BrokenLink(file, line, word, problem))
    return found


def mentions_of(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of each word in backticks, and of each in a block of code that has a slash."""
    plain = blank(COMMENT, text)
    prose = blank(FENCE, plain)
    words = [
        (prose.count("\n", 0, span.start()) + 1, word)
        for span in SPAN.finditer(prose)
        for word in span[0].strip("`").split()
    ]
    for block in FENCE.finditer(plain):
        first = plain.count("\n", 0, block.start()) + 1
        for number, example in enumerate(block[0].splitlines()):
            words += [(first + number, word) for word in example.split() if "/" in word]
    for line, word in sorted(words, key=lambda mention: mention[0]):  # stable: `::name` stays behind its path
        yield line, word.strip("'\",;()").removesuffix(":")


class _Tree:
    """The repository as it lies on disk, without what is hidden or generated."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders = frozenset(
            path.name for path in root.iterdir() if path.is_dir() and path.name[0] != "." and path.name not in _GENERATED
        )
        self.names_in = cache(_names_in)

    @cached_property
    def modules(self) -> tuple[Path, ...]:
        """Every file of Python."""
        return tuple(path for folder in sorted(self.folders) for path in (self.root / folder).rglob("*.py"))

    def is_path(self, word: str) -> bool:
        first, slash, _ = word.partition("/")
        return bool(slash and first in self.folders) or bool(re.fullmatch(r"(?!/)[\w/*-]+\.py", word))

    def problem_of_path(self, word: str) -> str:
        if word.partition("/")[0] in self.folders:
            there = any(True for _ in self.root.glob(word.rstrip("/")))
        else:  # in a sentence about a package, its modules are named without it
            there = any(path.match(word) for path in self.modules)
        return "" if there else "no such file"

    def problem_of_test(self, path: str, test: str) -> str:
        if problem := self.problem_of_path(path):
            return f"{path}: {problem}"
        name = test.split("::")[-1]
        files = [file for file in self.modules if file.match(path)]
        return "" if any(name in _functions_in(file) for file in files) else f"no such test in {path}"

    def problem_of_module(self, word: str) -> str:
        """Nothing where it does not begin with a package, or names a log event of it."""
        first, *rest = word.split(".")
        if not (self.root / first / "__init__.py").exists():
            return ""
        here = self.root / first
        while rest and ((here / rest[0]).is_dir() or (here / f"{rest[0]}.py").exists()):
            here /= rest.pop(0)
        module = here / "__init__.py" if here.is_dir() else here.with_suffix(".py")
        if not rest or (module.exists() and rest[0] in self.names_in(module)) or self._is_event(word):
            return ""
        return f"{here.relative_to(self.root).as_posix().replace('/', '.')} has no {rest[0]}"

    def _is_event(self, word: str) -> bool:
        code = (path for path in self.modules if path.relative_to(self.root).parts[0] != "tests")
        return any(f'"{word}"' in path.read_text(encoding="utf-8") for path in code)


def _functions_in(file: Path) -> frozenset[str]:
    """Names of all functions and methods of a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _names_in(module: Path) -> frozenset[str]:
    """What a module defines, imports or assigns at its top level, or exports lazily."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return frozenset(names)
