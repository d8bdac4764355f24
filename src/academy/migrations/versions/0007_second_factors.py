"""Second factors, and sign-ins that wait for one."""

import sqlalchemy as sa

from academy.migrations.steps import add_column, create_index, create_table, digest, of_account, prose, text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add tables, and a column that may be empty; the release before knows none of them and keeps working."""
    add_column("sessions", sa.Column("forced_step", text(16)))
    _create_pending_logins()
    _create_authenticators()
    create_table(
        "recovery_codes",
        sa.Column("account_id", text(22), nullable=False),
        sa.Column("code_hash", text(64), nullable=False),
        sa.Column("key_name", text(8), nullable=False),
        sa.Column("is_break_glass", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "code_hash", name="pk_recovery_codes"),
        of_account("recovery_codes"),
    )


def _create_pending_logins() -> None:
    create_table(
        "pending_logins",
        sa.Column("token_hash", digest(), nullable=False),
        sa.Column("account_id", text(22), nullable=False),
        sa.Column("browser_hash", digest(), nullable=False),
        sa.Column("method", text(16), nullable=False),
        sa.Column("factor", text(16)),
        sa.Column("attempts_left", sa.SmallInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_pending_logins"),
        of_account("pending_logins"),
    )
    create_index("pending_logins", ["account_id"])
    create_index("pending_logins", ["expires_at"])


def _create_authenticators() -> None:
    create_table(
        "authenticators",
        sa.Column("id", text(22), nullable=False),
        sa.Column("account_id", text(22), nullable=False),
        sa.Column("name", text(80), nullable=False),
        sa.Column("sealed", prose(), nullable=False),
        sa.Column("key_name", text(8), nullable=False),
        sa.Column("last_step", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("confirmed_at", sa.BigInteger),
        sa.Column("last_used_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_authenticators"),
        of_account("authenticators"),
    )
    create_index("authenticators", ["account_id"])
    create_index("authenticators", ["key_name"])
