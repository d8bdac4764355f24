"""Queries on the record. Rows are only ever added."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from aegis import db
from aegis.audit.model import Place
from aegis.schema import audit

PAGE = 1000

Row = sa.Row[Any]


def add(values: dict[str, Any]) -> None:
    """Append a row."""
    db.change(sa.insert(audit).values(**values))


def list_heads(opening: str, limit: int) -> Sequence[Row]:
    """Return chain, number and MAC of the last row of the chains that were opened last.

    Each end is one look into the primary key, so that the answer does not take longer as the record grows.
    """
    of_chain = sa.alias(audit, "of_chain")
    first = sa.and_(audit.c.event == opening, audit.c.number == 1)
    opened = sa.select(audit.c.chain).where(first).order_by(audit.c.at.desc()).limit(limit).subquery()
    last = (
        sa.select(sa.func.max(of_chain.c.number)).where(of_chain.c.chain == opened.c.chain).scalar_subquery()
    )
    ends = sa.select(opened.c.chain, last.label("number")).subquery()
    same = sa.and_(audit.c.chain == ends.c.chain, audit.c.number == ends.c.number)
    return db.rows(sa.select(audit.c.chain, audit.c.number, audit.c.mac).join(ends, same))


def walk() -> Iterator[Row]:
    """Yield all rows by chain and number, a page at a time."""
    chain, number = "", 0
    while True:
        after = sa.or_(audit.c.chain > chain, sa.and_(audit.c.chain == chain, audit.c.number > number))
        page = db.rows(sa.select(audit).where(after).order_by(audit.c.chain, audit.c.number).limit(PAGE))
        yield from page
        if len(page) < PAGE:
            return
        chain, number = page[-1].chain, page[-1].number


def walk_since(since: int) -> Iterator[Row]:
    """Yield the rows since a time, the earliest first, a page at a time."""
    place: Place = (since, "", 0)
    order = (audit.c.at, audit.c.chain, audit.c.number)
    while True:
        page = db.rows(sa.select(audit).where(_after(place)).order_by(*order).limit(PAGE))
        yield from page
        if len(page) < PAGE:
            return
        place = (page[-1].at, page[-1].chain, page[-1].number)


def _after(place: Place) -> sa.ColumnElement[bool]:
    at, chain, number = place
    later = sa.or_(audit.c.chain > chain, sa.and_(audit.c.chain == chain, audit.c.number > number))
    return sa.and_(audit.c.at >= at, sa.or_(audit.c.at > at, later))


def _before(place: Place) -> sa.ColumnElement[bool]:
    at, chain, number = place
    earlier = sa.or_(audit.c.chain < chain, sa.and_(audit.c.chain == chain, audit.c.number < number))
    return sa.and_(audit.c.at <= at, sa.or_(audit.c.at < at, earlier))


def search(  # noqa: PLR0913 - each is a column to search by
    *,
    account_id: str | None,
    events: Sequence[str] | None,
    address: str | None,
    before: Place | None,
    since: int | None,
    until: int | None,
    limit: int,
) -> Sequence[Row]:
    """Return rows that match, the latest first."""
    conditions: list[sa.ColumnElement[bool]] = []
    if account_id is not None:
        conditions.append(audit.c.account_id == account_id)
    if events is not None:
        conditions.append(audit.c.event.in_(events))
    if address is not None:
        conditions.append(audit.c.address == address)
    if before is not None:
        conditions.append(_before(before))
    if since is not None:
        conditions.append(audit.c.at >= since)
    if until is not None:
        conditions.append(audit.c.at <= until)
    order = (audit.c.at.desc(), audit.c.chain.desc(), audit.c.number.desc())
    return db.rows(sa.select(audit).where(*conditions).order_by(*order).limit(limit))


def list_of_event(event: str) -> Sequence[Row]:
    """Return all rows of one kind."""
    return db.rows(sa.select(audit).where(audit.c.event == event))


def count() -> int:
    """Return how many rows there are."""
    found = db.row(sa.select(sa.func.count()).select_from(audit))
    return int(found[0]) if found else 0
