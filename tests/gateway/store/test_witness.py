"""The witness of the trail: an older copy is found out, what is legitimate is let through, what was noted is not lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.protocol import AccountId
from gateway.store import (
    AuditBroken,
    AuditEvent,
    AuditHead,
    AuditHeads,
    NothingToAccept,
    Store,
    StoreEmptied,
    StoreUnavailable,
    open_store,
)
from gateway.store.trail import SqlAuditLog
from gateway.store.witness import HeadWitness, contradicted
from tests.gateway.store.conftest import NOW, SECRET, Opener
from tests.gateway.store.test_audit import event, fill

Edit = Callable[..., None]
Alarmed = list[tuple[str, dict[str, str]]]

TABLES = ("audit_register", "audit_chains", "audit_entries", "audit_events")
ACCEPTED = AuditEvent(time=NOW, kind="admin.audit_accepted", actor="admin:test", detail={"detail": "a backup of Monday"})


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def alarmed() -> Alarmed:
    return []


@pytest.fixture
def heads(store: Store, state: Path, alarmed: Alarmed) -> AuditHeads:
    return AuditHeads(store.audit, state, store.node, lambda event, fields: alarmed.append((event, fields)))


def keep(edit: Edit) -> None:
    """A copy of the trail as it is now."""
    edit(*map("CREATE TABLE kept_{0} AS SELECT * FROM {0}".format, TABLES))


def empty(edit: Edit) -> None:
    edit(*map("DELETE FROM {}".format, TABLES))


def put_back(edit: Edit) -> None:
    """That copy in place of what is there: seals and all."""
    empty(edit)
    edit(*map("INSERT INTO {0} SELECT * FROM kept_{0}".format, TABLES))


def cut(edit: Edit) -> None:
    """Entries of the first chain behind the fifth away, and its row of then back."""
    edit(
        "DELETE FROM audit_entries WHERE chain = 1 AND seq > 5",
        "DELETE FROM audit_events WHERE chain = 1 AND seq > 5",
        "DELETE FROM audit_chains WHERE chain = 1",
        "INSERT INTO audit_chains SELECT * FROM kept_audit_chains WHERE chain = 1",
    )


ROLLBACKS: dict[str, Callable[[Edit], None]] = {
    "the newest entries cut off": cut,
    "an older copy": put_back,
    "the trail emptied": empty,
}


@pytest.mark.parametrize("attack", ROLLBACKS)
async def test_a_trail_that_went_back_is_an_alarm_and_is_broken(
    opener: Opener, state: Path, alarmed: Alarmed, edit: Edit, attack: str
) -> None:
    """At the next start, each minute, and at each check; the trail holds in itself. What was noted is not written over."""
    writer = opener("relay1")
    await fill(writer, 5)
    keep(edit)
    await fill(writer, 5)
    await AuditHeads(writer.audit, state, "relay1").note()
    ROLLBACKS[attack](edit)
    for _ in range(2):
        store = opener("relay1")
        await store.audit.verify()
        heads = AuditHeads(store.audit, state, "relay1", lambda event, fields: alarmed.append((event, fields)))
        await heads.begin()
        await heads.note()
        with pytest.raises(AuditBroken, match=r"its head was 1-10:.*audit accept"):
            await heads.verify()
        await store.audit.append(event(50))
        await heads.note()
    noted = [(kind, fields["noted"].partition(":")[0]) for kind, fields in alarmed]
    assert noted == [("audit.rolled_back", "1-10")] * 2


@pytest.mark.parametrize("attack", ROLLBACKS)
async def test_a_running_relay_sees_what_went_back_beneath_it(
    store: Store, heads: AuditHeads, alarmed: Alarmed, edit: Edit, attack: str
) -> None:
    """Also what was never noted before, for it was written within the minute; and also after it had begun another chain."""
    await fill(store, 5)
    keep(edit)
    await heads.note()
    await fill(store, 5)
    ROLLBACKS[attack](edit)
    await heads.note()
    assert [(kind, fields["noted"].partition("-")[0]) for kind, fields in alarmed] == [("audit.rolled_back", "1")]
    with pytest.raises(AuditBroken):
        await heads.verify()
    with contextlib.suppress(StoreUnavailable):
        await store.audit.append(event(11))
    await store.audit.append(event(12))
    await heads.note()
    with pytest.raises(AuditBroken):
        await heads.verify()


async def test_a_chain_that_was_left_between_two_minutes_is_an_alarm_too(
    store: Store, heads: AuditHeads, alarmed: Alarmed, edit: Edit
) -> None:
    """The process noticed by itself, before anything of it was noted: the witness learns where the chain ended."""
    await fill(store, 5)
    keep(edit)
    await fill(store, 5)
    cut(edit)
    with pytest.raises(StoreUnavailable):
        await store.audit.append(event(11))
    await store.audit.append(event(12))
    await heads.note()
    assert [fields["noted"].partition(":")[0] for _, fields in alarmed] == ["1-10"]


async def test_another_nodes_chain_is_witnessed_too(
    pair: tuple[Store, Store], state: Path, alarmed: Alarmed, edit: Edit
) -> None:
    """Of a node that is gone for good, say, whose witness is gone with it."""
    gone, here = pair
    await fill(gone, 5)
    keep(edit)
    await fill(gone, 5)
    heads = AuditHeads(here.audit, state, here.node, lambda event, fields: alarmed.append((event, fields)))
    await heads.note()
    cut(edit)
    await heads.note()
    assert [fields["noted"].partition(":")[0] for _, fields in alarmed] == ["1-10"]


async def test_what_is_legitimate_is_no_alarm(opener: Opener, state: Path, alarmed: Alarmed) -> None:
    """Starts, nodes, whoever writes on, a person who is removed, sessions that are purged."""
    anna = AccountId("d1", "anna")
    for _ in range(3):
        store, other = opener("relay1"), opener("relay2")
        heads = AuditHeads(store.audit, state, "relay1", lambda event, fields: alarmed.append((event, fields)))
        await heads.begin()
        await asyncio.gather(fill(store, 20), fill(other, 20))
        await store.audit.append(event(1, account=anna))
        await heads.note()
        await other.audit.remove_person(anna, NOW, "admin:test")
        await store.sessions.purge(NOW)
        await fill(store, 1)
        report, compared = await heads.verify()
        await heads.end()
    assert alarmed == []
    assert report.removed > 0
    assert compared == 6


async def test_what_was_put_back_can_be_accepted(
    store: Store, heads: AuditHeads, alarmed: Alarmed, edit: Edit, logs: list[dict[str, object]]
) -> None:
    """The trail says who did, why, and what is gone. From then on it is as noted as before; cut once more, it is broken."""
    with pytest.raises(NothingToAccept):
        await heads.accept(ACCEPTED)
    await fill(store, 5)
    keep(edit)
    await fill(store, 5)
    await heads.note()
    put_back(edit)
    await heads.note()
    assert await heads.accept(ACCEPTED) == 1
    (entry,) = await store.audit.entries(kind="admin.audit_accepted")
    assert entry.event.actor == "admin:test"
    assert entry.event.detail["detail"] == "a backup of Monday"
    assert entry.event.detail["noted"].startswith("1-10:")
    assert "(now 1-5:" in entry.event.detail["noted"]
    assert [line["noted"] for line in logs if line["event"] == "audit.accepted"] == [entry.event.detail["noted"]]
    await heads.note()
    await heads.verify()
    with pytest.raises(NothingToAccept):
        await heads.accept(ACCEPTED)
    assert len(alarmed) == 1
    empty(edit)
    await heads.note()
    assert sorted(fields["noted"].partition("-")[0] for _, fields in alarmed[1:]) == ["1", "2"]  # the first one, too
    with pytest.raises(AuditBroken):
        await heads.verify()


async def test_only_its_owner_can_read_it_and_it_is_whole(store: Store, heads: AuditHeads, state: Path) -> None:
    """A line for each chain, as the log has it."""
    await fill(store, 3)
    await heads.note()
    path = state / "audit-heads"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == f"{(await store.audit.heads())[0].noted}\n"
    assert list(map(os.fspath, await asyncio.to_thread(lambda: list(state.iterdir())))) == [str(path)]


@pytest.mark.parametrize("damage", ["1-2\n", "\x00" * 90, "1-0:" + "a" * 64, "one-2:" + "a" * 64])
async def test_a_witness_that_cannot_be_read_is_told_and_not_written_over(
    store: Store, heads: AuditHeads, state: Path, logs: list[dict[str, object]], damage: str
) -> None:
    """Neither is the trail taken for good; the relay starts all the same. It can be accepted."""
    path = state / "audit-heads"
    path.write_text(damage)
    path.chmod(0o600)
    await fill(store, 1)
    await heads.begin()
    assert [line["event"] for line in logs] == ["audit.not_compared"]
    with pytest.raises(StoreUnavailable, match="line 1 is not the head"):
        await heads.note()
    with pytest.raises(StoreUnavailable):
        await heads.verify()
    assert path.read_text() == damage
    await heads.accept(ACCEPTED)
    await heads.verify()


async def test_a_witness_that_others_can_write_is_none(store: Store, heads: AuditHeads, state: Path) -> None:
    """They could have put it back too."""
    await fill(store, 1)
    await heads.note()
    (state / "audit-heads").chmod(0o666)
    with pytest.raises(StoreUnavailable, match="run chmod 600"):
        await heads.verify()


async def test_a_missing_witness_is_told_and_made(store: Store, heads: AuditHeads, logs: list[dict[str, object]]) -> None:
    """A trail that is new has none either, and says nothing."""
    await heads.begin()
    assert logs == []
    await fill(store, 1)
    assert (await heads.verify())[1] is None
    await heads.begin()
    assert [line["event"] for line in logs] == ["audit.no_witness", "audit.head"]
    assert (await heads.verify())[1] == 1


async def test_the_witness_is_never_ahead_of_the_disk(
    store: Store, heads: AuditHeads, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut takes commits of SQLite back that no checkpoint has synced; that must be no alarm afterwards."""
    if not url.startswith("sqlite"):
        return
    await fill(store, 3)
    done: list[str] = []
    fsync, change = os.fsync, HeadWitness.change

    def note_fsync(descriptor: int) -> None:
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def note_change(witness: HeadWitness, changed: dict[int, AuditHead]) -> None:
        done.append("noted")
        change(witness, changed)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(HeadWitness, "change", note_change)
    await heads.note()
    assert done[:2] == ["relay.db-wal", "noted"]


async def test_a_command_notes_what_it_has_written_only(store: Store, heads: AuditHeads, state: Path, edit: Edit) -> None:
    """A command that reads leaves nothing; one that writes does not make good what is wrong."""
    await heads.note_own()
    assert not (state / "audit-heads").exists()
    await fill(store, 5)
    keep(edit)
    await fill(store, 5)
    await heads.note_own()
    cut(edit)
    await heads.note_own()
    with pytest.raises(AuditBroken):
        await heads.verify()


async def test_a_command_does_not_make_good_an_older_copy(opener: Opener, state: Path, edit: Edit) -> None:
    """There its own chain has the number of one that was noted and is gone."""
    await fill(opener("relay1"), 5)
    keep(edit)
    relay = opener("relay1")
    await fill(relay, 5)
    await AuditHeads(relay.audit, state, "relay1").note()
    put_back(edit)
    command = opener("relay1")
    await fill(command, 7)
    heads = AuditHeads(command.audit, state, "relay1")
    await heads.note_own()
    with pytest.raises(AuditBroken, match="its head was 2-5:"):
        await heads.verify()


async def test_two_who_note_at_once_lose_nothing(pair: tuple[Store, Store], state: Path) -> None:
    """A command, say, and a relay that starts."""
    for store in pair:
        await fill(store, 1)
    both = [AuditHeads(store.audit, state, store.node) for store in pair]
    await asyncio.gather(*(heads.note_own() for heads in both))
    assert set(HeadWitness(state / "audit-heads").read() or {}) == {1, 2}


def head(chain: int, seq: int, digest: str = "a") -> AuditHead:
    return AuditHead(chain=chain, node="relay1", seq=seq, hash=digest * 64)


@pytest.mark.parametrize(
    ("now", "hashes", "holds"),
    [
        (head(1, 7), {}, True),
        (head(1, 9, "b"), {(1, 7): "a" * 64}, True),
        (head(1, 7, "b"), {}, False),
        (head(1, 6), {}, False),
        (head(1, 9, "b"), {(1, 7): "b" * 64}, False),
        (head(1, 9, "b"), {(1, 7): ""}, False),
        (head(1, 9, "b"), {}, False),
        (None, {}, False),
    ],
)
def test_what_was_noted_holds(now: AuditHead | None, hashes: dict[tuple[int, int], str], holds: bool) -> None:
    """Where the chain ends there, or goes on behind that very entry."""
    noted = head(1, 7)
    found = {1: now} if now is not None else {}
    assert contradicted([noted], found, hashes) == ([] if holds else [(noted, now)])


async def test_the_trail_makes_itself_no_alarm_after_an_outage(
    store: Store, heads: AuditHeads, alarmed: Alarmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit of which nobody saw the end is there all the same: the chain is further than the process knows."""
    assert isinstance(store.audit, SqlAuditLog)
    await fill(store, 1)
    database = store.audit._writer._database
    write_now, write = database.write_now, database.write_trail

    def lose_now(work: Callable[..., object]) -> object:
        write_now(work)
        raise StoreUnavailable("relay.db", "no answer", "see")

    async def lose(work: Callable[..., object]) -> object:
        await write(work)
        raise StoreUnavailable("relay.db", "no answer", "see")

    with monkeypatch.context() as patch:
        patch.setattr(database, "write_now", lose_now)
        patch.setattr(database, "write_trail", lose)
        with pytest.raises(StoreUnavailable):
            await store.audit.append(event(2))
    await heads.note()
    await fill(store, 1)
    await heads.note()
    assert (await heads.verify())[1] == 1
    assert alarmed == []


async def test_a_database_that_is_empty_though_it_was_not_is_refused(url: str, state: Path) -> None:
    """A relay would begin in it as on its first day, with nobody enrolled and new keys."""
    witness = state / "audit-heads"
    witness.write_text("1-1:" + "a" * 64 + "\n")
    for _ in range(2):  # the first one leaves nothing that the second could take for a beginning
        with pytest.raises(StoreEmptied, match=r"is empty, and .*audit-heads says.*isthmus relay restore"):
            open_store(url, secret=SECRET, node="relay1", witness=witness)
    witness.unlink()
    await open_store(url, secret=SECRET, node="relay1", witness=witness).close()
    witness.touch()
    await open_store(url, secret=SECRET, node="relay1", witness=witness).close()
