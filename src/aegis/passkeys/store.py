"""Queries on passkeys and used challenges."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from aegis import db
from aegis.schema import passkeys, used_challenges


def add(values: dict[str, Any]) -> None:
    """Insert a passkey. Raises db.Duplicate when the credential is known, whosever it is."""
    db.change(sa.insert(passkeys).values(**values))


def find(credential_hash: bytes) -> Any:
    """Return the passkey of a credential, or None."""
    return db.row(sa.select(passkeys).where(passkeys.c.credential_hash == credential_hash))


def list_of(account_id: str) -> Sequence[sa.Row[Any]]:
    """Return the account's passkeys, the oldest first."""
    own = sa.select(passkeys).where(passkeys.c.account_id == account_id)
    return db.rows(own.order_by(passkeys.c.created_at, passkeys.c.id))


def note_use(passkey_id: str, known_count: int, values: dict[str, Any]) -> bool:
    """Store what a use changed; False when the counter moved in the meantime."""
    same = sa.and_(passkeys.c.id == passkey_id, passkeys.c.sign_count == known_count)
    return db.change(sa.update(passkeys).where(same).values(**values)) == 1


def rename(account_id: str, passkey_id: str, name: str) -> bool:
    """Name a passkey of the account."""
    return db.change(sa.update(passkeys).where(_own(account_id, passkey_id)).values(name=name)) == 1


def remove(account_id: str, passkey_id: str) -> bool:
    """Delete a passkey of the account."""
    return db.change(sa.delete(passkeys).where(_own(account_id, passkey_id))) == 1


def remove_all(account_id: str, since: int) -> int:
    """Delete the account's passkeys that were made since then."""
    own = sa.and_(passkeys.c.account_id == account_id, passkeys.c.created_at >= since)
    return db.change(sa.delete(passkeys).where(own))


def _own(account_id: str, passkey_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(passkeys.c.account_id == account_id, passkeys.c.id == passkey_id)


def add_used(text_hash: bytes, expires_at: int) -> bool:
    """Note that a challenge was used; False when it was noted before."""
    return db.add_if_absent(used_challenges, {"text_hash": text_hash, "expires_at": expires_at})


def remove_used_before(moment: int, batch: int) -> int:
    """Delete up to `batch` used challenges that expired before."""
    late = sa.select(used_challenges.c.text_hash).where(used_challenges.c.expires_at < moment).limit(batch)
    hashes = [row.text_hash for row in db.rows(late)]
    return (
        db.change(sa.delete(used_challenges).where(used_challenges.c.text_hash.in_(hashes))) if hashes else 0
    )
