"""The LDAP codec: what it writes another library reads, what it reads is never more than what is there."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.protocol.rfc4511 import LDAPMessage
from pyasn1.codec.ber import decoder

from directory.ldap import codec


def decoded(data: bytes) -> LDAPMessage:
    """By an independent decoder."""
    value, rest = decoder.decode(data, asn1Spec=LDAPMessage())
    assert rest == b""
    return value


def entry_message(dn: bytes, attributes: dict[bytes, list[bytes]]) -> bytes:
    """A SearchResultEntry, as a server writes it."""
    parts = [
        codec.tlv(0x30, codec.octets(name) + codec.tlv(0x31, b"".join(map(codec.octets, values))))
        for name, values in attributes.items()
    ]
    return codec.message(7, codec.tlv(codec.ENTRY, codec.octets(dn) + codec.tlv(0x30, b"".join(parts))))


@given(st.binary(max_size=300), st.binary(max_size=70_000))
def test_another_library_reads_a_bind_request(name: bytes, password: bytes) -> None:
    """RFC 4511 section 4.2: version 3, simple."""
    seen = decoded(codec.message(5, codec.bind_request(name, password)))
    bind = seen["protocolOp"]["bindRequest"]
    assert (int(seen["messageID"]), int(bind["version"])) == (5, 3)
    assert bytes(bind["name"]) == name
    assert bytes(bind["authentication"]["simple"]) == password


@given(st.integers(0, 2**31 - 1), st.binary(max_size=200), st.binary(max_size=200))
def test_another_library_reads_a_search_request(number: int, attribute: bytes, value: bytes) -> None:
    """Section 4.5.1; a value with ( ) * \\ NUL stays one value."""
    matching = codec.equals(attribute, value)
    request = codec.search_request(b"DC=x", codec.SCOPE_SUBTREE, matching, codec.attribute_list(["cn"]), limit=3, seconds=4)
    search = decoded(codec.message(number, request))["protocolOp"]["searchRequest"]
    assertion = search["filter"]["equalityMatch"]
    assert (bytes(assertion["attributeDesc"]), bytes(assertion["assertionValue"])) == (attribute, value)
    assert (int(search["sizeLimit"]), int(search["timeLimit"]), int(search["scope"])) == (3, 4, 2)


def test_another_library_reads_a_modify_and_a_password_change() -> None:
    """Section 4.6 and RFC 3062."""
    modify = decoded(codec.message(1, codec.modify_request(b"cn=a", [(codec.MODIFY_DELETE, b"p", b"1")])))
    change = modify["protocolOp"]["modifyRequest"]["changes"][0]
    assert int(change["operation"]) == 1
    assert bytes(change["modification"]["vals"][0]) == b"1"
    extended = decoded(codec.message(1, codec.password_modify_request(b"cn=a", None, b"new")))
    assert bytes(extended["protocolOp"]["extendedReq"]["requestName"]) == codec.PASSWORD_MODIFY


@given(
    st.binary(min_size=1, max_size=40),
    st.dictionaries(st.binary(min_size=1, max_size=20), st.lists(st.binary(max_size=200))),
)
def test_an_entry_comes_back_as_it_was_sent(dn: bytes, attributes: dict[bytes, list[bytes]]) -> None:
    """Attribute names in lower case, values as bytes."""
    data = entry_message(dn, attributes)
    number, tag, start, end = codec.open_message(data)
    seen_dn, seen = codec.read_entry(data, start, end)
    assert (number, tag) == (7, codec.ENTRY)
    assert seen_dn == dn.decode("utf-8", "replace")
    assert set(seen) == {name.lower() for name in attributes}


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    """Anything odd is a CodecError, which the connection turns into its own; nothing else."""
    readers = (
        codec.message_size,
        codec.open_message,
        lambda d: codec.read_entry(d, 0, len(d)),
        lambda d: codec.read_result(d, 0, len(d)),
        codec.read_password_policy,
    )
    for read in readers:
        with contextlib.suppress(codec.CodecError):
            read(data)


@given(st.integers(0, 200), st.binary(max_size=3))
def test_a_flipped_byte_is_an_error_or_another_entry_never_a_crash(at: int, other: bytes) -> None:
    """Truncated and altered entries."""
    data = bytearray(entry_message(b"cn=x", {b"a": [b"1" * 130, b"2"], b"b": []}))
    data[at % len(data) : at % len(data) + 1] = other
    try:
        _, _, start, end = codec.open_message(bytes(data))
        codec.read_entry(bytes(data), start, end)
    except codec.CodecError:
        return
    assert codec.message_size(data) >= 2


@pytest.mark.parametrize("attribute", [b"\x04", codec.octets(b"a") + codec.tlv(0x31, b"\x04")])
def test_an_entry_that_ends_behind_a_tag_is_cut_short(attribute: bytes) -> None:
    """Where a header is read without a call."""
    content = codec.octets(b"cn=x") + codec.tlv(0x30, codec.tlv(0x30, attribute))
    with pytest.raises(codec.CodecError, match="cut short"):
        codec.read_entry(content, 0, len(content))


@given(st.binary(max_size=60), st.integers(0, 90))
def test_no_policy_control_breaks_the_reader(value: bytes, cut: int) -> None:
    """It stands beside an answer: what cannot be read tells nothing, and the answer counts."""
    whole = codec.tlv(0xA0, codec.tlv(0x30, codec.octets(codec.PASSWORD_POLICY) + value))
    for controls in (whole, whole[: len(whole) - cut], codec.octets(codec.PASSWORD_POLICY) + value):
        found = codec.read_password_policy(controls)
        assert found is None or found >= 0


def test_a_policy_control_in_a_thousand_wrappers_tells_nothing() -> None:
    """No reader goes down with it: the stack is finite."""
    value = codec.tlv(0x81, b"\x00")
    for _ in range(5000):
        value = codec.octets(value)
    controls = codec.tlv(0xA0, codec.tlv(0x30, codec.octets(codec.PASSWORD_POLICY) + codec.octets(value)))
    assert codec.read_password_policy(controls) is None


def test_sizes_are_bounded() -> None:
    """A header that promises gigabytes is refused before one byte of them is waited for."""
    with pytest.raises(codec.CodecError, match="more than"):
        codec.message_size(b"\x30\x84\x7f\xff\xff\xff")
    with pytest.raises(codec.CodecError, match="not an LDAP"):
        codec.message_size(b"HTTP/1.1 400")
    with pytest.raises(codec.CodecError, match="length"):
        codec.message_size(b"\x30\x80")
    assert codec.message_size(b"\x30") == 0
    assert codec.message_size(b"\x30\x82\x01") == 0
    assert codec.message_size(b"\x30\x82\x01\x00") == 260


def test_results_are_read_with_their_text() -> None:
    """The diagnostic message is where AD puts its sub-codes; a trailing NUL is AD's habit."""
    content = codec.integer(49, 0x0A) + codec.octets(b"") + codec.octets(b"80090308: data 52e, v4563\0")
    assert codec.read_result(content, 0, len(content))[:2] == (49, "80090308: data 52e, v4563")
    with pytest.raises(codec.CodecError, match="code"):
        codec.read_result(codec.octets(b"x"), 0, 3)


@pytest.mark.parametrize("error", [0, 1, 2, 8])
def test_password_policy_errors_are_found(error: int) -> None:
    """draft-behera-ldap-password-policy section 6.2: a sequence of warning [0] and error [1]."""
    value = codec.tlv(0x30, codec.tlv(0xA0, codec.tlv(0x80, b"\x05")) + codec.tlv(0x81, bytes([error])))
    other = codec.tlv(0x30, codec.octets(b"1.2.3") + codec.octets(b"zz"))
    ours = codec.tlv(0x30, codec.octets(codec.PASSWORD_POLICY) + codec.octets(value))
    assert codec.read_password_policy(codec.tlv(0xA0, other + ours)) == error


def test_a_response_without_the_control_or_without_an_error_tells_nothing() -> None:
    """None, not 0: 0 is passwordExpired."""
    assert codec.read_password_policy(b"") is None
    empty = codec.tlv(0x30, codec.octets(codec.PASSWORD_POLICY) + codec.octets(codec.tlv(0x30, b"")))
    assert codec.read_password_policy(codec.tlv(0xA0, empty)) is None
