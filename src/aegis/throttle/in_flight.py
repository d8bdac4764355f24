"""Attempts of this process that were let through and are being judged right now.

Their part of a budget may come back in a moment. Whoever is refused because of them waits for them: eight right
sign-ins at once all succeed, eight guesses at once do not.
"""

import collections
import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping

from aegis.errors import Busy

TURN_S = 2.0
"""How long an attempt waits for its turn to ask the counters."""


class InFlight:
    """What is being judged, by name of the bucket."""

    def __init__(self) -> None:
        """Start with nothing, again in a forked child: the parent's threads do not exist there."""
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._turn = threading.Lock()
        self._changed = threading.Condition()
        self._count: collections.Counter[str] = collections.Counter()

    @contextlib.contextmanager
    def my_turn(self) -> Iterator[None]:
        """Let one attempt at a time ask the counters, so that who was let through is known to who is refused next.

        Raises Busy when the counters do not answer the one before.
        """
        turn = self._turn
        if not turn.acquire(timeout=TURN_S):
            raise Busy
        try:
            yield
        finally:
            turn.release()

    def begin(self, names: Iterable[str]) -> None:
        """Note an attempt that was let through."""
        with self._changed:
            self._count.update(names)

    def end(self, names: Iterable[str]) -> None:
        """Note that an attempt was judged and the counters know the outcome."""
        with self._changed:
            for name in names:
                self._count[name] -= 1
                if not self._count[name]:
                    del self._count[name]
            self._changed.notify_all()

    def of(self, names: Iterable[str]) -> Mapping[str, int]:
        """Return how many attempts are being judged for each of these buckets that has any."""
        with self._changed:
            return {name: self._count[name] for name in names if name in self._count}

    def wait_for_less(self, seen: Mapping[str, int], timeout_s: float) -> bool:
        """Wait until one of the attempts seen before was judged; tell whether it was in time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: any(self._count[name] < count for name, count in seen.items()), timeout_s
            )
