"""The audit trail's tables, and what stands in their rows.

    audit_register   how many chains there are, sealed: a chain that is gone as a whole is noticed
    audit_chains     each chain: its node, its key, its last entry, sealed
    audit_anchors    up to where a chain was pruned, sealed
    audit_entries    the chain: facts, digest of the personal part, hash
    audit_events     beside it, to search by: time, person, correlation id, agent, outcome; the personal part and its salt

What of an entry is hashed, and how: `chain.py`.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec
import sqlalchemy as sa

from gateway.protocol import AccountId
from gateway.store.audit import AuditEntry, AuditHead
from gateway.store.chain import AuditEvent, SealedEvent, open_event
from gateway.store.errors import AuditBroken
from gateway.store.tables import BigNumber, metadata

_LONGEST = 256
"""Characters of what is searched by; of a longer text a digest follows."""

audit_register = sa.Table(
    "audit_register",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("chains", BigNumber, nullable=False),
    sa.Column("key_id", sa.String(16), nullable=False),
    sa.Column("seal", sa.LargeBinary, nullable=False),
)

audit_chains = sa.Table(
    "audit_chains",
    metadata,
    sa.Column("chain", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("key_id", sa.String(16), nullable=False),
    sa.Column("seq", BigNumber, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("seal", sa.LargeBinary, nullable=False),
)

audit_entries = sa.Table(
    "audit_entries",
    metadata,
    sa.Column("chain", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("seq", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("facts", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

audit_anchors = sa.Table(
    "audit_anchors",
    metadata,
    sa.Column("chain", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("seq", BigNumber, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
    sa.Column("emptied", sa.LargeBinary, nullable=False),
    sa.Column("key_id", sa.String(16), nullable=False),
    sa.Column("seal", sa.LargeBinary, nullable=False),
)

UNUSUAL = sa.column("outcome") != sa.text("'success'")

audit_events = sa.Table(
    "audit_events",
    metadata,
    sa.Column("chain", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("seq", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("subject", sa.Text),
    sa.Column("directory", sa.Text),
    sa.Column("object", sa.Text),
    sa.Column("personal", sa.LargeBinary),
    sa.Column("salt", sa.LargeBinary),
    sa.Index("ix_audit_events_time", "time"),
    sa.Index("ix_audit_events_subject", "subject", "time"),
    sa.Index("ix_audit_events_object", "object", "time"),
    sa.Index("ix_audit_events_correlation_id", "correlation_id"),
    sa.Index("ix_audit_events_agent", "agent", "time"),
    # nearly all are successes: whoever looks for them finds them by time, and each sign-in would pay for this index
    sa.Index("ix_audit_events_outcome", "outcome", "time", sqlite_where=UNUSUAL, postgresql_where=UNUSUAL),
    sqlite_with_rowid=False,
)

ORDER = sa.tuple_(audit_events.c.time, audit_events.c.chain, audit_events.c.seq)
_JOINED = (audit_entries.c.chain == audit_events.c.chain) & (audit_entries.c.seq == audit_events.c.seq)
ENTRIES = (
    sa.select(audit_events.c.chain, audit_events.c.seq, audit_events.c.personal, audit_entries.c.facts, audit_entries.c.hash)
    .join_from(audit_events, audit_entries, _JOINED)
    .order_by(audit_events.c.time.desc(), audit_events.c.chain.desc(), audit_events.c.seq.desc())
)
WHOLE = sa.select(
    audit_entries,
    audit_events.c.seq.label("event_seq"),
    *(column for column in audit_events.c if column.name not in {"chain", "seq"}),
).join_from(audit_entries, audit_events, _JOINED, isouter=True)


def of_kind(kind: str) -> sa.ColumnElement[bool]:
    """Of a kind, or of all kinds below it: `admin` is each `admin.…`."""
    column, kind = audit_events.c.kind, searchable(kind)
    return (column == kind) | column.startswith(f"{kind}.", autoescape=True)


def of_account(account: AccountId) -> sa.ColumnElement[bool]:
    """What is known to be of a person."""
    directory, identifier = map(searchable, account)
    return (audit_events.c.object == identifier) & (audit_events.c.directory == directory)


def of_person(account: AccountId) -> sa.ColumnElement[bool]:
    """Entries about an account; those that name nobody's under a name that it had; and acts of an administrator on it."""
    of_other = audit_events.alias()
    directory, identifier = map(searchable, account)
    its_own = (of_other.c.object == identifier) & (of_other.c.directory == directory) & (of_other.c.subject != "")
    names = sa.select(of_other.c.subject).where(its_own).distinct()
    named = audit_events.c.subject.in_(names) | (audit_events.c.subject == identifier)
    return of_account(account) | (named & (audit_events.c.object == ""))


def searchable(text: str) -> str:
    """As it stands in the columns that are searched. The entry itself has it as it is.

    PostgreSQL keeps no NUL in a text, and at most 2,704 bytes in an index, which 1,024 characters of a name can exceed: one
    such name must not take the whole batch with it.
    """
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(text) <= _LONGEST:
        return text
    return text[:_LONGEST] + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def event_row(chain: int, seq: int, sealed: SealedEvent, event: AuditEvent) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    directory, identifier = event.account or ("", "")
    return (
        chain,
        seq,
        event.time,
        event.kind,
        event.outcome,
        event.agent,
        event.correlation_id,
        searchable(event.subject),
        searchable(directory),
        searchable(identifier),
        sealed.personal,
        sealed.salt,
    )


def same_bytes(expected: bytes, found: object) -> bool:
    """SQLite lets a column hold anything."""
    return isinstance(found, bytes) and hmac.compare_digest(expected, found)


def check_chain(row: Any) -> None:
    """Whether a row of the chains holds what a relay writes there. Raises AuditBroken."""
    numbers = isinstance(row.chain, int) and row.chain > 0 and isinstance(row.seq, int) and row.seq >= 0
    texts = isinstance(row.node, str) and isinstance(row.key_id, str)
    if not (numbers and texts and isinstance(row.hash, bytes) and isinstance(row.seal, bytes)):
        raise AuditBroken(row.chain if isinstance(row.chain, int) else 0, 1, "the row of its chain was changed")


def entry_of(row: Any) -> AuditEntry:
    """Of a row of `ENTRIES`. Raises AuditBroken for one that cannot be read."""
    if not isinstance(row.facts, bytes) or not isinstance(row.hash, bytes) or not isinstance(row.personal, bytes | None):
        raise AuditBroken(row.chain, row.seq, "it was changed: its content is of another type")
    try:
        event = open_event(row.facts, row.personal)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise AuditBroken(row.chain, row.seq, "it was changed: it cannot be read") from error
    return AuditEntry(chain=row.chain, seq=row.seq, event=event, hash=row.hash.hex())


def head_of(row: Any) -> AuditHead:
    """Of a row of the chains. Raises AuditBroken."""
    check_chain(row)
    return AuditHead(chain=row.chain, node=row.node, seq=row.seq, hash=row.hash.hex())
