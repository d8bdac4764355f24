"""What metrics ask the database."""

from typing import Any, NamedTuple

import sqlalchemy as sa

from aegis import clock, db, state
from aegis.schema import audit, outbox, sessions


class Found(NamedTuple):
    """Numbers of now."""

    sessions: int
    mails: dict[str, int]
    last_row_at: int


def read() -> Found:
    """Count live sessions and waiting mails, and find the latest row of the record. Raises Unavailable."""
    settings, now = state.current().settings, clock.now()
    live = sa.and_(
        sessions.c.last_used_at > now - settings.session_idle_s,
        sessions.c.started_at > now - settings.session_overall_s,
    )
    by_state = sa.select(outbox.c.state, sa.func.count().label("number")).group_by(outbox.c.state)
    return Found(
        sessions=_number(sa.select(sa.func.count().label("number")).where(live)),
        mails={row.state: row.number for row in db.rows(by_state)},
        last_row_at=_number(sa.select(sa.func.max(audit.c.at).label("number"))),
    )


def _number(statement: sa.Select[Any]) -> int:
    found = db.row(statement)
    return int(found.number or 0) if found is not None else 0
