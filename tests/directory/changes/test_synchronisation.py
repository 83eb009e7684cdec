"""RFC 4533, against a server that says what the test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from directory import (
    ChangeReader,
    DirectoryRecord,
    DirectorySettings,
    Reading,
    ReadLimits,
    ReadOutcome,
    ReadResult,
    RecordKind,
)
from directory.changes import controls
from directory.changes.refresh import Refresh
from directory.changes.syncrepl import read_answer
from directory.ldap import codec
from directory.ldap.codec import CodecError
from directory.ldap.stream import SearchAnswer
from tests.support.fake_directory import ROOT, FakeDirectory, control, done, entry

UUID = b"u" * 16


@pytest.fixture
async def fake() -> AsyncIterator[FakeDirectory]:
    async with FakeDirectory() as server:
        yield server


@pytest.fixture
async def reader(fake: FakeDirectory) -> AsyncIterator[ChangeReader]:
    settings = DirectorySettings(
        name="corp",
        kind="ldap",
        servers=(fake.server,),
        base_dn=ROOT,
        send_passwords_unencrypted_over_the_network=True,
        retry_seconds=0.001,
    )
    made = ChangeReader(settings, ReadLimits(silence=1, seconds=10))
    yield made
    await made.close()


def named(state: int, cookie: bytes = b"") -> tuple[bytes, bytes]:
    """An entry with its state."""
    content = codec.integer(state, 0x0A) + codec.octets(UUID) + (codec.octets(cookie) if cookie else b"")
    return entry("CN=x", {"cn": [b"x"]} if state in (1, 2) else {}), control(controls.SYNC_STATE, content)


def said(value: bytes, name: bytes = controls.SYNC_INFO) -> tuple[bytes, bytes]:
    """An intermediate response."""
    return codec.tlv(codec.INTERMEDIATE_RESPONSE, codec.tlv(0x80, name) + codec.tlv(0x81, value)), b""


def ended(cookie: bytes, *, deletes: bool) -> tuple[bytes, bytes]:
    """The last message."""
    return done(), control(controls.SYNC_DONE, codec.octets(cookie) + (b"\x01\x01\xff" if deletes else b""))


def answer(operation: bytes, with_controls: bytes = b"") -> SearchAnswer:
    """As it is taken from a stream."""
    message = codec.message(1, operation, with_controls)
    _, kind, start, end = codec.open_message(message)
    return SearchAnswer(kind, message, start, end)


async def take(reading: Reading) -> tuple[list[DirectoryRecord], ReadResult]:
    """All of it."""
    async with reading:
        records = [record async for record in reading]
    return records, reading.result


@pytest.mark.parametrize(
    ("state", "kind"), list(enumerate([RecordKind.PRESENT, RecordKind.WHOLE, RecordKind.WHOLE, RecordKind.DELETED]))
)
def test_entries_by_their_state(state: int, kind: RecordKind) -> None:
    """RFC 4533 section 2.3; the key is that of the control, the cookie counts."""
    refresh = Refresh(b"older")
    (record,) = read_answer(answer(*named(state, b"newer")), refresh)
    assert (record.kind, record.key, record.dn) == (kind, UUID, "CN=x")
    assert record.attributes == ({b"cn": [b"x"]} if kind is RecordKind.WHOLE else {})
    assert refresh.cookie == b"newer"


def test_a_single_present_entry_counts_for_the_phase() -> None:
    """Who is not named is absent."""
    refresh = Refresh(b"older")
    read_answer(answer(*named(0, b"newer")), refresh)
    assert refresh.end(refresh_deletes=False)


def test_what_else_is_said_means_nothing() -> None:
    """References, intermediate responses of other names."""
    refresh = Refresh(b"")
    assert read_answer(answer(codec.tlv(codec.REFERENCE, codec.octets(b"ldap://elsewhere"))), refresh) == []
    assert read_answer(answer(*said(b"whatever", b"1.2.3")), refresh) == []
    assert read_answer(answer(codec.tlv(codec.INTERMEDIATE_RESPONSE, b"")), refresh) == []


def test_an_entry_without_its_state_is_refused() -> None:
    """It could be a deleted one."""
    with pytest.raises(CodecError, match="without its state"):
        read_answer(answer(entry("CN=x", {"cn": [b"x"]})), Refresh(b""))


async def first_cookie(fake: FakeDirectory, reader: ChangeReader) -> bytes:
    """Of a first synchronisation."""
    fake.answers = lambda: [named(1), ended(b"one", deletes=False)]
    records, result = await take(reader.read_syncrepl(None))
    assert (len(records), result.outcome, result.exhaustive) == (1, ReadOutcome.COMPLETE, True)
    assert result.cookie is not None
    return result.cookie


async def test_a_refresh_that_is_required_is_the_result(fake: FakeDirectory, reader: ChangeReader) -> None:
    """e-syncRefreshRequired (section 4.1) with a cookie says to read in full; without one it is an error."""
    cookie = await first_cookie(fake, reader)
    fake.answers = lambda: [(done(4096), b"")]
    _, result = await take(reader.read_syncrepl(cookie))
    assert (result.outcome, result.cookie) == (ReadOutcome.COOKIE_REFUSED, None)
    assert "LDAP result 4096" in result.reason
    _, result = await take(reader.read_syncrepl(None))
    assert (result.outcome, result.cookie) == (ReadOutcome.FAILED, None)


async def test_an_empty_present_phase_deletes_nobody(fake: FakeDirectory, reader: ChangeReader) -> None:
    """A client that takes it at its word deletes everything."""
    cookie = await first_cookie(fake, reader)
    fake.answers = lambda: [named(2), ended(b"two", deletes=False)]
    records, result = await take(reader.read_syncrepl(cookie))
    assert (len(records), result.outcome, result.exhaustive) == (1, ReadOutcome.COOKIE_REFUSED, False)


async def test_a_break_in_a_refresh_keeps_the_cookie(fake: FakeDirectory, reader: ChangeReader) -> None:
    """The new one may stand before the entries that it is about."""
    cookie = await first_cookie(fake, reader)
    fake.answers = lambda: [said(codec.tlv(controls.NEW_COOKIE, b"two")), named(2), (b"\x42\x00", b"")]
    records, result = await take(reader.read_syncrepl(cookie))
    assert (len(records), result.outcome, result.cookie) == (1, ReadOutcome.PARTIAL, cookie)


async def test_a_synchronisation_without_its_end_is_none(fake: FakeDirectory, reader: ChangeReader) -> None:
    """A server that ignores the control would be read as if nothing were deleted."""
    fake.answers = lambda: [named(1), (done(), b"")]
    _, result = await take(reader.read_syncrepl(None))
    assert (result.outcome, result.exhaustive, result.cookie) == (ReadOutcome.PARTIAL, False, None)
    assert "without its control" in result.reason


@pytest.mark.parametrize("entry_uuid", [b"", b"no-uuid", b"\xff"])
async def test_a_base_without_an_identity(fake: FakeDirectory, reader: ChangeReader, entry_uuid: bytes) -> None:
    """Then no cookie could be bound."""
    fake.entry_uuid = entry_uuid
    _, result = await take(reader.read_syncrepl(None))
    assert (result.outcome, f"entryUUID of {ROOT}" in result.reason) == (ReadOutcome.FAILED, True)


async def test_a_wait_tells_what_happens_after_the_refresh(fake: FakeDirectory, reader: ChangeReader) -> None:
    """Without a cookie, the refresh is nobody's change; a server that ends the wait may refuse it."""
    refreshed = said(codec.tlv(controls.REFRESH_DELETE, b""))
    fake.answers = lambda: [named(1), refreshed, named(2), named(0), named(3), ended(b"two", deletes=True)]
    records, result = await take(reader.wait_for_change(None, seconds=5))
    assert [record.kind for record in records] == [RecordKind.WHOLE, RecordKind.DELETED]
    assert (result.outcome, result.cookie) == (ReadOutcome.COMPLETE, None)
    fake.answers = lambda: [(done(11), b"")]
    _, result = await take(reader.wait_for_change(None, seconds=5))
    assert (result.outcome, "LDAP result 11" in result.reason) == (ReadOutcome.FAILED, True)
