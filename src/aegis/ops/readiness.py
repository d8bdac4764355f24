"""Whether this process could serve requests now: the database answers, and its schema is this release's.

The look runs in a thread of its own, because a database that hangs would hold the asker for as long, and a load
balancer must hear "not ready" in time. Whoever asks while a look is under way shares it, so that many askers cost
no more than one.
"""

import dataclasses
import logging
import os
import threading
import time
import weakref

import flask
import sqlalchemy as sa

from aegis import db, errors, mail, state
from aegis.db import Database
from aegis.state import State

logger = logging.getLogger(__name__)

ANSWER_WITHIN_S = 1.5
"""The promise is two seconds; the rest is for the way to the client."""

GIVEN_UP_AFTER_S = 30.0
"""A look that hangs this long, on a host that vanished without a word, makes room for another one."""

OK = "ok"
NEEDED = ("database", "migrations")
"""What no request can do without. The other parts have something in their place, or wait: traffic goes on, somebody looks."""

_AWAY = {"database": "unreachable", "migrations": "unknown"}


@dataclasses.dataclass
class _Look:
    """One look at the database, perhaps not finished yet."""

    started: float = dataclasses.field(default_factory=time.monotonic)
    process: int = dataclasses.field(default_factory=os.getpid)
    finished: threading.Event = dataclasses.field(default_factory=threading.Event)
    found: dict[str, str] = dataclasses.field(default_factory=lambda: dict(_AWAY))

    def can_be_shared(self) -> bool:
        """Whether its result is still to come, and from a thread that exists in this process."""
        is_ours = self.process == os.getpid()
        return is_ours and not self.finished.is_set() and time.monotonic() - self.started < GIVEN_UP_AFTER_S


_looks: "weakref.WeakKeyDictionary[Database, _Look]" = weakref.WeakKeyDictionary()


def checks() -> dict[str, str]:
    """Return `ok` or what is wrong for each part that requests need, within two seconds whatever happens."""
    look = _current_look()
    return dict(look.found if look.finished.wait(ANSWER_WITHIN_S) else _AWAY)


def _current_look() -> _Look:
    """Join the look under way, or start one. Two at the same moment do no harm, so no lock is needed over a fork."""
    database = state.current().database
    look = _looks.get(database)
    if look is None or not look.can_be_shared():
        look = _looks[database] = _Look()
        app = flask.current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - documented for threads
        threading.Thread(target=_run, args=(app, look), name="aegis-readiness", daemon=True).start()
    return look


def _beside(application: State) -> dict[str, str]:
    """Return how the parts are that requests can do without for a while, where they are used."""
    found = {}
    is_there = application.counters.probe()
    if is_there is not None:
        found["redis"] = OK if is_there else "unreachable, limits are counted in SQL"
    if mail.is_on(application.settings):
        found["mail"] = mail_word(mail.counts()) or OK
    return found


def mail_word(counts: mail.Counts) -> str:
    """Say what is wrong with the mails that have not left, or nothing."""
    if counts.dead:
        return f"{counts.dead} given up"
    return f"{counts.unclaimed} that nobody sends" if counts.unclaimed else ""


def _run(app: flask.Flask, look: _Look) -> None:
    try:
        with app.app_context():
            db.row(sa.text("SELECT 1"))
            application = state.current()
            is_current = application.is_current(application.database)
            look.found = {"database": OK, "migrations": OK if is_current else "pending"}
            if is_current:
                look.found |= _beside(application)
    except errors.Unavailable:
        pass
    except Exception:
        logger.exception("readiness_failed")
    finally:
        look.finished.set()
