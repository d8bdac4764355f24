"""Queries that only administrators make."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from aegis import db
from aegis.schema import accounts


def search(text: str, role: str | None, after: str, limit: int) -> Sequence[sa.Row[Any]]:
    """Return accounts whose name or address begins with a text, by canonical name, behind `after`."""
    conditions = [accounts.c.username_canonical > after]
    if text:
        begins = [
            accounts.c.username_canonical.startswith(text, autoescape=True),
            accounts.c.email_canonical.startswith(text, autoescape=True),
        ]
        conditions.append(sa.or_(*begins))
    if role:
        conditions.append(accounts.c.role == role)
    statement = sa.select(accounts).where(*conditions).order_by(accounts.c.username_canonical)
    return db.rows(statement.limit(limit))
