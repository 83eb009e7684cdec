"""The one XML parser: for documents that come from outside.

No document type, so no entities and no DTD; no network; limits on bytes, depth and nodes before a tree is built. lxml is
loaded when the first document is parsed with it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from foundation.xml.elements import parse_elements
from foundation.xml.errors import MalformedXml
from foundation.xml.limits import check_limits

if TYPE_CHECKING:
    from foundation.xml.parser import hardened_parser, parse_xml

_LATER = dict.fromkeys(("hardened_parser", "parse_xml"), "foundation.xml.parser")

__all__ = ["MalformedXml", "check_limits", "hardened_parser", "parse_elements", "parse_xml"]

if not TYPE_CHECKING:  # for mypy every name would be one

    def __getattr__(name: str) -> object:
        if name in _LATER:
            return getattr(import_module(_LATER[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
