"""Mails that wait, proofs of addresses, and what an account knows of its own."""

import sqlalchemy as sa

from academy.migrations.steps import add_column, create_index, create_table, digest, of_account, prose, text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add tables and columns that may be empty; the release before knows none of them and keeps working."""
    add_column("accounts", sa.Column("email_verified_at", sa.BigInteger))
    add_column("accounts", sa.Column("frozen_until", sa.BigInteger))
    add_column("accounts", sa.Column("mutes_notices", sa.Boolean))
    _create_outbox()
    _create_proofs()
    create_table(
        "facts",
        sa.Column("name", text(40), nullable=False),
        sa.Column("value", text(200), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
    )


def _create_outbox() -> None:
    create_table(
        "outbox",
        sa.Column("id", text(22), nullable=False),
        sa.Column("template", text(40), nullable=False),
        sa.Column("sealed", prose(), nullable=False),
        sa.Column("state", text(10), nullable=False),
        sa.Column("attempts", sa.SmallInteger, nullable=False),
        sa.Column("next_try_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("fault", text(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    create_index("outbox", ["state", "next_try_at"])


def _create_proofs() -> None:
    create_table(
        "proofs",
        sa.Column("id", text(22), nullable=False),
        sa.Column("purpose", text(10), nullable=False),
        sa.Column("account_id", text(22)),
        sa.Column("address", text(320), nullable=False),
        sa.Column("token_hash", digest()),
        sa.Column("code_hash", text(64)),
        sa.Column("browser_hash", digest()),
        sa.Column("attempts_left", sa.SmallInteger, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("data", prose(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_proofs"),
        sa.UniqueConstraint("token_hash", name="uq_proofs_token_hash"),
        of_account("proofs"),
    )
    for columns in (["account_id"], ["expires_at"], ["address", "purpose"]):
        create_index("proofs", columns)
