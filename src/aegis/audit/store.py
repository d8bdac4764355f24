"""Queries on the record. Rows are only ever added."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from aegis import db
from aegis.schema import audit

PAGE = 1000


def add(values: dict[str, Any]) -> None:
    """Append a row."""
    db.change(sa.insert(audit).values(**values))


def list_heads(limit: int) -> Sequence[sa.Row[Any]]:
    """Return the last row of each chain that was written to most recently: chain, number, mac."""
    last = sa.select(audit.c.chain, sa.func.max(audit.c.number).label("number")).group_by(audit.c.chain)
    ends = last.order_by(sa.func.max(audit.c.at).desc()).limit(limit).subquery()
    same = sa.and_(audit.c.chain == ends.c.chain, audit.c.number == ends.c.number)
    return db.rows(sa.select(audit.c.chain, audit.c.number, audit.c.mac).join(ends, same))


def walk() -> Iterator[sa.Row[Any]]:
    """Yield all rows by chain and number, a page at a time."""
    chain, number = "", 0
    while True:
        after = sa.or_(audit.c.chain > chain, sa.and_(audit.c.chain == chain, audit.c.number > number))
        page = db.rows(sa.select(audit).where(after).order_by(audit.c.chain, audit.c.number).limit(PAGE))
        yield from page
        if len(page) < PAGE:
            return
        chain, number = page[-1].chain, page[-1].number


def search(  # noqa: PLR0913 - each is a column to search by
    *,
    account_id: str | None,
    event: str | None,
    address: str | None,
    before: int | None,
    since: int | None,
    limit: int,
) -> Sequence[sa.Row[Any]]:
    """Return rows that match, the latest first."""
    statement = (
        sa.select(audit).order_by(audit.c.at.desc(), audit.c.chain, audit.c.number.desc()).limit(limit)
    )
    conditions = (
        (account_id, audit.c.account_id == account_id),
        (event, audit.c.event == event),
        (address, audit.c.address == address),
        (before, audit.c.at < before),
        (since, audit.c.at >= since),
    )
    return db.rows(statement.where(*(condition for given, condition in conditions if given is not None)))


def list_of_event(event: str) -> Sequence[sa.Row[Any]]:
    """Return all rows of one kind."""
    return db.rows(sa.select(audit).where(audit.c.event == event))
