"""Tables of a database as a source: SQLite and PostgreSQL, by SQLAlchemy Core.

What belongs here: the one adapter to SQLAlchemy of `sync` (the state has SQLite's own), a read-only connection, queries in
the order of keys, and what rows mean. What does not: what becomes of the objects.
"""

from sync.source.sql.source import SqlSource

__all__ = ["SqlSource"]
