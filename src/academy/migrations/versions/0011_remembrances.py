"""Browsers that stay signed in."""

import sqlalchemy as sa

from academy.migrations.steps import add_column, create_index, create_table, digest, of_account, text

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add a table, and columns that may be empty; the release before knows none of them and keeps working."""
    add_column("sessions", sa.Column("remembrance_id", text(22)))
    add_column("pending_logins", sa.Column("stays", sa.Boolean))
    create_table(
        "remembrances",
        sa.Column("id", text(22), nullable=False),
        sa.Column("account_id", text(22), nullable=False),
        sa.Column("series_hash", digest(), nullable=False),
        sa.Column("token_hash", digest(), nullable=False),
        sa.Column("former_hash", digest()),
        sa.Column("user_agent", text(255), nullable=False),
        sa.Column("address", text(45), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_remembrances"),
        sa.UniqueConstraint("series_hash", name="uq_remembrances_series_hash"),
        of_account("remembrances"),
    )
    create_index("remembrances", ["account_id"])
    create_index("remembrances", ["expires_at"])
