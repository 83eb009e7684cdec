"""What every subject's table is made of. The tables themselves stand beside the SQL that uses them; migrations make them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

metadata = sa.MetaData()

BigNumber = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""A whole number of 64 bits."""


def upsert(connection: sa.Connection, table: sa.Table) -> Any:
    """An INSERT that takes ON CONFLICT, which both dialects write alike and SQLAlchemy has once for each."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
