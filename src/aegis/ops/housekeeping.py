"""Housekeeping that nobody has to remember, in a thread of each serving process.

Expired sessions leave in small batches, and the end of the record leaves the machine each hour.
"""

import logging
import os
import random
import threading
from collections.abc import Callable

import flask

from aegis import audit, clock, errors, proofs, state, throttle
from aegis.accounts import leaving
from aegis.audit import Event
from aegis.login import devices, pending
from aegis.mfa import service as mfa
from aegis.ops import heads
from aegis.ops.metrics import views as metrics
from aegis.passkeys import challenges
from aegis.sessions import remembrance, service
from aegis.settings import TESTING
from aegis.web.client import HOUSEKEEPING

logger = logging.getLogger(__name__)

EVERY_S = 30
METRICS_EVERY_S = 5
"""How old the numbers of another process may be when one is asked for metrics."""

PAUSE_S = 0.05
"""Between two batches, so that a large backlog never takes the database for itself."""


def starter(app: flask.Flask) -> Callable[[], None]:
    """Return what starts the housekeeper of this process: called after the fork, at the first request."""
    is_test = app.extensions["aegis"].settings.environment == TESTING

    def start() -> None:
        if not (app.testing or is_test):
            threading.Thread(target=_run, args=(app,), name="aegis-housekeeping", daemon=True).start()

    return start


def _run(app: flask.Flask) -> None:
    waiting, now = threading.Event(), clock.monotonic()
    purge_at, head_at = now + _spread(EVERY_S), now + heads.EVERY_S
    _carefully(app, note_start)
    _carefully(app, lambda: reseal(waiting))
    while not waiting.wait(METRICS_EVERY_S):
        now = clock.monotonic()
        _carefully(app, write_metrics)
        if now >= purge_at:
            purge_at = now + _spread(EVERY_S)
            _carefully(app, lambda: purge(waiting))
        if now >= head_at:
            head_at += heads.EVERY_S
            _carefully(app, heads.send)


def _spread(seconds: int) -> float:
    """Return some time up to this long, so that processes do not all work at once."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def _carefully(app: flask.Flask, work: Callable[[], object]) -> None:
    """Do one piece of work; whatever happens, the next one is done as well."""
    with app.app_context():
        try:
            work()
        except errors.Unavailable:
            logger.warning("housekeeping_postponed")
        except Exception:
            logger.exception("housekeeping_failed")


def note_start() -> None:
    """Record that a process began to serve, and open its chain before anybody waits for it."""
    settings = state.current().settings
    audit.record(Event.STARTED, HOUSEKEEPING, environment=settings.environment, process=os.getpid())


def write_metrics() -> None:
    """Tell the other processes what this one counted, if anybody reads metrics."""
    collected = flask.current_app.extensions.get(metrics.EXTENSION)
    if collected is not None:
        collected.write(state.current())


def reseal(waiting: threading.Event, batch: int = service.PURGE_BATCH) -> None:
    """Put secrets that a former key sealed under the current one, so that the former one may leave the settings."""
    _in_batches(lambda: mfa.reseal(state.current(), batch), waiting)


def purge(pause: threading.Event | None = None, batch: int = service.PURGE_BATCH) -> int:
    """Delete all expired sessions, unseen devices, abandoned sign-ins, accounts that left and empty counters batch by batch; return how many sessions went."""
    settings = state.current().settings
    waiting = pause or threading.Event()
    gone = _in_batches(lambda: service.purge(settings, batch), waiting)
    _in_batches(lambda: remembrance.purge(batch), waiting)
    _in_batches(lambda: devices.purge(batch), waiting)
    _in_batches(lambda: throttle.purge(batch), waiting)
    _in_batches(lambda: pending.purge(batch), waiting)
    _in_batches(lambda: challenges.purge(batch), waiting)
    _in_batches(lambda: proofs.purge(batch), waiting)
    _in_batches(lambda: leaving.erase_due(state.current(), batch), waiting)
    return gone


def _in_batches(purge_some: Callable[[], int], waiting: threading.Event) -> int:
    total = 0
    while gone := purge_some():
        total += gone
        waiting.wait(PAUSE_S)
    return total
