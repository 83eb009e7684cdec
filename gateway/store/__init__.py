"""Persistence port: what must last (SQLite, later PostgreSQL) and shared ephemeral state (memory).

What belongs here: tables, migrations, transactions, and the ports that other packages see. No other package knows SQL.
"""

from gateway.store.ephemeral import MemoryEphemeral
from gateway.store.errors import AuditBroken, StoreError, StoreTooNew, StoreUnavailable, TokenSpent
from gateway.store.head import AuditHeads
from gateway.store.port import (
    AgentRecord,
    AgentStore,
    ApiKeyRecord,
    ApiKeyStore,
    AuditEntry,
    AuditEvent,
    AuditLog,
    Ephemeral,
    SessionRecord,
    SessionStore,
    Sighting,
    Store,
    TokenRecord,
    TokenStore,
)
from gateway.store.sql import open_store

__all__ = [
    "AgentRecord",
    "AgentStore",
    "ApiKeyRecord",
    "ApiKeyStore",
    "AuditBroken",
    "AuditEntry",
    "AuditEvent",
    "AuditHeads",
    "AuditLog",
    "Ephemeral",
    "MemoryEphemeral",
    "SessionRecord",
    "SessionStore",
    "Sighting",
    "Store",
    "StoreError",
    "StoreTooNew",
    "StoreUnavailable",
    "TokenRecord",
    "TokenSpent",
    "TokenStore",
    "open_store",
]
