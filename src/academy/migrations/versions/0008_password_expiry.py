"""Passwords that somebody else chose."""

import sqlalchemy as sa

from academy.migrations.steps import add_column

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add a column that may be empty; the release before does not know it and keeps working."""
    add_column("accounts", sa.Column("must_change_password", sa.Boolean))
