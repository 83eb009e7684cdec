"""How fast the state of synchronisation takes what a source tells, and its size: `python -m bench.sync_state [OBJECTS]`."""

from __future__ import annotations

import hashlib
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from sync.model import ChangeKind, ConfirmedAccount, LinkChange, LinkFlow, LinkTarget, ObjectKind, SourceChange
from sync.state import ReadingKind, SyncState, open_state

_LINKS = 10
_ATTRIBUTES = tuple(f"attribute{number}" for number in range(30))
_OUS = 50
_MEMBERS = 50_000


def key(number: int) -> bytes:
    """As objectGUIDs: in no order."""
    return hashlib.blake2b(b"%d" % number, digest_size=16).digest()


def objects(count: int) -> Iterator[SourceChange]:
    """OUs, then users with links to others in no order."""
    choose = random.Random(1)  # noqa: S311 - not a secret
    for number in range(_OUS):
        yield SourceChange(ChangeKind.WHOLE, key(-1 - number), dn=f"OU=ou{number},DC=corp,DC=example")
    for number in range(count):
        values = {name: f"value {number} of {name}" for name in _ATTRIBUTES}
        ou = number % _OUS
        links = {"seeAlso": LinkChange(tuple(LinkTarget(key(choose.randrange(count))) for _ in range(_LINKS)))}
        dn = f"CN=user{number},OU=ou{ou},DC=corp,DC=example"
        yield SourceChange(ChangeKind.WHOLE, key(number), ObjectKind.USER, dn, key(-1 - ou), values, links=links)


def read(state: SyncState, count: int) -> float:
    """Processor microseconds an object, without making the changes."""
    spent = 0.0
    reading = state.begin_reading("ad", ReadingKind.FULL, 1, time.time())
    remaining = objects(count)
    while some := list(islice(remaining, 5000)):
        begin = time.process_time()
        reading.apply(some)
        spent += time.process_time() - begin
    begin = time.process_time()
    reading.finish(complete=True, exhaustive=True, cookie=b"cookie", now=time.time())
    return (spent + time.process_time() - begin) / count * 1e6


def measured(work: Callable[[], object]) -> float:
    """Processor milliseconds."""
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1e3


def member_ms(state: SyncState) -> tuple[float, float]:
    """One member more in a large group: applying the change, and finding what is missing at a target."""
    group, late = b"group".ljust(16), key(_MEMBERS)
    members = tuple(LinkTarget(key(number)) for number in range(_MEMBERS))
    reading = state.begin_reading("hr", ReadingKind.FULL, 1, time.time())
    reading.apply(SourceChange(ChangeKind.WHOLE, key(number), ObjectKind.USER) for number in range(_MEMBERS + 1))
    reading.apply([SourceChange(ChangeKind.WHOLE, group, ObjectKind.GROUP, links={"member": LinkChange(members)})])
    reading.finish(complete=True, cookie=b"cookie", now=time.time())
    persons = {}
    with state.transaction():
        for one in (*(key(number) for number in range(_MEMBERS + 1)), group):
            persons[one] = person = state.persons.create(ObjectKind.USER)
            state.persons.join("hr", one, person, "bench", time.time())
            state.accounts.confirm(ConfirmedAccount(person, "app", ObjectKind.USER, str(person), str(person)))
    flows = (LinkFlow("members", ("hr", group), "member"),)
    missing = [one.person for one in state.memberships.difference(persons[group], "app", flows)]
    state.accounts.confirm_links(persons[group], "app", "members", added=missing)
    state.memberships.settle(persons[group], "app", flows)
    change = SourceChange(ChangeKind.CHANGED, group, links={"member": LinkChange(None, (LinkTarget(late),))})
    applied = measured(lambda: state.begin_reading("hr", ReadingKind.DELTA, 1, time.time()).apply([change]))
    found: list[object] = []
    compared = measured(lambda: found.extend(state.memberships.difference(persons[group], "app", flows)))
    if len(found) != 1:
        raise SystemExit(f"one member more should be one difference, not {len(found)}")
    return applied, compared


def main(count: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        state = open_state(path)
        state.take_lease("bench", time.time(), 3600.0)
        print(f"first reading       {read(state, count):8.1f} µs an object")
        print(f"second, unchanged   {read(state, count):8.1f} µs an object")
        whole = measured(lambda: sum(1 for _ in state.objects.all("ad")))
        print(f"all objects read    {whole / count * 1e3:8.1f} µs an object")
        print(f"file                {path.stat().st_size / 2**20:8.1f} MiB")
        print(f"largest memory      {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.1f} MiB")
        applied, compared = member_ms(state)
        print(f"one member of {_MEMBERS} {applied:8.1f} ms applied, {compared:.1f} ms compared")
        state.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
