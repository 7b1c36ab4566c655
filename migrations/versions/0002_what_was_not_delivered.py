"""What could not be delivered is counted without reading the whole outbox."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_index(
        "ix_outbox_undeliverable",
        "outbox",
        ["id"],
        postgresql_where=sa.text("state = 'undeliverable'"),
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_undeliverable", table_name="outbox")
