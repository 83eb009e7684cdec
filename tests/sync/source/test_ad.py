"""The domains of a forest as one source, with domain controllers that limit what they send, or misbehave."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from findings import Finding
from sync.model import ChangeKind, LinkChange, LinkTarget, ObjectKind, SourceChange
from sync.source import PRIMARY_GROUP, AdSource, SourceOutcome, SourceResult
from sync.source.ad.cookies import CookieUnusable, seal, unseal
from sync.source.links import AT_ONCE
from tests.support.fake_directory import NTDS, ROOT, Attributes, FakeDirectory
from tests.support.relay_and_agent import eventually
from tests.sync.source.conftest import OpenAd
from tests.sync.source.support import take

USER: Attributes = {"objectClass": [b"top", b"person", b"user"], "primaryGroupID": [b"513"]}
GROUP: Attributes = {"objectClass": [b"top", b"group"]}


def key_of(name: str) -> bytes:
    return uuid.uuid5(uuid.NAMESPACE_X500, f"CN={name},{ROOT}").bytes_le


def happen(fake: FakeDirectory, name: str, **attributes: list[bytes]) -> bytes:
    """DirSync tells it."""
    told = {"objectGUID": [key_of(name)], "name": [name.encode()], **attributes}
    fake.changes.append((f"CN={name},{ROOT}", told))
    return key_of(name)


def delete(fake: FakeDirectory, name: str) -> bytes:
    """DirSync tells the tombstone."""
    fake.objects.pop(key_of(name), None)
    return happen(fake, name, isDeleted=[b"TRUE"])


def link_to(name: str) -> bytes:
    return f"<GUID={uuid.UUID(bytes_le=key_of(name))}>;CN={name},{ROOT}".encode()


async def whole(source: AdSource) -> SourceResult:
    """Everything, which is complete."""
    _, result = await take(source.read(None))
    assert (result.outcome, result.reason) == (SourceOutcome.COMPLETE, "")
    assert result.exhaustive
    return result


async def test_everything_then_what_changed(fake: FakeDirectory, source_of: OpenAd) -> None:
    """Whole objects first; then only what changed, which is exhaustive of nothing."""
    anna = happen(fake, "anna", mail=[b"anna@corp"], **USER)
    crew = happen(fake, "crew", **GROUP)
    fake.changes[-1][1]["member;range=1-1"] = [link_to("anna")]
    source = source_of(fake)
    changes, first = await take(source.read(None))
    assert (first.outcome, first.exhaustive, first.server) == (SourceOutcome.COMPLETE, True, f"127.0.0.1:{fake.port}")
    assert [(change.kind, change.key, change.object) for change in changes] == [
        (ChangeKind.WHOLE, anna, ObjectKind.USER),
        (ChangeKind.WHOLE, crew, ObjectKind.GROUP),
    ]
    assert changes[0].values == {"cn": "anna", "mail": "anna@corp"}
    assert changes[0].links == {PRIMARY_GROUP: LinkChange(all=(LinkTarget(name="S-1-5-21-1-2-3-513"),))}
    assert changes[1].links == {"member": LinkChange(all=(LinkTarget(anna),))}

    fake.changes.append((f"CN=crew,{ROOT}", {"objectGUID": [crew], "member;range=0-0": [link_to("anna")]}))
    changes, second = await take(source.read(first.cookie))
    assert (second.outcome, second.exhaustive) == (SourceOutcome.COMPLETE, False)
    assert changes == [
        SourceChange(
            ChangeKind.CHANGED, crew, dn=f"CN=crew,{ROOT}", links={"member": LinkChange(removed=(LinkTarget(anna),))}
        )
    ]
    changes, third = await take(source.read(second.cookie))
    assert (changes, third.outcome) == ([], SourceOutcome.COMPLETE)


async def test_a_large_group_comes_in_pieces(fake: FakeDirectory, source_of: OpenAd) -> None:
    """Never as one value."""
    crew = happen(fake, "crew", **GROUP)
    fake.changes[-1][1]["member;range=1-1"] = [link_to(f"m{number}") for number in range(2 * AT_ONCE + 1)]
    changes, _ = await take(source_of(fake).read(None))
    assert [(change.kind, change.key) for change in changes] == [
        (ChangeKind.WHOLE, crew),
        (ChangeKind.CHANGED, crew),
        (ChangeKind.CHANGED, crew),
    ]
    assert len(changes[0].links["member"].all or ()) == AT_ONCE
    assert [len(change.links["member"].added) for change in changes] == [0, AT_ONCE, 1]


async def test_a_restored_object_is_read_again(fake: FakeDirectory, source_of: OpenAd) -> None:
    """A delta tells neither what it holds nor whose member it is again."""
    source = source_of(fake)
    first = await whole(source)
    anna = happen(fake, "anna", isDeleted=[])
    fake.add(f"CN=anna,{ROOT}", mail=b"anna@corp", memberOf=[link_to("crew")], **USER)
    changes, result = await take(source.read(first.cookie))
    assert result.outcome is SourceOutcome.COMPLETE
    assert [(change.kind, change.key, change.restored) for change in changes] == [
        (ChangeKind.CHANGED, anna, True),
        (ChangeKind.WHOLE, anna, False),
        (ChangeKind.CHANGED, key_of("crew"), False),
    ]
    assert changes[1].values["mail"] == "anna@corp"
    assert changes[2].links == {"member": LinkChange(added=(LinkTarget(anna),))}


async def test_a_restored_object_that_cannot_be_read_is_told_again(fake: FakeDirectory, source_of: OpenAd) -> None:
    """The reading is partial, from the same cookie."""
    source = source_of(fake)
    first = await whole(source)
    happen(fake, "anna", isDeleted=[])
    fake.spoil = lambda number, message: message if len(fake.requests) < 3 else b""
    changes, result = await take(source.read(first.cookie))
    assert (len(changes), result.outcome, result.cookie) == (1, SourceOutcome.PARTIAL, first.cookie)
    assert "domain0.example.com" in result.reason


async def test_a_tombstone_in_one_domain_of_an_object_in_another(
    fake: FakeDirectory, other: FakeDirectory, source_of: OpenAd
) -> None:
    """It moved, with its GUID: nobody was deleted. Whoever lives nowhere was."""
    source = source_of(fake, other)
    first = await whole(source)
    delete(fake, "moved")
    gone = delete(fake, "gone")
    other.add(f"CN=moved,{ROOT}", **USER)
    changes, result = await take(source.read(first.cookie))
    assert [(change.kind, change.key) for change in changes] == [(ChangeKind.DELETED, gone)]
    assert (result.outcome, result.exhaustive) == (SourceOutcome.COMPLETE, False)


async def test_a_tombstone_while_the_other_domain_is_down(
    fake: FakeDirectory, other: FakeDirectory, source_of: OpenAd
) -> None:
    """It is not told, and will be told again."""
    source = source_of(fake, other)
    first = await whole(source)
    delete(fake, "anna")
    other.result = 52
    changes, result = await take(source.read(first.cookie))
    assert changes == []
    assert (result.outcome, result.cookie) == (SourceOutcome.FAILED, first.cookie)


async def test_one_domain_that_fails_makes_the_reading_partial(
    fake: FakeDirectory, other: FakeDirectory, source_of: OpenAd
) -> None:
    """The other goes on from where it is now, and the failed one from where it was. Half a full reading leads nowhere."""
    source = source_of(fake, other)
    happen(fake, "anna", **USER)
    other.result = 50
    changes, result = await take(source.read(None))
    assert (len(changes), result.outcome, result.exhaustive, result.cookie) == (1, SourceOutcome.PARTIAL, False, None)
    other.result = 0
    first = await whole(source)

    happen(fake, "ben", **USER)
    other.result = 50
    changes, result = await take(source.read(first.cookie))
    assert (len(changes), result.outcome, result.exhaustive) == (1, SourceOutcome.PARTIAL, False)
    assert "domain1.example.com" in result.reason
    other.result = 0
    happen(other, "cleo", **USER)
    changes, result = await take(source.read(result.cookie))
    assert ([change.key for change in changes], result.outcome) == ([key_of("cleo")], SourceOutcome.COMPLETE)


async def test_a_cookie_that_one_domain_refuses(fake: FakeDirectory, other: FakeDirectory, source_of: OpenAd) -> None:
    """Everything is read in full, so that it is exhaustive."""
    source = source_of(fake, other)
    first = await whole(source)
    other.usn = 1
    changes, result = await take(source.read(first.cookie))
    assert (changes, result.outcome, result.cookie) == ([], SourceOutcome.COOKIE_REFUSED, None)
    assert "put back" in result.reason


async def test_a_domain_that_came_or_went_takes_a_full_reading(
    fake: FakeDirectory, other: FakeDirectory, source_of: OpenAd
) -> None:
    """Its objects are told of, or absent, then."""
    first = await whole(source_of(fake, other))
    _, result = await take(source_of(fake).read(first.cookie))
    assert (result.outcome, "domain1.example.com" in result.reason) == (SourceOutcome.COOKIE_REFUSED, True)


@pytest.mark.parametrize("cookie", [b"", b"\xc1", b"garbage", seal({}) + b"x"])
def test_a_damaged_cookie(cookie: bytes) -> None:
    """It is refused, and so is one of another version."""
    with pytest.raises(CookieUnusable):
        unseal(cookie, ())
    with pytest.raises(CookieUnusable, match="another version"):
        unseal(b"\x92\x02\x80", ())
    assert unseal(seal({"a": b"1"}), ["a"]) == {"a": b"1"}


async def test_a_domain_whose_sid_cannot_be_read(fake: FakeDirectory, source_of: OpenAd) -> None:
    """Nobody's primary group could be told."""
    fake.sid = b""
    happen(fake, "anna", **USER)
    changes, result = await take(source_of(fake).read(None))
    assert (changes, result.outcome) == ([], SourceOutcome.FAILED)
    assert f"objectSid of {ROOT} is not readable" in result.reason


async def test_single_objects_are_asked_for_by_key(fake: FakeDirectory, other: FakeDirectory, source_of: OpenAd) -> None:
    """In every domain: whole where they are, with the tombstone's name where they were, else gone."""
    fake.add(f"CN=here,{ROOT}", mail=b"here@corp", **USER)
    other.add(f"CN=there,{ROOT}", **USER)
    fake.add(f"CN=dead,{ROOT}", isDeleted=b"TRUE")
    keys = [key_of(name) for name in ("here", "there", "dead", "never")]
    source = source_of(fake, other)
    changes, result = await take(source.fetch(keys))
    assert result.outcome is SourceOutcome.COMPLETE
    assert [(change.kind, change.key, change.dn) for change in changes] == [
        (ChangeKind.WHOLE, keys[0], f"CN=here,{ROOT}"),
        (ChangeKind.WHOLE, keys[1], f"CN=there,{ROOT}"),
        (ChangeKind.DELETED, keys[2], f"CN=dead,{ROOT}"),
        (ChangeKind.DELETED, keys[3], ""),
    ]
    assert changes[0].values["mail"] == "here@corp"
    other.result = 50
    changes, result = await take(source.fetch(keys))
    assert [change.kind for change in changes] == [ChangeKind.WHOLE]  # who is not found here may be there
    assert (result.outcome, "domain1" in result.reason) == (SourceOutcome.PARTIAL, True)


async def test_waiting_for_a_change(fake: FakeDirectory, other: FakeDirectory, source_of: OpenAd) -> None:
    """Of any domain; it is told when the wait has begun."""
    source = source_of(fake, other)
    cookie = (await whole(source)).cookie
    begun = asyncio.Event()
    wait = asyncio.create_task(source.wait(0.2, cookie, begun.set))
    await asyncio.wait_for(begun.wait(), 5)
    assert not (await wait).changed
    happen(fake, "anna", **USER)
    assert (await source.wait(20, cookie, begun.set)).changed


async def test_a_wait_that_cannot_begin(fake: FakeDirectory, source_of: OpenAd) -> None:
    """It says why, and whoever waits for its beginning goes on."""
    source = source_of(fake)
    cookie = (await whole(source)).cookie
    fake.usn = 1
    for given in (cookie, b"garbage"):
        begun: list[bool] = []
        wait = await source.wait(20, given, lambda begun=begun: begun.append(True))  # type: ignore[misc]
        assert (wait.changed, bool(wait.reason), begun) == (False, True, [True])


async def test_whoever_leaves_early_hangs_up(fake: FakeDirectory, source_of: OpenAd) -> None:
    """The search is abandoned at the server."""
    for number in range(4):
        happen(fake, f"u{number}", **USER)
    source = source_of(fake)
    await whole(source)
    kept = len(fake.open)
    async with source.read(None) as reading:
        await anext(reading)
    await eventually(lambda: len(fake.open) < kept)


def _by_name(found: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in found}


async def test_what_a_preflight_finds(fake: FakeDirectory, source_of: OpenAd) -> None:
    """Clock, right, deleted objects, recycle bin, schema; each with the command that fixes it."""
    source = source_of(fake)
    fake.root_entry = {
        "currentTime": [b"20270115080000.0Z"],
        "configurationNamingContext": [b"CN=Configuration,DC=corp,DC=example"],
    }
    fake.result = 50
    found = _by_name(await source.check())
    assert {name: finding.status for name, finding in found.items()} == {
        "connection": "pass",
        "clock": "pass",
        "replication right": "fail",
        "deleted objects": "fail",
        "recycle bin": "unknown",
        "schema": "unknown",
    }
    assert 'dsacls "DC=corp" /G' in found["replication right"].remedy
    assert 'dsacls "CN=Deleted Objects,DC=corp" /takeownership' in found["deleted objects"].remedy

    fake.result = 0
    happen(fake, "anna", **USER)
    fake.add(f"CN=anna,{ROOT}", lDAPDisplayName=b"mail")
    fake.root_entry["currentTime"] = [b"20270115080130.0Z"]
    found = _by_name(await source.check())
    assert {name: finding.status for name, finding in found.items()} == {
        "connection": "pass",
        "clock": "warn",
        "replication right": "pass",
        "deleted objects": "pass",
        "recycle bin": "warn",
        "schema": "warn",
    }
    assert "+90 s" in found["clock"].seen
    assert "Enable-ADOptionalFeature" in found["recycle bin"].remedy
    assert "corp.example" in found["recycle bin"].remedy
    assert "manager" in found["schema"].seen
    assert "mail," not in found["schema"].seen

    fake.root_entry["currentTime"] = [b"20270115081000.0Z"]
    fake.objects.clear()
    fake.add(f"CN=bin,{ROOT}", **{"msDS-EnabledFeatureBL": NTDS.encode()})
    found = _by_name(await source.check())
    assert (found["clock"].status, found["recycle bin"].status) == ("fail", "pass")


async def test_a_preflight_of_a_domain_that_is_down(small_ca: object, source_of: OpenAd) -> None:
    """One finding says so."""
    async with FakeDirectory() as gone:
        source = source_of(gone)
    (finding,) = await source.check()
    assert (finding.name, finding.status) == ("connection", "fail")
