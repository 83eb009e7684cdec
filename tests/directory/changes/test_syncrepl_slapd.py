"""Content synchronisation (RFC 4533) with a real OpenLDAP, whose session log holds four operations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from demo.slapd import BASE_DN, ThrowawaySlapd
from directory import ChangeReader, DirectoryRecord, Reading, ReadOutcome, ReadResult, RecordKind
from directory.changes.cookies import ReadCookie, open_cookie
from tests.support.slapd import settings_of

pytestmark = pytest.mark.slapd


@pytest.fixture(scope="module")
def slapd() -> Iterator[ThrowawaySlapd]:
    """With twelve people."""
    with ThrowawaySlapd(people=12, session_log=4) as running:
        yield running


@pytest.fixture
async def reader(slapd: ThrowawaySlapd) -> AsyncIterator[ChangeReader]:
    made = ChangeReader(settings_of(slapd))
    yield made
    await made.close()


async def take(reading: Reading) -> tuple[list[DirectoryRecord], ReadResult]:
    """All of it."""
    async with reading:
        records = [record async for record in reading]
    return records, reading.result


def rename(slapd: ThrowawaySlapd, number: int, name: str) -> None:
    """One operation."""
    slapd.modify(f"dn: {slapd.dn(number)}\nchangetype: modify\nreplace: sn\nsn: {name}\n")


async def test_everything_then_what_changed(slapd: ThrowawaySlapd, reader: ChangeReader) -> None:
    """The same keys as a full reading; then one changed, one renamed, one deleted, in a delete phase; then nothing."""
    told, first = await take(reader.read_syncrepl(None, attributes=("sn",)))
    read, full = await take(reader.read_full(attributes=("sn",)))
    assert (first.outcome, first.exhaustive, full.exhaustive) == (ReadOutcome.COMPLETE, True, True)
    assert {record.key: record.dn for record in told} == {record.key: record.dn for record in read}
    keys = {record.dn: record.key for record in read}

    rename(slapd, 1, "Changed")
    slapd.modify(f"dn: {slapd.dn(2)}\nchangetype: modrdn\nnewrdn: uid=renamed\ndeleteoldrdn: 1\n")
    slapd.modify(f"dn: {slapd.dn(3)}\nchangetype: delete\n")
    told, second = await take(reader.read_syncrepl(first.cookie, attributes=("sn",)))
    assert (second.outcome, second.exhaustive) == (ReadOutcome.COMPLETE, False)
    by_key = {record.key: record for record in told}
    assert by_key[keys[slapd.dn(1)]].attributes == {b"sn": [b"Changed"]}
    assert by_key[keys[slapd.dn(2)]].dn == f"uid=renamed,{BASE_DN}"
    assert by_key[keys[slapd.dn(3)]].kind is RecordKind.DELETED
    assert len(told) == 3

    told, third = await take(reader.read_syncrepl(second.cookie, attributes=("sn",)))
    assert (told, third.outcome, third.exhaustive) == ([], ReadOutcome.COMPLETE, False)
    assert third.cookie == second.cookie


async def test_a_session_log_that_is_full_makes_a_present_phase(slapd: ThrowawaySlapd, reader: ChangeReader) -> None:
    """Every entry is named, so that who is not named is gone."""
    told, first = await take(reader.read_syncrepl(None, attributes=("sn",)))
    keys = {record.dn: record.key for record in told}
    slapd.modify(f"dn: {slapd.dn(5)}\nchangetype: delete\n")
    for number in range(6):
        rename(slapd, 6, f"Name{number}")
    told, result = await take(reader.read_syncrepl(first.cookie, attributes=("sn",)))
    assert (result.outcome, result.exhaustive) == (ReadOutcome.COMPLETE, True)
    assert {keys[slapd.dn(6)]} == {record.key for record in told if record.kind is RecordKind.WHOLE}
    assert {record.key for record in told} == set(keys.values()) - {keys[slapd.dn(5)]}
    _, again = await take(reader.read_syncrepl(result.cookie, attributes=("sn",)))
    assert (again.outcome, again.exhaustive) == (ReadOutcome.COMPLETE, False)


async def test_who_does_not_match_is_told_as_deleted(slapd: ThrowawaySlapd, reader: ChangeReader) -> None:
    """OpenLDAP does not know whether somebody matched before: a deletion may be of one that was never told of."""
    (one,), first = await take(reader.read_syncrepl(None, matching="(uid=person7)"))
    rename(slapd, 8, "Unrelated")
    told, result = await take(reader.read_syncrepl(first.cookie, matching="(uid=person7)"))
    assert [(record.kind, record.key == one.key) for record in told] == [(RecordKind.DELETED, False)]
    assert (result.outcome, result.exhaustive) == (ReadOutcome.COMPLETE, False)


async def test_cookies_that_cannot_be_used(slapd: ThrowawaySlapd, reader: ChangeReader) -> None:
    """One from the future, one that is none, one of another database: read in full."""
    _, first = await take(reader.read_syncrepl(None))
    known = open_cookie(first.cookie or b"", "syncrepl", None)
    future = b"rid=000,csn=20990101000000.000000Z#000000#000#000000"
    for database, opaque, reason in (
        (known.database, future, "LDAP result 53"),
        (known.database, b"garbage", "gives no cookie"),
        (b"e" * 16, known.opaque, "another database"),
    ):
        cookie = ReadCookie("syncrepl", database, known.question, opaque).seal()
        _, result = await take(reader.read_syncrepl(cookie))
        assert (result.outcome, result.cookie, result.exhaustive) == (ReadOutcome.COOKIE_REFUSED, None, False)
        assert reason in result.reason


async def test_changes_are_told_as_they_happen(slapd: ThrowawaySlapd, reader: ChangeReader) -> None:
    """What changed since the cookie is told first, too; without a cookie, only what happens."""
    _, first = await take(reader.read_syncrepl(None))
    rename(slapd, 9, "Before")
    async with reader.wait_for_change(first.cookie, seconds=5) as reading:
        assert (await anext(reading)).dn == slapd.dn(9)
    async with reader.wait_for_change(None, seconds=0.5) as reading:
        assert await reading.begin()
        await asyncio.sleep(0.1)  # the refresh, which is nobody's change
        await asyncio.to_thread(rename, slapd, 10, "After")
        assert [record.dn async for record in reading] == [slapd.dn(10)]
    assert (reading.result.outcome, reading.result.cookie) == (ReadOutcome.COMPLETE, None)


async def test_a_server_without_synchronisation_says_so() -> None:
    """The control is critical."""
    with ThrowawaySlapd(people=1) as plain:
        reader = ChangeReader(settings_of(plain))
        _, result = await take(reader.read_syncrepl(None))
        await reader.close()
    assert (result.outcome, "LDAP result 12" in result.reason) == (ReadOutcome.FAILED, True)
