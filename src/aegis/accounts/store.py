"""Queries on the account table."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from aegis import db
from aegis.schema import accounts


def find(account_id: str) -> sa.Row[Any] | None:
    """Return the account, or None."""
    return db.row(sa.select(accounts).where(accounts.c.id == account_id))


def find_by_username(canonical: str) -> sa.Row[Any] | None:
    """Return the account of a canonical user name, or None."""
    return db.row(sa.select(accounts).where(accounts.c.username_canonical == canonical))


def find_by_email(canonical: str) -> sa.Row[Any] | None:
    """Return the account of a canonical e-mail address, or None."""
    return db.row(sa.select(accounts).where(accounts.c.email_canonical == canonical))


def add(values: dict[str, Any]) -> None:
    """Insert an account. Raises db.Duplicate when name or address is taken."""
    db.change(sa.insert(accounts).values(**values))


def stay(account_id: str) -> bool:
    """Forget that the account is to be erased; tell whether it was."""
    leaving = sa.and_(accounts.c.id == account_id, accounts.c.erase_at.is_not(None))
    return db.change(sa.update(accounts).where(leaving).values(erase_at=None)) == 1


def list_leaving(now: int, batch: int) -> Sequence[sa.Row[Any]]:
    """Return up to `batch` accounts whose time has come."""
    due = sa.select(accounts.c.id, accounts.c.avatar).where(accounts.c.erase_at <= now)
    return db.rows(due.order_by(accounts.c.erase_at).limit(batch))


def erase(account_id: str, now: int) -> bool:
    """Delete an account and what hangs on it, unless it stays after all."""
    due = sa.and_(accounts.c.id == account_id, accounts.c.erase_at <= now)
    return db.change(sa.delete(accounts).where(due)) == 1


def lock(account_id: str) -> None:
    """Make other changes of the account wait for this transaction; a read that follows sees the latest state."""
    db.change(sa.update(accounts).where(accounts.c.id == account_id).values(id=account_id))


def change(account_id: str, values: dict[str, Any]) -> int:
    """Change columns of an account. Raises db.Duplicate when an address is taken."""
    return db.change(sa.update(accounts).where(accounts.c.id == account_id).values(**values))


def release_address(canonical: str, but: str, *, unproven_only: bool) -> int:
    """Take an address from whoever holds it, because somebody proved that it is theirs."""
    others = sa.and_(accounts.c.email_canonical == canonical, accounts.c.id != but)
    if unproven_only:
        others = sa.and_(others, accounts.c.email_verified_at.is_(None))
    nothing = {"email": None, "email_canonical": None, "email_verified_at": None}
    return db.change(sa.update(accounts).where(others).values(**nothing))


def change_password(account_id: str, old_hash: str, values: dict[str, Any]) -> bool:
    """Change the password only if it is still the one that was verified."""
    same = sa.and_(accounts.c.id == account_id, accounts.c.password_hash == old_hash)
    return db.change(sa.update(accounts).where(same).values(**values)) == 1


def list_active_admins() -> Sequence[sa.Row[Any]]:
    """Return the administrators that can sign in."""
    return db.rows(
        sa.select(accounts.c.id)
        .where(accounts.c.role == "admin", accounts.c.is_active)
        .order_by(accounts.c.id)
    )


def list_all() -> list[sa.Row[Any]]:
    """Return all accounts by name."""
    return list(db.rows(sa.select(accounts).order_by(accounts.c.username_canonical)))
