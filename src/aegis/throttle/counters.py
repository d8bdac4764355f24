"""Where buckets are counted: each key holds the time at which its bucket would be empty again (GCRA).

One number a key makes the step "is there room, then take it" a single conditional write, which is what keeps
parallel attempts within the limit. The fixed and moving windows of the `limits` package need several, or forget at
their border.

Redis is asked first where it is configured. What was really spent, a failed guess, is noted in SQL too, so that a
Redis that goes away or comes back empty neither opens the door nor shuts it.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from aegis import clock
from aegis.throttle import store

logger = logging.getLogger(__name__)

PAUSE_S = 5.0
"""How long a Redis that failed is left alone."""

REMEMBERS_FROM_MS = 3 * 3600 * 1000
"""A Redis that remembers less than this is not asked alone: it was restarted or emptied."""


class Key(NamedTuple):
    """One bucket: its name, how much one attempt takes and how much it holds, in milliseconds."""

    name: str
    interval_ms: int
    capacity_ms: int


class Remote(Protocol):
    """Buckets outside of the database."""

    def spend(self, keys: Sequence[Key], now_ms: int) -> tuple[int, int]:
        """Take one from each bucket or from none; return the wait and since when they are remembered."""

    def give_back(self, keys: Sequence[Key]) -> None:
        """Undo one `spend` of each bucket."""


class Spent(NamedTuple):
    """What an attempt took, and where."""

    keys: Sequence[Key]
    is_remote: bool
    is_local: bool


class Counters:
    """The counters of one process."""

    def __init__(self, remote: Remote | None) -> None:
        """Take the buckets in Redis, if there are any."""
        self._remote = remote
        self._not_before = 0.0

    def spend(self, keys: Sequence[Key], now_ms: int) -> tuple[int, Spent]:
        """Take one from each bucket, or from none; return 0 or the milliseconds until there is room."""
        answer = self._ask_remote(keys, now_ms)
        if answer is not None:
            wait_ms, since_ms = answer
            if wait_ms or now_ms - since_ms >= REMEMBERS_FROM_MS:
                return wait_ms, Spent(keys, is_remote=True, is_local=False)
        wait_ms = _spend_in_sql(keys, now_ms)
        spent = Spent(keys, is_remote=answer is not None, is_local=True)
        if wait_ms and answer is not None:
            self._give_back_remote(keys)
        return wait_ms, spent

    def give_back(self, spent: Spent) -> None:
        """Undo a `spend`: the attempt was no failure."""
        if spent.is_remote:
            self._give_back_remote(spent.keys)
        if spent.is_local:
            for key in spent.keys:
                store.move(key.name, -key.interval_ms)

    def keep(self, spent: Spent, now_ms: int) -> None:
        """Make a `spend` final: it is noted in SQL wherever it was taken."""
        if not spent.is_local:
            for key in spent.keys:
                store.fill(key.name, key.interval_ms, now_ms)

    def _ask_remote(self, keys: Sequence[Key], now_ms: int) -> tuple[int, int] | None:
        if self._remote is None or clock.monotonic() < self._not_before:
            return None
        try:
            return self._remote.spend(keys, now_ms)
        except Exception as error:  # noqa: BLE001 - the client's errors are of many kinds; each is logged
            self._note_failure(error)
            return None

    def _give_back_remote(self, keys: Sequence[Key]) -> None:
        if self._remote is not None and clock.monotonic() >= self._not_before:
            try:
                self._remote.give_back(keys)
            except Exception as error:  # noqa: BLE001 - as above
                self._note_failure(error)

    def _note_failure(self, error: Exception) -> None:
        self._not_before = clock.monotonic() + PAUSE_S
        logger.warning("redis_unavailable", extra={"aegis": {"reason": type(error).__name__, "pause_s": PAUSE_S}})


def _spend_in_sql(keys: Sequence[Key], now_ms: int) -> int:
    for position, key in enumerate(keys):
        wait_ms = store.take(key.name, key.interval_ms, key.capacity_ms, now_ms)
        if wait_ms:
            for taken in keys[:position]:
                store.move(taken.name, -taken.interval_ms)
            return wait_ms
    return 0
