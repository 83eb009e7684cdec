"""The one XML parser: for documents that come from outside.

No document type, so no entities and no DTD; no network; bounded. lxml is loaded when the first document is parsed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from foundation.xml.errors import MalformedXml

if TYPE_CHECKING:
    from foundation.xml.parser import hardened_parser, parse_xml

_LATER = dict.fromkeys(("hardened_parser", "parse_xml"), "foundation.xml.parser")

__all__ = ["MalformedXml", "hardened_parser", "parse_xml"]


if not TYPE_CHECKING:  # for mypy every name would be one

    def __getattr__(name: str) -> object:
        if name in _LATER:
            return getattr(import_module(_LATER[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
