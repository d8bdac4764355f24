"""The record of security events."""

import sqlalchemy as sa

from academy.migrations.steps import create_index, create_table, prose, text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table; the release before does not know it and keeps working."""
    create_table(
        "audit",
        sa.Column("chain", text(22), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("event", text(40), nullable=False),
        sa.Column("account_id", text(22)),
        sa.Column("actor_id", text(22)),
        sa.Column("address", text(45), nullable=False),
        sa.Column("request_id", text(32), nullable=False),
        sa.Column("data", prose(), nullable=False),
        sa.Column("mac", text(64), nullable=False),
        sa.PrimaryKeyConstraint("chain", "number", name="pk_audit"),
    )
    for column in ("at", "event", "account_id"):
        create_index("audit", [column])
