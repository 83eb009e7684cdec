"""Parses XML that strangers send. CPU only."""

from __future__ import annotations

from lxml import etree  # type: ignore[import-untyped]

from foundation.xml.errors import MalformedXml


def parse_xml(data: bytes, what: str, limit: int) -> etree._Element:
    """The root of a document. Raises MalformedXml, which names `what`."""
    if len(data) > limit:
        raise MalformedXml(what, f"more than {limit} bytes")
    _reject_doctype(data, what)
    try:
        return etree.fromstring(data, parser=hardened_parser())
    except (etree.LxmlError, ValueError) as error:
        raise MalformedXml(what, "not well-formed XML") from error


def hardened_parser() -> etree.XMLParser:
    """Fixed encoding, so that what `_reject_doctype` looked at is what is parsed."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
    )


def _reject_doctype(data: bytes, what: str) -> None:
    """No document type, so no entities: they expand in attributes even where the parser leaves them alone in text."""
    if b"<!DOCTYPE" in data or b"\0" in data:
        raise MalformedXml(what, "it has a document type or is not UTF-8, which AD FS's never is")
