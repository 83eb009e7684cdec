"""Readings, against a domain controller that limits what it sends as Windows does, and that misbehaves."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import uvloop

from demo.throwaway_tls import write_certificates
from directory import (
    ChangeReader,
    DirectoryRecord,
    DirectorySettings,
    Reading,
    ReadLimits,
    ReadOutcome,
    ReadResult,
    RecordKind,
    TlsSettings,
)
from directory.changes import controls
from directory.changes.cookies import open_cookie
from directory.ldap import codec
from directory.ldap.receive_buffer import LARGEST_UNASKED
from tests.support.fake_directory import ROOT, FakeDirectory, HangUpNow, control, done, entry
from tests.support.relay_and_agent import eventually

Open = Callable[..., ChangeReader]
LIMITS = ReadLimits(silence=0.15, seconds=20)
ATTRIBUTES = ("mail", "member")


@pytest.fixture
async def fake() -> AsyncIterator[FakeDirectory]:
    async with FakeDirectory() as server:
        yield server


@pytest.fixture(scope="module")
def small_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One authority: all those of the system would take longer to read than a test takes."""
    directory = tmp_path_factory.mktemp("authority")
    write_certificates(directory, dns_name="localhost", address="127.0.0.1")
    return directory / "ca.pem"


@pytest.fixture
async def reader_of(small_ca: Path) -> AsyncIterator[Open]:
    """A reader of these servers; other limits and settings where the test wants."""
    async with AsyncExitStack() as opened:

        def build(*servers: FakeDirectory, limits: ReadLimits = LIMITS, **settings: Any) -> ChangeReader:
            reader = ChangeReader(
                DirectorySettings(
                    name="corp",
                    servers=tuple(server.server for server in servers),
                    base_dn=ROOT,
                    send_passwords_unencrypted_over_the_network=True,
                    search_timeout=0.3,
                    tls=TlsSettings(ca_file=small_ca),
                    **settings,
                ),
                limits,
            )
            opened.push_async_callback(reader.close)
            return reader

        yield build


@pytest.fixture
def reader(reader_of: Open, fake: FakeDirectory) -> ChangeReader:
    return reader_of(fake)


async def take(reading: Reading) -> tuple[list[DirectoryRecord], ReadResult]:
    """All of it."""
    async with reading:
        records = [record async for record in reading]
    assert reading.result.records == len(records)
    return records, reading.result


def people(fake: FakeDirectory, count: int) -> None:
    """So many objects."""
    for number in range(count):
        fake.add(f"CN={number},{ROOT}", mail=b"%d@corp" % number)


def changed(number: int, **attributes: list[bytes]) -> tuple[str, dict[str, list[bytes]]]:
    """An object that DirSync tells of."""
    return f"CN={number},{ROOT}", {"objectGUID": [b"%016d" % number], **attributes}


async def test_a_directory_of_several_pages_is_read_to_its_end(fake: FakeDirectory, reader: ChangeReader) -> None:
    """Windows gives 1,000 rows at a time, whatever was asked for."""
    people(fake, 2500)
    records, result = await take(reader.read_full(attributes=("mail",)))
    assert (result.outcome, result.exhaustive, result.cookie) == (ReadOutcome.COMPLETE, True, None)
    assert [record.attributes[b"mail"] for record in records] == [[b"%d@corp" % number] for number in range(2500)]
    assert {record.kind for record in records} == {RecordKind.WHOLE}
    assert len(fake.requests) == 3


async def test_what_is_asked_beside_pages(fake: FakeDirectory, reader: ChangeReader) -> None:
    """Controls for deleted objects and extended names, where they are wanted."""
    await take(reader.read_full())
    await take(reader.read_full(deleted=True, extended_dn=True))
    assert [set(request) for request in fake.requests] == [
        {controls.PAGED_RESULTS},
        {controls.PAGED_RESULTS, controls.SHOW_DELETED, controls.SHOW_RECYCLED, controls.EXTENDED_DN},
    ]


@pytest.mark.parametrize("plain_first", [True, False])
async def test_an_attribute_that_comes_in_part_is_completed(
    fake: FakeDirectory, reader: ChangeReader, plain_first: bool
) -> None:
    """1,500 values at a time; the entry's other attributes and the other entries stay as they are."""
    fake.plain_first = plain_first
    members = [b"CN=%d" % number for number in range(4000)]
    people(fake, 1)
    fake.add(f"CN=group,{ROOT}", mail=b"group@corp", member=members)
    people(fake, 3)
    records, result = await take(reader.read_full(attributes=ATTRIBUTES))
    assert result.outcome is ReadOutcome.COMPLETE
    group = next(record for record in records if b"member" in record.attributes)
    assert group.attributes[b"member"] == members
    assert set(group.attributes) == {b"objectguid", b"usnchanged", b"mail", b"member"}
    assert len(records) == 4


async def test_a_group_that_changes_between_two_ranges_is_read_again(fake: FakeDirectory, reader: ChangeReader) -> None:
    """Its values may have moved to a range that was read already."""
    guid = fake.add(f"CN=group,{ROOT}", member=[b"CN=%d" % number for number in range(4000)])
    asked = 0

    def remove_one() -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            attributes = fake.objects[guid][1]
            del attributes["member"][0]
            attributes["uSNChanged"] = [b"101"]

    fake.at_range = remove_one
    records, result = await take(reader.read_full(attributes=ATTRIBUTES))
    assert result.outcome is ReadOutcome.COMPLETE
    assert records[0].attributes[b"member"] == [b"CN=%d" % number for number in range(1, 4000)]


async def test_a_group_that_never_rests_makes_the_reading_partial(fake: FakeDirectory, reader: ChangeReader) -> None:
    """What was read of it may lack members: nothing is told of it."""
    people(fake, 1)
    guid = fake.add(f"CN=group,{ROOT}", member=[b"CN=%d" % number for number in range(4000)])
    numbers = iter(range(10_000))
    fake.at_range = lambda: fake.objects[guid][1].update(uSNChanged=[b"%d" % next(numbers)])
    records, result = await take(reader.read_full(attributes=ATTRIBUTES))
    assert (len(records), result.outcome, result.exhaustive) == (1, ReadOutcome.PARTIAL, False)
    assert "member of CN=group" in result.reason


async def test_so_many_flaws_are_named(fake: FakeDirectory, reader: ChangeReader) -> None:
    """A reason is read by people: the first five."""
    for number in range(7):
        fake.add(f"CN=group{number},{ROOT}", member=[b"CN=%d" % number for number in range(1501)])
    fake.at_range = fake.objects.clear
    _, result = await take(reader.read_full(attributes=ATTRIBUTES))
    assert (result.outcome, result.reason.count("member of CN=group")) == (ReadOutcome.PARTIAL, 5)


async def test_a_group_that_vanishes_between_two_ranges_makes_the_reading_partial(
    fake: FakeDirectory, reader: ChangeReader
) -> None:
    """Nothing says that what was read is all of it."""
    fake.add(f"CN=group,{ROOT}", member=[b"CN=%d" % number for number in range(4000)])
    fake.at_range = fake.objects.clear
    _, result = await take(reader.read_full(attributes=ATTRIBUTES))
    assert (result.outcome, result.exhaustive) == (ReadOutcome.PARTIAL, False)


async def test_an_entry_without_a_key_makes_the_reading_partial(fake: FakeDirectory, reader: ChangeReader) -> None:
    """Whoever it stands for would look absent."""
    people(fake, 2)
    for _, attributes in fake.objects.values():
        del attributes["objectGUID"]
    fake.add(f"CN=readable,{ROOT}")
    records, result = await take(reader.read_full())
    assert (result.outcome, result.exhaustive, len(records)) == (ReadOutcome.PARTIAL, False, 1)
    assert result.reason == f"entries without a readable objectGUID, the first of them CN=0,{ROOT}"


async def test_changes_in_several_parts(fake: FakeDirectory, reader: ChangeReader) -> None:
    """Each part has a cookie; the last one is that of the result, and the next reading begins there."""
    fake.changes = [changed(number, mail=[b"x"]) for number in range(5)]
    records, result = await take(reader.read_dirsync(None, attributes=ATTRIBUTES))
    assert (len(records), result.outcome, result.exhaustive) == (5, ReadOutcome.COMPLETE, True)
    assert {record.kind for record in records} == {RecordKind.CHANGED}
    assert len(fake.requests) == 3
    fake.changes += [changed(9, **{"member;range=1-1": [b"CN=a"], "member;range=0-0": [b"CN=b"]}), changed(1, mail=[])]
    records, result = await take(reader.read_dirsync(result.cookie, attributes=ATTRIBUTES))
    assert (result.outcome, result.exhaustive) == (ReadOutcome.COMPLETE, False)
    assert [(record.added, record.removed, record.cleared) for record in records] == [
        ({b"member": [b"CN=a"]}, {b"member": [b"CN=b"]}, ()),
        ({}, {}, (b"mail",)),
    ]
    records, result = await take(reader.read_dirsync(result.cookie, attributes=ATTRIBUTES))
    assert (records, result.outcome) == ([], ReadOutcome.COMPLETE)


async def test_a_change_that_comes_in_part_is_completed(fake: FakeDirectory, reader: ChangeReader) -> None:
    """A range of values that is none of single ones; what vanished meanwhile has to be told again."""
    members = [b"CN=%d" % number for number in range(2000)]
    guid = fake.add(f"CN=group,{ROOT}", member=members)
    reference = codec.tlv(codec.REFERENCE, codec.octets(b"ldap://elsewhere"))
    part = {
        "objectGUID": [guid],
        "member;range=0-1499": members[:1500],
        "manager;range=0-0": [b"CN=x"],
        "mail;range=0-*": [b"all"],
    }
    last = control(controls.DIRSYNC, codec.integer(0) + codec.integer(0) + codec.octets(b"1"))
    fake.answers = lambda: [(reference, b""), (entry(f"CN=group,{ROOT}", part), b""), (done(), last)]
    (record,), result = await take(reader.read_dirsync(None, attributes=ATTRIBUTES))
    assert (record.attributes[b"member"], record.removed) == (members, {b"manager": [b"CN=x"]})
    assert record.attributes[b"mail"] == [b"all"]
    assert result.outcome is ReadOutcome.COMPLETE
    fake.objects.clear()
    records, again = await take(reader.read_dirsync(result.cookie, attributes=ATTRIBUTES))
    assert (records, again.outcome, again.cookie) == ([], ReadOutcome.PARTIAL, result.cookie)


async def test_a_break_between_two_parts_is_continued(fake: FakeDirectory, reader: ChangeReader, reader_of: Open) -> None:
    """Of a later reading: what came before is not told again. Of the first one nothing is kept: it is read in full."""
    fake.changes = [changed(number) for number in range(6)]
    _, first = await take(reader.read_dirsync(None, attributes=ATTRIBUTES))
    fake.changes += [changed(number) for number in range(10, 16)]
    parts = 0

    def hang_up_in_the_second_part(number: int, message: bytes) -> bytes:
        nonlocal parts
        parts += number == 0
        if parts == 2 and number == 1:
            raise HangUpNow
        return message

    fake.spoil = hang_up_in_the_second_part
    records, result = await take(reader.read_dirsync(first.cookie, attributes=ATTRIBUTES))
    assert (result.outcome, len(records)) == (ReadOutcome.PARTIAL, 3)
    assert result.cookie not in (None, first.cookie)
    fake.spoil = lambda number, message: message
    records, result = await take(reader_of(fake).read_dirsync(result.cookie, attributes=ATTRIBUTES))
    assert (result.outcome, [record.dn for record in records]) == (
        ReadOutcome.COMPLETE,
        [f"CN={number},{ROOT}" for number in range(12, 16)],
    )
    parts, fake.spoil = 0, hang_up_in_the_second_part
    _, result = await take(reader_of(fake).read_dirsync(None, attributes=ATTRIBUTES))
    assert (result.outcome, result.cookie, result.exhaustive) == (ReadOutcome.PARTIAL, None, False)


async def test_what_came_with_a_flaw_is_told_again(fake: FakeDirectory, reader: ChangeReader) -> None:
    """The cookie stays the one that was given."""
    fake.changes = [changed(1)]
    _, first = await take(reader.read_dirsync(None, attributes=ATTRIBUTES))
    fake.changes += [(f"CN=nameless,{ROOT}", {"mail": [b"x"]})]
    _, result = await take(reader.read_dirsync(first.cookie, attributes=ATTRIBUTES))
    assert (result.outcome, result.cookie) == (ReadOutcome.PARTIAL, first.cookie)


@pytest.mark.parametrize("code", [2, 12])
async def test_a_cookie_that_the_server_does_not_take(fake: FakeDirectory, reader: ChangeReader, code: int) -> None:
    """A result that says to read in full, not an error."""
    _, result = await take(reader.read_dirsync(None, attributes=ATTRIBUTES))
    fake.cookie_result = code
    records, refused = await take(reader.read_dirsync(result.cookie, attributes=ATTRIBUTES))
    assert (records, refused.outcome, refused.cookie) == ([], ReadOutcome.COOKIE_REFUSED, None)
    assert f"LDAP result {code}" in refused.reason


async def test_a_refusal_without_a_cookie_is_not_about_the_cookie(fake: FakeDirectory, reader: ChangeReader) -> None:
    """Else a server without DirSync would be read in full for ever."""
    fake.result = 12
    _, result = await take(reader.read_dirsync(None, attributes=ATTRIBUTES))
    assert (result.outcome, result.cookie) == (ReadOutcome.FAILED, None)
    assert "LDAP result 12" in result.reason


async def test_a_cookie_for_other_attributes_is_refused_unasked(fake: FakeDirectory, reader: ChangeReader) -> None:
    """As a damaged one is."""
    _, result = await take(reader.read_dirsync(None, attributes=ATTRIBUTES))
    assert result.cookie is not None
    asked = len(fake.requests)
    for reading in (
        reader.read_dirsync(result.cookie, attributes=("mail",)),
        reader.read_dirsync(result.cookie, attributes=ATTRIBUTES, incremental=False),
        reader.read_dirsync(result.cookie[:-1], attributes=ATTRIBUTES),
        reader.read_syncrepl(result.cookie, attributes=ATTRIBUTES),
    ):
        _, refused = await take(reading)
        assert refused.outcome is ReadOutcome.COOKIE_REFUSED
    assert len(fake.requests) == asked


async def test_a_cookie_leads_to_the_domain_controller_that_gave_it(reader_of: Open) -> None:
    """Where that one is gone, the others refuse it."""
    async with FakeDirectory(invocation_id=b"1" * 16) as one, FakeDirectory(invocation_id=b"2" * 16) as two:
        _, first = await take(reader_of(two).read_dirsync(None))
        for servers in ((one, two), (two, one)):
            _, result = await take(reader_of(*servers).read_dirsync(first.cookie))
            assert (result.outcome, result.controller) == (ReadOutcome.COMPLETE, f"127.0.0.1:{two.port}")
        assert one.requests == []
        _, result = await take(reader_of(one).read_dirsync(first.cookie))
        assert (result.outcome, result.cookie) == (ReadOutcome.COOKIE_REFUSED, None)
        assert "another database" in result.reason


async def test_a_domain_controller_that_was_put_back_is_noticed(fake: FakeDirectory, reader: ChangeReader) -> None:
    """Its highestCommittedUSN has gone back."""
    _, first = await take(reader.read_dirsync(None))
    fake.usn -= 1
    _, result = await take(reader.read_dirsync(first.cookie))
    assert (result.outcome, result.cookie) == (ReadOutcome.COOKIE_REFUSED, None)
    fake.usn += 2
    _, result = await take(reader.read_dirsync(first.cookie))
    assert result.outcome is ReadOutcome.COMPLETE
    assert open_cookie(result.cookie or b"", "dirsync", None).usn == fake.usn


async def test_a_domain_controller_that_hides_its_invocation_id(fake: FakeDirectory, reader: ChangeReader) -> None:
    """Then no cookie could be bound."""
    fake.invocation_id = b""
    _, result = await take(reader.read_dirsync(None))
    assert result.outcome is ReadOutcome.FAILED
    assert "invocationId of CN=NTDS Settings" in result.reason
    assert "Let the service account read it" in result.reason


async def test_another_domain_controller_is_asked_until_the_first_record(reader_of: Open) -> None:
    """Then no more: the reading is partial, and the one that failed is left alone."""
    async with FakeDirectory() as one, FakeDirectory() as two:
        for server in (one, two):
            people(server, 5)
        reader = reader_of(one, two)
        _, result = await take(reader.read_full())
        first, second = (one, two) if one.requests else (two, one)

        def hang_up(number: int, message: bytes) -> bytes:
            raise HangUpNow

        first.spoil = hang_up
        records, result = await take(reader.read_full())
        assert (result.outcome, len(records), result.controller) == (
            ReadOutcome.COMPLETE,
            5,
            f"127.0.0.1:{second.port}",
        )
        asked = len(first.requests)
        await take(reader.read_full())
        assert len(first.requests) == asked

        for server in (one, two):
            server.spoil = lambda number, message: message if number < 2 else hang_up(number, message)
        asked = len(one.requests) + len(two.requests)
        records, result = await take(reader_of(one, two).read_full())
        assert (result.outcome, len(records), result.exhaustive) == (ReadOutcome.PARTIAL, 2, False)
        assert len(one.requests) + len(two.requests) == asked + 1


@pytest.mark.parametrize("code", [51, 52])
async def test_a_busy_domain_controller_is_passed_over(reader_of: Open, code: int) -> None:
    """RFC 4511 section 4.1.9."""
    async with FakeDirectory(result=code) as one, FakeDirectory(result=code) as two:
        _, result = await take(reader_of(one, two).read_full())
        assert (result.outcome, len(one.requests), len(two.requests)) == (ReadOutcome.FAILED, 1, 1)
        assert f"LDAP result {code}" in result.reason


@pytest.mark.parametrize("code", [1, 3, 4, 11, 50, 53, 80])
async def test_a_refusal_is_the_result(reader_of: Open, code: int) -> None:
    """Another domain controller would say the same."""
    async with FakeDirectory(result=code) as one, FakeDirectory(result=code) as two:
        _, result = await take(reader_of(one, two).read_full())
        assert (result.outcome, len(one.requests) + len(two.requests)) == (ReadOutcome.FAILED, 1)
        assert f"LDAP result {code}, as the test wants" in result.reason


async def test_a_base_that_is_not_there(fake: FakeDirectory, reader: ChangeReader) -> None:
    """Nothing is not everything: an empty directory is not what was read."""
    fake.result = 32
    _, result = await take(reader.read_full())
    assert (result.outcome, result.exhaustive) == (ReadOutcome.FAILED, False)
    assert "Correct `base_dn`" in result.reason


def spoiled(at: int, change: Callable[[bytes], bytes]) -> Callable[[int, bytes], bytes]:
    """One message is another one, and is the last one."""
    return lambda number, message: message if number < at else change(message) if number == at else b""


FOREIGN = codec.message(99, entry("CN=x", {"objectGUID": [b"k" * 16]}))
NOTICE = codec.message(0, codec.tlv(codec.EXTENDED_RESPONSE, codec.integer(52, 0x0A) + codec.octets(b"") * 2))
MISBEHAVIOUR = {
    "silence": (lambda message: b"", "no answer within 0.15 s"),
    "half a message, then silence": (lambda message: message[:-3], "no answer within 0.15 s"),
    "garbage": (lambda message: b"HTTP/1.1 400 Bad Request\r\n\r\n", "not an LDAP message"),
    "another number": (lambda message: FOREIGN, "answer to something else"),
    "an operation nobody asked for": (
        lambda message: codec.message(codec.open_message(message)[0], codec.tlv(codec.MODIFY_RESPONSE, b"")),
        "answer to something else",
    ),
    "an entry that is cut short": (
        lambda message: codec.message(codec.open_message(message)[0], codec.tlv(codec.ENTRY, b"\x04\x01a")),
        "cut short",
    ),
    "a notice that it hangs up": (lambda message: NOTICE, "hung up with a notice"),
    "more than is allowed": (lambda message: b"\x30\x84\x00\x01\x00\x01", "more than the 65536 allowed"),
}


@pytest.mark.parametrize("name", MISBEHAVIOUR)
@pytest.mark.parametrize("at", [0, 2])
async def test_misbehaviour_ends_the_reading(fake: FakeDirectory, reader_of: Open, name: str, at: int) -> None:
    """Never the process: it failed, or it is partial. The connection is not used again."""
    change, reason = MISBEHAVIOUR[name]
    people(fake, 5)
    fake.spoil = spoiled(at, change)
    reader = reader_of(fake, limits=ReadLimits(silence=0.15, seconds=20, largest_message=65536))
    records, result = await take(reader.read_full())
    assert len(records) == at
    assert result.outcome is (ReadOutcome.PARTIAL if at else ReadOutcome.FAILED)
    assert not result.exhaustive
    if at:
        assert reason in result.reason
    await eventually(lambda: not fake.open)


async def test_references_to_other_directories_are_passed_over(fake: FakeDirectory, reader: ChangeReader) -> None:
    """A domain's root refers to its partitions."""
    people(fake, 2)
    reference = codec.tlv(codec.REFERENCE, codec.octets(b"ldap://elsewhere"))
    fake.spoil = lambda number, message: codec.message(codec.open_message(message)[0], reference) if number == 1 else message
    records, result = await take(reader.read_full())
    assert (len(records), result.outcome) == (1, ReadOutcome.COMPLETE)


async def test_pages_without_an_end_are_ended(fake: FakeDirectory, reader: ChangeReader) -> None:
    """A server that gives the same cookie again and no rows."""
    same = control(controls.PAGED_RESULTS, codec.integer(0) + codec.octets(b"0"))
    fake.spoil = lambda number, message: codec.message(codec.open_message(message)[0], done(), same)
    _, result = await take(reader.read_full())
    assert "without an end" in result.reason


async def test_a_dirsync_without_an_end_is_ended(fake: FakeDirectory, reader: ChangeReader) -> None:
    """The same of DirSync; and one that gives no cookie at all is none."""
    same = control(controls.DIRSYNC, codec.integer(1) + codec.integer(0) + codec.octets(b""))
    for controls_of_it, reason in ((same, "without an end"), (b"", "without a cookie")):
        fake.spoil = lambda number, message, said=controls_of_it: codec.message(  # type: ignore[misc]
            codec.open_message(message)[0], done(), said
        )
        _, result = await take(reader.read_dirsync(None))
        assert (result.outcome, reason in result.reason) == (ReadOutcome.FAILED, True)
        reader._controllers._all[0].succeeded()


async def test_a_server_that_drips_is_given_up(fake: FakeDirectory, reader_of: Open) -> None:
    """It never stays silent for long enough: the time of the whole reading counts."""

    async def drip() -> None:
        while True:
            await asyncio.sleep(0.01)
            for writer in fake.open:
                writer.write(b"\0")

    fake.spoil = lambda number, message: b"\x30\x83\x0f\xff\xff"
    task = asyncio.create_task(drip())
    try:
        _, result = await take(reader_of(fake, limits=ReadLimits(silence=5, seconds=0.15)).read_full())
    finally:
        task.cancel()
    assert (result.outcome, "no answer" in result.reason) == (ReadOutcome.FAILED, True)


async def fill_up(servers: ssl.SSLContext | None, ca_file: Path) -> None:
    """Take one record, let the server send until it stands still, and take the rest."""
    async with FakeDirectory(tls=servers) as fake:
        for number in range(300):
            fake.add(f"CN={number},{ROOT}", photo=b"x" * 100_000)
        reader = ChangeReader(
            DirectorySettings(
                name="corp",
                servers=(fake.server,),
                base_dn=ROOT,
                send_passwords_unencrypted_over_the_network=True,
                tls=TlsSettings(ca_file=ca_file),
            ),
            LIMITS,
        )
        async with reader.read_full() as reading:
            await anext(reading)
            before = -1
            while fake.written != before:
                before = fake.written
                await asyncio.sleep(0.03)
            (connection,) = reader._controllers._all[0]._open
            assert len(connection._stream.buffer) < LARGEST_UNASKED + 1024 * 1024
            assert fake.written < 15_000_000
            assert len([record async for record in reading]) == 299
        assert reading.result.outcome is ReadOutcome.COMPLETE
        await reader.close()


@pytest.mark.parametrize(
    ("loop", "secure"),
    [(asyncio.new_event_loop, False), (asyncio.new_event_loop, True), (uvloop.new_event_loop, True)],
)
def test_a_server_has_to_wait_for_a_busy_reader(
    loop: Callable[[], asyncio.AbstractEventLoop], secure: bool, small_ca: Path
) -> None:
    """What it sends meanwhile fills the socket, not our memory; nothing of it is lost. Through TLS and in both loops."""
    servers = None
    if secure:
        servers = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        servers.load_cert_chain(small_ca.with_name("cert.pem"), small_ca.with_name("key.pem"))
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(fill_up(servers, small_ca))


async def test_one_message_may_be_larger_than_any_sign_in_allows(fake: FakeDirectory, reader_of: Open) -> None:
    """A group of 250,000 members comes as one message from Samba: as large as the reader's limit says, and not larger."""
    large = b"x" * (codec.LARGEST_MESSAGE + 1)
    fake.add(f"CN=large,{ROOT}", photo=large)
    records, result = await take(reader_of(fake).read_full())
    assert (result.outcome, records[0].attributes[b"photo"]) == (ReadOutcome.COMPLETE, [large])
    _, result = await take(reader_of(fake, limits=ReadLimits(largest_message=codec.LARGEST_MESSAGE)).read_full())
    assert (result.outcome, "allowed" in result.reason) == (ReadOutcome.FAILED, True)


async def test_leaving_a_reading_early_hangs_up(fake: FakeDirectory, reader: ChangeReader) -> None:
    """The server need not go on for nobody; there is no result."""
    people(fake, 2000)
    async with reader.read_full() as reading:
        await anext(reading)
    await eventually(lambda: not fake.open)
    with pytest.raises(RuntimeError, match="not ended"):
        _ = reading.result
    assert [record async for record in reading] == []
    controller = reader._controllers._all[0]
    assert (controller.in_flight, len(controller._open)) == (0, 0)


async def test_being_cancelled_leaves_nothing_behind(fake: FakeDirectory, reader: ChangeReader) -> None:
    """In the middle of a wait for the server."""
    fake.spoil = lambda number, message: b""
    task = asyncio.create_task(take(reader.read_full()))
    await eventually(lambda: bool(fake.requests))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: not fake.open)
    controller = reader._controllers._all[0]
    assert (controller.in_flight, len(controller._open), controller.is_up) == (0, 0, True)


async def test_a_connection_serves_one_reading_after_another(fake: FakeDirectory, reader: ChangeReader) -> None:
    """Where the first one was taken to its end, slowly or not."""
    for number in range(20):
        fake.add(f"CN={number},{ROOT}", photo=b"x" * 50_000)
    for _ in range(2):
        async with reader.read_full() as reading:
            async for _record in reading:
                await asyncio.sleep(0)
        assert reading.result.outcome is ReadOutcome.COMPLETE
    assert len(fake.open) == 1


async def test_a_server_that_speaks_unasked_after_a_reading_is_hung_up_on(fake: FakeDirectory, reader: ChangeReader) -> None:
    """As one that has been asked nothing: the connection is an ordinary one again."""
    await take(reader.read_full())
    (writer,) = fake.open
    writer.write(b"x" * (3 * LARGEST_UNASKED))
    await eventually(lambda: not fake.open)


async def test_a_defect_of_the_consumer_passes_through(fake: FakeDirectory, reader: ChangeReader) -> None:
    """It is not the directory's."""
    people(fake, 3)

    async def stumble() -> None:
        async with reader.read_full() as reading:
            async for _ in reading:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await stumble()
    await eventually(lambda: not fake.open)


async def test_the_service_account_that_is_refused_is_the_result(fake: FakeDirectory, reader_of: Open) -> None:
    """As is a password that cannot be read."""
    reader = reader_of(fake, service_user="svc", service_password_env="ISTHMUS_NO_SUCH_VARIABLE")
    _, result = await take(reader.read_full())
    assert (result.outcome, "service_password_env" in result.reason) == (ReadOutcome.FAILED, True)


async def test_changes_are_told_as_they_happen(fake: FakeDirectory, reader_of: Open) -> None:
    """What was asked for before anything happened is known by `begin`; after so many seconds the wait is complete."""
    fake.changes = [changed(1), changed(2, isDeleted=[b"TRUE"])]
    fake.spoil = lambda number, message: message if number < 2 else b""
    reader = reader_of(fake)
    async with reader.wait_for_change(None, seconds=0.2) as reading:
        assert await reading.begin()
        records = [(record.kind, record.key) async for record in reading]
    assert records == [(RecordKind.CHANGED, b"%016d" % 1), (RecordKind.DELETED, b"%016d" % 2)]
    assert (reading.result.outcome, reading.result.cookie) == (ReadOutcome.COMPLETE, None)
    assert set(fake.requests[0]) == {controls.NOTIFICATION}
    await eventually(lambda: not fake.open)


async def test_a_wait_that_cannot_begin_says_so(fake: FakeDirectory, reader: ChangeReader, reader_of: Open) -> None:
    """For a cookie of another domain controller; and a break in the middle of a wait is not quiet."""
    _, first = await take(reader.read_dirsync(None))
    fake.invocation_id = b"another-id-of-it"
    async with reader.wait_for_change(first.cookie, seconds=5) as reading:
        assert not await reading.begin()
    assert reading.result.outcome is ReadOutcome.COOKIE_REFUSED

    def hang_up(number: int, message: bytes) -> bytes:
        raise HangUpNow

    async with FakeDirectory() as other:
        for server in (fake, other):
            server.changes, server.spoil = [changed(1)], hang_up
        asked = len(fake.requests)
        async with reader_of(fake, other).wait_for_change(None, seconds=5) as reading:
            assert await reading.begin()
            assert [record async for record in reading] == []
        assert reading.result.outcome is ReadOutcome.FAILED
        # who was told that it has begun must not wait elsewhere without knowing it: changes in between would be missed
        assert len(fake.requests) + len(other.requests) == asked + 1


async def test_a_wait_that_the_server_ends(fake: FakeDirectory, reader: ChangeReader) -> None:
    """As Windows does where there are too many on one connection (MaxNotificationPerConn); references are passed over."""
    fake.answers = lambda: [(codec.tlv(codec.REFERENCE, codec.octets(b"ldap://elsewhere")), b""), (done(11), b"")]
    records, result = await take(reader.wait_for_change(None, seconds=5))
    assert (records, result.outcome, "LDAP result 11" in result.reason) == ([], ReadOutcome.FAILED, True)


async def test_only_a_wait_begins(fake: FakeDirectory, reader: ChangeReader) -> None:
    """Of any other reading the first record would be lost."""
    people(fake, 1)
    async with reader.read_full() as reading:
        with pytest.raises(RuntimeError, match="waits"):
            await reading.begin()
