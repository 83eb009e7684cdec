"""LDAP messages as bytes (RFC 4511, BER as its section 5.1 narrows it): only the few that sign-ins and readings need.

Written by hand because these are the hot paths: a sign-in is one search and one bind, a reading of a directory millions of
values, and ldap3 spends nine times more processor time on either (measured, see docs/decisions/0001). Pure: bytes in,
values out, no socket. Every read is bounded by the length that its header states; anything odd is a `CodecError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

# Tags of operations: [APPLICATION n] of RFC 4511 appendix B; 0x60 marks a constructed one
BIND_RESPONSE, ENTRY, SEARCH_DONE, REFERENCE, MODIFY_RESPONSE, EXTENDED_RESPONSE = 0x61, 0x64, 0x65, 0x73, 0x67, 0x78
INTERMEDIATE_RESPONSE = 0x79
SCOPE_BASE, SCOPE_ONE, SCOPE_SUBTREE = 0, 1, 2
MODIFY_ADD, MODIFY_DELETE, MODIFY_REPLACE = 0, 1, 2
PASSWORD_MODIFY = b"1.3.6.1.4.1.4203.1.11.1"  # RFC 3062
PASSWORD_POLICY = b"1.3.6.1.4.1.42.2.27.8.5.1"  # draft-behera-ldap-password-policy
LARGEST_MESSAGE = 8 * 1024 * 1024
"""Bytes; far above any answer to what a sign-in asks, far below what would hurt."""

Entry = dict[bytes, list[bytes]]
"""Attribute name in lower case -> raw values."""


class CodecError(ValueError):
    """These bytes are not the LDAP that was expected. The text says what was odd, never what was in them."""


class LdapResult(NamedTuple):
    """LDAPResult (RFC 4511 section 4.1.9)."""

    code: int
    text: str
    """diagnosticMessage, where Active Directory puts its sub-codes."""
    controls: bytes = b""
    """Raw response controls."""


# -- writing ----------------------------------------------------------------------------------------------------------


def tlv(tag: int, content: bytes) -> bytes:
    """One element: tag, definite length, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    if size < 0x100:
        return bytes((tag, 0x81, size)) + content
    if size < 0x10000:
        return bytes((tag, 0x82, size >> 8, size & 0xFF)) + content
    return bytes((tag, 0x84)) + size.to_bytes(4, "big") + content


def integer(value: int, tag: int = 0x02) -> bytes:
    """A non-negative INTEGER or ENUMERATED, in as few bytes as two's complement allows."""
    if value < 0x80:
        return bytes((tag, 1, value))
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def signed_integer(value: int) -> bytes:
    """An INTEGER of either sign, in as few bytes as two's complement allows."""
    return tlv(0x02, value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True))


def octets(value: bytes) -> bytes:
    """OCTET STRING."""
    return tlv(0x04, value)


def message(number: int, operation: bytes, controls: bytes = b"") -> bytes:
    """LDAPMessage: `operation` is a complete element, `controls` the content of the controls field."""
    return tlv(0x30, integer(number) + operation + (tlv(0xA0, controls) if controls else b""))


def control(oid: bytes, *, critical: bool = False, value: bytes | None = None) -> bytes:
    """A control (section 4.1.11); `value` is a complete element, which travels in an OCTET STRING."""
    return tlv(0x30, octets(oid) + (b"\x01\x01\xff" if critical else b"") + (b"" if value is None else octets(value)))


def bind_request(name: bytes, password: bytes) -> bytes:
    """A simple bind, version 3 (RFC 4511 section 4.2): the password is `simple`, [0] of the choice."""
    return tlv(0x60, b"\x02\x01\x03" + octets(name) + tlv(0x80, password))


UNBIND = b"\x42\x00"  # [APPLICATION 2] NULL, section 4.3: it has no answer

# Filters (section 4.5.1.7): and [0], or [1], equalityMatch [3], present [7]


def equals(attribute: bytes, value: bytes) -> bytes:
    """The filter (attribute=value). The value travels by length, so nothing in it needs escaping."""
    named, held = len(attribute), len(value)
    if named + held + 4 < 0x80:  # nearly always: spare the calls
        return b"\xa3%c\x04%c%b\x04%c%b" % (named + held + 4, named, attribute, held, value)
    return tlv(0xA3, octets(attribute) + octets(value))


def present(attribute: bytes) -> bytes:
    """The filter (attribute=*)."""
    return tlv(0x87, attribute)


def all_of(filters: Iterable[bytes]) -> bytes:
    """The filter (&…)."""
    return tlv(0xA0, b"".join(filters))


def any_of(filters: Sequence[bytes]) -> bytes:
    """The filter (|…); a single one stays itself."""
    return filters[0] if len(filters) == 1 else tlv(0xA1, b"".join(filters))


ANYTHING = present(b"objectClass")


def attribute_list(names: Iterable[str]) -> bytes:
    """The attributes wanted; worth doing once for each kind of search."""
    return tlv(0x30, b"".join(octets(name.encode()) for name in names))


def search_request(base: bytes, scope: int, matching: bytes, attributes: bytes, *, limit: int, seconds: int) -> bytes:
    """A search (section 4.5.1) that dereferences no aliases; `limit` entries at most, `seconds` at most on the server."""
    # neverDerefAliases is the second enumerated 0; the last three bytes are typesOnly FALSE
    head = octets(base) + bytes((0x0A, 1, scope, 0x0A, 1, 0)) + integer(limit) + integer(seconds) + b"\x01\x01\x00"
    return tlv(0x63, head + matching + attributes)


def modify_request(dn: bytes, changes: Iterable[tuple[int, bytes, bytes]]) -> bytes:
    """A modify (section 4.6); each change is (operation, attribute, value)."""
    parts = [
        tlv(0x30, integer(kind, 0x0A) + tlv(0x30, octets(attribute) + tlv(0x31, octets(value))))
        for kind, attribute, value in changes
    ]
    return tlv(0x66, octets(dn) + tlv(0x30, b"".join(parts)))


def password_modify_request(dn: bytes, old: bytes | None, new: bytes) -> bytes:
    """RFC 3062 password modify; `old` is left out for a reset."""
    value = tlv(0x80, dn) + (tlv(0x81, old) if old is not None else b"") + tlv(0x82, new)
    return tlv(0x77, tlv(0x80, PASSWORD_MODIFY) + tlv(0x81, tlv(0x30, value)))


# -- reading ----------------------------------------------------------------------------------------------------------


def header(data: bytes | bytearray, at: int) -> tuple[int, int, int]:
    """(tag, start of content, end of content) of the element at `at`; raises `CodecError` where it is cut short."""
    try:
        tag, size = data[at], data[at + 1]
        at += 2
        if size >= 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4:  # 0 would be the indefinite form, which section 5.1 forbids
                raise CodecError("a length that LDAP does not allow")
            size = int.from_bytes(data[at : at + count], "big")
            at += count
    except IndexError as error:
        raise CodecError("an element is cut short") from error
    if at + size > len(data):
        raise CodecError("an element is longer than what holds it")
    return tag, at, at + size


def message_size(data: bytes | bytearray, most: int = LARGEST_MESSAGE) -> int:
    """Bytes of the message that `data` begins with, or 0 where not even its length is here yet; `most` are allowed."""
    if len(data) < 2:
        return 0
    if data[0] != 0x30:
        raise CodecError("this is not an LDAP message")
    size = data[1]
    if size < 0x80:
        return 2 + size
    count = size & 0x7F
    if not 1 <= count <= 4:
        raise CodecError("a length that LDAP does not allow")
    if len(data) < 2 + count:
        return 0
    total = 2 + count + int.from_bytes(data[2 : 2 + count], "big")
    if total > most:
        raise CodecError(f"a message of {total} bytes is more than the {most} allowed")
    return total


def open_message(data: bytes) -> tuple[int, int, int, int]:
    """(message number, tag of the operation, start, end of its content) of a whole message."""
    tag, at, _ = header(data, 0)
    kind, start, end = header(data, at)
    if tag != 0x30 or kind != 0x02 or not 1 <= end - start <= 4:
        raise CodecError("this is not an LDAP message")
    number = int.from_bytes(data[start:end], "big")
    tag, start, end = header(data, end)
    return number, tag, start, end


def read_result(data: bytes, start: int, end: int) -> LdapResult:
    """LDAPResult, as bind, search done, modify and extended responses all begin."""
    tag, first, after = header(data, start)
    if tag != 0x0A or after > end:
        raise CodecError("a result without a code")
    code = int.from_bytes(data[first:after], "big")
    _, _, after = header(data, after)
    tag, first, after = header(data, after)
    if tag != 0x04 or after > end:
        raise CodecError("a result without its texts")
    return LdapResult(code, data[first:after].decode("utf-8", "replace").rstrip("\0"), bytes(data[end:]))


def read_entry(data: bytes, start: int, end: int) -> tuple[str, Entry]:
    """SearchResultEntry: (distinguished name, attributes)."""
    try:
        return _read_entry(data, start, end)
    except IndexError as error:
        raise CodecError("an entry is cut short") from error


def _read_entry(data: bytes, start: int, end: int) -> tuple[str, Entry]:
    _, first, after = header(data, start)
    dn = data[first:after].decode("utf-8", "replace")
    tag, at, stop = header(data, after)
    if tag != 0x30 or stop != end:
        raise CodecError("an entry without attributes")
    found: Entry = {}
    while at < stop:
        size = data[at + 1]
        if size < 0x80:  # nearly always, here and below: spare the call
            at, attribute_end = at + 2, at + 2 + size
        else:
            _, at, attribute_end = header(data, at)
        size = data[at + 1]
        if size < 0x80:
            first, after = at + 2, at + 2 + size
        else:
            _, first, after = header(data, at)
        name = data[first:after].lower()
        size = data[after + 1]
        if size < 0x80:
            at, values_end = after + 2, after + 2 + size
        else:
            _, at, values_end = header(data, after)
        if values_end != attribute_end or attribute_end > stop:
            raise CodecError("an attribute is longer than its entry")
        values = []
        while at < values_end:
            size = data[at + 1]
            if size < 0x80:
                first, at = at + 2, at + 2 + size
            else:
                _, first, at = header(data, at)
            values.append(data[first:at])
        if at != values_end:
            raise CodecError("a value is longer than its attribute")
        found[name] = values
    return dn, found


def read_controls(data: bytes, at: int) -> dict[bytes, bytes]:
    """Controls of a message, from `at`, where its operation ends, on: OID -> what is in the OCTET STRING of its value.

    A control without a value has an empty one; the criticality of a response says nothing (section 4.1.11).
    """
    if at == len(data):
        return {}
    tag, at, stop = header(data, at)
    if tag != 0xA0 or stop != len(data):
        raise CodecError("something other than controls follows an operation")
    found = {}
    while at < stop:
        tag, start, at = header(data, at)
        oid_tag, first, after = header(data, start)
        if tag != 0x30 or oid_tag != 0x04 or after > at or at > stop:
            raise CodecError("a control without a name")
        oid, value = data[first:after], b""
        while after < at:
            tag, first, after = header(data, after)
            if tag == 0x04:
                value = data[first:after]
        found[oid] = value
    return found


def read_elements(data: bytes, tag: int = 0x30) -> list[tuple[int, bytes]]:
    """(tag, content) of each element in the one element that `data` is: a SEQUENCE, unless `tag` says otherwise."""
    kind, at, end = header(data, 0)
    if kind != tag or end != len(data):
        raise CodecError("a value is not the one element that it should be")
    found = []
    while at < end:
        kind, start, at = header(data, at)
        found.append((kind, data[start:at]))
    return found


def read_intermediate(data: bytes, start: int, end: int) -> tuple[bytes, bytes]:
    """IntermediateResponse (section 4.13): (name, value), each empty where it is left out."""
    name, value = b"", b""
    while start < end:
        tag, first, start = header(data, start)
        if tag == 0x80:
            name = data[first:start]
        elif tag == 0x81:
            value = data[first:start]
    return name, value


def read_password_policy(controls: bytes) -> int | None:
    """The error number of a password policy response control, or None (draft-behera section 6.2).

    None for one that cannot be read, too: the answer that it stands beside is no less an answer.
    """
    if PASSWORD_POLICY not in controls:
        return None
    try:
        return _policy_error(controls, *_control_value(controls))
    except CodecError:
        return None


def _control_value(controls: bytes) -> tuple[int, int]:
    """Where the value of that control begins and ends; nothing where there is none."""
    _, at, end = header(controls, 0)
    while at < end:
        _, start, at = header(controls, at)
        _, first, after = header(controls, start)
        if controls[first:after] != PASSWORD_POLICY:
            continue
        while after < at:  # its criticality may stand before
            tag, first, after = header(controls, after)
            if tag == 0x04:
                return first, after
    return 0, 0


def _policy_error(data: bytes, at: int, end: int) -> int | None:
    """The [1] of the sequence, behind the warning [0] where there is one."""
    while at < end:
        tag, first, after = header(data, at)
        if tag == 0x81:
            return int.from_bytes(data[first:after], "big")
        at = first if tag == 0x30 else after
    return None
