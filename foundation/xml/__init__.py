"""The one XML parser: for documents that come from outside.

No document type, so no entities and no DTD; no network; limits on bytes, depth and nodes before a tree is built. lxml is
loaded when the first document is parsed with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.lazy import lazy_names
from foundation.xml.elements import parse_elements, write_elements
from foundation.xml.errors import MalformedXml
from foundation.xml.limits import MAX_NODES, check_limits

if TYPE_CHECKING:
    from foundation.xml.parser import hardened_parser, parse_xml

_MODULES = {"parser": "hardened_parser parse_xml"}

__all__ = ["MAX_NODES", "MalformedXml", "check_limits", "hardened_parser", "parse_elements", "parse_xml", "write_elements"]

if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _MODULES)
