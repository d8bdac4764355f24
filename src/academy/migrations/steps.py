"""Steps that may be repeated: each looks first whether it was done."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op


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
