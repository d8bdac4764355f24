"""Queries on proofs."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from aegis import db
from aegis.schema import proofs


def add(values: dict[str, Any]) -> None:
    """Insert a proof."""
    db.change(sa.insert(proofs).values(**values))


def find_by_token(purpose: str, token_hash: bytes) -> sa.Row[Any] | None:
    """Return the proof of a token."""
    same = sa.and_(proofs.c.purpose == purpose, proofs.c.token_hash == token_hash)
    return db.row(sa.select(proofs).where(same))


def find_by_address(purpose: str, address: str) -> Any:
    """Return the latest proof for an address."""
    same = sa.and_(proofs.c.purpose == purpose, proofs.c.address == address)
    return db.row(sa.select(proofs).where(same).order_by(proofs.c.created_at.desc(), proofs.c.id).limit(1))


def find(proof_id: str) -> Any:
    """Return a proof."""
    return db.row(sa.select(proofs).where(proofs.c.id == proof_id))


def find_held(
    purpose: str, address: str | None, account_id: str | None, browser_hash: bytes | None
) -> sa.Row[Any] | None:
    """Return the latest proof of an account or a browser, perhaps for one address."""
    own = []
    if account_id is not None:
        own.append(proofs.c.account_id == account_id)
    if browser_hash is not None:
        own.append(proofs.c.browser_hash == browser_hash)
    if not own:
        return None
    same = sa.and_(proofs.c.purpose == purpose, sa.or_(*own))
    if address is not None:
        same = sa.and_(same, proofs.c.address == address)
    return db.row(sa.select(proofs).where(same).order_by(proofs.c.created_at.desc(), proofs.c.id).limit(1))


def last_place(purpose: str, account_id: str) -> int:
    """Return the highest place among the proofs of an account."""
    own = sa.and_(proofs.c.purpose == purpose, proofs.c.account_id == account_id)
    row = db.row(sa.select(sa.func.coalesce(sa.func.max(proofs.c.place), 0)).where(own))
    return int(row[0]) if row else 0


def spend_attempt(proof_id: str) -> bool:
    """Take one of the attempts that are left; False when there is none."""
    some_left = sa.and_(proofs.c.id == proof_id, proofs.c.attempts_left > 0)
    return db.change(sa.update(proofs).where(some_left).values(attempts_left=proofs.c.attempts_left - 1)) == 1


def remove(proof_id: str, now: int) -> bool:
    """Delete a proof that is still good; True for who was first."""
    good = sa.and_(proofs.c.id == proof_id, proofs.c.expires_at > now)
    return db.change(sa.delete(proofs).where(good)) == 1


def remove_of_address(purpose: str, address: str) -> None:
    """Delete earlier proofs for an address."""
    same = sa.and_(proofs.c.purpose == purpose, proofs.c.address == address)
    db.change(sa.delete(proofs).where(same))


def remove_of_account(account_id: str, purposes: Sequence[str]) -> None:
    """Delete the proofs of an account for some purposes."""
    own = sa.and_(proofs.c.account_id == account_id, proofs.c.purpose.in_(purposes))
    db.change(sa.delete(proofs).where(own))


def remove_from_place(purpose: str, account_id: str, place: int) -> None:
    """Delete the proofs of an account from a place on."""
    own = sa.and_(proofs.c.account_id == account_id, proofs.c.purpose == purpose)
    db.change(sa.delete(proofs).where(own, proofs.c.place >= place))


def remove_expired(now: int, batch: int) -> int:
    """Delete up to `batch` expired proofs."""
    late = sa.select(proofs.c.id).where(proofs.c.expires_at <= now).limit(batch)
    ids = [row.id for row in db.rows(late)]
    return db.change(sa.delete(proofs).where(proofs.c.id.in_(ids))) if ids else 0
