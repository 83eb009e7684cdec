"""The audit trail: order, filters, two writers, attacks, and what is left of a person who was removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.protocol import AccountId
from gateway.store import AuditBroken, AuditEvent, AuditHeads, Store, StoreUnavailable
from gateway.store.database import NotNow
from gateway.store.trail import SqlAuditLog
from tests.gateway.store.conftest import NOW, Opener, Outage

Edit = Callable[..., None]

ANNA = AccountId("d1", "anna")
BEN = AccountId("d1", "ben")
GUID = AccountId("d1", "6f0c2a3e")


def event(number: int = 0, **fields: object) -> AuditEvent:
    return AuditEvent(**{"time": NOW + number, "kind": "signin", "subject": f"user{number}", "outcome": "success", **fields})  # type: ignore[arg-type]


async def fill(store: Store, count: int, first: int = 0) -> None:
    await asyncio.gather(*(store.audit.append(event(first + number)) for number in range(count)))


async def pages(store: Store) -> list[Any]:
    """Every row of the trail, as the check reads it."""
    rows: list[Any] = []
    assert isinstance(store.audit, SqlAuditLog)
    await store.audit.verify(take=rows.extend)
    return rows


async def ids(store: Store, **chosen: object) -> list[str]:
    return [entry.id for entry in await store.audit.entries(**chosen)]  # type: ignore[arg-type]


async def test_the_trail_is_searched_by_time_and_by_person(store: Store) -> None:
    """From a moment on, until another one without it; a person under every name that the directory took for theirs."""
    ben = AccountId("d1", "ben")
    for entry in (
        event(1, subject="anna", account=ANNA),
        event(2, subject="CORP\\anna", account=ANNA),
        event(3, subject="CORP\\anna"),
        event(4, subject="corp\\anna"),
        event(5, subject="anna", account=ben),
        event(6, kind="admin.unlock", subject=ANNA.object),
        event(7, subject="ben", account=ben),
    ):
        await store.audit.append(entry)
    assert await ids(store, since=NOW + 3, until=NOW + 5) == ["1-4", "1-3"]
    assert await ids(store, people=[ANNA]) == ["1-6", "1-3", "1-2", "1-1"]
    assert await ids(store, people=[ANNA], since=NOW + 2, limit=2) == ["1-6", "1-3"]
    assert await ids(store, people=[ANNA, ben]) == ["1-7", "1-6", "1-5", "1-3", "1-2", "1-1"]
    assert await store.audit.accounts_named("anna") == [ANNA, ben]
    assert await store.audit.accounts_named("CORP\\anna") == [ANNA]
    assert await store.audit.accounts_named("Corp\\ANNA") == [ANNA]
    assert await store.audit.accounts_named("nobody") == []


async def test_the_trail_keeps_order_and_filters(store: Store) -> None:
    """Newest first, pages, and by each of what is searched by; whole events come back."""
    await fill(store, 30)
    special = AuditEvent(
        time=NOW + 99,
        kind="signin",
        actor="page",
        subject="CORP\\anna",
        account=ANNA,
        outcome="locked",
        address="192.0.2.1",
        agent="dc1",
        controller="dc1.corp.example.com:636",
        correlation_id="c0ffee",
        via="page",
        milliseconds=7.5,
        detail={"detail": "775"},
    )
    await store.audit.append(special)
    await store.audit.append(event(100, kind="admin.unlock", subject="anna"))
    assert await ids(store, limit=3) == ["1-32", "1-31", "1-30"]
    assert await ids(store, limit=2, before="1-30") == ["1-29", "1-28"]
    for chosen in (
        {"subject": "CORP\\anna"},
        {"account": ANNA},
        {"agent": "dc1"},
        {"correlation_id": "c0ffee"},
        {"outcome": "locked"},
    ):
        (entry,) = await store.audit.entries(**chosen)
        assert (entry.id, entry.event) == ("1-31", special)
    assert await ids(store, kind="admin.unlock") == ["1-32"]
    assert await ids(store, kind="admin") == ["1-32"]
    assert await ids(store, kind="adm") == await ids(store, kind="a%") == []
    assert await ids(store, account=AccountId("d2", "anna")) == []
    assert [entry.id for entry in await store.audit.last_signins(ANNA)] == ["1-31"]
    assert await store.audit.last_signins(AccountId("d2", "anna")) == []
    assert (await store.audit.entry(1, 31)) == (await store.audit.entries(account=ANNA))[0]
    assert await store.audit.entry(1, 33) is None


@pytest.mark.parametrize("before", ["30", "x-1", "1-99", "-"])
async def test_a_place_that_is_none_is_told_so(store: Store, before: str) -> None:
    """Instead of an empty list."""
    await fill(store, 1)
    with pytest.raises(ValueError, match="entry"):
        await store.audit.entries(before=before)


async def test_an_untouched_trail_verifies(store: Store) -> None:
    """With its head; an empty one too."""
    report = await store.audit.verify()
    assert (report.entries, report.removed, report.heads) == (0, 0, ())
    await fill(store, 600)
    seen: list[tuple[int, int]] = []
    report = await store.audit.verify(lambda done, total: seen.append((done, total)))
    assert (report.entries, len(report.heads)) == (600, 1)
    assert seen[-1] == (600, 600)
    (head,) = await store.audit.heads()
    assert report.heads == (head,)
    last = await store.audit.entry(1, 600)
    assert last is not None
    assert head.noted == f"1-600:{last.hash}"


async def test_a_name_that_no_database_takes_keeps_nobody_else_out(store: Store) -> None:
    """PostgreSQL has no NUL: the entry is there all the same, with those that were committed with it, and is found."""
    await asyncio.gather(store.audit.append(event(1, subject="an\0na")), store.audit.append(event(2)))
    assert (await store.audit.verify()).entries == 2
    (entry,) = await store.audit.entries(subject="an\0na")
    assert entry.event.subject == "an\0na"


LONG = "".join(chr(0x20000 + number * 37 % 40_000) for number in range(1024))
"""As long as a name may be, and as long as that can get in UTF-8: more than an index of PostgreSQL takes."""


async def test_a_name_that_no_index_takes_keeps_nobody_else_out(store: Store) -> None:
    """Four kilobytes that do not compress: any stranger can type them. They are there, and are found by the whole name."""
    strange = AccountId(f"d\0{LONG}", f"o\0{LONG}")
    events = [event(1, subject=LONG), event(2, subject="anna"), event(3, subject=LONG[:-1] + "x"), event(4, account=strange)]
    await asyncio.gather(*map(store.audit.append, events))
    assert (await store.audit.verify()).entries == 4
    for name, expected in ((LONG, events[0]), (LONG[:-1] + "x", events[2])):
        (entry,) = await store.audit.entries(subject=name)
        assert entry.event == expected
    (entry,) = await store.audit.entries(account=strange)
    assert entry.event == events[3]
    assert await store.audit.last_signins(strange) == [entry]
    assert await store.audit.remove_person(strange, NOW + 9, "admin:test") == 1
    assert (await store.audit.verify()).removed == 1


async def test_names_are_told_apart_by_all_of_them(store: Store) -> None:
    """What stands in the column for a long name is nobody's name, but for who makes it; what is not long stands whole."""
    for name in ("a" * 256, "a" * 257, "a" * 258):
        await store.audit.append(event(1, subject=name))
    for name in ("a" * 256, "a" * 257, "a" * 258):
        (entry,) = await store.audit.entries(subject=name)
        assert entry.event.subject == name


ATTACKS = {
    "another person": ("UPDATE audit_events SET subject = 'somebody else' WHERE seq = 7", 1, 7),
    "another account": ("UPDATE audit_events SET object = 'somebody else' WHERE seq = 7", 1, 7),
    "another directory": ("UPDATE audit_events SET directory = 'elsewhere' WHERE seq = 7", 1, 7),
    "another outcome": ("UPDATE audit_events SET outcome = 'locked' WHERE seq = 7", 1, 7),
    "another agent": ("UPDATE audit_events SET agent = 'dc9' WHERE seq = 7", 1, 7),
    "another time": ("UPDATE audit_events SET time = 7 WHERE seq = 7", 1, 7),
    "another kind": ("UPDATE audit_events SET kind = 'x' WHERE seq = 7", 1, 7),
    "another correlation": ("UPDATE audit_events SET correlation_id = 'x' WHERE seq = 7", 1, 7),
    "personal part": ("UPDATE audit_events SET personal = salt WHERE seq = 8", 1, 8),
    "salt": ("UPDATE audit_events SET salt = personal WHERE seq = 8", 1, 8),
    "half a removal": ("UPDATE audit_events SET personal = NULL WHERE seq = 8", 1, 8),
    "name kept in a removal": ("UPDATE audit_events SET personal = NULL, salt = NULL WHERE seq = 8", 1, 8),
    "facts": ("UPDATE audit_entries SET facts = digest WHERE seq = 6", 1, 6),
    "digest": ("UPDATE audit_entries SET digest = hash WHERE seq = 6", 1, 6),
    "entry gone": ("DELETE FROM audit_entries WHERE seq = 4", 1, 4),
    "event gone": ("DELETE FROM audit_events WHERE seq = 4", 1, 4),
    "tail gone": ("DELETE FROM audit_entries WHERE seq > 15", 1, 16),
    "another hash": ("UPDATE audit_entries SET hash = digest WHERE seq = 9", 1, 9),
    "head gone": ("DELETE FROM audit_chains WHERE chain = 1", 1, 1),
    "head resealed": ("UPDATE audit_chains SET seal = hash WHERE chain = 1", 1, 21),
    "another node": ("UPDATE audit_chains SET node = 'relay9' WHERE chain = 1", 1, 1),
    "unknown key": ("UPDATE audit_chains SET key_id = 'x' WHERE chain = 1", 1, 1),
    "inserted behind": (
        "INSERT INTO audit_entries SELECT chain, 21, facts, digest, hash FROM audit_entries WHERE seq = 1",
        1,
        21,
    ),
    "inserted before": (
        "INSERT INTO audit_entries SELECT chain, 0, facts, digest, hash FROM audit_entries WHERE seq = 1",
        1,
        0,
    ),
    "inserted chain": (
        "INSERT INTO audit_entries SELECT 9, seq, facts, digest, hash FROM audit_entries WHERE seq = 1",
        9,
        1,
    ),
    "last chain gone": ("DELETE FROM audit_chains WHERE chain = 2", 2, 1),
    "register gone": ("DELETE FROM audit_register", 2, 1),
    "register counts less": ("UPDATE audit_register SET chains = 1", 2, 1),
    "register resealed": ("UPDATE audit_register SET seal = '\\x00'", 0, 0),
    "everything gone": ("DELETE FROM audit_chains", 1, 1),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_whoever_writes_to_the_database_is_found_out(store: Store, opener: Opener, edit: Edit, attack: str) -> None:
    """Changed, removed, cut off, inserted, head swapped: the first bad entry is named."""
    statement, chain, seq = ATTACKS[attack]
    await fill(store, 20)
    await opener().audit.append(event())
    await store.audit.verify()
    edit(statement.replace("WHERE seq", "WHERE chain = 1 AND seq"))
    with pytest.raises(AuditBroken, match="evidence") as broken:
        await store.audit.verify()
    assert (broken.value.chain, broken.value.seq) == (chain, seq)


async def test_a_chain_and_its_entries_gone_together_are_found_out(pair: tuple[Store, Store], edit: Edit) -> None:
    """The register has counted it, under a seal; a count that was put back has none."""
    for store in pair:
        await fill(store, 2)
    edit(
        "DELETE FROM audit_entries WHERE chain = 2",
        "DELETE FROM audit_events WHERE chain = 2",
        "DELETE FROM audit_chains WHERE chain = 2",
    )
    with pytest.raises(AuditBroken, match="missing"):
        await pair[0].audit.verify()
    edit("UPDATE audit_register SET chains = 1")
    with pytest.raises(AuditBroken, match="number of chains"):
        await pair[0].audit.verify()


async def test_content_of_another_type_is_found_out(store: Store, edit: Edit, url: str) -> None:
    """SQLite lets a column hold anything."""
    if not url.startswith("sqlite"):
        return
    await fill(store, 3)
    edit("UPDATE audit_entries SET facts = 'text' WHERE seq = 2")
    with pytest.raises(AuditBroken, match="another type"):
        await store.audit.verify()


async def test_an_old_head_that_was_put_together_is_found_out(store: Store, edit: Edit) -> None:
    """Cutting the tail and making up the head of then leaves a seal that does not fit."""
    await fill(store, 5)
    await fill(store, 5)
    edit(
        "DELETE FROM audit_entries WHERE seq > 5",
        "DELETE FROM audit_events WHERE seq > 5",
        "UPDATE audit_chains SET seq = 5, hash = (SELECT hash FROM audit_entries WHERE seq = 5)",
    )
    with pytest.raises(AuditBroken):
        await store.audit.verify()


async def test_a_process_does_not_go_on_behind_an_old_head(
    store: Store, edit: Edit, logs: list[dict[str, object]], url: str
) -> None:
    """Whoever kept the row of then, seal and all, can cut the tail, and that verifies. The process that wrote it knows
    better: it begins another chain, which says so, and the log of heads has what is missing."""
    await fill(store, 5)
    edit("CREATE TABLE kept AS SELECT * FROM audit_chains")
    await fill(store, 5, first=5)
    head = (await store.audit.heads())[0].noted
    edit(
        "DELETE FROM audit_entries WHERE seq > 5",
        "DELETE FROM audit_events WHERE seq > 5",
        "DELETE FROM audit_chains",
        "INSERT INTO audit_chains SELECT * FROM kept",
    )
    with pytest.raises(StoreUnavailable):
        await store.audit.append(event(11))
    await store.audit.append(event(12))
    await store.audit.append(event(13))
    kinds = [(entry.chain, entry.event.kind) for entry in await store.audit.entries(kind="audit.head_replaced")]
    assert kinds == [(2, "audit.head_replaced")]
    (entry,) = await store.audit.entries(kind="audit.head_replaced")
    assert entry.event.detail["left"] == head
    assert entry.event.detail["found"].startswith("1-5:")
    assert [report.seq for report in (await store.audit.verify()).heads] == [5, 3]
    assert [line["left"] for line in logs if line["event"] == "audit.head_replaced"] == [head]


async def test_a_chain_that_is_gone_is_not_gone_on_with(store: Store, edit: Edit) -> None:
    """Nor does it keep anybody out."""
    await fill(store, 5)
    edit("DELETE FROM audit_chains")
    with pytest.raises(StoreUnavailable):
        await store.audit.append(event(11))
    await store.audit.append(event(12))
    with pytest.raises(AuditBroken):
        await store.audit.verify()


async def test_two_writers_have_a_chain_each(pair: tuple[Store, Store]) -> None:
    """Nobody waits for the other's head, none is refused, all entries are there; each chain is its node's."""
    await asyncio.gather(*(fill(store, 300) for store in pair for _ in range(3)))
    report = await pair[0].audit.verify()
    assert report.entries == 1800
    assert sorted((head.node, head.seq) for head in report.heads) == [("relay1", 900), ("relay2", 900)]
    assert sorted(head.node for head in await pair[1].audit.heads()) == ["relay1", "relay2"]
    assert [(head.node, head.seq) for head in pair[1].audit.written] == [("relay2", 900)]


async def test_each_start_begins_a_chain(opener: Opener) -> None:
    """Only with its first entry: a command that only reads leaves no trace."""
    for number in range(3):
        store = opener("relay1")
        await store.audit.append(event(number))
        await store.audit.entries()
    opener("relay1")
    assert [head.chain for head in (await store.audit.verify()).heads] == [1, 2, 3]
    assert [head.chain for head in await store.audit.heads()] == [1, 2, 3]
    assert [head.noted for head in store.audit.written] == [(await store.audit.heads())[2].noted]


async def test_a_person_can_be_removed_and_the_trail_still_verifies(store: Store, edit: Edit) -> None:
    """Everything under the account, and under the names that it signed in with; facts stay, the removal is an entry."""
    await store.audit.append(event(1, subject="anna", outcome="wrong_credential", address="192.0.2.1"))
    await store.audit.append(event(2, subject="anna", account=ANNA, address="192.0.2.1", detail={"detail": "Anna Berg"}))
    await store.audit.append(event(3, subject="ben", account=BEN))
    await store.audit.append(event(4, subject="", account=ANNA))
    await store.audit.append(event(5, subject=""))
    assert await store.audit.remove_person(ANNA, NOW + 9, "admin:test") == 3
    report = await store.audit.verify()
    assert (report.entries, report.removed) == (6, 3)
    removal, *others = await store.audit.entries()
    assert (removal.event.kind, removal.event.actor) == ("audit.person_removed", "admin:test")
    assert [(entry.event.subject, entry.event.account) for entry in others] == [
        ("", None),
        ("", None),
        ("ben", BEN),
        ("", None),
        ("", None),
    ]
    assert others[-1].event == AuditEvent(time=NOW + 1, kind="signin", outcome="wrong_credential")
    assert await store.audit.remove_person(ANNA, NOW + 10, "admin:test") == 0
    edit(
        "UPDATE audit_events SET subject = NULL, directory = NULL, object = NULL, personal = NULL, salt = NULL WHERE seq = 3"
    )
    with pytest.raises(AuditBroken, match="entry 1-3: personal data was removed from it, and no entry records this"):
        await store.audit.verify()


async def test_a_removal_names_what_it_took_from(store: Store, edit: Edit) -> None:
    """Not how many: another entry that was emptied in place of one that it names is found out. Whose they are is in none."""
    for number, account in enumerate((ANNA, BEN, ANNA, ANNA, BEN), 1):
        await store.audit.append(event(number, subject=account.object, account=account))
    assert [entry.id for entry in await store.audit.person_entries(ANNA)] == ["1-4", "1-3", "1-1"]
    await store.audit.remove_person(ANNA, NOW + 9, "admin:test")
    assert await store.audit.person_entries(ANNA) == []
    row = (await pages(store))[5]
    assert b'"emptied":{"1":"1,3-4"}' in row.facts
    assert b"anna" not in row.facts + row.personal
    edit(
        "UPDATE audit_events SET subject = NULL, directory = NULL, object = NULL, personal = NULL, salt = NULL WHERE seq = 2"
    )
    with pytest.raises(AuditBroken, match="entry 1-2: personal data"):
        await store.audit.verify()


async def test_a_person_of_many_entries_is_removed_in_portions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each names its own. One that was interrupted is done again: by then the names are still known."""
    monkeypatch.setattr("gateway.store.trail_person.PORTION", 4)
    await store.audit.append(event(1, subject="anna", account=GUID))
    for number in range(2, 8):
        await store.audit.append(event(number, subject="anna", outcome="wrong_credential"))
    assert isinstance(store.audit, SqlAuditLog)
    change, calls = store.audit._writer.change, 0

    async def interrupt(work: Callable[..., object]) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise StoreUnavailable("relay.db", "no answer", "see")
        return await change(work)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(store.audit._writer, "change", interrupt)
        with pytest.raises(StoreUnavailable):
            await store.audit.remove_person(GUID, NOW + 9, "admin:test")
    assert await store.audit.remove_person(GUID, NOW + 9, "admin:test") == 3
    assert (await store.audit.verify()).removed == 7
    assert await ids(store, subject="anna") == []
    assert len(await ids(store, kind="audit.person_removed")) == 2


async def test_what_is_said_of_others_stays(store: Store) -> None:
    """A name that was given to somebody else since; a failure under it may be anybody's, and goes. An act that named the
    person's GUID goes too."""
    await store.audit.append(event(1, subject="anna", account=ANNA))
    await store.audit.append(event(2, subject="anna", account=BEN))
    await store.audit.append(event(3, subject="anna", outcome="wrong_credential"))
    await store.audit.append(event(4, subject=ANNA.object))
    await store.audit.append(event(5, subject=BEN.object))
    assert await store.audit.accounts(ANNA.object) == [ANNA]
    assert await store.audit.remove_person(ANNA, NOW + 9, "admin:test") == 3
    _, *others = await store.audit.entries()
    assert [entry.event.subject for entry in others] == [BEN.object, "", "", "anna", ""]
    assert await store.audit.accounts(ANNA.object) == []
    assert (await store.audit.verify()).removed == 3


async def test_who_had_the_name_before_stays_when_a_person_is_removed(store: Store) -> None:
    """A name that was given to another person: what the trail knows to be the other's stays."""
    await store.audit.append(event(1, subject="anna", account=BEN))
    await store.audit.append(event(2, subject="anna", account=ANNA))
    await store.audit.append(event(3, subject="anna", outcome="wrong_credential"))
    assert await store.audit.remove_person(ANNA, NOW + 9, "admin:test") == 2
    assert [entry.id for entry in await store.audit.entries(account=BEN)] == ["1-1"]
    assert [entry.id for entry in await store.audit.entries(subject="anna")] == ["1-1"]


async def test_equal_persons_have_unequal_digests(store: Store, url: str) -> None:
    """A salt for each entry: whoever knows a person cannot look for the person among the digests."""
    assert isinstance(store.audit, SqlAuditLog)
    for _ in range(2):
        await store.audit.append(event(1, account=ANNA))
    page = await pages(store)
    assert page[0].personal == page[1].personal
    assert page[0].salt != page[1].salt
    assert page[0].digest != page[1].digest
    assert all(b"anna" not in row.facts and b"user1" not in row.facts for row in page)


async def test_a_commit_that_nobody_saw_is_looked_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer got lost, the entry did not: whoever waited is told no, and the chain goes on behind it."""
    assert isinstance(store.audit, SqlAuditLog)
    await fill(store, 1)
    database = store.audit._writer._database
    write, write_now = database.write_trail, database.write_now

    async def lose(work: Callable[..., object]) -> object:
        await write(work)
        raise StoreUnavailable("relay.db", "no answer", "see")

    def lose_now(work: Callable[..., object]) -> object:
        write_now(work)
        raise StoreUnavailable("relay.db", "no answer", "see")

    with monkeypatch.context() as patch:
        patch.setattr(database, "write_trail", lose)
        patch.setattr(database, "write_now", lose_now)
        with pytest.raises(StoreUnavailable):
            await store.audit.append(event(2))
    assert store.audit.refusing
    await store.audit.append(event(3))
    assert not store.audit.refusing
    assert (await store.audit.verify()).entries == 3


async def test_an_answer_that_got_lost_on_the_way_is_no_tampering(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL commits a statement by itself, also one whose answer nobody waits for any more."""
    assert isinstance(store.audit, SqlAuditLog)
    writer = store.audit._writer
    await fill(store, 1)
    add = writer._add

    def lose(*arguments: Any) -> bool:
        add(*arguments)
        raise StoreUnavailable("relay.db", "no answer", "see")

    async with asyncio.timeout(5):
        with monkeypatch.context() as patch:
            patch.setattr(writer, "_add", lose)
            for number in (2, 3):
                with pytest.raises(StoreUnavailable):
                    await store.audit.append(event(number))
        await store.audit.append(event(4))
    assert [entry.event.kind for entry in await store.audit.entries(kind="audit.head_replaced")] == []
    assert [report.chain for report in (await store.audit.verify()).heads] == [1]


async def test_an_entry_waits_for_a_unit_of_work_that_moves_the_head(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is committed, but this process does not know yet where the chain ends."""
    assert isinstance(store.audit, SqlAuditLog)
    await fill(store, 1)
    database, committed = store.audit._writer._database, asyncio.Event()
    write = database.write

    async def delay(work: Callable[..., object]) -> object:
        result = await write(work)
        committed.set()
        await asyncio.sleep(0.05)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(database, "write", delay)
        unit = store.unit()
        unit.record(event(2))
        under_way = asyncio.create_task(unit.commit())
        await committed.wait()
        await store.audit.append(event(3))
        await under_way
    assert [entry.id for entry in await store.audit.entries()] == ["1-3", "1-2", "1-1"]


async def test_the_queue_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk does not keep up, later ones are refused at once."""
    monkeypatch.setattr("gateway.store.trail_writer.QUEUE_LIMIT", 3)
    results = await asyncio.gather(*(store.audit.append(event(number)) for number in range(9)), return_exceptions=True)
    assert sum(isinstance(result, StoreUnavailable) for result in results) == 6
    assert (await store.audit.verify()).entries == 3


async def test_an_outage_keeps_everybody_for_as_long_and_no_longer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stood behind the batch that failed is told with it; who came meanwhile has the next try."""
    assert isinstance(store.audit, SqlAuditLog)
    monkeypatch.setattr("gateway.store.trail_writer.BATCH", 2)
    await fill(store, 1)
    outage = Outage()

    def refuse(_work: Callable[..., object]) -> object:
        raise NotNow

    with monkeypatch.context() as patch:
        patch.setattr(store.audit._writer._database, "write_trail", outage.fail)
        patch.setattr(store.audit._writer._database, "write_now", refuse)
        results = await outage.meet(lambda number: store.audit.append(event(number)))
    assert all(isinstance(result, StoreUnavailable) for result in results)
    assert outage.tries == 2
    await fill(store, 1)
    assert (await store.audit.verify()).entries == 2


async def test_heads_are_logged_when_they_move(
    pair: tuple[Store, Store], logs: list[dict[str, object]], tmp_path: Path
) -> None:
    """Once for each place; each node logs its own."""
    store, other = pair
    heads = AuditHeads(store.audit, tmp_path, store.node)
    for count in (0, 1, 1):
        await fill(store, count)
        await heads.note()
        await heads.note()
    await fill(other, 1)
    await heads.note()
    noted = [str(entry["noted"]).partition(":")[0] for entry in logs if entry["event"] == "audit.head"]
    assert noted == ["1-1", "1-2"]


async def test_whoever_is_patient_is_committed_with_the_next(store: Store) -> None:
    """And whoever is in a hurry takes along those who wait."""
    await fill(store, 1)
    patient = asyncio.create_task(store.audit.append(event(2), patience=600))
    await asyncio.sleep(0.01)
    assert not patient.done()
    await store.audit.append(event(3))
    await patient
    await store.audit.append(event(4), patience=0.01)
    assert (await store.audit.verify()).entries == 4


async def test_the_end_waits_for_nobody(store: Store) -> None:
    """What is patient is written when the store is closed."""
    await fill(store, 1)
    patient = asyncio.create_task(store.audit.append(event(2), patience=600))
    await asyncio.sleep(0)
    assert isinstance(store.audit, SqlAuditLog)
    await store.audit.settle()
    await patient
    assert (await store.audit.verify()).entries == 2


async def test_whoever_waits_for_the_end_no_longer_ends_nothing(store: Store) -> None:
    """Entries are on their way, and somebody waits for each."""
    assert isinstance(store.audit, SqlAuditLog)
    first = asyncio.create_task(store.audit.append(event(1)))  # of a chain that a thread has to begin
    end = asyncio.create_task(store.audit.settle())
    for _ in range(3):
        await asyncio.sleep(0)
    end.cancel()
    async with asyncio.timeout(5):
        await first
    assert (await store.audit.verify()).entries == 1
