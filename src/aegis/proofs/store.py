"""Queries on proofs."""

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


def remove_of_account(account_id: str) -> None:
    """Delete all proofs of an account."""
    db.change(sa.delete(proofs).where(proofs.c.account_id == account_id))


def remove_expired(now: int, batch: int) -> int:
    """Delete up to `batch` expired proofs."""
    late = sa.select(proofs.c.id).where(proofs.c.expires_at <= now).limit(batch)
    ids = [row.id for row in db.rows(late)]
    return db.change(sa.delete(proofs).where(proofs.c.id.in_(ids))) if ids else 0
