"""Functions that make one kind of value of another."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
import uuid
from typing import Final

from sync.rules.expressions.errors import UnfitValue
from sync.rules.expressions.functions.texts import WHITE
from sync.rules.expressions.functions.times import NotADate, parse_date
from sync.rules.expressions.operators import too_long
from sync.rules.expressions.signatures import Basis, FunctionTable
from sync.rules.expressions.values import LARGEST_NUMBER, LONGEST_TEXT, SMALLEST_NUMBER, DateTime, Reference

CONVERSIONS: Final = FunctionTable("Conversion")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)
_ENCODINGS: Final = {"Unicode": "utf-16-le", "ASCII": "ascii", "UTF8": "utf-8"}


@CONVERSIONS.function("bool CBool(str|num|bool? value)", Basis.DESCRIPTION)
def c_bool(value: str | int | None) -> bool:
    """True for a number that is not 0, and for the text True; False for 0, for NULL, and for the text False."""
    if isinstance(value, str):
        plain = value.strip(WHITE).casefold()
        if plain in {"true", "false"}:
            return plain == "true"
        number = number_of(value)
        if number is None:
            raise UnfitValue("the text is not a boolean; expected True, False or a number")
        return number != 0
    return bool(value)


@CONVERSIONS.function("dt CDate(str text)", Basis.EXAMPLE)
def c_date(text: str) -> DateTime:
    """A date of a text: `2013-01-10 4:00 PM -8`, `2012-01-01 23:00:00`, `2001-01-01T10:00:00.5Z`, `12/25/2007` (month first,
    in every country). UTC where no zone is named."""
    try:
        return parse_date(text)
    except NotADate as error:
        raise UnfitValue(
            str(error), "Expected such as 2013-01-10 16:00:00, 2013-01-10T16:00Z or 1/10/2013 4:00 PM -8"
        ) from None


@CONVERSIONS.function("bin CGuid(str text)", Basis.EXAMPLE)
def c_guid(text: str) -> bytes:
    """The bytes of a GUID in the order that objectGUID has them (MS-DTYP section 2.3.4.2). With or without braces."""
    if not is_guid_text(text):
        raise UnfitValue("the text is not a GUID; expected 00001111-aaaa-2222-bbbb-3333cccc4444, with or without braces")
    return uuid.UUID(text.strip("{}")).bytes_le


def is_guid_text(text: str) -> bool:
    """Whether CGuid takes it."""
    inner = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    return _GUID.fullmatch(inner) is not None


@CONVERSIONS.function("str ConvertFromBase64(str text[, Unicode|ASCII|UTF8 encoding])", Basis.EXAMPLE)
def convert_from_base64(text: str, encoding: str = "Unicode") -> str:
    """The text that base64 stands for; without an encoding in Unicode, which is UTF-16."""
    try:
        return base64.b64decode(text, validate=True).decode(_ENCODINGS[encoding])
    except (binascii.Error, ValueError):
        raise UnfitValue(
            f"the text is not base64 of a text in {encoding}", "Name the encoding: Unicode, ASCII or UTF8"
        ) from None


@CONVERSIONS.function("str ConvertToBase64(str|bin value)", Basis.EXAMPLE)
def convert_to_base64(value: str | bytes) -> str:
    """A text in UTF-16 as base64, or bytes as they are."""
    raw = value if isinstance(value, bytes) else _encoded(value, "utf-16-le")
    if len(raw) > LONGEST_TEXT // 2:
        raise too_long()
    return base64.b64encode(raw).decode()


@CONVERSIONS.function("str ConvertFromUTF8Hex(str text)", Basis.EXAMPLE)
def convert_from_utf8_hex(text: str) -> str:
    """The text whose bytes in UTF-8 these hexadecimal digits are."""
    try:
        return binascii.unhexlify(text).decode()
    except (binascii.Error, ValueError):
        raise UnfitValue("the text is not in hexadecimal digits of UTF-8") from None


@CONVERSIONS.function("str ConvertToUTF8Hex(str text)", Basis.EXAMPLE)
def convert_to_utf8_hex(text: str) -> str:
    """The bytes of the text in UTF-8, in hexadecimal digits: the form of a DN in Entra ID."""
    raw = _encoded(text, "utf-8")
    if len(raw) > LONGEST_TEXT // 2:
        raise too_long()
    return raw.hex().upper()


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        raise UnfitValue("the text has half of a surrogate pair in it") from None


@CONVERSIONS.function("num CNum(str|num|bin value)", Basis.DESCRIPTION)
def c_num(value: str | int | bytes) -> int:
    """The number that a text names in decimal digits, or that up to 8 bytes are, the lowest first."""
    if isinstance(value, int):
        return value
    number = number_of(value)
    if number is None:
        expected = "a whole number of 64 bits" if isinstance(value, str) else "1 to 8 bytes of a number of 64 bits"
        raise UnfitValue(f"the value is not a number; expected {expected}", "Ask before by IsNumeric")
    return number


def number_of(value: str | bytes) -> int | None:
    """What CNum makes of it; None where it is not a number."""
    if isinstance(value, bytes):
        number = int.from_bytes(value, "little") if 1 <= len(value) <= 8 else None
    else:
        plain = value.strip(WHITE)
        number = int(plain) if _NUMBER.fullmatch(plain) else None
    return number if number is not None and SMALLEST_NUMBER <= number <= LARGEST_NUMBER else None


@CONVERSIONS.function("ref CRef(str|ref value)", Basis.EXAMPLE)
def c_ref(value: str | Reference) -> Reference:
    """A reference to the object of this DN."""
    if isinstance(value, Reference):
        return value
    if not value:
        raise UnfitValue("a reference is made of an empty text", "Ask before by IsPresent")
    return Reference(value)


@CONVERSIONS.function("str CStr(str|num|bool|ref value)", Basis.EXAMPLE)
def c_str(value: str | int | Reference) -> str:
    """A text: a number in decimal digits, True or False, the DN of a reference. Not of bytes: that is ConvertToBase64,
    StringFromGuid or StringFromSid."""
    return value.target if isinstance(value, Reference) else str(value)


@CONVERSIONS.function("str StringFromGuid(bin value)", Basis.DESCRIPTION)
def string_from_guid(value: bytes) -> str:
    """A GUID as text, in lower case, without braces."""
    if len(value) != 16:
        raise UnfitValue(f"the value has {len(value)} bytes; a GUID has 16")
    return str(uuid.UUID(bytes_le=value))


@CONVERSIONS.function("str StringFromSid(bin value)", Basis.DESCRIPTION)
def string_from_sid(value: bytes) -> str:
    """A SID as text, `S-1-5-21-...` (MS-DTYP section 2.4.2)."""
    count = value[1] if len(value) > 8 else 0
    if not 1 <= count <= 15 or value[0] != 1 or len(value) != 8 + 4 * count:
        raise UnfitValue("the value is not a SID")
    authority = int.from_bytes(value[2:8], "big")
    return "-".join(["S-1", str(authority), *map(str, struct.unpack(f"<{count}I", value[8:]))])


@CONVERSIONS.function("bin CBin(num value, num size)", Basis.RULES)
def c_bin(value: int, size: int) -> bytes:
    """A number in so many bytes, the lowest first: fields of a KEYCREDENTIALLINK_BLOB (MS-ADTS section 2.2.20)."""
    if not 1 <= size <= 8:
        raise UnfitValue(f"size is {size}; expected 1 to 8")
    try:
        return value.to_bytes(size, "little", signed=value < 0)
    except OverflowError:
        raise UnfitValue(f"the number does not fit into {size} bytes") from None


@CONVERSIONS.function("bin Thumbprint(bin value)", Basis.RULES)
def thumbprint(value: bytes) -> bytes:
    """SHA-256, in 32 bytes: the KeyHash of a KEYCREDENTIALLINK_BLOB (MS-ADTS section 2.2.20.6)."""
    return hashlib.sha256(value).digest()
