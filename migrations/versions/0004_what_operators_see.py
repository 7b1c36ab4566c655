"""History for charts, crashes with their traces, an audit log; who handled what, and when it left.

Only additions, and no column that must be filled: the program before this one works on it.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _when(name: str) -> sa.Column[object]:
    zoned = sa.DateTime(timezone=True)
    return sa.Column(name, zoned, server_default=sa.func.now(), nullable=False)


def upgrade() -> None:
    op.add_column("inbox", sa.Column("handled_by", sa.Text(), nullable=True))
    op.add_column("inbox", sa.Column("handled_epoch", sa.BigInteger(), nullable=True))
    op.add_column("outbox", sa.Column("started_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("nodes", sa.Column("drain_asked_by", sa.Text(), nullable=True))
    op.create_table(
        "stats_minutes",
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "run", name=op.f("pk_stats_minutes")),
    )
    op.create_table(
        "crashes",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        _when("ts"),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_crashes_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crashes")),
    )
    op.create_index("ix_crashes_ticket_id_id", "crashes", ["ticket_id", "id"])
    op.create_index("ix_crashes_ts", "crashes", ["ts"])
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        _when("ts"),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=True),
        sa.Column("payload", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )


def downgrade() -> None:
    op.drop_table("audit")
    op.drop_table("crashes")
    op.drop_table("stats_minutes")
    op.drop_column("nodes", "drain_asked_by")
    op.drop_column("outbox", "started_at")
    op.drop_column("inbox", "handled_epoch")
    op.drop_column("inbox", "handled_by")
