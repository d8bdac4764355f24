"""Queries on authenticators and recovery codes."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from aegis import db
from aegis.schema import authenticators, recovery_codes


def add_unconfirmed(values: dict[str, Any]) -> None:
    """Insert an authenticator that does not count yet, in place of the account's former one of that kind."""
    with db.transaction():
        db.change(sa.delete(authenticators).where(_unconfirmed(values["account_id"])))
        db.change(sa.insert(authenticators).values(**values))


def find_unconfirmed(account_id: str) -> Any:
    """Return the account's authenticator that does not count yet, or None."""
    return db.row(sa.select(authenticators).where(_unconfirmed(account_id)))


def confirm(authenticator_id: str, values: dict[str, Any]) -> bool:
    """Let an authenticator count from now on; False when it did already, or is gone."""
    waiting = sa.and_(authenticators.c.id == authenticator_id, authenticators.c.confirmed_at.is_(None))
    return db.change(sa.update(authenticators).where(waiting).values(**values)) == 1


def list_of(account_id: str) -> Sequence[sa.Row[Any]]:
    """Return the account's authenticators that count, the oldest first."""
    own = sa.select(authenticators).where(
        authenticators.c.account_id == account_id, authenticators.c.confirmed_at.is_not(None)
    )
    return db.rows(own.order_by(authenticators.c.created_at, authenticators.c.id))


def use_step(authenticator_id: str, step: int, values: dict[str, Any]) -> bool:
    """Use up a step and all before it; False when it was used."""
    later = sa.and_(authenticators.c.id == authenticator_id, authenticators.c.last_step < step)
    return db.change(sa.update(authenticators).where(later).values(last_step=step, **values)) == 1


def rename(account_id: str, authenticator_id: str, name: str) -> bool:
    """Name an authenticator of the account."""
    return (
        db.change(sa.update(authenticators).where(_own(account_id, authenticator_id)).values(name=name)) == 1
    )


def remove(account_id: str, authenticator_id: str) -> bool:
    """Delete an authenticator of the account."""
    return db.change(sa.delete(authenticators).where(_own(account_id, authenticator_id))) == 1


def remove_all(account_id: str, since: int) -> int:
    """Delete the account's authenticators that were made since then; return how many counted."""
    count = len([row for row in list_of(account_id) if row.created_at >= since])
    own = sa.and_(authenticators.c.account_id == account_id, authenticators.c.created_at >= since)
    db.change(sa.delete(authenticators).where(own))
    return count


def list_sealed_otherwise(key_name: str, batch: int) -> Sequence[sa.Row[Any]]:
    """Return up to `batch` authenticators that another key sealed."""
    return db.rows(sa.select(authenticators).where(authenticators.c.key_name != key_name).limit(batch))


def reseal(authenticator_id: str, sealed_before: str, values: dict[str, Any]) -> None:
    """Store the same secret under another key, unless somebody was faster."""
    same = sa.and_(authenticators.c.id == authenticator_id, authenticators.c.sealed == sealed_before)
    db.change(sa.update(authenticators).where(same).values(**values))


def _unconfirmed(account_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(authenticators.c.account_id == account_id, authenticators.c.confirmed_at.is_(None))


def _own(account_id: str, authenticator_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(authenticators.c.account_id == account_id, authenticators.c.id == authenticator_id)


def replace_codes(
    account_id: str, hashes: Sequence[str], values: dict[str, Any], *, is_break_glass: bool
) -> None:
    """Store a set of recovery codes in place of the account's former ones of the kind."""
    common = {"account_id": account_id, "is_break_glass": is_break_glass, **values}
    with db.transaction():
        remove_codes(account_id, is_break_glass=is_break_glass)
        for code_hash in hashes:
            db.change(sa.insert(recovery_codes).values(code_hash=code_hash, **common))


def list_codes(account_id: str) -> Sequence[sa.Row[Any]]:
    """Return what is known of the account's unused codes."""
    return db.rows(sa.select(recovery_codes).where(recovery_codes.c.account_id == account_id))


def use_code(account_id: str, code_hash: str, *, is_break_glass: bool) -> bool:
    """Use up a code; False when there is none of this kind any more."""
    same = sa.and_(
        recovery_codes.c.account_id == account_id,
        recovery_codes.c.code_hash == code_hash,
        recovery_codes.c.is_break_glass.is_(is_break_glass),
    )
    return db.change(sa.delete(recovery_codes).where(same)) == 1


def remove_codes(account_id: str, *, is_break_glass: bool, since: int = 0) -> None:
    """Delete the account's codes of one kind that were made since then."""
    own = sa.and_(
        recovery_codes.c.account_id == account_id,
        recovery_codes.c.is_break_glass.is_(is_break_glass),
        recovery_codes.c.created_at >= since,
    )
    db.change(sa.delete(recovery_codes).where(own))
