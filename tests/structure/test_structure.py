"""Rules about names and packages that hold for the whole project."""

from __future__ import annotations

import ast

from tests.structure import source

DOUBLE_NAMES: dict[str, str] = {}
"""Public class names that stand more than once, each with the reason. At most three."""
NOUNS = frozenset(
    {
        "binding",
        "branding",
        "finding",
        "housekeeping",
        "logging",
        "recording",
        "remoting",
        "rendering",
        "scheduling",
        "sealing",
    }
)
"""Modules whose names end like a participle, but are the field's nouns."""
PAST_PARTICIPLES = frozenset({"begun", "done", "held", "saved", "seen", "shown"})


def test_a_public_class_name_stands_once() -> None:
    """One name for one concept: two classes of one name are two concepts, or one concept twice."""
    double = {name: places for name, places in source.public_classes().items() if len(places) > 1}
    assert {name: places for name, places in double.items() if name not in DOUBLE_NAMES} == {}
    assert set(DOUBLE_NAMES) <= set(double)
    assert len(DOUBLE_NAMES) <= 3


def test_nobody_imports_past_an_interface() -> None:
    """Other packages import what a package's `__init__` exports, so that its modules can change."""
    assert [str(found) for found in source.imports_past_interfaces()] == []


def test_interfaces_say_what_they_export() -> None:
    """A package that puts its modules' names together for others lists them in `__all__`."""
    wanted = {source.interface_of(module.name) for module in source.modules()}
    silent = []
    for module in source.modules():
        if module.name in wanted and module.path.name == "__init__.py" and _imports_own_modules(module):
            assigned = {name.id for node in ast.walk(module.tree) for name in _targets(node)}
            silent += [] if "__all__" in assigned else [module.name]
    assert silent == []


def test_modules_are_nouns() -> None:
    """A module is named after what is in it, not after what it is doing."""
    leaves = {str(module.path): module.path.stem.strip("_").split("_")[-1] for module in source.modules()}
    participles = {
        path
        for path, leaf in leaves.items()
        if leaf in PAST_PARTICIPLES or (leaf.endswith("ing") and leaf.removesuffix("s") not in NOUNS)
    }
    assert participles == set()


def test_loop_variables_say_what_they_are() -> None:
    """Node, trust, entry: never `each`."""
    assert source.loops_over("each") == []


def test_docstrings_say_more_than_the_name() -> None:
    """A docstring that repeats its name is a line to read for nothing."""
    assert source.echoing_docstrings() == []


def _targets(node: ast.AST) -> list[ast.Name]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target for target in targets if isinstance(target, ast.Name)]


def _imports_own_modules(module: source.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and (node.module or "").startswith(module.name + ".")
        for node in ast.walk(module.tree)
    )
