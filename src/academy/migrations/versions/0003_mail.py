"""Mails that wait, proofs of addresses, and what an account knows of its own."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from academy.migrations.steps import add_column, create_index, create_table

revision = "0003"
down_revision = "0002"


def _text(length: int) -> sa.types.TypeEngine[str]:
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def _prose() -> sa.types.TypeEngine[str]:
    exact = mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Text().with_variant(exact, "mysql", "mariadb")


def _digest() -> sa.types.TypeEngine[bytes]:
    return sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


def upgrade() -> None:
    """Add tables and columns that may be empty; the release before knows none of them and keeps working."""
    add_column("accounts", sa.Column("email_verified_at", sa.BigInteger))
    add_column("accounts", sa.Column("frozen_until", sa.BigInteger))
    add_column("accounts", sa.Column("mutes_notices", sa.Boolean))
    _create_outbox()
    _create_proofs()
    create_table(
        "facts",
        sa.Column("name", _text(40), nullable=False),
        sa.Column("value", _text(200), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
    )


def _create_outbox() -> None:
    create_table(
        "outbox",
        sa.Column("id", _text(22), nullable=False),
        sa.Column("template", _text(40), nullable=False),
        sa.Column("sealed", _prose(), nullable=False),
        sa.Column("state", _text(10), nullable=False),
        sa.Column("attempts", sa.SmallInteger, nullable=False),
        sa.Column("next_try_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("fault", _text(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    create_index("outbox", ["state", "next_try_at"])


def _create_proofs() -> None:
    create_table(
        "proofs",
        sa.Column("id", _text(22), nullable=False),
        sa.Column("purpose", _text(10), nullable=False),
        sa.Column("account_id", _text(22)),
        sa.Column("address", _text(320), nullable=False),
        sa.Column("token_hash", _digest()),
        sa.Column("code_hash", _text(64)),
        sa.Column("browser_hash", _digest()),
        sa.Column("attempts_left", sa.SmallInteger, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("data", _prose(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_proofs"),
        sa.UniqueConstraint("token_hash", name="uq_proofs_token_hash"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_proofs_account_id", ondelete="CASCADE"
        ),
    )
    for columns in (["account_id"], ["expires_at"], ["address", "purpose"]):
        create_index("proofs", columns)
