"""Second factors, and sign-ins that wait for one."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from academy.migrations.steps import add_column, create_index, create_table

revision = "0007"
down_revision = "0006"


def _text(length: int) -> sa.types.TypeEngine[str]:
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def _prose() -> sa.types.TypeEngine[str]:
    exact = mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Text().with_variant(exact, "mysql", "mariadb")


def _digest() -> sa.types.TypeEngine[bytes]:
    return sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


def _of_account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"], ["accounts.id"], name=f"fk_{table}_account_id", ondelete="CASCADE"
    )


def upgrade() -> None:
    """Add tables, and a column that may be empty; the release before knows none of them and keeps working."""
    add_column("sessions", sa.Column("forced_step", _text(16)))
    _create_pending_logins()
    _create_authenticators()
    create_table(
        "recovery_codes",
        sa.Column("account_id", _text(22), nullable=False),
        sa.Column("code_hash", _text(64), nullable=False),
        sa.Column("key_name", _text(8), nullable=False),
        sa.Column("is_break_glass", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "code_hash", name="pk_recovery_codes"),
        _of_account("recovery_codes"),
    )


def _create_pending_logins() -> None:
    create_table(
        "pending_logins",
        sa.Column("token_hash", _digest(), nullable=False),
        sa.Column("account_id", _text(22), nullable=False),
        sa.Column("browser_hash", _digest(), nullable=False),
        sa.Column("method", _text(16), nullable=False),
        sa.Column("factor", _text(16)),
        sa.Column("attempts_left", sa.SmallInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_pending_logins"),
        _of_account("pending_logins"),
    )
    create_index("pending_logins", ["account_id"])
    create_index("pending_logins", ["expires_at"])


def _create_authenticators() -> None:
    create_table(
        "authenticators",
        sa.Column("id", _text(22), nullable=False),
        sa.Column("account_id", _text(22), nullable=False),
        sa.Column("name", _text(80), nullable=False),
        sa.Column("sealed", _prose(), nullable=False),
        sa.Column("key_name", _text(8), nullable=False),
        sa.Column("last_step", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("confirmed_at", sa.BigInteger),
        sa.Column("last_used_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_authenticators"),
        _of_account("authenticators"),
    )
    create_index("authenticators", ["account_id"])
    create_index("authenticators", ["key_name"])
