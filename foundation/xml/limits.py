"""What is refused before a tree is built: a document that is too long, too deep, or of too many parts.

A stream of expat's events is counted, which keeps nothing in memory, and ends at the first one over a limit. There is no
document type in an accepted document (XML 1.0 section 2.8), so no entity of its own (4.1), no default attribute (3.3) and
nothing to fetch; expat knows the five predefined entities and character references only.
"""

from __future__ import annotations

from typing import NoReturn
from xml.parsers import expat

from foundation.xml.errors import MalformedXml

MAX_DEPTH = 100
"""Elements inside each other. SOAP around a SAML assertion has some 15; libxml2's own limit is 256."""
MAX_NODES = 100_000
"""Elements, attributes, comments and processing instructions. AD FS's metadata has some 1,500."""


def check_limits(data: bytes, what: str, max_bytes: int, *, max_depth: int = MAX_DEPTH, max_nodes: int = MAX_NODES) -> None:
    """Raises MalformedXml, which names `what`, also for what is no well-formed XML in UTF-8."""
    if len(data) > max_bytes:
        raise MalformedXml(what, f"more than {max_bytes} bytes")
    if b"<!DOCTYPE" in data or b"\0" in data:  # before expat, which would read the document type to its end
        raise MalformedXml(what, "it has a document type, or is not UTF-8")
    counter = _Counter(what, max_depth, max_nodes)
    # a fixed encoding: what is counted here is what is parsed later, whatever the document declares
    parser = expat.ParserCreate(encoding="utf-8")
    parser.StartElementHandler = counter.start
    parser.EndElementHandler = counter.end
    parser.CommentHandler = parser.ProcessingInstructionHandler = counter.other
    parser.StartDoctypeDeclHandler = counter.doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError) as error:
        raise MalformedXml(what, "not well-formed XML") from error


class _Counter:
    """Of one document."""

    def __init__(self, what: str, max_depth: int, max_nodes: int) -> None:
        self._what, self._max_depth, self._max_nodes = what, max_depth, max_nodes
        self._depth = self._nodes = 0

    def start(self, _name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > self._max_depth:
            raise MalformedXml(self._what, f"elements more than {self._max_depth} deep")
        self._count(1 + len(attributes))

    def end(self, _name: str) -> None:
        self._depth -= 1

    def other(self, *_: str) -> None:
        self._count(1)

    def doctype(self, *_: object) -> NoReturn:
        raise MalformedXml(self._what, "it has a document type")

    def _count(self, more: int) -> None:
        self._nodes += more
        if self._nodes > self._max_nodes:
            raise MalformedXml(self._what, f"more than {self._max_nodes} elements and attributes")
