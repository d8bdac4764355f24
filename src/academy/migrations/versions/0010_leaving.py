"""When an account is to be erased because its owner left."""

import sqlalchemy as sa

from academy.migrations.steps import add_column, create_index

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add a column that may be empty; the release before does not know it and keeps working."""
    add_column("accounts", sa.Column("erase_at", sa.BigInteger))
    create_index("accounts", ["erase_at"])
