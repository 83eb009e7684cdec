"""The schema: which one this code has, and which other ones it can work with.

Nodes are updated one after the other, so code of release N meets the schema of release N + 1. A schema therefore says
from which release on it can be read, and older code that is new enough continues without touching it:

    expand     release N + 1 adds tables, and columns with defaults: `readable_from` stays
    contract   release N + 2 drops what N alone still read: `readable_from` becomes N + 1

Never in a step: renaming a column, rewriting or locking a table that grows with sign-ins.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from gateway.store.errors import StoreEmptied, StoreTooNew
from gateway.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

RELEASE = "0.1.0"
"""The release of this code; a test compares it with the package's version."""
_MIGRATION_LOCK = 0x1577

schema_state = sa.Table(
    "schema_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("readable_from", sa.String(32), nullable=False),
)


def migrate(connection: sa.Connection, witness: str = "") -> None:
    """Bring the database to this code's schema, unless it has one that is newer and readable.

    witness: see `Database.open`. Raises StoreTooNew, StoreEmptied.
    """
    from alembic import command  # a command that never opens a store need not load it

    config = _config()
    config.attributes["connection"] = connection
    if connection.dialect.name == "postgresql":  # it may take longer than a request may
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    found = _revision(connection)
    if found is None and witness:
        raise StoreEmptied("", witness)
    script = _script()
    if found == script.get_current_head():
        return
    if found is None or _is_known(script, found):
        command.upgrade(config, "head")
    else:
        check_readable(found, _readable_from(connection))


def check(connection: sa.Connection) -> None:
    """See that this code can work with what is there, if anything is; nothing is changed. Raises StoreTooNew."""
    found = _revision(connection)
    if found is not None and not _is_known(_script(), found):
        check_readable(found, _readable_from(connection))


def check_readable(found: str, readable_from: str, release: str = RELEASE) -> None:
    """Whether this release can work with a newer schema. Raises StoreTooNew, also where the schema does not say."""
    needed = _number(readable_from)
    if needed is None or (_number(release) or ()) < needed:
        raise StoreTooNew("", found, readable_from)


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config


def _script() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def _is_known(script: ScriptDirectory, revision: str) -> bool:
    """Whether a revision is this release's or an earlier one's."""
    from alembic.util import CommandError

    try:
        script.get_revision(revision)
    except CommandError:
        return False
    return True


def _number(release: str) -> tuple[int, ...] | None:
    """None for what is no release: one to come may write them otherwise."""
    try:
        return tuple(int(part) for part in release.split("."))
    except ValueError:
        return None


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _readable_from(connection: sa.Connection) -> str:
    if not sa.inspect(connection).has_table(schema_state.name):
        return ""
    return connection.execute(sa.select(schema_state.c.readable_from)).scalar_one_or_none() or ""
