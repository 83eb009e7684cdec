"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
READABLE_FROM = "0.1.0"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _shared()
    _audit()
    _people_and_agents()
    op.execute(
        sa.text("INSERT INTO schema_state (id, readable_from) VALUES (1, :release)").bindparams(release=READABLE_FROM)
    )


def _shared() -> None:
    op.create_table(
        "schema_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("readable_from", sa.String(32), nullable=False),
    )
    op.create_table(
        "keyring",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("wrapper", sa.String(16), primary_key=True),
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("active_from", sa.Float, nullable=False),
    )
    op.create_table(
        "generations",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("number", _BIG, nullable=False),
    )
    op.create_table(
        "duties",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("number", _BIG, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )
    op.create_table(
        "admission",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        postgresql_with={"fillfactor": 50},
    )


def _audit() -> None:
    op.create_table(
        "audit_register",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("chains", _BIG, nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "audit_chains",
        sa.Column("chain", _BIG, primary_key=True, autoincrement=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("seq", _BIG, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "audit_entries",
        sa.Column("chain", _BIG, primary_key=True, autoincrement=False),
        sa.Column("seq", _BIG, primary_key=True, autoincrement=False),
        sa.Column("facts", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_events",
        sa.Column("chain", _BIG, primary_key=True, autoincrement=False),
        sa.Column("seq", _BIG, primary_key=True, autoincrement=False),
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
        sqlite_with_rowid=False,
    )
    op.create_index("ix_audit_events_agent", "audit_events", ["agent", "time"])
    op.create_index("ix_audit_events_correlation_id", "audit_events", ["correlation_id"])
    op.create_index("ix_audit_events_object", "audit_events", ["object", "time"])
    unusual = sa.text("outcome != 'success'")
    op.create_index(
        "ix_audit_events_outcome", "audit_events", ["outcome", "time"], sqlite_where=unusual, postgresql_where=unusual
    )
    op.create_index("ix_audit_events_subject", "audit_events", ["subject", "time"])
    op.create_index("ix_audit_events_time", "audit_events", ["time"])


def _people_and_agents() -> None:
    op.create_table(
        "agents",
        sa.Column("serial", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("not_after", sa.Float, nullable=False),
        sa.Column("issued_at", sa.Float, nullable=False),
        sa.Column("revoked_at", sa.Float),
        sa.Column("revoked_why", sa.Text, nullable=False),
        sa.Column("seen_at", sa.Float),
        sa.Column("software", sa.String(64), nullable=False),
        sa.Column("domains", sa.Text, nullable=False),
        sa.Column("allowed", sa.Text, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
    )
    op.create_index("ix_agents_name", "agents", ["name"])
    op.create_table(
        "bindings",
        sa.Column("domain", sa.String(255), primary_key=True),
        sa.Column("directory", sa.Text, nullable=False),
        sa.Column("bound_at", sa.Float, nullable=False),
        sa.Column("bound_by", sa.String(255), nullable=False),
    )
    op.create_index("ix_bindings_directory", "bindings", ["directory"])
    op.create_table(
        "presence",
        sa.Column("node", sa.String(64), primary_key=True),
        sa.Column("agent", sa.String(64), primary_key=True),
        sa.Column("domains", sa.Text, nullable=False),
        sa.Column("reported_at", sa.Float, nullable=False),
    )
    op.create_table(
        "domain_claims",
        sa.Column("agent", sa.String(64), primary_key=True),
        sa.Column("domain", sa.String(255), primary_key=True),
        sa.Column("claimed_at", sa.Float, nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("allowed", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("networks", sa.Text, nullable=False),
        sa.Column("rate", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("revoked_at", sa.Float),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("directory", sa.Text, nullable=False),
        sa.Column("object", sa.Text, nullable=False),
        sa.Column("identity", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("seen_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("user_agent", sa.Text, nullable=False),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_index("ix_sessions_object", "sessions", ["object"])
    op.create_table(
        "once",
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )
    op.create_index("ix_once_until", "once", ["until"])
    op.create_table(
        "seen",
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("until", sa.Float, nullable=False),
    )
    op.create_index("ix_seen_until", "seen", ["until"])
