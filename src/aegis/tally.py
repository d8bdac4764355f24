"""Counts of what happened in this process, for whoever shows them (`ops.metrics`). Counting decides nothing.

A request costs one append; the sums are made later, by the reader (`drain`). Everything else is rare enough for a lock.
"""

import os
import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple


class Request(NamedTuple):
    """One answered request."""

    method: str
    route: str
    status: str
    seconds: float


_lock = threading.Lock()
_requests: deque[tuple[str, str, str, float]] = deque(maxlen=200_000)
_counts: Counter[tuple[str, ...]] = Counter()

note_request: Callable[[tuple[str, str, str, float]], None] = _requests.append
"""Note method, route pattern, status line and seconds of an answered request; safe between threads."""


def add(name: str, *labels: str, amount: int = 1) -> None:
    """Count something."""
    with _lock:
        _counts[(name, *labels)] += amount


def drain() -> list[Request]:
    """Take the requests noted since the last call."""
    found = []
    while _requests:
        try:
            found.append(Request(*_requests.popleft()))
        except IndexError:  # another reader was faster
            break
    return found


def counts() -> dict[tuple[str, ...], int]:
    """Return all counts of this process."""
    with _lock:
        return dict(_counts)


def _forget() -> None:
    """Start at zero in a child: what the parent counted is the parent's."""
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it
    _lock = threading.Lock()
    _requests.clear()
    _counts.clear()


os.register_at_fork(after_in_child=_forget)
