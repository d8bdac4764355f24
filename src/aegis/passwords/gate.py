"""A door that lets a few computations in at a time, a few more wait, and sends the rest away.

What is let in is computed by threads of low priority, and what surrounds it by one thread at a time, so that other requests
do not wait for a processor or the interpreter behind it.
"""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NoReturn, TypeVar

from aegis import tally
from aegis.errors import Busy, Unavailable

Result = TypeVar("Result")

DESK_S = 2.0
"""How long work that was admitted waits while nobody before it comes to an end."""

NICENESS = 10
"""A tenth of the processor beside a thread of normal priority, and all of it beside none (sched(7))."""


class _Places:
    """A number of places that can be looked at without taking one."""

    def __init__(self, free: int) -> None:
        self.free = free
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a place; tell whether there was one."""
        with self._lock:
            has_free = self.free > 0
            self.free -= has_free
            return has_free

    def give_back(self) -> None:
        """Free a place."""
        with self._lock:
            self.free += 1


class Gate:
    """Bound the expensive work of one process (ASVS-5.0-15.2.2).

    Without it a burst of sign-ins takes `requests * 19 MiB` of memory and all cores from everybody else.
    """

    def __init__(self, work: str, *, parallel: int, queue: int, wait_s: float) -> None:
        """Allow `parallel` holders at once and `queue` waiters, none of them longer than `wait_s`; metrics name the `work`."""
        self._work = work
        self._parallel, self._queue, self._wait_s = parallel, queue, wait_s
        self.renew()
        _gates.add(self)

    def renew(self) -> None:
        """Start with all places free: in a child, the threads that held the parent's places do not exist."""
        self._admitted = _Places(self._parallel + self._queue)
        self._running = threading.BoundedSemaphore(self._parallel)
        self._workers = ThreadPoolExecutor(self._parallel, "aegis-slow", _give_way)
        self._desk = threading.Lock()
        self._here = threading.local()
        self._held_up = self._left = 0
        self.running = 0

    def _refuse(self) -> NoReturn:
        tally.add("busy", self._work)
        raise Busy

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return max(0, self._parallel + self._queue - self._admitted.free - self.running)

    def check(self) -> None:
        """Raise Busy if there is no place now, before anything else is done for a request that could not be served."""
        if not self._admitted.free:
            self._refuse()

    @contextmanager
    def queue(self) -> Iterator[None]:
        """Count as waiting while the block runs; raise Busy if the queue is full."""
        admitted = self._admitted
        if not admitted.take():
            self._refuse()
        try:
            yield
        finally:
            admitted.give_back()

    @contextmanager
    def desk(self) -> Iterator[None]:
        """Admit work whose costly part `run` does; the rest of it is done by one thread of the process at a time.

        Twenty sign-ins at once that all ask the database would take the interpreter's lock from everybody else in turns.
        Raises Busy like `queue`, and Unavailable when those before it are held up.
        """
        with self.queue():
            self._take_desk()
            try:
                yield
            except Unavailable:
                self._held_up += 1  # at the desk alone, so no update is lost
                raise
            finally:
                self._leave_desk()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let others work while the block waits for them; it counts as waiting. Raises Busy if the queue is full."""
        if not getattr(self._here, "is_at_desk", False):
            with self.queue():
                yield
            return
        self._leave_desk()
        try:
            yield
        finally:
            self._take_desk()

    def _take_desk(self) -> None:
        """Wait for the desk. Raises Unavailable when one stays at it: nothing but a database that hangs holds it so long."""
        seen, left = self._held_up, self._left
        while not self._desk.acquire(timeout=DESK_S):
            if self._left == left:
                raise Unavailable
            left = self._left  # a crowd before this one, each of whom was quick
        if (
            self._held_up != seen
        ):  # the one before waited in vain for the database: waiting as long once more helps nobody
            self._desk.release()
            raise Unavailable
        self._here.is_at_desk = True

    def _leave_desk(self) -> None:
        if getattr(self._here, "is_at_desk", False):
            self._here.is_at_desk = False
            self._left += 1  # at the desk alone, so no update is lost
            self._desk.release()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one place while the block runs; raise Busy if there is none and none comes free in time."""
        running = self._running  # a fork inside the block must not mix old and new
        with self.aside():
            if not running.acquire(timeout=self._wait_s):
                self._refuse()
            self.running += 1  # for metrics alone: a lost update would show a wrong number, and stop nothing
            try:
                yield
            finally:
                self.running -= 1
                running.release()

    def run(self, work: Callable[[], Result]) -> Result:
        """Do the work at low priority, holding a place; raise Busy like `place`."""
        with self.place():
            return self._workers.submit(work).result()


def _give_way() -> None:
    """Lower this thread's priority; Linux keeps one for each thread, and nobody may raise it again."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


_gates: weakref.WeakSet[Gate] = weakref.WeakSet()


def _renew_all() -> None:
    for gate in list(_gates):
        gate.renew()


os.register_at_fork(after_in_child=_renew_all)
