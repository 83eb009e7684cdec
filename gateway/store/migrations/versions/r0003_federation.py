"""What applications that sign people in need."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Tables that are new: what reads the schema before continues."""
    _trusts()
    _sessions()
    _keys()


def _trusts() -> None:
    op.create_table(
        "trusts",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("version", _BIG, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("disabled", sa.Text, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("changed_by", sa.String(255), nullable=False),
    )
    op.create_table(
        "party_metadata",
        sa.Column("trust", sa.String(128), primary_key=True),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("fetched_at", sa.Float, nullable=False),
        sa.Column("checked_at", sa.Float, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("valid_until", sa.Float, nullable=False),
    )
    op.create_table(
        "consents",
        sa.Column("object", sa.Text, primary_key=True),
        sa.Column("directory", sa.Text, primary_key=True),
        sa.Column("trust", sa.String(128), primary_key=True),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("ix_consents_trust", "consents", ["trust"])
    op.create_table(
        "trust_logos",
        sa.Column("trust", sa.String(128), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_trust_logos_digest", "trust_logos", ["digest"])


def _sessions() -> None:
    op.add_column("sessions", sa.Column("checked_at", sa.Float, nullable=False, server_default="0"))
    op.create_table(
        "grants",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("trust", sa.String(128), nullable=False),
        sa.Column("directory", sa.Text, nullable=False),
        sa.Column("object", sa.Text, nullable=False),
        sa.Column("session", sa.LargeBinary),
        sa.Column("details", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("idle_at", sa.Float, nullable=False),
        sa.Column("generation", _BIG, nullable=False),
        sa.Column("current", sa.LargeBinary, nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
        sa.Column("rotated_at", sa.Float, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("checked_at", sa.Float, nullable=False),
    )
    for column in ("idle_at", "object", "session", "trust"):
        op.create_index(f"ix_grants_{column}", "grants", [column])
    op.create_table(
        "participants",
        sa.Column("trust", sa.String(128), primary_key=True),
        sa.Column("session_index", sa.String(255), primary_key=True),
        sa.Column("session", sa.LargeBinary, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("details", sa.LargeBinary, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("tried_key", sa.String(64), nullable=False),
        sa.Column("tried_until", sa.Float, nullable=False),
    )
    for column in ("expires_at", "session", "subject"):
        op.create_index(f"ix_participants_{column}", "participants", [column])


def _keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("ring", sa.String(32), nullable=False),
        sa.Column("algorithm", sa.String(32), nullable=False),
        sa.Column("certificate", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("not_after", sa.Float, nullable=False),
        sa.Column("waiting_for", sa.Text, nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "procedures",
        sa.Column("journal", sa.String(64), primary_key=True),
        sa.Column("number", _BIG, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
    )
