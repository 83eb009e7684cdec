"""Interfaces of packages some of whose names cost much to load: what speaks to networks, and large libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """The package's `__getattr__` (PEP 562). `modules`: names, separated by blanks, by the module that is loaded when one of
    them is first asked for. Type checkers must not see it: every name would be one.

        if not TYPE_CHECKING:
            __getattr__ = lazy_names(__name__, {"reader": "read_farm unread_farm"})
    """
    module_of = {name: module for module, names in modules.items() for name in names.split()}

    def load(name: str) -> object:
        if name in module_of:
            return getattr(import_module(f"{package}.{module_of[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load
