"""A message and an effect remember the trace that they belong to, so that it goes on elsewhere.

Only additions, and no column that must be filled: the program before this one works on it.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("inbox", sa.Column("trace", sa.Text(), nullable=True))
    op.add_column("outbox", sa.Column("trace", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("outbox", "trace")
    op.drop_column("inbox", "trace")
