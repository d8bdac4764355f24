"""The picture of an account."""

import sqlalchemy as sa

from academy.migrations.steps import add_column, text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add a column that may be empty; the release before does not know it and keeps working."""
    add_column("accounts", sa.Column("avatar", text(40)))
