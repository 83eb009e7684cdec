"""What a host answered, from CLIXML into plain values: MS-PSRP sections 2.2.5.1 (primitives) and 2.2.5.2 (objects).

pypsrp gives times as text and enumerations as numbers with a text; here each comes out as what it is:

    DT                       UTC; one without a zone counts as UTC (AD FS keeps its times so)
    enumeration              its text
    list, queue, stack       a list
    dictionary               a PSObject
    object with properties   a PSObject, nested too: types of a serialisation depth of their own, such as X509Certificate2
    object around an object  one PSObject, of the properties of both: what providers give through a JEA endpoint's functions
    object without           its text: it lay deeper than the serialisation depth of 1
    value that is malformed  its text
    SecureString             "***": it is never shown, and never needed
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable, Iterable
from typing import Any
from xml.etree.ElementTree import Element

from adfs_mgmt.remoting.command import PSObject, Scalar
from foundation.xml import parse_elements

Property = Scalar | list[Scalar | PSObject] | PSObject
"""What a property can be."""

_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?(Z|[+-]\d\d:\d\d)?")
_LISTS = ("LST", "IE", "QUE", "STK")


MAX_BYTES = 32 * 1024 * 1024
"""Of one object. A certificate with its chain has some 20 KB."""
MAX_NODES = 1_000_000
"""Of one object: `Get-AdfsProperties` has some 600."""


def read_output(value: Any) -> PSObject:
    """One object of a pipeline's output, as pypsrp has it. A plain value is `{"": value}`. Raises MalformedXml."""
    if isinstance(value, Element):  # a SecureString, where no keys were exchanged
        return {"": _plain(ClixmlReader().read(value))}
    xml = value if isinstance(value, str) and value.startswith("<Obj") else getattr(value, "_xml", None)
    if xml is not None:
        read = ClixmlReader().read(parse_elements(_bytes(xml), "CLIXML", MAX_BYTES, max_nodes=MAX_NODES))
        return read if isinstance(read, dict) else {"": read}
    return {"": _plain(value)}


def _bytes(xml: str | bytes) -> bytes:
    return xml if isinstance(xml, bytes) else xml.encode("utf-8", "surrogatepass")


def read_time(text: str) -> dt.datetime:
    """A CLIXML time, in UTC. Raises ValueError. .NET's ticks (100 ns) are cut to microseconds."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time: {text!r}")
    moment, fraction, zone = match.groups()
    read = dt.datetime.fromisoformat(f"{moment}.{(fraction or '0')[:6].ljust(6, '0')}{zone or '+00:00'}")
    try:
        return read.astimezone(dt.UTC)
    except OverflowError:  # DateTime.MinValue with an offset
        return read.replace(tzinfo=dt.UTC)


def _plain(value: Any) -> Property:
    """What pypsrp read without keeping its XML."""
    if isinstance(value, str):
        return _primitive("DT", value) if _TIME.fullmatch(value) else value
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_item(_plain(item)) for item in value]
    if value is None or isinstance(value, bool | int | float | bytes):
        return value
    return str(value)


def _item(value: Property) -> Scalar | PSObject:
    """An item of a list; a list in a list becomes a PSObject, so that nothing is lost."""
    return {"": value} if isinstance(value, list) else value


def _text(text: str | None) -> str:
    """Section 2.2.5.3.2: `_xHHHH_` is one UTF-16 unit."""
    units = _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), text or "")
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


_PRIMITIVES: dict[str, Callable[[str | None], Scalar]] = {
    **dict.fromkeys(("S", "ToString", "URI", "SBK", "XD", "G", "Version", "TS"), _text),
    **dict.fromkeys(("By", "SB", "U16", "I16", "U32", "I32", "U64", "I64"), lambda text: int(text or 0)),
    **dict.fromkeys(("Sg", "Db", "D"), lambda text: float(text or 0)),
    "B": lambda text: (text or "").casefold() == "true",
    "C": lambda text: chr(int(text or 0)),
    "DT": lambda text: read_time(text or ""),
    "BA": lambda text: base64.b64decode(text or ""),
    "SS": lambda _: "***",
    "Nil": lambda _: None,
}


def _primitive(tag: str, text: str | None) -> Scalar:
    """A value that is not written as its type wants stays text: the rest of the object is read all the same."""
    try:
        return _PRIMITIVES[tag](text)
    except (ValueError, OverflowError):
        return _text(text)


class ClixmlReader:
    """One message: references to types and objects hold inside it."""

    def __init__(self) -> None:
        self._types: dict[str, list[str]] = {}
        self._objects: dict[str, Property] = {}

    def read(self, element: Element) -> Property:
        """One element, and what is inside it. Elements of one message are read in their order."""
        tag = _tag(element)
        if tag in _PRIMITIVES:
            return _primitive(tag, element.text)
        if tag == "Ref":
            return self._objects.get(element.get("RefId", ""))
        read = self._object(element)
        self._objects[element.get("RefId", "")] = read
        return read

    def _object(self, element: Element) -> Property:
        parts = {_tag(child): child for child in element}
        types = self._read_types(parts)
        shown = _text(parts["ToString"].text) if "ToString" in parts else ""
        if "System.Enum" in types:
            return shown
        if "Obj" in parts:
            return self._around(parts)
        primitive = next((child for tag, child in parts.items() if tag in _PRIMITIVES and tag != "ToString"), None)
        if primitive is not None:  # notes on a plain value, such as the DisplayHint of Get-Date
            return self.read(primitive)
        for tag in _LISTS:
            if tag in parts:
                return [_item(self.read(child)) for child in parts[tag]]
        if "DCT" in parts:
            return self._dictionary(parts["DCT"])
        if "Props" in parts or "MS" in parts:
            return self._own(parts)
        return shown

    def _around(self, parts: dict[str, Element]) -> Property:
        """An object that was wrapped once more, with notes that refer to what is inside."""
        inside = self.read(parts["Obj"])
        return {**inside, **self._own(parts)} if isinstance(inside, dict) else inside

    def _own(self, parts: dict[str, Element]) -> PSObject:
        return self._properties(child for tag in ("Props", "MS") if tag in parts for child in parts[tag])

    def _read_types(self, parts: dict[str, Element]) -> list[str]:
        if "TN" in parts:
            names = [child.text or "" for child in parts["TN"]]
            self._types[parts["TN"].get("RefId", "")] = names
            return names
        if "TNRef" in parts:
            return self._types.get(parts["TNRef"].get("RefId", ""), [])
        return []

    def _properties(self, elements: Iterable[Element]) -> PSObject:
        return {_text(element.get("N")): self.read(element) for element in elements}

    def _dictionary(self, element: Element) -> PSObject:
        read: dict[str, Property] = {}
        for entry in element:
            named = {child.get("N"): self.read(child) for child in entry}
            read[str(named.get("Key", ""))] = named.get("Value")
        return read


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]
