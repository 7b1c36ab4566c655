"""Owners are runs of nodes, not names; roles that one run has for all; tickets in quarantine."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("nodes", sa.Column("status", sa.Text(), server_default="up", nullable=False))
    op.execute("UPDATE nodes SET status = 'dead' WHERE dead")
    op.drop_column("nodes", "dead")
    op.add_column(
        "nodes",
        sa.Column("owner", sa.Text(), sa.Computed("name || '/' || incarnation", persisted=True)),
    )
    op.create_check_constraint(
        op.f("ck_nodes_status"), "nodes", "status IN ('up', 'draining', 'dead')"
    )
    op.create_unique_constraint(op.f("uq_nodes_owner"), "nodes", ["owner"])
    op.create_table(
        "roles",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column(
            "since", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_roles")),
    )
    op.add_column("tickets", sa.Column("quarantined", sa.Text(), nullable=True))
    op.create_index("ix_tickets_owner", "tickets", ["owner"])


def downgrade() -> None:
    op.drop_index("ix_tickets_owner", table_name="tickets")
    op.drop_column("tickets", "quarantined")
    op.drop_table("roles")
    op.drop_constraint(op.f("uq_nodes_owner"), "nodes")
    op.drop_constraint(op.f("ck_nodes_status"), "nodes")
    op.drop_column("nodes", "owner")
    op.add_column(
        "nodes", sa.Column("dead", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.execute("UPDATE nodes SET dead = status = 'dead'")
    op.drop_column("nodes", "status")
