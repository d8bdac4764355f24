"""Where buckets are counted: each key holds the time at which its bucket would be empty again (GCRA).

One number a key makes the step "is there room, then take it" a single conditional write, which is what keeps
parallel attempts within the limit. The fixed and moving windows of the `limits` package need several, or forget at
their border.

Redis is asked first where it is configured. What was really spent, a failed guess, is noted in SQL too, and a Redis
that was away, came back empty or is younger than the limit's window is not trusted alone: SQL is asked as well. So an
outage neither opens the door nor shuts it.
"""

import logging
import os
import threading
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from aegis import clock, db, tally
from aegis.throttle import store
from aegis.throttle.in_flight import InFlight

logger = logging.getLogger(__name__)

PAUSE_S = 5.0
"""How long a Redis that failed is left alone; then one attempt tries it again."""


class Key(NamedTuple):
    """One bucket: its name, how much one attempt takes and how much it holds, in milliseconds."""

    name: str
    interval_ms: int
    capacity_ms: int


class Answer(NamedTuple):
    """What Redis says: the wait for each bucket (0 for room), and since when it remembers."""

    waits_ms: Sequence[int]
    since_ms: int


class Remote(Protocol):
    """Buckets outside of the database."""

    def spend(self, keys: Sequence[Key], now_ms: int, *, doubted: bool) -> Answer:
        """Take one from each bucket or from none; `doubted` makes it remember from now on only."""

    def give_back(self, keys: Sequence[Key], now_ms: int, *, forgive: bool) -> int:
        """Undo one `spend` of each bucket, or as many as the first one holds; return how many."""

    def ping(self) -> None:
        """Raise an error unless it is there."""


class Spent(NamedTuple):
    """What an attempt took, and where; `waits_ms` has no number above 0 if it was let through."""

    keys: Sequence[Key]
    waits_ms: Sequence[int]
    is_remote: bool
    is_local: bool


class Counters:
    """The counters of one process."""

    def __init__(self, remote: Remote | None) -> None:
        """Take the buckets in Redis, if there are any."""
        self.in_flight = InFlight()
        self._remote = remote
        self._is_away = False
        self._not_before = 0.0
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def spend(self, keys: Sequence[Key], now_ms: int) -> Spent:
        """Take one from each bucket, or from none; then each wait is the milliseconds until there is room."""
        answer = self._ask(keys, now_ms)
        if answer is not None:
            longest = max(key.capacity_ms for key in keys)
            if now_ms - answer.since_ms >= longest:
                return Spent(keys, answer.waits_ms, is_remote=True, is_local=False)
            if any(answer.waits_ms):
                waits_ms = list(map(max, answer.waits_ms, _seen(keys, now_ms)))
                return Spent(keys, waits_ms, is_remote=True, is_local=False)
        spent = Spent(keys, _spend(keys, now_ms), is_remote=answer is not None, is_local=True)
        if any(spent.waits_ms) and spent.is_remote:
            self._give_back(keys, now_ms, forgive=False)
        return spent

    def give_back(self, spent: Spent, now_ms: int, *, forgive: bool) -> None:
        """Undo a `spend`: the attempt was no failure.

        With `forgive` it was a success: what the first bucket still held is taken from all of them, as it came from
        the same hands.
        """
        attempts = self._give_back(spent.keys, now_ms, forgive=forgive) if spent.is_remote else 0
        if spent.is_local:
            _move_back(spent.keys, _forgiven(spent.keys[0], now_ms) if forgive else 1)
        elif attempts > 1:
            _move_back(spent.keys, attempts - 1)

    def keep(self, spent: Spent, now_ms: int) -> None:
        """Make a `spend` final: it is noted in SQL wherever it was taken."""
        if not spent.is_local:
            with db.alone():
                for key in sorted(spent.keys):
                    store.fill(key.name, key.interval_ms, now_ms)

    def probe(self) -> bool | None:
        """Ask whether Redis is there now; None where none is used."""
        if self._remote is None:
            return None
        try:
            self._remote.ping()
        except Exception as error:  # noqa: BLE001 - as below
            self._note_failure(error)
            return False
        return True

    def _ask(self, keys: Sequence[Key], now_ms: int) -> Answer | None:
        doubted = self._is_away
        if self._remote is None or (doubted and not self._is_due()):
            return None
        try:
            answer = self._remote.spend(keys, now_ms, doubted=doubted)
        except Exception as error:  # noqa: BLE001 - the client's errors are of many kinds; each is logged
            self._note_failure(error)
            return None
        if doubted:
            self._is_away = False
            logger.warning("redis_back")
        return answer

    def _is_due(self) -> bool:
        """Tell one thread, once a pause, to try Redis again; the others do not wait for it."""
        with self._lock:
            now = clock.monotonic()
            if now < self._not_before:
                return False
            self._not_before = now + PAUSE_S
            return True

    def _give_back(self, keys: Sequence[Key], now_ms: int, *, forgive: bool) -> int:
        if self._remote is not None and not self._is_away:
            try:
                return self._remote.give_back(keys, now_ms, forgive=forgive)
            except Exception as error:  # noqa: BLE001 - as above
                self._note_failure(error)
        return 0

    def _note_failure(self, error: Exception) -> None:
        tally.add("redis_errors")
        with self._lock:
            is_news, self._is_away = not self._is_away, True
            self._not_before = clock.monotonic() + PAUSE_S
        if is_news:
            logger.warning(
                "redis_unavailable", extra={"aegis": {"reason": type(error).__name__, "counted_in": "sql"}}
            )


def _spend(keys: Sequence[Key], now_ms: int) -> Sequence[int]:
    """Take one from each bucket in SQL, or from none. A refusal that shows at a glance writes nothing.

    What was taken before a refusal is moved back, not rolled back: a rolled back insert lets MariaDB's waiting
    inserts run into a deadlock.
    """
    seen = _seen(keys, now_ms)
    if any(seen):
        return seen
    with db.alone():
        waits = {
            key.name: store.take(key.name, key.interval_ms, key.capacity_ms, now_ms) for key in sorted(keys)
        }
        if any(waits.values()):
            for key in sorted(keys):
                if not waits[key.name]:
                    store.move(key.name, -key.interval_ms)
    return [waits[key.name] for key in keys]


def _seen(keys: Sequence[Key], now_ms: int) -> Sequence[int]:
    held = store.levels(key.name for key in keys)
    return [max(0, held.get(key.name, 0) - now_ms - key.capacity_ms + key.interval_ms) for key in keys]


def _move_back(keys: Sequence[Key], attempts: int) -> None:
    with db.alone():
        for key in sorted(keys):
            store.move(key.name, -key.interval_ms * attempts)


def _forgiven(key: Key, now_ms: int) -> int:
    """Empty a bucket and return how many attempts it held, the current one included; 1 if somebody else was faster."""
    held = store.levels([key.name]).get(key.name, 0)
    attempts = max(1, -((now_ms - held) // key.interval_ms))
    return attempts if store.empty(key.name, held) else 1
