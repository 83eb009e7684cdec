"""Keys that sign tokens and open what is encrypted for us, in rings. Kind of state: lasting; in memory a copy, by the
generation `signing_keys`.

Private keys are sealed (AES-256-GCM) with a key of the keyring, all other columns bound in: who reads the database learns
none, and who writes to it makes none, nor changes a state.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.store.database import Database
from gateway.store.errors import KeysUnreadable, SigningKeyOutdated
from gateway.store.generations import bump
from gateway.store.keyring import Keyring
from gateway.store.tables import BigNumber, metadata, upsert

GENERATION = "signing_keys"
_USE = "signing keys"
_NONCE = 12

signing_keys = sa.Table(
    "signing_keys",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("ring", sa.String(32), nullable=False),
    sa.Column("algorithm", sa.String(32), nullable=False),
    sa.Column("certificate", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("not_after", sa.Float, nullable=False),
    sa.Column("waiting_for", sa.Text, nullable=False),
    sa.Column("version", BigNumber, nullable=False),
    sa.Column("key_id", sa.String(16), nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyRecord:
    """One key. The states are those of `certs.policy.KeyState`."""

    id: str
    """Of a JWK the `kid` (RFC 7638 thumbprint); of a certificate its SHA-256 thumbprint."""
    ring: str
    """`oidc`, `saml`, `decrypting`."""
    algorithm: str
    """`RS256`, `ES256`, `PS256`; of SAML `RSA`."""
    certificate: bytes
    """DER; empty for OpenID Connect."""
    private: bytes = field(repr=False)
    """PKCS #8 DER. In the database it is sealed."""
    state: str
    since: float
    created_at: float
    not_after: float
    waiting_for: frozenset[str] = frozenset()
    """Trusts that must acknowledge it before it may be promoted."""
    version: int = 1
    """1 for a new one; each change is the next."""


class SigningKeyStore(Protocol):
    """Rings of keys."""

    async def all(self) -> list[SigningKeyRecord]:
        """Every key that is not forgotten, by when it was made. Raises StoreUnavailable, KeysUnreadable."""
        ...


class SqlSigningKeys:
    """Implements `SigningKeyStore`."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database, self._keyring = database, keyring

    async def all(self) -> list[SigningKeyRecord]:
        """See `SigningKeyStore`."""
        query = sa.select(signing_keys).order_by(signing_keys.c.created_at, signing_keys.c.id)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return [self._opened(row) for row in rows]

    def _opened(self, row: Any) -> SigningKeyRecord:
        told = {name: getattr(row, name) for name in _TOLD}
        told |= {"certificate": bytes(row.certificate), "waiting_for": frozenset(json.loads(row.waiting_for))}
        key = self._keyring.find(_USE, row.key_id)
        if key is None:
            raise KeysUnreadable(self._database.where)
        record = SigningKeyRecord(**told, private=b"")
        try:
            private = AESGCM(key.secret).decrypt(row.sealed[:_NONCE], row.sealed[_NONCE:], _bound(record))
        except InvalidTag as error:
            raise KeysUnreadable(self._database.where) from error
        return SigningKeyRecord(**told, private=private)


def put_signing_key(connection: sa.Connection, record: SigningKeyRecord, keyring: Keyring) -> None:
    """Keep a version that follows the kept one; part of a transaction. Raises SigningKeyOutdated."""
    key, nonce = keyring.current(_USE), secrets.token_bytes(_NONCE)
    values = {name: getattr(record, name) for name in _TOLD} | {
        "waiting_for": json.dumps(sorted(record.waiting_for)),
        "key_id": key.id,
        "sealed": nonce + AESGCM(key.secret).encrypt(nonce, record.private, _bound(record)),
    }
    bump(connection, GENERATION)
    followed = (signing_keys.c.id == record.id) & (signing_keys.c.version == record.version - 1)
    statement: Any = sa.update(signing_keys).where(followed).values(values)
    if record.version == 1:
        statement = upsert(connection, signing_keys).values(values).on_conflict_do_nothing()
    if connection.execute(statement.returning(signing_keys.c.id)).one_or_none() is None:
        raise SigningKeyOutdated(record.id, record.version - 1)


def forget_signing_key(connection: sa.Connection, key_id: str) -> None:
    """Part of a transaction; nothing where it is forgotten already."""
    bump(connection, GENERATION)
    connection.execute(sa.delete(signing_keys).where(signing_keys.c.id == key_id))


_TOLD = tuple(field.name for field in fields(SigningKeyRecord) if field.name != "private")


def _bound(record: SigningKeyRecord) -> bytes:
    """Everything but the private key, in one spelling."""
    told = {name: getattr(record, name) for name in _TOLD}
    numbers = {name: float(told[name]) for name in ("since", "created_at", "not_after")}  # the database gives no integers
    lists = {"certificate": record.certificate.hex(), "waiting_for": sorted(record.waiting_for)}
    return json.dumps({**told, **numbers, **lists}, sort_keys=True).encode()
