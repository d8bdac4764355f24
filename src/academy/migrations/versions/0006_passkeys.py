"""Passkeys, and the challenges that were used."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from academy.migrations.steps import create_index, create_table

revision = "0006"
down_revision = "0005"


def _text(length: int) -> sa.types.TypeEngine[str]:
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def _digest() -> sa.types.TypeEngine[bytes]:
    return sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


def upgrade() -> None:
    """Add two tables; the release before knows neither and keeps working."""
    create_table(
        "passkeys",
        sa.Column("id", _text(22), nullable=False),
        sa.Column("account_id", _text(22), nullable=False),
        sa.Column("credential_hash", _digest(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("is_syncable", sa.Boolean, nullable=False),
        sa.Column("is_synced", sa.Boolean, nullable=False),
        sa.Column("name", _text(80), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_passkeys"),
        sa.UniqueConstraint("credential_hash", name="uq_passkeys_credential_hash"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_passkeys_account_id", ondelete="CASCADE"
        ),
    )
    create_index("passkeys", ["account_id"])
    create_table(
        "used_challenges",
        sa.Column("text_hash", _digest(), nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("text_hash", name="pk_used_challenges"),
    )
    create_index("used_challenges", ["expires_at"])
