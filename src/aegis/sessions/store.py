"""Queries on the session table. A token never gets here, only its hash."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from aegis import db
from aegis.schema import accounts, pending_logins, remembrances, sessions

LIVE = db.HotStatement(
    sa.select(
        sessions.c.id,
        sessions.c.account_id,
        sessions.c.started_at,
        sessions.c.authenticated_at,
        sessions.c.last_used_at,
        sessions.c.auth_level,
        sessions.c.method,
        accounts.c.username,
        accounts.c.display_name,
        accounts.c.email,
        accounts.c.role,
        accounts.c.is_active,
        sessions.c.forced_step,
    )
    .join(accounts, accounts.c.id == sessions.c.account_id)
    .where(sessions.c.token_hash == sa.bindparam("token_hash")),
    "token_hash",
)


def lock_account(account_id: str) -> bool:
    """Make further starts for this account wait for this transaction; False when it is gone or deactivated."""
    own = accounts.c.id == account_id
    return db.change(sa.update(accounts).where(own, accounts.c.is_active).values(id=account_id)) == 1


def add(values: dict[str, Any]) -> None:
    """Insert a session."""
    db.change(sa.insert(sessions).values(**values))


def list_live(account_id: str, used_after: int, started_after: int) -> Sequence[sa.Row[Any]]:
    """Return the account's live sessions, the latest used first."""
    statement = (
        sa.select(sessions)
        .where(
            sessions.c.account_id == account_id,
            sessions.c.last_used_at > used_after,
            sessions.c.started_at > started_after,
        )
        .order_by(sessions.c.last_used_at.desc(), sessions.c.started_at.desc(), sessions.c.id)
    )
    return db.rows(statement)


def list_beyond(account_id: str, keep: int, limit: int) -> list[str]:
    """Return the ids of the sessions that are older than the `keep` latest ones of the account."""
    statement = sa.select(sessions.c.id).where(sessions.c.account_id == account_id)
    latest_first = statement.order_by(sessions.c.started_us.desc(), sessions.c.id)
    return [row.id for row in db.rows(latest_first.offset(keep).limit(limit))]


def find_live(session_id: str, used_after: int, started_after: int) -> bool:
    """Tell whether a session of this id is alive."""
    statement = sa.select(sessions.c.id).where(
        sessions.c.id == session_id,
        sessions.c.last_used_at > used_after,
        sessions.c.started_at > started_after,
    )
    return db.row(statement) is not None


def touch(session_id: str, now: int, not_since: int) -> None:
    """Note the use; a record that is gone stays gone, and parallel requests write once."""
    late = sa.and_(sessions.c.id == session_id, sessions.c.last_used_at <= not_since)
    db.change(sa.update(sessions).where(late).values(last_used_at=now))


def replace_token(session_id: str, old_hash: bytes, values: dict[str, Any]) -> bool:
    """Swap the token hash and what comes with it; False when the old token was already dead."""
    same = sa.and_(sessions.c.id == session_id, sessions.c.token_hash == old_hash)
    return db.change(sa.update(sessions).where(same).values(**values)) == 1


def find_by_hash(token_hash: bytes) -> Any:
    """Return the session of a token, live or not."""
    return db.row(sa.select(sessions).where(sessions.c.token_hash == token_hash))


def remove_by_hash(token_hash: bytes) -> bool:
    """Delete the session of a token."""
    return db.change(sa.delete(sessions).where(sessions.c.token_hash == token_hash)) == 1


def remove_of_browser(account_id: str, browser_hash: bytes) -> None:
    """Delete what this browser started before for the account."""
    same = sa.and_(sessions.c.account_id == account_id, sessions.c.browser_hash == browser_hash)
    db.change(sa.delete(sessions).where(same))


def remove(account_id: str, session_ids: Sequence[str]) -> int:
    """Delete sessions of the account by id."""
    chosen = sa.and_(sessions.c.account_id == account_id, sessions.c.id.in_(session_ids))
    return db.change(sa.delete(sessions).where(chosen)) if session_ids else 0


def remove_all(account_id: str, but: str | None = None) -> int:
    """Delete all sessions of the account, or all but one, what could start further ones, and the sign-ins that are no session yet.

    What starts sessions goes first: one that it starts at this moment is then seen.
    """
    db.change(sa.delete(pending_logins).where(pending_logins.c.account_id == account_id))
    kept = remembrance_of(account_id, but) if but else None
    others = sa.delete(remembrances).where(remembrances.c.account_id == account_id)
    db.change(others if kept is None else others.where(remembrances.c.id != kept))
    statement = sa.delete(sessions).where(sessions.c.account_id == account_id)
    return db.change(statement if but is None else statement.where(sessions.c.id != but))


def list_expired(used_before: int, started_before: int, limit: int) -> list[bytes]:
    """Return some expired sessions; each timeout has an index of its own, so two short reads beat one OR."""
    found: list[bytes] = []
    for late in (sessions.c.started_at <= started_before, sessions.c.last_used_at <= used_before):
        if len(found) < limit:
            statement = sa.select(sessions.c.token_hash).where(late).limit(limit - len(found))
            found += [row.token_hash for row in db.rows(statement)]
    return found


def remove_expired(token_hashes: Sequence[bytes], used_before: int, started_before: int) -> int:
    """Delete those of the given sessions that are still expired: one may have been used or rotated since."""
    late = sa.or_(sessions.c.started_at <= started_before, sessions.c.last_used_at <= used_before)
    return db.change(sa.delete(sessions).where(sessions.c.token_hash.in_(token_hashes), late))


def add_remembrance(values: dict[str, Any]) -> None:
    """Insert a browser that stays signed in."""
    db.change(sa.insert(remembrances).values(**values))


def find_remembrance(series_hash: bytes) -> Any:
    """Return the browser of a series, or None."""
    return db.row(sa.select(remembrances).where(remembrances.c.series_hash == series_hash))


def renew_remembrance(remembrance_id: str, old_hash: bytes, values: dict[str, Any]) -> bool:
    """Swap the token hash and what comes with it; False when the old token was used already."""
    same = sa.and_(remembrances.c.id == remembrance_id, remembrances.c.token_hash == old_hash)
    return db.change(sa.update(remembrances).where(same).values(**values)) == 1


def list_remembrances(account_id: str, now: int) -> Sequence[sa.Row[Any]]:
    """Return the account's browsers that stay signed in, the latest used first."""
    live = sa.and_(remembrances.c.account_id == account_id, remembrances.c.expires_at > now)
    latest_first = (remembrances.c.used_at.desc(), remembrances.c.created_at.desc(), remembrances.c.id)
    return db.rows(sa.select(remembrances).where(live).order_by(*latest_first))


def remembrance_of(account_id: str, session_id: str) -> str | None:
    """Return the id of the remembrance to which a session belongs."""
    own = sa.and_(sessions.c.account_id == account_id, sessions.c.id == session_id)
    row = db.row(sa.select(sessions.c.remembrance_id).where(own))
    return row.remembrance_id if row is not None else None


def remove_remembrances(account_id: str, ids: Sequence[str]) -> int:
    """Delete browsers of the account by id."""
    chosen = sa.and_(remembrances.c.account_id == account_id, remembrances.c.id.in_(ids))
    return db.change(sa.delete(remembrances).where(chosen)) if ids else 0


def remove_opened_by(account_id: str, remembrance_id: str) -> int:
    """Delete the sessions of a remembrance."""
    opened = sa.and_(sessions.c.account_id == account_id, sessions.c.remembrance_id == remembrance_id)
    return db.change(sa.delete(sessions).where(opened))


def remove_remembrances_before(moment: int, batch: int) -> int:
    """Delete up to `batch` remembrances that expired before."""
    late = sa.select(remembrances.c.id).where(remembrances.c.expires_at <= moment).limit(batch)
    ids = [row.id for row in db.rows(late)]
    return db.change(sa.delete(remembrances).where(remembrances.c.id.in_(ids))) if ids else 0
