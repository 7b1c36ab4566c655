"""Which bot wrote a copy, and which one writes the texts of a topic: NULL is the main bot."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("message_links", sa.Column("bot_id", sa.BigInteger(), nullable=True))
    op.add_column("topics", sa.Column("bot_id", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("topics", "bot_id")
    op.drop_column("message_links", "bot_id")
