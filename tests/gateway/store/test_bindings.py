"""Which directory a domain is bound to: one for each domain, whoever binds in the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from gateway.protocol import AccountId
from gateway.store import Store, StoreFull
from gateway.store.bindings import GENERATION, SqlBindings
from tests.gateway.store.conftest import NOW
from tests.gateway.store.test_people_and_agents import session


def always(_bound: Mapping[str, str]) -> bool:
    return True


async def bound(store: Store) -> dict[str, str]:
    return {binding.domain: binding.directory for binding in await store.bindings.all()}


async def test_domains_are_bound_once(store: Store) -> None:
    """What is bound stays so; the rule sees what concerns it, and nothing else. Other nodes are told."""
    seen: list[Mapping[str, str]] = []

    def rule(found: Mapping[str, str]) -> bool:
        seen.append(dict(found))
        return len(seen) < 3

    assert await store.bindings.bind(("corp.example.com", "corp"), "9d1c", by="dc1", now=NOW, rule=rule)
    assert (await store.generations.numbers())[GENERATION] == 1
    assert await store.bindings.bind(("corp", "emea"), "7a7a", by="dc2", now=NOW + 1, rule=rule)
    assert not await store.bindings.bind(("more",), "9d1c", by="dc3", now=NOW + 2, rule=rule)
    assert seen == [{}, {"corp": "9d1c"}, {"corp.example.com": "9d1c", "corp": "9d1c"}]
    assert await bound(store) == {"corp": "9d1c", "corp.example.com": "9d1c", "emea": "7a7a"}
    assert [(binding.bound_by, binding.bound_at) for binding in await store.bindings.all()][2] == ("dc2", NOW + 1)


async def test_an_administrator_binds_anew_and_forgets(store: Store) -> None:
    """And learns what was so before; each change is told by the generation."""
    numbers = []
    for act in (
        store.bindings.replace("corp", "9d1c", by="admin:root", now=NOW),
        store.bindings.replace("corp", "", by="admin:root", now=NOW),
        store.bindings.replace("corp", "7a7a", by="admin:root", now=NOW),
        store.bindings.forget("corp"),
        store.bindings.forget("corp"),
    ):
        numbers.append((await act, (await store.generations.numbers())[GENERATION]))
    assert numbers == [(None, 1), ("9d1c", 2), ("", 3), ("7a7a", 4), (None, 5)]
    assert await bound(store) == {}


async def test_of_two_nodes_that_bind_at_once_one_sees_the_other(pair: tuple[Store, Store]) -> None:
    """A directory that is nobody's, and two agents that name it at two nodes: one of them has it."""

    def is_nobodys(found: Mapping[str, str]) -> bool:
        return not found

    for number in range(10):
        tries = (
            store.bindings.bind((f"{name}{number}",), f"d{number}", by="dc", now=NOW, rule=is_nobodys)
            for name, store in zip(("corp", "evil"), pair, strict=True)
        )
        assert sorted(await asyncio.gather(*tries)) == [False, True]
    assert len(await bound(pair[0])) == 10


async def test_bindings_are_bounded(store: Store) -> None:
    """What does not fit is refused, what is there stays."""
    bindings = SqlBindings(store.bindings._database, limit=2)  # type: ignore[attr-defined]
    with pytest.raises(StoreFull, match="2 are kept already"):
        await bindings.bind(("a", "b", "c"), "9d1c", by="dc1", now=NOW, rule=always)
    assert await bound(store) == {}
    await bindings.bind(("a", "b"), "9d1c", by="dc1", now=NOW, rule=always)
    with pytest.raises(StoreFull):
        await bindings.replace("c", "9d1c", by="admin:root", now=NOW)
    await bindings.replace("b", "7a7a", by="admin:root", now=NOW)
    assert await bound(store) == {"a": "9d1c", "b": "7a7a"}


async def test_everybody_of_a_directory_is_signed_out(store: Store) -> None:
    """And nobody of another one."""
    for name, directory in ((b"a", "9d1c"), (b"b", "9d1c"), (b"c", "7a7a")):
        await store.sessions.add(session(name, AccountId(directory, name.hex())))
    assert len(await store.sessions.take("9d1c", 9)) == 2
    assert await store.sessions.get(b"c", NOW) is not None
