"""What every subject's table is made of. The tables themselves stand beside the SQL that uses them; migrations make them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

metadata = sa.MetaData()

BigNumber = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""A whole number of 64 bits."""


def upsert(connection: sa.Connection, table: sa.Table) -> Any:
    """An INSERT that takes ON CONFLICT, which both dialects write alike and SQLAlchemy has once for each."""
    return insert_into(connection.dialect, table)


def insert_into(dialect: sa.Dialect, table: sa.Table) -> Any:
    """As `upsert`."""
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)


class Prepared:
    """A statement as the driver takes it, written once: for each request SQLAlchemy would need longer than the database."""

    def __init__(self, dialect: sa.Dialect, statement: Any) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text, self._names, self._fixed = str(compiled), compiled.positiontup, compiled.params
        self._columns = [column.name for column in getattr(statement, "selected_columns", ())]

    def run(self, cursor: Any, **values: Any) -> Any:
        """On a cursor of the driver. values: of the statement's bound parameters."""
        given = {**self._fixed, **values}
        cursor.execute(self._text, given if self._names is None else [given[name] for name in self._names])
        return cursor

    def one(self, cursor: Any, **values: Any) -> Any:
        """The row of a query by a key, its columns as attributes; None where there is none."""
        row = self.run(cursor, **values).fetchone()
        return SimpleNamespace(**dict(zip(self._columns, row, strict=True))) if row is not None else None


def in_order(table: sa.Table, condition: sa.ColumnElement[bool], limit: int | None = None, *, skip: bool = False) -> Any:
    """Primary keys of rows that are about to be deleted, locked in one order, so that two who delete do not wait crosswise.

    skip: leave out what others are at work with. SQLite has the whole file locked anyway.
    """
    keys = tuple(table.primary_key.columns)
    return sa.select(*keys).where(condition).order_by(*keys).limit(limit).with_for_update(skip_locked=skip)


def delete_rows(table: sa.Table, keys: Any) -> sa.Delete:
    """Delete the rows whose primary keys a query names."""
    own = tuple(table.primary_key.columns)
    return sa.delete(table).where((own[0] if len(own) == 1 else sa.tuple_(*own)).in_(keys))
