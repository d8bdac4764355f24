"""Second factors that two administrators take away, a time apart."""

import sqlalchemy as sa

from academy.migrations.steps import create_table, of_account, text

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add a table; the release before does not know it and keeps working."""
    create_table(
        "factor_resets",
        sa.Column("account_id", text(22), nullable=False),
        sa.Column("asked_by", text(22), nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_factor_resets"),
        of_account("factor_resets"),
    )
