"""What pruning leaves of a chain of the audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """A table that is new: what reads the schema before continues."""
    op.create_table(
        "audit_anchors",
        sa.Column("chain", _BIG, primary_key=True, autoincrement=False),
        sa.Column("seq", _BIG, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.Column("emptied", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
    )
