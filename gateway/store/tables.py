"""The tables, as the code sees them; the migrations make them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("time", Float, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("subject", Text, nullable=False, index=True),
    Column("object_guid", String(64), nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
    Column("hash", String(64), nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("mac", String(64), nullable=False),
)

agents = Table(
    "agents",
    metadata,
    Column("serial", String(64), primary_key=True),
    Column("name", String(64), nullable=False, index=True),
    Column("not_after", Float, nullable=False),
    Column("issued_at", Float, nullable=False),
    Column("revoked_at", Float),
    Column("revoked_why", Text, nullable=False),
    Column("seen_at", Float),
    Column("software", String(64), nullable=False),
    Column("domains", Text, nullable=False),
    Column("allowed", Text, nullable=False),
    Column("address", String(64), nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("name", String(64), nullable=False),
    Column("allowed", Text, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("name", String(128), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("object_guid", String(64), nullable=False, index=True),
    Column("identity", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
    Column("address", String(64), nullable=False),
    Column("user_agent", Text, nullable=False),
)
