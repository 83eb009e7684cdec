"""The keyring: what nodes sign and seal with for each other, and for what outlives a request.

Roots are random, numbered, and kept in the store, each sealed with the node's `secret.key`: who reads the database only
learns none, who writes to it only makes none. Of a root each use gets a key of its own (HKDF-SHA-256, RFC 5869), so that
none can be taken for another: a form's signature is no cookie, a cookie no audit entry.

Two roots are valid at a time, the newest two. A new one is in use `DELAY` seconds after it was made, when every node has
read it; until then the one before it is, and a further roll is refused, because it would end the one in use. Older roots
are kept to verify the audit trail with, and for nothing else.

Kind of state: lasting; in memory a copy, by the generation `keyring`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.store.database import Database
from gateway.store.errors import KeysUnreadable, KeyTooFresh
from gateway.store.generations import bump
from gateway.store.tables import metadata, upsert

GENERATION = "keyring"
DELAY = 120.0
"""Seconds from making a root to using it: more than two clocks may differ (2 s) and the longest time that a node may be
without news of the store and still serve."""
_SIZE = 32
_NONCE = 12

keyring = sa.Table(
    "keyring",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("wrapper", sa.String(16), primary_key=True),  # whose secret it is sealed with: later one row for each node
    sa.Column("id", sa.String(16), nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("active_from", sa.Float, nullable=False),
)


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """The key of one use."""

    id: str
    """Of the root that it is derived from; up to 16 characters."""
    secret: bytes = field(repr=False)
    """32 bytes."""


@dataclass(frozen=True, slots=True)
class RootKey:
    """What the keys of all uses are derived from."""

    number: int
    id: str
    secret: bytes = field(repr=False)
    active_from: float


class Keyring(Protocol):
    """Keys by use, from memory. Uses are names: `audit`, `cookies`, `forms`, …"""

    @property
    def clock(self) -> Callable[[], float]:
        """Unix seconds."""
        ...

    def current(self, use: str) -> DerivedKey:
        """The one to sign and seal with."""
        ...

    def valid(self, use: str) -> tuple[DerivedKey, ...]:
        """Those to verify and open with, newest first: one or two."""
        ...

    def find(self, use: str, key_id: str) -> DerivedKey | None:
        """One that was ever in use, for what is kept for years."""
        ...

    async def roll(self) -> RootKey:
        """Make a new root. Raises KeyTooFresh, StoreUnavailable."""
        ...

    async def load(self) -> None:
        """Read what other nodes have rolled. Raises StoreUnavailable, KeysUnreadable."""
        ...


def choose_current(roots: Sequence[RootKey], now: float) -> RootKey:
    """The newest root that is in use by now; roots: by number. The very first one is in use at once."""
    return next((root for root in reversed(roots[1:]) if root.active_from <= now), roots[0])


def check_rollable(roots: Sequence[RootKey], now: float) -> None:
    """Raises KeyTooFresh while the newest root is not in use."""
    newest = roots[-1]
    if choose_current(roots, now) is not newest:
        raise KeyTooFresh(newest.active_from, now)


class SqlKeyring:
    """Implements `Keyring`. secret: 32 bytes that the nodes share outside of the store."""

    def __init__(self, database: Database, secret: bytes, clock: Callable[[], float]) -> None:
        self._database, self.clock = database, clock
        self._wrapping = AESGCM(_derive(secret, "isthmus keyring"))
        self._wrapper = _derive(secret, "isthmus keyring id")[:8].hex()
        self._roots: tuple[RootKey, ...] = ()
        self._derived: dict[tuple[str, str], DerivedKey] = {}
        self._take(database.run_now(self._open))

    def current(self, use: str) -> DerivedKey:
        """See `Keyring`."""
        return self._key(choose_current(self._roots, self.clock()), use)

    def valid(self, use: str) -> tuple[DerivedKey, ...]:
        """See `Keyring`."""
        return tuple(self._key(root, use) for root in reversed(self._roots[-2:]))

    def find(self, use: str, key_id: str) -> DerivedKey | None:
        """See `Keyring`."""
        return next((self._key(root, use) for root in self._roots if root.id == key_id), None)

    async def load(self) -> None:
        """See `Keyring`."""
        self._take(await self._database.read(self._read))

    async def roll(self) -> RootKey:
        """See `Keyring`."""

        def work(connection: sa.Connection) -> list[RootKey]:
            roots, now = self._read(connection), self.clock()
            check_rollable(roots, now)
            # of two who roll in the same moment the second finds the number taken
            if not self._add(connection, roots[-1].number + 1, now + DELAY):
                raise KeyTooFresh(now + DELAY, now)
            bump(connection, GENERATION)
            return self._read(connection)

        self._take(await self._database.write(work))
        return self._roots[-1]

    # -- inside

    def _take(self, roots: Sequence[RootKey]) -> None:
        self._roots = tuple(roots)

    def _key(self, root: RootKey, use: str) -> DerivedKey:
        key = self._derived.get((root.id, use))
        if key is None:
            key = self._derived[root.id, use] = DerivedKey(root.id, _derive(root.secret, f"isthmus {use}"))
        return key

    def _open(self, connection: sa.Connection) -> list[RootKey]:
        if connection.execute(sa.select(sa.func.count()).select_from(keyring)).scalar_one() == 0:
            self._add(connection, 1, 0.0)
        return self._read(connection)

    def _add(self, connection: sa.Connection, number: int, active_from: float) -> bool:
        key_id, nonce = secrets.token_hex(4), secrets.token_bytes(_NONCE)
        sealed = nonce + self._wrapping.encrypt(nonce, secrets.token_bytes(_SIZE), _bound(number, key_id, active_from))
        row = {"number": number, "wrapper": self._wrapper, "id": key_id, "sealed": sealed, "active_from": active_from}
        insert = upsert(connection, keyring).values(row).on_conflict_do_nothing().returning(keyring.c.number)
        return connection.execute(insert).one_or_none() is not None

    def _read(self, connection: sa.Connection) -> list[RootKey]:
        """Raises KeysUnreadable."""
        own = sa.select(keyring).where(keyring.c.wrapper == self._wrapper).order_by(keyring.c.number)
        roots = []
        for row in connection.execute(own):
            bound = _bound(row.number, row.id, row.active_from)
            try:
                secret = self._wrapping.decrypt(row.sealed[:_NONCE], row.sealed[_NONCE:], bound)
            except InvalidTag as error:
                raise KeysUnreadable(self._database.where) from error
            roots.append(RootKey(row.number, row.id, secret, row.active_from))
        if not roots:
            raise KeysUnreadable(self._database.where)
        return roots


def _derive(secret: bytes, info: str) -> bytes:
    return HKDF(SHA256(), _SIZE, salt=None, info=info.encode()).derive(secret)


def _bound(number: int, key_id: str, active_from: float) -> bytes:
    return f"{number} {key_id} {active_from!r}".encode()
