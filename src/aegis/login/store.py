"""Queries on devices that signed in before, sign-ins that wait for a second factor, and factors to be taken away."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from aegis import db
from aegis.schema import devices, factor_resets, pending_logins


def find(account_id: str, token_hash: bytes) -> sa.Row[Any] | None:
    """Return the device of a token, if the account knows it."""
    same = sa.and_(devices.c.account_id == account_id, devices.c.token_hash == token_hash)
    return db.row(sa.select(devices).where(same))


def add(values: dict[str, Any]) -> None:
    """Insert a device."""
    db.change(sa.insert(devices).values(**values))


def renew(old_hash: bytes, new_hash: bytes) -> None:
    """Give the device its new token for every account that knows it."""
    db.change(sa.update(devices).where(devices.c.token_hash == old_hash).values(token_hash=new_hash))


def note_use(account_id: str, token_hash: bytes, values: dict[str, Any]) -> bool:
    """Note that the device signed in again; False when the account does not know it."""
    same = sa.and_(devices.c.account_id == account_id, devices.c.token_hash == token_hash)
    return db.change(sa.update(devices).where(same).values(**values)) == 1


def list_of(account_id: str) -> Sequence[sa.Row[Any]]:
    """Return the account's devices, the latest seen first."""
    statement = sa.select(devices).where(devices.c.account_id == account_id)
    return db.rows(statement.order_by(devices.c.last_seen_at.desc(), devices.c.id))


def remove(account_id: str, device_ids: Sequence[str]) -> int:
    """Delete devices of the account."""
    chosen = sa.and_(devices.c.account_id == account_id, devices.c.id.in_(device_ids))
    return db.change(sa.delete(devices).where(chosen)) if device_ids else 0


def remove_all(account_id: str) -> None:
    """Delete all devices of the account."""
    db.change(sa.delete(devices).where(devices.c.account_id == account_id))


def remove_unseen_since(moment: int, batch: int) -> int:
    """Delete up to `batch` devices not seen since."""
    late = sa.select(devices.c.id).where(devices.c.last_seen_at < moment).limit(batch)
    ids = [row.id for row in db.rows(late)]
    return db.change(sa.delete(devices).where(devices.c.id.in_(ids))) if ids else 0


def add_pending(values: dict[str, Any]) -> None:
    """Insert a sign-in that waits for its second factor."""
    db.change(sa.insert(pending_logins).values(**values))


def find_pending(token_hash: bytes) -> Any:
    """Return the waiting sign-in of a token, or None."""
    return db.row(sa.select(pending_logins).where(pending_logins.c.token_hash == token_hash))


def spend_attempt(token_hash: bytes, factor: str) -> bool:
    """Take one attempt away and note the factor; False when none is left."""
    same = sa.and_(pending_logins.c.token_hash == token_hash, pending_logins.c.attempts_left > 0)
    values = {"attempts_left": pending_logins.c.attempts_left - 1, "factor": factor}
    return db.change(sa.update(pending_logins).where(same).values(**values)) == 1


def remove_pending(token_hash: bytes, factor: str) -> bool:
    """Delete the waiting sign-in if this is the factor that was chosen last."""
    same = sa.and_(pending_logins.c.token_hash == token_hash, pending_logins.c.factor == factor)
    return db.change(sa.delete(pending_logins).where(same)) == 1


def remove_pending_before(moment: int, batch: int) -> int:
    """Delete up to `batch` waiting sign-ins that expired before."""
    late = sa.select(pending_logins.c.token_hash).where(pending_logins.c.expires_at <= moment).limit(batch)
    hashes = [row.token_hash for row in db.rows(late)]
    return (
        db.change(sa.delete(pending_logins).where(pending_logins.c.token_hash.in_(hashes))) if hashes else 0
    )


def add_reset(values: dict[str, Any]) -> None:
    """Note that second factors are to be taken away. Raises db.Duplicate when that is noted already."""
    db.change(sa.insert(factor_resets).values(**values))


def find_reset(account_id: str) -> Any:
    """Return the note that second factors are to be taken away, or None."""
    return db.row(sa.select(factor_resets).where(factor_resets.c.account_id == account_id))


def remove_reset(account_id: str, asked_at: int | None = None) -> bool:
    """Delete the note, or the one of a moment only; True for exactly one of those who try."""
    own = factor_resets.c.account_id == account_id
    chosen = own if asked_at is None else sa.and_(own, factor_resets.c.asked_at == asked_at)
    return db.change(sa.delete(factor_resets).where(chosen)) == 1


def remove_stale_reset(account_id: str, moment: int) -> None:
    """Delete a note that nobody followed in time."""
    stale = sa.and_(factor_resets.c.account_id == account_id, factor_resets.c.asked_at <= moment)
    db.change(sa.delete(factor_resets).where(stale))
