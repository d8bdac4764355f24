"""The picture of an account."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from academy.migrations.steps import add_column

revision = "0005"
down_revision = "0004"


def _text(length: int) -> sa.types.TypeEngine[str]:
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def upgrade() -> None:
    """Add a column that may be empty; the release before does not know it and keeps working."""
    add_column("accounts", sa.Column("avatar", _text(40)))
