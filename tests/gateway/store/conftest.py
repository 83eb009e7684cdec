"""The store's conformance suite: each test that takes `url`, `store` or `pair` runs on every database there is."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.store import Store, StoreUnavailable, open_store

SECRET = b"k" * 32
NOW = 1_800_000_000.0

Opener = Callable[..., Store]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'relay.db'}"
    created: str = request.getfixturevalue("postgres").create_database()
    return created


@pytest.fixture
async def opener(url: str) -> AsyncIterator[Opener]:
    """Opens a store on it, as one more node would; closed at the end."""
    opened: list[Store] = []
    numbers = itertools.count(1)

    def make(node: str = "", secret: bytes = SECRET, clock: Callable[[], float] = lambda: NOW) -> Store:
        store = open_store(url, secret=secret, node=node or f"relay{next(numbers)}", clock=clock)
        opened.append(store)
        return store

    yield make
    for store in opened:
        await store.close()


@pytest.fixture
def store(opener: Opener) -> Store:
    return opener()


@pytest.fixture
def pair(opener: Opener) -> tuple[Store, Store]:
    """Two nodes, two writers."""
    return opener(), opener()


@pytest.fixture
def edit(url: str) -> Callable[..., None]:
    """Does SQL past the store, as somebody would who may write to the database."""

    def run(*statements: str) -> None:
        if url.startswith("sqlite"):
            with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
                for statement in statements:
                    connection.execute(statement)
                connection.commit()
            return
        engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connected:
            for statement in statements:
                connected.exec_driver_sql(statement)
        engine.dispose()

    return run


class Outage:
    """A database that answers nothing for a while, then fails. `tries`: how often it was asked."""

    def __init__(self) -> None:
        self.tries = 0
        self._began, self._gate = asyncio.Event(), asyncio.Event()

    async def fail(self, _work: Callable[..., object]) -> object:
        """In place of a method of the database."""
        self.tries += 1
        self._began.set()
        await self._gate.wait()
        raise StoreUnavailable("relay.db", "no answer", "see")

    async def meet(self, attempt: Callable[[int], Coroutine[Any, Any, object]]) -> list[object]:
        """What seven attempts get, and one more that comes while the first try is under way."""
        first = [asyncio.create_task(attempt(number)) for number in range(7)]
        await self._began.wait()
        late = asyncio.create_task(attempt(1))
        await asyncio.sleep(0)
        self._gate.set()
        return await asyncio.gather(*first, late, return_exceptions=True)
