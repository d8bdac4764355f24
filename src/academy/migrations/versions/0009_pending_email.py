"""Addresses that were given and are not proven yet."""

import sqlalchemy as sa

from academy.migrations.steps import add_column, text

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add a column that may be empty; the release before does not know it and keeps working."""
    add_column("accounts", sa.Column("pending_email", text(320)))
