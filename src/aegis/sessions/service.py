"""The life of a session: start, use, rotate, end.

What is said here holds in every process at once, as each request looks its token up again and no copy exists.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from aegis import audit, clock, db, errors, tally, tokens
from aegis.audit import Event
from aegis.db import Database
from aegis.sessions import remembrance, store
from aegis.sessions.model import PASSWORD, Factors, Session, use_interval_s
from aegis.settings import Settings
from aegis.web.client import HOUSEKEEPING, Client

REMEMBERED_LEVEL = 0
"""Authentication level of a browser that stayed signed in: nobody has proven anything lately."""

PASSWORD_LEVEL = 1
"""Authentication level of a password alone."""

FACTORS_LEVEL = 2
"""Authentication level of two factors: a password and a second one, or a passkey, which is two in one."""

PURGE_BATCH = 500
"""Rows of one deleting statement: small enough that no request waits for it."""


class Listed(NamedTuple):
    """One line of the list of sessions that the owner sees."""

    id: str
    user_agent: str
    address: str
    method: str
    started_at: int
    last_used_at: int
    expires_at: int

    @classmethod
    def of(cls, row: Any, settings: Settings) -> "Listed":
        """Read a row."""
        ends = min(row.last_used_at + settings.session_idle_s, row.started_at + settings.session_overall_s)
        return cls(row.id, row.user_agent, row.address, row.method, row.started_at, row.last_used_at, ends)


Late = Callable[[Session, str], None]


def find(token: str, database: Database, settings: Settings, on_late: Late | None = None) -> Session | None:
    """Return the live session of a token. Unknown, expired and deactivated are one answer: None.

    `on_late` hears of a token whose record is still there and expired.
    """
    row = store.LIVE.one(database, tokens.hash_token(token))
    if row is None:
        return None
    session = Session._make(row)
    if not session.is_active:
        return None
    if clock.now() >= session.expires_at(settings):
        if on_late is not None:
            on_late(session, token)
        return None
    return session


def note_late_use(session: Session, token: str, settings: Settings, client: Client) -> None:
    """Record once that the token of an expired session was used; the record goes with it, so there is no second time.

    A token without a record writes nothing: nobody fills the database with made-up cookies.
    """
    if store.remove_expired([tokens.hash_token(token)], *horizon(settings)):
        tally.add("sessions_expired")
        audit.record(Event.SESSION_LATE_USE, client, account_id=session.account_id, session=session.id)


def start(  # noqa: PLR0913 - all that a record holds
    account_id: str,
    settings: Settings,
    client: Client,
    *,
    method: str = "password",
    level: int = PASSWORD_LEVEL,
    forced_step: str | None = None,
    browser: str | None = None,
    replaces: str | None = None,
    remembrance_id: str | None = None,
) -> str:
    """Start a session and return its token: put it in the cookie now, as only its hash is kept.

    `replaces` is the token the client came with: it is dead afterwards (ASVS 7.2.4). `browser` names the browser
    that sent a form; what it started before for this account ends, so that a double click leaves one session.
    With a `forced_step` the session is good for that step alone, until `rotate` is told that it is done. It ends with
    the remembrance of its browser.
    Raises InvalidCredentials when the account was deactivated in the meantime.
    """
    token, now = tokens.new_token(), clock.now()
    browser_hash = tokens.hash_token(browser) if browser else None
    with db.transaction():
        if not store.lock_account(account_id):
            raise errors.InvalidCredentials
        if replaces:
            store.remove_by_hash(tokens.hash_token(replaces))
        if browser_hash:
            store.remove_of_browser(account_id, browser_hash)
        _make_room(account_id, settings.sessions_per_account - 1)
        store.add(
            {
                "token_hash": tokens.hash_token(token),
                "id": tokens.new_id(),
                "account_id": account_id,
                "started_at": now,
                "started_us": clock.microseconds(),
                "authenticated_at": now if level > REMEMBERED_LEVEL else 0,
                "last_used_at": now,
                "auth_level": level,
                "method": method,
                "user_agent": client.user_agent,
                "address": client.address,
                "browser_hash": browser_hash,
                "forced_step": forced_step,
                "remembrance_id": remembrance_id,
            }
        )
    return token


def _make_room(account_id: str, keep: int) -> None:
    while ids := store.list_beyond(account_id, keep, PURGE_BATCH):
        store.remove(account_id, ids)


def rotate(
    session: Session,
    token: str,
    *,
    level: int | None = None,
    done: str | None = None,
    then: str | None = None,
) -> str:
    """Give the session a new token and fresh authentication; the old token is dead in every process.

    Call it whenever rights are gained or a secret changes: a token known before must be worthless after it. The person
    has just proved who they are, so both timeouts start anew (NIST 800-63B-4 section 5.2). `done` names a step that the
    session no longer has to take first, and `then` the one that comes after it.
    Raises NotSignedIn if the session ended in the meantime.
    """
    new, now = tokens.new_token(), clock.now()
    values = {
        "token_hash": tokens.hash_token(new),
        "started_at": now,
        "authenticated_at": now,
        "last_used_at": now,
        "auth_level": level or session.auth_level,
        "forced_step": then if session.forced_step == done else session.forced_step,
    }
    if not store.replace_token(session.id, tokens.hash_token(token), values):
        raise errors.NotSignedIn
    return new


def ways_to_confirm(session: Session, factors: Factors, *, to_two: bool = False) -> tuple[str, ...]:
    """Return with what the session's account may confirm who is there; with two factors if they are asked for, or `to_two`.

    A browser that stayed signed in proved nothing: one factor that is not two in one would leave it at one.
    """
    if session.auth_level < PASSWORD_LEVEL:
        return (PASSWORD, *factors.alone)
    if session.auth_level < FACTORS_LEVEL and factors.names and (to_two or factors.are_asked):
        return factors.names
    return (PASSWORD, *factors.names)


def note_use(session: Session, settings: Settings) -> None:
    """Move the idle deadline, with at most one write a minute; an ended session stays ended."""
    now, interval = clock.now(), use_interval_s(settings)
    if now - session.last_used_at >= interval:
        store.touch(session.id, now, now - interval)


def is_alive(session_id: str, settings: Settings) -> bool:
    """Tell whether a session of this id is alive."""
    return store.find_live(session_id, *horizon(settings))


def list_of(account_id: str, settings: Settings) -> list[Listed]:
    """Return the account's live sessions, the latest used first."""
    return [Listed.of(row, settings) for row in store.list_live(account_id, *horizon(settings))]


def revoke_token(token: str) -> bool:
    """End the session of a token, and what would start it again; tell whether there was one."""
    row = store.find_by_hash(tokens.hash_token(token))
    return row is not None and _end(row.account_id, row.id, row.remembrance_id)


def revoke(account_id: str, session_id: str) -> None:
    """End one session of the account, and what would start it again. Raises NotFound for any other id."""
    if not _end(account_id, session_id, store.remembrance_of(account_id, session_id)):
        raise errors.NotFound("There is no such session.")


def _end(account_id: str, session_id: str, remembrance_id: str | None) -> bool:
    with db.transaction():
        is_gone = store.remove(account_id, [session_id]) == 1
        if remembrance_id:
            remembrance.end(account_id, remembrance_id)
    return is_gone


def revoke_all(account_id: str, but: str | None = None) -> int:
    """End all sessions of the account, or all but one, what stays signed in, and the sign-ins that are no session yet.

    Returns how many sessions ended.
    """
    with db.transaction():
        return store.remove_all(account_id, but)


def purge(settings: Settings, batch: int = PURGE_BATCH) -> int:
    """Delete up to `batch` expired sessions and return how many went; 0 means that none is left."""
    used_before, started_before = horizon(settings)
    expired = store.list_expired(used_before, started_before, batch)
    gone = store.remove_expired(expired, used_before, started_before) if expired else 0
    if gone:
        tally.add("sessions_expired", amount=gone)
        audit.record(Event.SESSION_EXPIRED, HOUSEKEEPING, count=gone)
    return gone


def horizon(settings: Settings) -> tuple[int, int]:
    """Return the times before which a last use and a start mean that a session is over."""
    now = clock.now()
    return now - settings.session_idle_s, now - settings.session_overall_s
