"""Whether a store could be opened, asked without making, migrating or writing anything: before a relay starts."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from gateway.store import schema
from gateway.store.database import BUSY_TIMEOUT, Database, check_private_file, make_engine, parse_store_url, shown_store_url
from gateway.store.errors import StoreUnavailable


def check_store(url: str) -> str:
    """Connect, and see that this release can work with what is there. A SQLite file that is not there yet has to be one
    that can be made. Blocks. Returns what messages call it: without a password. Raises StoreUnavailable,
    StoreTooNew."""
    parsed = parse_store_url(url)
    shown = shown_store_url(parsed)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database is None or parsed.database == ":memory:":
            return shown
        path = Path(parsed.database)
        if not path.exists():
            _check_can_be_made(path)
            return shown
        engine = _read_only(path)
    else:
        engine = make_engine(parsed)
    database = Database(engine, shown)
    try:
        database.run_now(schema.check)
    finally:
        database.dispose()
    return shown


def _check_can_be_made(path: Path) -> None:
    if not os.access(path.parent, os.W_OK | os.X_OK):
        problem = "is not there, and cannot be made in that directory by this user"
        raise StoreUnavailable(str(path), problem, "check that the directory exists, and who owns it")


def _read_only(path: Path) -> sa.Engine:
    check_private_file(path)
    if not os.access(path, os.R_OK | os.W_OK):
        problem = "cannot be read and written by this user"
        raise StoreUnavailable(str(path), problem, f"check its owner: ls -l {path}")
    # without a log nobody has it open, and SQLite would make one even to read
    logged = path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.absolute().as_uri()}?{'mode=ro' if logged else 'immutable=1'}"
    return sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT))
