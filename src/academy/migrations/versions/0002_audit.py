"""The record of security events."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from academy.migrations.steps import create_index, create_table

revision = "0002"
down_revision = "0001"


def _text(length: int) -> sa.types.TypeEngine[str]:
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def _prose() -> sa.types.TypeEngine[str]:
    exact = mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Text().with_variant(exact, "mysql", "mariadb")


def upgrade() -> None:
    """Create the table; the release before does not know it and keeps working."""
    create_table(
        "audit",
        sa.Column("chain", _text(22), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("event", _text(40), nullable=False),
        sa.Column("account_id", _text(22)),
        sa.Column("actor_id", _text(22)),
        sa.Column("address", _text(45), nullable=False),
        sa.Column("request_id", _text(32), nullable=False),
        sa.Column("data", _prose(), nullable=False),
        sa.Column("mac", _text(64), nullable=False),
        sa.PrimaryKeyConstraint("chain", "number", name="pk_audit"),
    )
    for column in ("at", "event", "account_id"):
        create_index("audit", [column])
