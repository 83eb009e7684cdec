"""The same limits for whoever works with the standard library's elements, as pypsrp does. CPU only."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, XMLParser, fromstring, tostring

from foundation.xml.errors import MalformedXml
from foundation.xml.limits import MAX_DEPTH, MAX_NODES, check_limits


def parse_elements(
    data: bytes, what: str, max_bytes: int, *, max_depth: int = MAX_DEPTH, max_nodes: int = MAX_NODES
) -> Element:
    """The root of a document in UTF-8. Raises MalformedXml, which names `what`."""
    check_limits(data, what, max_bytes, max_depth=max_depth, max_nodes=max_nodes)
    try:
        return fromstring(data, parser=XMLParser(encoding="utf-8"))  # noqa: S314 - no document type, bounded
    except (ParseError, ValueError, LookupError) as error:
        raise MalformedXml(what, "not well-formed XML") from error


def write_elements(root: Element) -> bytes:
    """Of elements that were made here, in UTF-8. By way of text: the library's own way to bytes takes twice as long."""
    return tostring(root, encoding="unicode").encode()
