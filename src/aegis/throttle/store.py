"""Queries on the table of counters. Keys are hashed names, so that neither names nor addresses are kept here.

Every function touches one row, or rows in the order in which it was given their names: whoever changes several in
one transaction names them sorted, so that two of them never wait for each other.
"""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from aegis import db, state
from aegis.schema import counters

_empty_at = counters.c.empty_at_ms


def levels(names: Iterable[str]) -> Mapping[str, int]:
    """Return when each of these buckets is empty again; those that are missing are empty."""
    chosen = sa.select(counters.c.name, _empty_at).where(counters.c.name.in_(list(names)))
    return {row.name: row.empty_at_ms for row in db.rows(chosen)}


def take(name: str, interval_ms: int, capacity_ms: int, now_ms: int) -> int:
    """Take one if there is room: one conditional write decides. Return 0, or the milliseconds until there is room."""
    latest = now_ms + capacity_ms - interval_ms
    while not _add(name, interval_ms, now_ms, latest):
        found = levels([name]).get(name)
        if found is None:
            _ensure(name, now_ms)
        elif found > latest:
            return found - latest
    return 0


def fill(name: str, interval_ms: int, now_ms: int) -> None:
    """Take one whether there is room or not."""
    while not _add(name, interval_ms, now_ms):
        _ensure(name, now_ms)


def move(name: str, by_ms: int) -> None:
    """Move a bucket."""
    db.change(sa.update(counters).where(counters.c.name == name).values(empty_at_ms=_empty_at + by_ms))


def empty(name: str, seen: int) -> bool:
    """Empty a bucket unless it changed since it was seen; tell whether it did."""
    same = sa.and_(counters.c.name == name, _empty_at == seen)
    return db.change(sa.update(counters).where(same).values(empty_at_ms=0)) == 1


def _add(name: str, interval_ms: int, now_ms: int, latest: int | None = None) -> bool:
    later = sa.case((_empty_at > now_ms, _empty_at), else_=sa.literal(now_ms, sa.BigInteger))
    adding = sa.update(counters).where(counters.c.name == name).values(empty_at_ms=later + interval_ms)
    return db.change(adding if latest is None else adding.where(_empty_at <= latest)) == 1


def _ensure(name: str, now_ms: int) -> None:
    """Make an empty bucket unless there is one.

    MariaDB gets an update that changes nothing: a plain insert that met the row would leave a shared lock on it, and
    two that want to write then wait for each other.
    """
    values = {"name": name, "empty_at_ms": now_ms}
    backend = state.current().database.url.get_backend_name()
    if backend == "mysql":
        unchanged = {"name": counters.c.name}
        db.change(mysql.insert(counters).values(**values).on_duplicate_key_update(unchanged))
    elif backend == "sqlite":
        db.change(sqlite.insert(counters).values(**values).on_conflict_do_nothing())
    else:
        db.change(postgresql.insert(counters).values(**values).on_conflict_do_nothing())


def purge(now_ms: int, batch: int) -> int:
    """Delete up to `batch` buckets that are empty, which are as good as none; those in use are left for next time."""
    late = sa.select(counters.c.name).where(_empty_at < now_ms).limit(batch)
    with db.transaction():
        names = [row.name for row in db.rows(late.with_for_update(skip_locked=True))]
        gone = sa.delete(counters).where(counters.c.name.in_(names), _empty_at < now_ms)
        return db.change(gone) if names else 0
