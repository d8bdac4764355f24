"""Which accounts must have a second factor, and that they never lose the last one."""

import contextlib
from collections.abc import Iterator

from aegis import db, errors
from aegis.accounts import store
from aegis.state import State


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
