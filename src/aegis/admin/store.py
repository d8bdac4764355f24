"""Queries that only administrators make."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from aegis import db
from aegis.schema import accounts, sessions


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


def list_sessions(
    used_after: int, started_after: int, before: tuple[int, str] | None, limit: int
) -> Sequence[sa.Row[Any]]:
    """Return live sessions of everybody with the name of the account, the latest used first, behind a place."""
    live = [sessions.c.last_used_at > used_after, sessions.c.started_at > started_after]
    if before is not None:
        used_at, session_id = before
        later = sa.and_(sessions.c.last_used_at == used_at, sessions.c.id > session_id)
        live.append(sa.or_(sessions.c.last_used_at < used_at, later))
    statement = sa.select(sessions, accounts.c.username).join(
        accounts, accounts.c.id == sessions.c.account_id
    )
    latest_first = (sessions.c.last_used_at.desc(), sessions.c.id)
    return db.rows(statement.where(*live).order_by(*latest_first).limit(limit))
