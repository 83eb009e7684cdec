"""What the readers of SAML messages ask a tree: an element that stands there once, its text, a time. Pure.

Only children are looked at, never descendants, and a text is an element's only content: what is hidden deeper, or beside a
comment, is not read. Every function raises SamlError, which names `what`.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re

from lxml import etree  # type: ignore[import-untyped]

from foundation.saml.errors import SamlError, as_saml_error
from foundation.xml import MAX_NODES, parse_xml

PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"
METADATA = "{urn:oasis:names:tc:SAML:2.0:metadata}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
XENC = "{http://www.w3.org/2001/04/xmlenc#}"
MAX_MESSAGE_BYTES = 128 * 1024
"""Of a protocol message. A signed request has some 5,000."""
MAX_MESSAGE_NODES = 2_000
"""Elements and attributes of one. A request has some fifty; each thousand takes some 5 ms of a processor to read and verify,
while nobody else is answered."""
MAX_TEXT = 1024
"""Characters of a name, an address or an identifier (saml-core-2.0-os section 8.3.6 says 1,024 of an entity ID)."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,255}")
"""xs:ID, of the characters that real parties use."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def parse_message(data: bytes, what: str, max_bytes: int = MAX_MESSAGE_BYTES, *, comments: bool = False) -> etree._Element:
    """The root of a message without comments and processing instructions: no party writes any, and to some canonical forms
    they are not there, which is how CVE-2017-11428 cut names short. With `comments` they may be there, as people write them
    into metadata; what `text_of` reads still has none in it."""
    with as_saml_error():
        root = parse_xml(data, what, max_bytes, max_nodes=MAX_NODES if comments else MAX_MESSAGE_NODES)
    if comments:
        return root
    document = root.getroottree()
    if next(document.iter(etree.Comment, etree.ProcessingInstruction), None) is not None or _has_siblings(root):
        raise SamlError(what, "it has comments or processing instructions")
    return root


def _has_siblings(root: etree._Element) -> bool:
    """Beside the root only such can stand."""
    return root.getprevious() is not None or root.getnext() is not None


def local_name(element: etree._Element) -> str:
    """Without its namespace."""
    return str(element.tag).rpartition("}")[2]


def optional_child(parent: etree._Element, tag: str, what: str) -> etree._Element | None:
    """The child of this name, if there is one; two are refused."""
    found = parent.findall(tag)
    if len(found) > 1:
        raise SamlError(what, f"it has {len(found)} elements {local_name(found[0])} where one may stand")
    return found[0] if found else None


def only_child(parent: etree._Element, tag: str, what: str) -> etree._Element:
    """The child of this name."""
    found = optional_child(parent, tag, what)
    if found is None:
        raise SamlError(what, f"it has no {tag.rpartition('}')[2]}")
    return found


def text_of(element: etree._Element, what: str, max_length: int = MAX_TEXT) -> str:
    """Its text, without blanks around it; anything but text in it is refused, and so is an empty one."""
    if len(element):
        raise SamlError(what, f"its {local_name(element)} has more in it than text")
    text = (element.text or "").strip()
    if not 0 < len(text) <= max_length:
        raise SamlError(what, f"its {local_name(element)} is {'too long' if text else 'empty'}")
    return text


def attribute(element: etree._Element, name: str, what: str, max_length: int = MAX_TEXT) -> str:
    """Its value; empty where it is not there."""
    value = str(element.get(name, ""))
    if len(value) > max_length:
        raise SamlError(what, f"its {name} is too long")
    return value


def identifier(element: etree._Element, what: str, name: str = "ID") -> str:
    """A value of type xs:ID."""
    value = attribute(element, name, what)
    if _NAME.fullmatch(value) is None:
        raise SamlError(what, f"its {name} is not an identifier" if value else f"it has no {name}")
    return value


def is_identifier(value: str) -> bool:
    """Whether it can be the ID of a message or assertion."""
    return _NAME.fullmatch(value) is not None


def boolean(element: etree._Element, name: str, what: str) -> bool:
    """xs:boolean; false where it is not there."""
    value = attribute(element, name, what).strip()
    if value not in {"", "true", "false", "1", "0"}:
        raise SamlError(what, f"its {name} is neither true nor false")
    return value in {"true", "1"}


def number(element: etree._Element, name: str, what: str) -> int | None:
    """xs:unsignedShort; None where it is not there."""
    value = attribute(element, name, what).strip()
    if not value:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= 5 and int(value) <= 65535):
        raise SamlError(what, f"its {name} is not a number from 0 to 65535")
    return int(value)


def moment(element: etree._Element, name: str, what: str) -> float:
    """xs:dateTime in Unix seconds; 0 where it is not there. Without a time zone it is refused (saml-core-2.0-os 1.3.3)."""
    value = attribute(element, name, what).strip()
    if not value:
        return 0.0
    if _TIME.fullmatch(value) is None:
        raise SamlError(what, f"its {name} is not a time in UTC")
    try:
        return dt.datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError) as error:
        raise SamlError(what, f"its {name} is not a time in UTC") from error


def base64_bytes(text: str, what: str, name: str, max_length: int = MAX_MESSAGE_BYTES) -> bytes:
    """Base64 with white space between; nothing else is passed over."""
    if len(text) > max_length:
        raise SamlError(what, f"its {name} is too long")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SamlError(what, f"its {name} is not base64") from error
