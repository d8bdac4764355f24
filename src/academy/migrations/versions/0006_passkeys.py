"""Passkeys, and the challenges that were used."""

import sqlalchemy as sa

from academy.migrations.steps import create_index, create_table, digest, of_account, text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add two tables; the release before knows neither and keeps working."""
    create_table(
        "passkeys",
        sa.Column("id", text(22), nullable=False),
        sa.Column("account_id", text(22), nullable=False),
        sa.Column("credential_hash", digest(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("is_syncable", sa.Boolean, nullable=False),
        sa.Column("is_synced", sa.Boolean, nullable=False),
        sa.Column("name", text(80), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_passkeys"),
        sa.UniqueConstraint("credential_hash", name="uq_passkeys_credential_hash"),
        of_account("passkeys"),
    )
    create_index("passkeys", ["account_id"])
    create_table(
        "used_challenges",
        sa.Column("text_hash", digest(), nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("text_hash", name="pk_used_challenges"),
    )
    create_index("used_challenges", ["expires_at"])
