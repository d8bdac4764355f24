"""Housekeeping that nobody has to remember: expired sessions leave in small batches while the platform serves."""

import logging
import random
import threading
from collections.abc import Callable

import flask

from aegis import errors, state, throttle
from aegis.login import devices
from aegis.sessions import service

logger = logging.getLogger(__name__)

EVERY_S = 30
PAUSE_S = 0.05
"""Between two batches, so that a large backlog never takes the database for itself."""


def starter(app: flask.Flask) -> Callable[[], None]:
    """Return what starts the housekeeper of this process: called after the fork, at the first request."""

    def start() -> None:
        if not app.testing:
            threading.Thread(target=_run, args=(app,), name="aegis-housekeeping", daemon=True).start()

    return start


def _run(app: flask.Flask) -> None:
    waiting = threading.Event()
    while not waiting.wait(EVERY_S * random.uniform(0.5, 1.0)):  # noqa: S311 - only spreads processes in time
        with app.app_context():
            try:
                purge(waiting)
            except errors.Unavailable:
                logger.warning("housekeeping_postponed")
            except Exception:
                logger.exception("housekeeping_failed")


def purge(pause: threading.Event | None = None, batch: int = service.PURGE_BATCH) -> int:
    """Delete all expired sessions, unseen devices and empty counters batch by batch; return how many sessions went."""
    settings = state.current().settings
    waiting = pause or threading.Event()
    gone = _in_batches(lambda: service.purge(settings, batch), waiting)
    _in_batches(lambda: devices.purge(batch), waiting)
    _in_batches(lambda: throttle.purge(batch), waiting)
    return gone


def _in_batches(purge_some: Callable[[], int], waiting: threading.Event) -> int:
    total = 0
    while gone := purge_some():
        total += gone
        waiting.wait(PAUSE_S)
    return total
