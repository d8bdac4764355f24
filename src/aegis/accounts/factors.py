"""What an account must do first, and that it never loses the last second factor where it must have one."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from aegis import db, errors
from aegis.accounts import store
from aegis.sessions import CHANGE_PASSWORD, ENROL_FACTOR, Session
from aegis.sessions import service as sessions
from aegis.state import State


def forced_step(application: State, row: Any, factors: Sequence[str]) -> str | None:
    """Return what an account must do before anything else, given the second factors that it has."""
    if application.settings.demands_factor(row.role) and not factors:
        return ENROL_FACTOR
    return CHANGE_PASSWORD if row.must_change_password else None


def enrolled(application: State, session: Session, token: str) -> str:
    """Note that the session's account has just proven a new factor: return the new token of a session that has two."""
    row = store.find(session.account_id)
    then = forced_step(application, row, ["new"]) if row is not None else None
    return sessions.rotate(session, token, level=sessions.FACTORS_LEVEL, done=ENROL_FACTOR, then=then)


@contextlib.contextmanager
def keeping_one(application: State, account_id: str) -> Iterator[None]:
    """Remove a factor inside of it, all in one transaction.

    Raises Conflict, and nothing is removed, when it was the last one of an account that must have one; of two removals
    at once, the second sees what the first one left.
    """
    with db.transaction():
        store.lock(account_id)
        yield
        row = store.find(account_id)
        if row is None or not application.settings.demands_factor(row.role):
            return
        if not application.factors(account_id, row.role).names:
            raise errors.Conflict(
                "Your account must have a second factor. Add another one before you remove this one."
            )
