"""Queries on the outbox. A row is claimed by one conditional write, so that two senders never hold the same mail."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from aegis import db
from aegis.schema import facts, outbox

WAITING, DEAD = "waiting", "dead"


def add(values: dict[str, Any]) -> None:
    """Insert a mail."""
    db.change(sa.insert(outbox).values(state=WAITING, attempts=0, fault="", **values))


def due(now: int, most: int) -> Sequence[sa.Row[Any]]:
    """Return mails whose time has come, the oldest first."""
    is_due = sa.and_(outbox.c.state == WAITING, outbox.c.next_try_at <= now)
    return db.rows(sa.select(outbox).where(is_due).order_by(outbox.c.next_try_at, outbox.c.id).limit(most))


def claim(mail: sa.Row[Any], until: int) -> bool:
    """Take a mail until then; tell whether nobody else was faster."""
    return _change(mail.id, mail.next_try_at, {"next_try_at": until, "attempts": mail.attempts + 1})


def postpone(mail_id: str, held_until: int, next_try_at: int, fault: str) -> bool:
    """Give a claimed mail back for later."""
    return _change(mail_id, held_until, {"next_try_at": next_try_at, "fault": fault})


def bury(mail_id: str, held_until: int, now: int, fault: str) -> bool:
    """Give a claimed mail up; it stays for the operator."""
    return _change(mail_id, held_until, {"next_try_at": now, "state": DEAD, "fault": fault})


def _change(mail_id: str, next_try_at: int, values: dict[str, Any]) -> bool:
    """Change a waiting mail that is still as it was seen."""
    seen = sa.and_(outbox.c.id == mail_id, outbox.c.state == WAITING, outbox.c.next_try_at == next_try_at)
    return db.change(sa.update(outbox).where(seen).values(**values)) == 1


def remove(mail_id: str) -> bool:
    """Delete a mail, and with it the secrets it carried."""
    return db.change(sa.delete(outbox).where(outbox.c.id == mail_id)) == 1


def totals(late_since: int) -> sa.Row[Any] | None:
    """Count what waits, what waits since before `late_since` without being taken, and what is dead."""

    def count(condition: sa.ColumnElement[bool]) -> sa.Label[int]:
        return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)  # type: ignore[return-value]

    waiting = outbox.c.state == WAITING
    return db.row(
        sa.select(
            count(waiting).label("waiting"),
            count(sa.and_(waiting, outbox.c.next_try_at < late_since)).label("unclaimed"),
            count(outbox.c.state == DEAD).label("dead"),
            sa.func.min(sa.case((waiting, outbox.c.created_at))).label("oldest_at"),
        )
    )


def list_all() -> Sequence[sa.Row[Any]]:
    """Return all mails, the oldest first."""
    return db.rows(sa.select(outbox).order_by(outbox.c.created_at, outbox.c.id))


def revive(now: int) -> int:
    """Let dead mails wait again, with all their attempts."""
    dead = sa.update(outbox).where(outbox.c.state == DEAD)
    return db.change(dead.values(state=WAITING, attempts=0, next_try_at=now, fault=""))


def remove_dead() -> int:
    """Delete dead mails."""
    return db.change(sa.delete(outbox).where(outbox.c.state == DEAD))


def fact(name: str) -> str | None:
    """Return something that was noted of this installation."""
    row = db.row(sa.select(facts.c.value).where(facts.c.name == name))
    return None if row is None else str(row.value)


def claim_fact(name: str, value: str) -> bool:
    """Note something unless it is noted already; True for exactly one of those who try at once.

    Raises Duplicate for those who lose the first time.
    """
    other = sa.and_(facts.c.name == name, facts.c.value != value)
    if db.change(sa.update(facts).where(other).values(value=value)) == 1:
        return True
    if fact(name) is not None:
        return False
    db.change(sa.insert(facts).values(name=name, value=value))
    return True


def set_fact(name: str, value: str) -> None:
    """Note something of this installation, in place of what was noted before."""
    with db.transaction():
        db.change(sa.delete(facts).where(facts.c.name == name))
        db.change(sa.insert(facts).values(name=name, value=value))
