"""Parses XML from outside into an lxml tree. CPU only."""

from __future__ import annotations

from lxml import etree  # type: ignore[import-untyped]

from foundation.xml.errors import MalformedXml
from foundation.xml.limits import MAX_DEPTH, MAX_NODES, check_limits


def parse_xml(
    data: bytes, what: str, max_bytes: int, *, max_depth: int = MAX_DEPTH, max_nodes: int = MAX_NODES
) -> etree._Element:
    """The root of a document in UTF-8. Raises MalformedXml, which names `what`."""
    check_limits(data, what, max_bytes, max_depth=max_depth, max_nodes=max_nodes)
    try:
        return etree.fromstring(data, parser=hardened_parser())
    except (etree.LxmlError, ValueError) as error:
        raise MalformedXml(what, "not well-formed XML") from error


def hardened_parser() -> etree.XMLParser:
    """For libraries that parse by themselves what `parse_xml` has accepted before."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
    )
