"""The outbox as the operator sees it: what waits, what was given up, and what to do with that."""

from typing import NamedTuple

from aegis import clock
from aegis.mail import store


class Item(NamedTuple):
    """One stored mail, without what it says and to whom."""

    id: str
    template: str
    state: str
    attempts: int
    next_try_at: int
    fault: str


def list_of() -> list[Item]:
    """Return all stored mails, the oldest first."""
    return [
        Item(row.id, row.template, row.state, row.attempts, row.next_try_at, row.fault)
        for row in store.list_all()
    ]


def retry() -> int:
    """Let everything that was given up wait again, and return how many that were."""
    return store.revive(clock.now())


def drop() -> int:
    """Delete everything that was given up, and return how many that were."""
    return store.remove_dead()
