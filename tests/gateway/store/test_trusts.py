"""Trusts, their metadata, and signing keys: changed by one at a time, told by their generations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.store import (
    AuditEvent,
    DutyLost,
    KeysUnreadable,
    PartyMetadata,
    SigningKeyOutdated,
    SigningKeyRecord,
    Store,
    TrustOutdated,
    TrustRecord,
    open_store,
)
from gateway.store.keyring import DELAY
from tests.gateway.store.conftest import NOW, SECRET, Opener

PRIVATE = b"a private key in DER"


def trust(name: str = "wiki", version: int = 1, document: bytes = b"name = 'Wiki'") -> TrustRecord:
    return TrustRecord(id=name, version=version, document=document, changed_at=NOW, changed_by="ann")


def metadata(name: str = "wiki", document: bytes = b"<xml/>", checked_at: float = NOW) -> PartyMetadata:
    return PartyMetadata(trust=name, document=document, fetched_at=NOW, checked_at=checked_at, valid_until=NOW + 9)


def key(name: str = "k1", version: int = 1, **changes: object) -> SigningKeyRecord:
    record = SigningKeyRecord(
        id=name,
        ring="oidc",
        algorithm="RS256",
        certificate=b"",
        private=PRIVATE,
        state="next",
        since=NOW,
        created_at=NOW,
        not_after=NOW + 1e6,
        waiting_for=frozenset({"wiki", "shop"}),
        version=version,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


async def put(store: Store, *records: TrustRecord | SigningKeyRecord) -> None:
    unit = store.unit()
    for record in records:
        if isinstance(record, TrustRecord):
            unit.put_trust(record)
        else:
            unit.put_signing_key(record)
    unit.record(AuditEvent(time=NOW, kind="admin.changed", actor="ann"))
    await unit.commit()


async def remove(store: Store, name: str, version: int) -> None:
    unit = store.unit()
    unit.remove_trust(name, version)
    await unit.commit()


async def generation(store: Store, name: str) -> int:
    return (await store.generations.numbers()).get(name, 0)


# -- trusts


async def test_a_trust_in_its_versions(pair: tuple[Store, Store]) -> None:
    """Added, changed, disabled, removed, each told by the generation; other nodes see what holds."""
    await put(pair[0], trust(), trust("shop"))
    assert await pair[1].trusts.all() == [trust("shop"), trust()]
    changed = replace(trust(version=2, document=b"other"), origin="file:wiki.toml", disabled="its file is gone")
    await put(pair[1], changed)
    assert await pair[0].trusts.get("wiki") == changed
    assert await generation(pair[0], "trusts") == 3
    await remove(pair[0], "wiki", 2)
    assert await pair[1].trusts.get("wiki") is None
    assert await generation(pair[1], "trusts") == 4
    await put(pair[0], trust())
    assert await pair[1].trusts.get("wiki") == trust()


@pytest.mark.parametrize(
    ("version", "words"),
    [(1, "the trust wiki exists already"), (2, "is not in version 1 any more"), (4, "is not in version 3 any more")],
)
async def test_what_somebody_else_has_changed_is_not_overwritten(version: int, words: str, store: Store) -> None:
    """Whoever did not see the version that holds is refused, with everything else that was to be done, and the entry."""
    await put(store, trust())
    await put(store, trust(version=2))
    before = await generation(store, "trusts"), len(await store.audit.entries())
    with pytest.raises(TrustOutdated, match=words):
        await put(store, trust("shop"), trust(version=version, document=b"mine"))
    assert await store.trusts.all() == [trust(version=2)]
    assert (await generation(store, "trusts"), len(await store.audit.entries())) == before


async def test_what_is_not_there_is_neither_changed_nor_removed(store: Store) -> None:
    """A second version without a first one; a removal in another version than the kept one."""
    with pytest.raises(TrustOutdated, match="is not in version 1 any more"):
        await put(store, trust(version=2))
    await put(store, trust())
    for name, version in (("wiki", 2), ("shop", 1)):
        with pytest.raises(TrustOutdated):
            await remove(store, name, version)
    assert await store.trusts.all() == [trust()]


async def test_of_many_who_change_a_trust_one_succeeds(pair: tuple[Store, Store]) -> None:
    """On two nodes, as a new one and as the next version of one; what the others wanted is not there."""
    for version in (1, 2):
        changes = [trust(version=version, document=b"%d" % number) for number in range(20)]
        results = await asyncio.gather(
            *(put(pair[number % 2], change) for number, change in enumerate(changes)), return_exceptions=True
        )
        assert results.count(None) == 1
        assert sum(isinstance(result, TrustOutdated) for result in results) == 19
        assert await pair[0].trusts.all() == [changes[results.index(None)]]


# -- metadata


async def test_the_last_good_metadata_is_kept(pair: tuple[Store, Store]) -> None:
    """Another document is told by the generation; that it was looked at is not."""
    await put(pair[0], trust())
    before = await generation(pair[0], "trusts")
    assert await pair[0].trusts.keep_metadata(metadata())
    looked = replace(metadata(checked_at=NOW + 9), problem="no answer")
    assert await pair[1].trusts.keep_metadata(looked)
    assert await pair[0].trusts.metadata() == [looked]
    assert await generation(pair[0], "trusts") == before + 1
    assert await pair[1].trusts.keep_metadata(metadata(document=b"<new/>"))
    assert await generation(pair[0], "trusts") == before + 2


async def test_metadata_goes_with_its_trust(pair: tuple[Store, Store]) -> None:
    """What a look brings after the removal, or in the same moment, is not kept."""
    for _ in range(10):
        await put(pair[0], trust())
        await asyncio.gather(remove(pair[0], "wiki", 1), pair[1].trusts.keep_metadata(metadata()))
        assert await pair[0].trusts.metadata() == []
    assert not await pair[0].trusts.keep_metadata(metadata())
    assert await pair[0].trusts.metadata() == []


async def test_whoever_has_lost_the_duty_keeps_no_metadata(pair: tuple[Store, Store]) -> None:
    """A node that slept past its lease: its old number fails, what the other one kept stays."""
    await put(pair[0], trust())
    old = await pair[0].duties.take("metadata", "a", now=NOW, until=NOW + 1)
    new = await pair[1].duties.take("metadata", "b", now=NOW + 2, until=NOW + 9)
    assert old is not None
    assert new is not None
    assert await pair[1].trusts.keep_metadata(metadata(), new)
    with pytest.raises(DutyLost):
        await pair[0].trusts.keep_metadata(metadata(document=b"<old/>"), old)
    assert await pair[0].trusts.metadata() == [metadata()]


# -- signing keys


async def test_a_signing_key_in_its_versions(pair: tuple[Store, Store]) -> None:
    """Made, promoted, forgotten, each told by the generation; what is private stands in no text."""
    saml = key("k2", ring="saml", certificate=b"DER", created_at=NOW + 1, waiting_for=frozenset())
    await put(pair[0], saml, key())
    assert await pair[1].signing_keys.all() == [key(), saml]
    await put(pair[1], key(version=2, state="published", waiting_for=frozenset({"shop"}), since=NOW + 5))
    first, _ = await pair[0].signing_keys.all()
    assert (first.state, first.waiting_for, first.private) == ("published", frozenset({"shop"}), PRIVATE)
    assert "private" not in repr(first)
    for _ in range(2):
        unit = pair[0].unit()
        unit.forget_signing_key("k1")
        await unit.commit()
    assert await pair[1].signing_keys.all() == [saml]
    assert await generation(pair[1], "signing_keys") == 5


async def test_of_many_who_change_a_signing_key_one_succeeds(pair: tuple[Store, Store]) -> None:
    """Two nodes that start at once make one first key; of two that promote it one does."""
    for version in (1, 2):
        changes = [key(version=version, state=f"state{number}") for number in range(10)]
        results = await asyncio.gather(
            *(put(pair[number % 2], change) for number, change in enumerate(changes)), return_exceptions=True
        )
        assert results.count(None) == 1
        assert sum(isinstance(result, SigningKeyOutdated) for result in results) == 9
        assert await pair[0].signing_keys.all() == [changes[results.index(None)]]
    with pytest.raises(SigningKeyOutdated, match="the signing key k1 is not in version 6 any more"):
        await put(pair[0], key(version=7))
    with pytest.raises(SigningKeyOutdated, match="the signing key k1 exists already"):
        await put(pair[0], key())


async def test_whoever_has_lost_the_duty_promotes_no_key(pair: tuple[Store, Store]) -> None:
    """The write names the number under which it was decided."""
    old = await pair[0].duties.take("keys", "a", now=NOW, until=NOW + 1)
    await pair[1].duties.take("keys", "b", now=NOW + 2, until=NOW + 9)
    assert old is not None
    unit = pair[0].unit()
    unit.hold(old)
    unit.put_signing_key(key())
    with pytest.raises(DutyLost):
        await unit.commit()
    assert await pair[1].signing_keys.all() == []


async def test_signing_keys_outlive_the_keyrings_roots(opener: Opener) -> None:
    """Sealed under a root that was rolled twice since; the next change seals them under the one in use."""
    now = [NOW]
    store = opener(clock=lambda: now[0])
    await put(store, key())
    for _ in range(2):
        await store.keyring.roll()
        now[0] += DELAY
    assert await store.signing_keys.all() == [key()]
    await put(store, key(version=2))
    assert await store.signing_keys.all() == [key(version=2)]


@pytest.mark.parametrize(
    "change",
    [
        "state = 'active'",
        "waiting_for = '[]'",
        "ring = 'saml'",
        "id = 'k9'",
        "not_after = not_after + 1",
        "version = 7",
        "key_id = 'unknown'",
        "sealed = (SELECT sealed FROM signing_keys WHERE id = 'k2')",
    ],
)
async def test_who_writes_to_the_database_changes_no_key(change: str, store: Store, edit: Callable[..., None]) -> None:
    """Neither its state nor what it is for, nor with another key's private one: none of them is read then."""
    await put(store, key(), key("k2", private=b"another"))
    edit(f"UPDATE signing_keys SET {change} WHERE id = 'k1'")  # noqa: S608 - the test's own
    with pytest.raises(KeysUnreadable):
        await store.signing_keys.all()


async def test_the_database_holds_no_private_key(tmp_path: Path) -> None:
    """Not in the clear."""
    store = open_store(f"sqlite:///{tmp_path / 'relay.db'}", secret=SECRET, node="relay1")
    await put(store, key())
    await store.close()
    content = b"".join(file.read_bytes() for file in tmp_path.glob("relay.db*"))  # noqa: ASYNC240
    assert b"RS256" in content
    assert PRIVATE not in content
