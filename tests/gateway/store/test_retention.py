"""Pruning the trail: what is old goes, the rest verifies, and nobody can use it to make something else disappear."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.housekeeping import Housekeeping
from gateway.protocol import AccountId
from gateway.store import (
    AuditBroken,
    AuditEvent,
    AuditHead,
    AuditHeads,
    AuditSettings,
    DutyLost,
    PruneReport,
    Retention,
    Store,
)
from gateway.store.audit import AuditAnchor
from gateway.store.retention import DAY, oldest_kept
from gateway.store.tables import metadata
from gateway.store.trail import SqlAuditLog
from gateway.store.witness import pruned_hash
from tests.gateway.store.conftest import NOW, Opener
from tests.gateway.store.test_audit import event, fill, ids, pages

Edit = Callable[..., None]
ANNA = AccountId("d1", "anna")


async def pruned(store: Store, before: float, portions: int = 40) -> PruneReport:
    return await store.audit.prune(NOW + before, NOW + 1000, portions=portions)


async def test_what_is_old_goes_and_the_rest_verifies(opener: Opener) -> None:
    """Of each chain its beginning; `verify` says how many are gone, and up to when. What is written later follows on."""
    first, second = opener(), opener()
    await fill(first, 20)
    await fill(second, 20, first=10)
    assert (await pruned(first, 15)).entries == 15 + 5
    report = await first.audit.verify()
    assert (report.entries, report.pruned, report.pruned_until) == (20, 20, NOW + 14)
    assert [(head.chain, head.seq) for head in report.heads] == [(1, 20), (2, 20)]
    assert (await ids(first, limit=100))[-2:] == ["2-6", "1-16"]
    await fill(first, 1, first=50)
    assert (await pruned(first, 60)).entries == 21
    report = await second.audit.verify()
    assert (report.entries, report.pruned, report.pruned_until) == (0, 41, NOW + 50)
    await fill(second, 2, first=70)
    assert (await first.audit.verify()).entries == 2
    assert (await pruned(first, 60)).entries == 0


async def test_it_goes_in_portions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many at most; the next round goes on. Each leaves a trail that verifies."""
    monkeypatch.setattr("gateway.store.trail_retention.PORTION", 4)
    await fill(store, 30)
    for left in (22, 14, 10):
        await pruned(store, 20, portions=2)
        report = await store.audit.verify()
        assert (report.entries, report.pruned) == (left, 30 - left)


async def test_only_whoever_has_the_duty_prunes(store: Store) -> None:
    """One that slept past its lease writes nothing."""
    await fill(store, 3)
    lease = await store.duties.take("retention", "here", now=NOW, until=NOW + 1)
    assert await store.duties.take("retention", "there", now=NOW + 2, until=NOW + 9) is not None
    with pytest.raises(DutyLost):
        await store.audit.prune(NOW + 10, NOW, lease)
    assert (await store.audit.verify()).entries == 3


async def test_a_clock_that_was_wrong_takes_nothing_young_along(store: Store) -> None:
    """One entry from long ago behind young ones: they stay. One from the far future in between: it is no hindrance."""
    for time in (1, 2, 4e8, 3, 50, -9e6, 51):
        await store.audit.append(event(time))  # type: ignore[arg-type]
    assert (await pruned(store, 10)).entries == 4
    assert (await ids(store))[::-1] == ["1-6", "1-5", "1-7"]
    await store.audit.verify()


ANCHORS = {
    "a higher number": "UPDATE audit_anchors SET seq = 7",
    "a lower number": "UPDATE audit_anchors SET seq = 4",
    "another hash": "UPDATE audit_anchors SET hash = (SELECT hash FROM audit_entries WHERE seq = 7 AND chain = 1)",
    "another time": "UPDATE audit_anchors SET until = 7",
    "other entries that may be empty": "UPDATE audit_anchors SET emptied = hash",
    "another seal": "UPDATE audit_anchors SET seal = hash",
    "an unknown key": "UPDATE audit_anchors SET key_id = 'x'",
    "another chain's": "UPDATE audit_anchors SET chain = 2",
    "no chain's": "UPDATE audit_anchors SET chain = 9",
    "a negative number": "UPDATE audit_anchors SET seq = -5",
    "beyond the end": "UPDATE audit_anchors SET seq = 99",
}


@pytest.mark.parametrize("attack", ANCHORS)
async def test_an_anchor_that_was_tampered_with_is_found_out(
    store: Store, opener: Opener, tmp_path: Path, edit: Edit, attack: str
) -> None:
    """By `verify`, by the look of each minute as an alarm, and nothing more is pruned."""
    await fill(store, 10)
    await fill(opener(), 1, first=20)
    await pruned(store, 5)
    alarmed: list[str] = []
    heads = AuditHeads(store.audit, tmp_path, store.node, lambda kind, _fields: alarmed.append(kind))
    await heads.note()
    edit(ANCHORS[attack])
    with pytest.raises(AuditBroken):
        await store.audit.verify()
    for _ in range(2):
        await heads.note()
    assert alarmed == ["audit.broken"]
    assert len((await pruned(store, 8)).broken) >= 1
    assert len(await ids(store, limit=100)) == 6


async def test_entries_that_go_without_an_anchor_are_found_out(store: Store, edit: Edit) -> None:
    """Further ones, or the anchor itself; or an older anchor that was kept."""
    await fill(store, 10)
    await pruned(store, 3)
    edit("CREATE TABLE kept AS SELECT * FROM audit_anchors")
    await pruned(store, 6)
    edit("CREATE TABLE newer AS SELECT * FROM audit_anchors", "DELETE FROM audit_anchors")
    with pytest.raises(AuditBroken, match="entry 1-1: it is missing"):
        await store.audit.verify()
    edit("INSERT INTO audit_anchors SELECT * FROM kept")
    with pytest.raises(AuditBroken, match="entry 1-4: it is missing"):
        await store.audit.verify()
    edit(
        "DELETE FROM audit_anchors",
        "INSERT INTO audit_anchors SELECT * FROM newer",
        "DELETE FROM audit_entries WHERE seq = 7",
        "DELETE FROM audit_events WHERE seq = 7",
    )
    with pytest.raises(AuditBroken, match="entry 1-7: it is missing"):
        await store.audit.verify()


async def test_what_was_pruned_cannot_be_put_back_otherwise(store: Store, edit: Edit) -> None:
    """An entry where the chain was pruned is one that was inserted."""
    await fill(store, 5)
    await pruned(store, 3)
    edit("INSERT INTO audit_entries SELECT chain, 2, facts, digest, hash FROM audit_entries WHERE seq = 5")
    with pytest.raises(AuditBroken, match="entry 1-2: it was inserted"):
        await store.audit.verify()


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE audit_events SET subject = 'x' WHERE seq = 2",
        "UPDATE audit_entries SET facts = digest WHERE seq = 2",
        "UPDATE audit_events SET subject=NULL, directory=NULL, object=NULL, personal=NULL, salt=NULL WHERE seq = 2",
    ],
)
async def test_what_was_tampered_with_is_not_pruned(store: Store, edit: Edit, attack: str) -> None:
    """It stays as evidence, with all behind it; other chains are pruned all the same."""
    await fill(store, 5)
    edit(attack)
    report = await pruned(store, 4)
    assert report.entries == 0
    assert [error.seq for error in report.broken] == [2]
    assert await store.audit.anchors() == {}


async def test_no_forged_removal_covers_for_what_is_pruned(url: str, store: Store, edit: Edit) -> None:
    """It would be put back as it was when the evidence is gone: so the entry that names others is checked, too."""
    await fill(store, 5)
    await store.audit.append(event(6, account=ANNA))
    await store.audit.remove_person(ANNA, NOW + 60, "admin:test")
    emptied = "subject = NULL, directory = NULL, object = NULL, personal = NULL, salt = NULL"
    (entry,) = [entry for entry in await pages(store) if entry.seq == 7]
    forged = entry.facts.replace(b'"1":"6"', b'"1":"2,6"').hex()
    blob = f"x'{forged}'" if url.startswith("sqlite") else f"'\\x{forged}'"
    edit(f"UPDATE audit_events SET {emptied} WHERE seq = 2")  # noqa: S608
    edit(f"UPDATE audit_entries SET facts = {blob} WHERE seq = 7")  # noqa: S608
    report = await pruned(store, 4)
    assert (report.entries, [error.seq for error in report.broken]) == (0, [2])


async def test_a_removal_counts_whatever_stands_before_it(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the first of its chain, or what stood before it is pruned, or it is there."""
    monkeypatch.setattr("gateway.store.trail_retention.PORTION", 1)
    for number in range(3):
        here, there = opener(), opener()
        await there.audit.append(event(1, account=ANNA))
        await fill(here, number, first=2)
        await here.audit.remove_person(ANNA, NOW + 60 + number, "admin:test")
        await fill(here, 1, first=70)
    assert (await pruned(here, 3)).broken == ()
    report = await here.audit.verify()
    assert (report.pruned, report.removed) == (3 + 2, 0)


CHANGES = [
    (table, column.name, value)
    for table in ("audit_register", "audit_chains", "audit_anchors")
    for column in metadata.tables[table].c
    if column.name not in {"started_at", "id"}
    for value in ("'x'", "x'00'", "-1", "1.5", "9e99", "''")
    if column.name != "chain" or value == "-1"  # SQLite's own row numbers
]


async def test_what_the_database_holds_of_another_type_is_found_out(
    url: str, store: Store, tmp_path: Path, edit: Edit
) -> None:
    """SQLite lets a column hold anything: each check names it, and none ends in an error of its own."""
    if not url.startswith("sqlite"):
        pytest.skip("PostgreSQL does not")
    await fill(store, 10)
    await pruned(store, 5)
    heads = AuditHeads(store.audit, tmp_path, store.node)
    await heads.note()
    trail = [name for name in metadata.tables if name.startswith("audit_")]
    for table in trail:
        edit(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")  # noqa: S608
    for table, column, value in CHANGES:
        edit(f"UPDATE {table} SET {column} = {value}")  # noqa: S608
        with pytest.raises(AuditBroken):
            await store.audit.verify()
        await pruned(store, 8)
        await heads.note()
        for name in trail:  # what holds was pruned all the same
            edit(f"DELETE FROM {name}", f"INSERT INTO {name} SELECT * FROM kept_{name}")  # noqa: S608
    assert (await store.audit.verify()).pruned == 5


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE audit_entries SET facts = 'x'",
        "UPDATE audit_entries SET facts = x'00'",
        "UPDATE audit_entries SET hash = 7",
        "UPDATE audit_events SET personal = 9000000000000000",
        "UPDATE audit_events SET personal = x'ff'",
    ],
)
async def test_a_list_names_an_entry_that_cannot_be_read(url: str, store: Store, edit: Edit, attack: str) -> None:
    """Of another type, or no JSON."""
    if not url.startswith("sqlite"):
        pytest.skip("PostgreSQL keeps its types")
    await fill(store, 1)
    edit(attack)
    with pytest.raises(AuditBroken, match="entry 1-1: it was changed"):
        await store.audit.entries()


async def test_an_alarm_comes_once_and_other_chains_go_on(store: Store, opener: Opener, edit: Edit) -> None:
    """Each minute looks again."""
    await fill(store, 5)
    await fill(opener(), 5)
    edit("UPDATE audit_events SET subject = 'x' WHERE seq = 2 AND chain = 1")
    alarmed: list[tuple[str, dict[str, str]]] = []
    retention = Retention(
        store, AuditSettings(keep_days=1), lambda: NOW + 3 * DAY, lambda kind, fields: alarmed.append((kind, fields))
    )
    for _ in range(2):
        await retention.run()
    assert [(kind, fields["entry"]) for kind, fields in alarmed] == [("audit.broken", "1-2")]
    assert await ids(store, subject="user4") == ["1-5"]


async def test_a_removal_is_known_after_its_own_entry_is_gone(opener: Opener, edit: Edit) -> None:
    """The entries that it names can be younger by another node's clock. The anchor goes on to name them, and no others."""
    here, there = opener(), opener()
    for number in (1, 40, 41):
        await there.audit.append(event(number, account=ANNA))
    await here.audit.remove_person(ANNA, NOW + 9, "admin:test")
    await fill(here, 1, first=60)
    assert (await pruned(here, 20)).entries == 2
    report = await here.audit.verify()
    assert (report.entries, report.removed, report.pruned) == (3, 2, 2)
    edit("UPDATE audit_events SET subject = NULL, directory = NULL, object = NULL, personal = NULL, salt = NULL")
    with pytest.raises(AuditBroken, match="entry 2-2: personal data"):
        await here.audit.verify()


async def test_the_anchor_forgets_what_is_gone(opener: Opener) -> None:
    """Or it would grow with every removal."""
    store = opener()
    assert isinstance(store.audit, SqlAuditLog)
    for number in range(1, 6):
        await store.audit.append(event(number, account=ANNA))
    await store.audit.remove_person(ANNA, NOW + 9, "admin:test")
    await fill(store, 1, first=60)
    await pruned(store, 20)
    parts = await store.audit._writer._database.scan(store.audit._check._anchors.read)
    assert len(parts[1].emptied) == 0


async def test_a_check_that_reads_meanwhile_is_no_alarm(
    store: Store, opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old entries go, and a person is removed, between two of its pages."""
    monkeypatch.setattr("gateway.store.trail_check._PAGE", 5)
    await fill(store, 30)
    await store.audit.append(event(31, account=ANNA))
    other = opener()
    await fill(other, 20, first=15)
    assert isinstance(store.audit, SqlAuditLog)
    calls = 0
    database = store.audit._writer._database
    scan = database.scan

    async def meddle(work: Callable[..., object]) -> object:
        nonlocal calls
        calls += 1
        result = await scan(work)
        if calls == 6:
            await other.audit.prune(NOW + 18, NOW + 1000)
            await other.audit.remove_person(ANNA, NOW + 99, "admin:test")
        return result

    with monkeypatch.context() as patch:
        patch.setattr(database, "scan", meddle)
        report = await store.audit.verify()
    assert calls > 8
    assert report.pruned == 18 + 3


async def test_the_witness_agrees(store: Store, opener: Opener, tmp_path: Path, edit: Edit) -> None:
    """What it noted is pruned meanwhile, as for a node that was off for long: the anchor accounts for it, nothing else."""
    alarmed: list[str] = []
    heads = AuditHeads(store.audit, tmp_path, store.node, lambda kind, _fields: alarmed.append(kind))
    await fill(store, 5)
    await heads.note()
    await fill(store, 5, first=10)
    await pruned(store, 14)
    asleep = AuditHeads(opener("relay9").audit, tmp_path, "relay9", lambda kind, _fields: alarmed.append(kind))
    _, compared = await asleep.verify()
    assert (compared, alarmed) == (1, [])
    (tmp_path / "audit-heads").write_text((tmp_path / "audit-heads").read_text().replace("1-5:", "1-9:"))
    with pytest.raises(AuditBroken, match="its head was 1-9:"):  # of the last one that went the anchor knows the hash
        await asleep.verify()
    edit("DELETE FROM audit_anchors")
    await asleep.note()
    assert "audit.rolled_back" in alarmed


@pytest.mark.parametrize(
    ("anchor", "expected"),
    [
        (None, ""),
        (AuditAnchor(chain=1, seq=6, hash="b", until=0.0), ""),
        (AuditAnchor(chain=1, seq=7, hash="b", until=0.0), "b"),
        (AuditAnchor(chain=1, seq=8, hash="b", until=0.0), "a"),
    ],
)
def test_how_far_an_anchor_vouches(anchor: AuditAnchor | None, expected: str) -> None:
    """Not for what stands behind it; for its own place by its hash."""
    assert pruned_hash(AuditHead(chain=1, node="", seq=7, hash="a"), anchor) == expected


async def test_a_relay_prunes_once_a_day_and_says_so(store: Store) -> None:
    """Whole days; in the trail stands which and how many. A relay that keeps everything has no such job."""
    now = NOW // DAY * DAY
    for hours in range(0, 96, 12):
        await store.audit.append(AuditEvent(time=now + hours * 3600, kind="signin"))
    clock = [now + 3 * DAY + 1]
    retention = Retention(store, AuditSettings(keep_days=2), lambda: clock[0], lambda *_: None)
    for _ in range(3):
        await retention.run()
        clock[0] += 60
    (entry,) = await store.audit.entries(kind="audit.pruned")
    assert entry.event.detail == {"before": "2027-01-16", "entries": "2"}
    assert (await store.audit.verify()).pruned == 2
    clock[0] += DAY
    await retention.run()
    assert (await store.audit.verify()).pruned == 4
    jobs = Housekeeping()
    Retention(store, AuditSettings(), lambda: 0.0, lambda *_: None).add_jobs(jobs)
    assert jobs._duties == []
    retention.add_jobs(jobs)
    assert [name for name, _ in jobs._duties] == ["retention"]


async def test_a_clock_that_jumps_ahead_deletes_nothing_for_a_day(store: Store) -> None:
    """An alarm comes at once, and once; a clock that is right again deletes nothing, one that stays does, a day later."""
    for days in range(5):
        await store.audit.append(AuditEvent(time=NOW + days * DAY, kind="signin"))
    alarmed: list[str] = []
    clock = [NOW + 400 * DAY]
    told: list[AuditEvent] = []

    def alarm(kind: str, fields: dict[str, str]) -> None:
        alarmed.append(kind)
        told.append(AuditEvent(time=clock[0], kind=f"alert.{kind}", detail=fields))

    async def run() -> int:
        await Retention(store, AuditSettings(keep_days=90), lambda: clock[0], alarm).run()
        for entry in told:
            await store.audit.append(entry)
        told.clear()
        return (await store.audit.verify()).pruned

    assert [await run(), await run()] == [0, 0]
    assert alarmed == ["audit.prune_postponed"]
    clock[0] = NOW + 5 * DAY
    assert await run() == 0
    clock[0] = NOW + 401 * DAY - 60
    assert await run() == 0
    clock[0] = NOW + 401 * DAY + 60
    assert await run() == 5
    assert alarmed == ["audit.prune_postponed"]


async def test_a_trail_of_which_nothing_is_old_is_not_doubted(store: Store) -> None:
    """After a quiet month."""
    await store.audit.append(AuditEvent(time=NOW, kind="signin"))
    retention = Retention(store, AuditSettings(keep_days=90), lambda: NOW + 30 * DAY, lambda *_: pytest.fail("an alarm"))
    await retention.run()


@pytest.mark.parametrize("seconds", [0.0, 1.0, DAY - 1])
def test_days_go_as_a_whole(seconds: float) -> None:
    """The same moment all day long, and never more than was promised."""
    midnight = 20_000 * DAY
    assert oldest_kept(midnight + seconds, 30) == midnight - 30 * DAY


async def test_nobody_waits_long_for_a_large_prune(store: Store) -> None:
    """Entries are written between its portions."""
    await fill(store, 2000)
    pruning = asyncio.create_task(pruned(store, 5000))
    await asyncio.sleep(0)
    await store.audit.append(event(5001))
    assert (await pruning).entries == 2000
    assert (await store.audit.verify()).entries == 1
