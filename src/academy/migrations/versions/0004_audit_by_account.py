"""The record by account and time, for the list of recent activity that each owner sees."""

from academy.migrations.steps import create_index

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the index; the release before does not ask for it and keeps working."""
    create_index("audit", ["account_id", "at"])
