"""Queries on the table of counters. Keys are hashed names, so that neither names nor addresses are kept here."""

import sqlalchemy as sa

from aegis import db
from aegis.schema import counters

_empty_at = counters.c.empty_at_ms


def _later(now_ms: int) -> sa.ColumnElement[int]:
    return sa.case((_empty_at > now_ms, _empty_at), else_=sa.literal(now_ms, sa.BigInteger))


def take(name: str, interval_ms: int, capacity_ms: int, now_ms: int) -> int:
    """Take one if there is room: one conditional write decides. Return 0, or the milliseconds until there is room."""
    room = sa.and_(counters.c.name == name, _empty_at <= now_ms + capacity_ms - interval_ms)
    taking = sa.update(counters).where(room).values(empty_at_ms=_later(now_ms) + interval_ms)
    while not db.change(taking):
        row = db.row(sa.select(_empty_at).where(counters.c.name == name))
        if row is not None:
            if row.empty_at_ms + interval_ms - now_ms > capacity_ms:
                return int(row.empty_at_ms + interval_ms - now_ms - capacity_ms)
        elif db.add_if_absent(counters, {"name": name, "empty_at_ms": now_ms + interval_ms}):
            return 0
    return 0


def fill(name: str, interval_ms: int, now_ms: int) -> None:
    """Take one whether there is room or not."""
    filling = (
        sa.update(counters).where(counters.c.name == name).values(empty_at_ms=_later(now_ms) + interval_ms)
    )
    if not db.change(filling) and not db.add_if_absent(
        counters, {"name": name, "empty_at_ms": now_ms + interval_ms}
    ):
        db.change(filling)


def move(name: str, by_ms: int) -> None:
    """Move a bucket."""
    db.change(sa.update(counters).where(counters.c.name == name).values(empty_at_ms=_empty_at + by_ms))


def purge(now_ms: int, batch: int) -> int:
    """Delete up to `batch` buckets that are empty, which are as good as none."""
    names = [row.name for row in db.rows(sa.select(counters.c.name).where(_empty_at < now_ms).limit(batch))]
    return (
        db.change(sa.delete(counters).where(counters.c.name.in_(names), _empty_at < now_ms)) if names else 0
    )
