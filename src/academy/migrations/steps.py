"""Steps that may be repeated: each looks first whether it was done. And the types that they are written in.

The types stay as they are, because steps that were run already are written in them; a new one gets a new name.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql


def create_table(name: str, *items: sa.schema.SchemaItem, **options: Any) -> None:
    """Create a table with its columns and constraints unless it exists; indexes are steps of their own."""
    if not sa.inspect(op.get_bind()).has_table(name):
        op.create_table(name, *items, **options)


def create_index(table: str, columns: Sequence[str]) -> None:
    """Create an index on columns unless it exists; MySQL knows no CREATE INDEX IF NOT EXISTS."""
    name = "_".join(["ix", table, *columns])
    known = sa.inspect(op.get_bind()).get_indexes(table)
    if name not in {index["name"] for index in known}:
        op.create_index(name, table, list(columns))


def add_column(table: str, column: sa.Column[Any]) -> None:
    """Add a column unless it exists."""
    known = sa.inspect(op.get_bind()).get_columns(table)
    if column.name not in {found["name"] for found in known}:
        op.add_column(table, column)


def text(length: int) -> sa.types.TypeEngine[str]:
    """Return text that MariaDB compares exactly too."""
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def prose() -> sa.types.TypeEngine[str]:
    """Return text without a limit of its own."""
    exact = mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Text().with_variant(exact, "mysql", "mariadb")


def digest() -> sa.types.TypeEngine[bytes]:
    """Return the type of a SHA-256."""
    return sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


def of_account(table: str) -> sa.ForeignKeyConstraint:
    """Return what ties a row to its account and deletes it with that."""
    name = f"fk_{table}_account_id"
    return sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=name, ondelete="CASCADE")
