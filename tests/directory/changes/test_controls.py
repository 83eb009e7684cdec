"""Controls as bytes: against ldap3's definitions, against pyasn1's encoder, and against what servers sent."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from ldap3.protocol import microsoft, rfc2696
from ldap3.protocol.rfc4511 import Control
from pyasn1.codec.ber import decoder, encoder
from pyasn1.type import namedtype, tag, univ

from directory.changes import controls
from directory.ldap import codec
from directory.ldap.codec import CodecError

SIZES = st.integers(0, 2**31 - 1)
DIRSYNC_ANSWER = bytes.fromhex(  # what Samba 4.17 ends a DirSync with
    "3081a502010965070a010004000400a081963081930416312e322e3834302e3131333535362e312e342e3834310101ff04763074020100020100046c"
    "4d53445303000000000a4fe69681dd01000000000000000028000000c80f0000000000000000000000000000c80f00000000000004d8e255a235994f"
    "aba721195378d8a30100000000000000010000000000000004d8e255a235994faba721195378d8a3c80f000000000000"
)
DELETED_SET = bytes.fromhex(  # what OpenLDAP 2.5 sends after one entry was deleted …
    "3081a102010679819b8018312e332e362e312e342e312e343230332e312e392e312e34817fa37d04647269643d3030302c63736e3d32303236313230"
    "313133323133372e3935373938365a2330303030303023303030233030303030302c64656c63736e3d32303236313230313133323133382e30323735"
    "31345a2330303030303023303030233030303030300101ff31120410e1dfb42881d5104195a78da9f9cde158"
)
DELETE_PHASE_DONE = bytes.fromhex(  # … and the end of that
    "306702010665070a010004000400a05930570418312e332e362e312e342e312e343230332e312e392e312e33043b303904347269643d3030302c6373"
    "6e3d32303236313230313133323133382e3032373531345a2330303030303023303030233030303030300101ff"
)
PRESENT_SET = bytes.fromhex(  # its session log was full
    "3081cb02010a7981c58018312e332e362e312e342e312e343230332e312e392e312e348181a8a381a53181a20410e1dfa7c681d51041959f8da9f9cd"
    "e1580410e1dfafa081d5104195a48da9f9cde1580410e1dfae4281d5104195a38da9f9cde1580410e1dfac9e81d5104195a18da9f9cde1580410e1df"
    "ab0481d5104195a08da9f9cde1580410e1dfad7a81d5104195a28da9f9cde1580410e1dfb53681d5104195a88da9f9cde1580410e1dfb18081d51041"
    "95a58da9f9cde1580410e1dfb33881d5104195a68da9f9cde158"
)
PRESENT_PHASE_DONE = bytes.fromhex(
    "306402010a65070a010004000400a05630540418312e332e362e312e342e312e343230332e312e392e312e330438303604347269643d3030302c6373"
    "6e3d32303236313230313133323133382e3137333135315a233030303030302330303023303030303030"
)


def as_ldap3(encoded: bytes) -> Any:
    """The control as ldap3's definition reads it."""
    found, rest = decoder.decode(encoded, asn1Spec=Control())
    assert rest == b""
    return found


def elements(value: bytes) -> list[object]:
    """Of the SEQUENCE that a control's value is, as pyasn1 reads them without being told what they are."""
    sequence, rest = decoder.decode(value)
    assert rest == b""
    parts = [sequence.getComponentByPosition(place) for place in range(len(sequence))]
    return [int(part) if isinstance(part, univ.Integer) else bytes(part) for part in parts]


@given(size=SIZES, cookie=st.binary(max_size=300))
def test_pages_are_asked_for_as_ldap3_does(size: int, cookie: bytes) -> None:
    """RFC 2696; but for the criticality."""
    ours = as_ldap3(controls.paged_request(size, cookie))
    theirs = rfc2696.paged_search_control(False, size, cookie)
    assert bytes(ours["controlValue"]) == bytes(theirs["controlValue"])
    assert str(ours["controlType"]) == str(theirs["controlType"])
    assert not ours["criticality"]


@given(cookie=st.binary(max_size=300), largest=SIZES)
def test_dirsync_is_asked_for_as_ldap3_does(cookie: bytes, largest: int) -> None:
    """MS-ADTS section 3.1.1.3.4.1.3, as long as no flag is the highest: that one ldap3 writes in five bytes."""
    flags = controls.OBJECT_SECURITY | 0x800  # ancestors first
    ours = as_ldap3(controls.dirsync_request(flags, largest, cookie))
    theirs = microsoft.dir_sync_control(True, True, True, False, False, largest, cookie)
    assert bytes(ours["controlValue"]) == bytes(theirs["controlValue"])
    assert ours["criticality"]


def test_the_highest_flag_of_dirsync_is_the_sign_of_four_bytes() -> None:
    """Windows takes no five (cannatag/ldap3#642)."""
    request = controls.dirsync_request(controls.INCREMENTAL_VALUES | controls.OBJECT_SECURITY, 0, b"")
    value = bytes(as_ldap3(request)["controlValue"])
    assert value[2:8] == bytes.fromhex("020480000001")
    assert elements(value) == [-0x7FFFFFFF, 0, b""]


def test_other_controls_of_active_directory_are_asked_for_as_ldap3_does() -> None:
    """Deleted objects, change notification, extended names."""
    for ours, theirs in (
        (codec.control(controls.SHOW_DELETED, critical=True), microsoft.show_deleted_control(True)),
        (controls.NOTIFICATION_REQUEST, microsoft.persistent_search_control(True)),
        (controls.EXTENDED_DN_REQUEST, microsoft.extended_dn_control(True)),
    ):
        assert as_ldap3(ours) == theirs
    recycled = controls.SHOW_DELETED_REQUEST.removeprefix(codec.control(controls.SHOW_DELETED, critical=True))
    assert str(as_ldap3(recycled)["controlType"]) == "1.2.840.113556.1.4.2064"


class SyncRequestValue(univ.Sequence):  # type: ignore[misc]
    """RFC 4533 section 2.2."""

    componentType = namedtype.NamedTypes(  # noqa: N815
        namedtype.NamedType("mode", univ.Enumerated()),
        namedtype.OptionalNamedType("cookie", univ.OctetString()),
        namedtype.DefaultedNamedType("reloadHint", univ.Boolean(False)),
    )


class IdSet(univ.Sequence):  # type: ignore[misc]
    """The [3] of RFC 4533 section 2.5."""

    tagSet = univ.Sequence.tagSet.tagImplicitly(tag.Tag(tag.tagClassContext, tag.tagFormatConstructed, 3))  # noqa: N815
    componentType = namedtype.NamedTypes(  # noqa: N815
        namedtype.OptionalNamedType("cookie", univ.OctetString()),
        namedtype.DefaultedNamedType("refreshDeletes", univ.Boolean(False)),
        namedtype.NamedType("syncUUIDs", univ.SetOf(componentType=univ.OctetString())),
    )


@given(mode=st.sampled_from([controls.REFRESH_ONLY, controls.REFRESH_AND_PERSIST]), cookie=st.binary(max_size=300))
def test_synchronisation_is_asked_for_as_the_definition_says(mode: int, cookie: bytes) -> None:
    """No cookie is none, not an empty one: that one, a server would have to refuse."""
    value = SyncRequestValue()
    value["mode"] = mode
    if cookie:
        value["cookie"] = cookie
    ours = as_ldap3(controls.sync_request(mode, cookie))
    assert bytes(ours["controlValue"]) == encoder.encode(value)
    assert ours["criticality"]


@given(uuids=st.lists(st.binary(min_size=16, max_size=16), max_size=300), deleted=st.booleans(), cookie=st.binary())
def test_sets_of_entries_are_read_as_the_definition_says(uuids: list[bytes], deleted: bool, cookie: bytes) -> None:
    """By pyasn1's encoder."""
    value = IdSet()
    if cookie:
        value["cookie"] = cookie
    value["refreshDeletes"] = deleted
    value["syncUUIDs"].extend(uuids)
    if not uuids:
        value["syncUUIDs"].clear()
    info = controls.read_sync_info(encoder.encode(value))
    assert (info.kind, info.cookie, info.flag) == (controls.ID_SET, cookie, deleted)
    assert sorted(info.uuids) == sorted(uuids)


def test_what_samba_ends_a_dirsync_with() -> None:
    """A control that is marked critical in an answer, too."""
    _, kind, start, end = codec.open_message(DIRSYNC_ANSWER)
    assert (kind, codec.read_result(DIRSYNC_ANSWER, start, end).code) == (codec.SEARCH_DONE, 0)
    more, cookie = controls.read_dirsync(codec.read_controls(DIRSYNC_ANSWER, end)[controls.DIRSYNC])
    assert not more
    assert cookie.startswith(b"MSDS\x03\0\0\0")


@pytest.mark.parametrize(("message", "deleted", "count"), [(DELETED_SET, True, 1), (PRESENT_SET, False, 9)])
def test_what_openldap_says_of_many_entries(message: bytes, deleted: bool, count: int) -> None:
    """An intermediate response with a set."""
    _, kind, start, end = codec.open_message(message)
    name, value = codec.read_intermediate(message, start, end)
    info = controls.read_sync_info(value)
    assert (kind, name) == (codec.INTERMEDIATE_RESPONSE, controls.SYNC_INFO)
    assert (info.flag, len(info.uuids)) == (deleted, count)
    assert info.cookie.startswith(b"rid=000,csn=") == deleted


@pytest.mark.parametrize(("message", "deletes"), [(DELETE_PHASE_DONE, True), (PRESENT_PHASE_DONE, False)])
def test_what_openldap_ends_a_synchronisation_with(message: bytes, deletes: bool) -> None:
    """refreshDeletes is FALSE where it is left out."""
    end = codec.open_message(message)[3]
    cookie, refresh_deletes = controls.read_sync_done(codec.read_controls(message, end)[controls.SYNC_DONE])
    assert cookie.startswith(b"rid=000,csn=20261201")
    assert refresh_deletes == deletes


@pytest.mark.parametrize(
    ("kind", "done"), [(controls.REFRESH_PRESENT, True), (controls.REFRESH_DELETE, True), (controls.REFRESH_PRESENT, False)]
)
def test_ends_of_phases(kind: int, done: bool) -> None:
    """refreshDone is TRUE where it is left out (RFC 4533 section 2.5)."""
    content = codec.octets(b"c") + (b"" if done else b"\x01\x01\x00")
    assert controls.read_sync_info(codec.tlv(kind, content)) == (kind, b"c", done, ())
    assert controls.read_sync_info(codec.tlv(controls.NEW_COOKIE, b"c")) == (controls.NEW_COOKIE, b"c", False, ())


@pytest.mark.parametrize("state", range(4))
def test_states_of_entries(state: int) -> None:
    """RFC 4533 section 2.3."""
    value = codec.tlv(0x30, codec.integer(state, 0x0A) + codec.octets(b"u" * 16) + codec.octets(b"c"))
    assert controls.read_sync_state(value) == (state, b"u" * 16, b"c")


MALFORMED = [
    (controls.read_paged, codec.tlv(0x30, codec.octets(b"x"))),
    (controls.read_dirsync, codec.tlv(0x30, codec.integer(0) + codec.octets(b"x"))),
    (controls.read_sync_state, codec.tlv(0x30, codec.integer(4, 0x0A) + codec.octets(b"u" * 16))),
    (controls.read_sync_state, codec.tlv(0x30, codec.integer(1, 0x0A) + codec.octets(b"u" * 15))),
    (controls.read_sync_done, codec.tlv(0x31, b"")),
    (controls.read_sync_info, codec.tlv(0xA7, b"")),
    (controls.read_sync_info, codec.tlv(controls.ID_SET, b"")),
    (controls.read_sync_info, codec.tlv(controls.ID_SET, codec.tlv(0x31, codec.octets(b"short")))),
    (controls.read_sync_info, codec.tlv(controls.NEW_COOKIE, b"c") + b"more"),
]


@pytest.mark.parametrize(("read", "value"), MALFORMED)
def test_what_is_none_of_these_is_refused(read: Any, value: bytes) -> None:
    """By the codec's own error, which a reading turns into its result."""
    with pytest.raises(CodecError):
        read(value)


@given(st.binary(max_size=60))
def test_no_bytes_do_anything_else(value: bytes) -> None:
    """What a server says is never trusted to be well made."""
    for read in {read for read, _ in MALFORMED}:
        try:
            read(value)
        except CodecError:
            continue


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.booleans(), st.binary(max_size=20)), max_size=4))
def test_controls_of_a_message_are_read_as_they_were_written(written: list[tuple[bytes, bool, bytes]]) -> None:
    """By name; of two of one name the last one counts."""
    parts = b"".join(codec.control(oid, critical=critical, value=value) for oid, critical, value in written)
    message = codec.message(1, codec.tlv(codec.SEARCH_DONE, b""), parts)
    end = codec.open_message(message)[3]
    assert codec.read_controls(message, end) == {oid: value for oid, _, value in written}


@pytest.mark.parametrize("rest", [b"\x04\x00", codec.tlv(0xA0, b"\x30\x00"), codec.tlv(0xA0, codec.tlv(0x30, b"\x02\x00"))])
def test_something_else_after_an_operation_is_refused(rest: bytes) -> None:
    """RFC 4511 section 4.1.1: nothing but controls."""
    with pytest.raises(CodecError):
        codec.read_controls(rest, 0)


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_of_either_sign(value: int) -> None:
    """In as few bytes as X.690 section 8.3.2 wants; pyasn1, which writes some in one more, reads them all."""
    encoded = codec.signed_integer(value)
    assert decoder.decode(encoded) == (univ.Integer(value), b"")
    first, second = (*encoded[2:4], 0)[:2] if len(encoded) > 3 else (1, 0)
    assert not (first == 0 and second < 0x80)
    assert not (first == 0xFF and second >= 0x80)
