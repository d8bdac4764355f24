"""Who sends: a thread of each serving process, started after the fork, or the loop of `aegis worker`."""

import logging
import random
import threading

import flask

from aegis import errors
from aegis.mail import service, transports
from aegis.settings import TESTING, Settings

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 5
"""How often a sender looks for mails of other processes, and for those whose wait is over."""


class Sender:
    """Sends the mails of one application. In the environment `testing` they leave within the call that commits them."""

    def __init__(self, app: flask.Flask, settings: Settings) -> None:
        """Take the application, whose context sending needs."""
        self._app = app
        self._wakes = threading.Event()
        self._is_over = threading.Event()
        self._is_immediate = settings.environment == TESTING
        self._is_embedded = settings.mail_embedded
        self.transport = transports.make(settings)

    def start(self) -> None:
        """Start the thread of this process: called after the fork, at the first request."""
        if self.transport is None or self._is_immediate or not self._is_embedded or self._app.testing:
            return
        self._wakes, self._is_over = threading.Event(), threading.Event()
        threading.Thread(target=self.run, name="aegis-mail", daemon=True).start()

    def wake(self) -> None:
        """Send soon: something was posted."""
        if self._is_immediate and self._is_embedded:
            self.send_due()
        else:
            self._wakes.set()

    def stop(self) -> None:
        """Let `run` return after the mail that it is about."""
        self._is_over.set()
        self._wakes.set()

    def run(self) -> None:
        """Send whatever is due, again and again, until `stop`."""
        with self._app.app_context():
            while not self._is_over.is_set():
                self.send_due()
                self._wakes.wait(LOOK_EVERY_S * random.uniform(0.8, 1.2))  # noqa: S311 - only spreads processes in time
                self._wakes.clear()

    def send_due(self) -> None:
        """Send what is due now; whatever happens, nothing is raised."""
        if self.transport is None:
            return
        try:
            service.send_due(self.transport, self._is_over.is_set)
        except errors.Unavailable:
            logger.warning("mail_waits_for_database")
        except Exception:
            logger.exception("mail_sender_failed")
