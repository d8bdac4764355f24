"""Where a message can go. Each transport sends one message at a time and says by NotSent why it did not."""

import email.policy
import os
import sys
import tempfile
from collections import deque
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

from aegis.mail.outcome import NotSent
from aegis.mail.smtp import Smtp
from aegis.settings import Settings, relay


class Transport(Protocol):
    """A way out for messages."""

    def send(self, message: EmailMessage, sender: str, to: str) -> None:
        """Hand a message over, whole or not at all. Raises NotSent."""

    def close(self) -> None:
        """End what was opened for a row of messages."""


class Console:
    """Prints each mail, for development."""

    def send(self, message: EmailMessage, sender: str, to: str) -> None:  # noqa: ARG002 - the transports' shape
        """Print who gets what, with the plain text."""
        part = message.get_body(("plain",))
        text = part.get_content() if part else ""
        sys.stdout.write(f"\n--- mail to {to}\nSubject: {message['Subject']}\n\n{text}---\n\n")
        sys.stdout.flush()

    def close(self) -> None:
        """Nothing was opened."""


class Memory:
    """Keeps the last mails in this process, for tests."""

    def __init__(self) -> None:
        """Start empty."""
        self.messages: deque[EmailMessage] = deque(maxlen=1000)

    def send(self, message: EmailMessage, sender: str, to: str) -> None:  # noqa: ARG002 - as above
        """Keep a mail."""
        self.messages.append(message)

    def close(self) -> None:
        """Nothing was opened."""


class Folder:
    """Writes each mail to a file of its own; one that is sent again replaces itself."""

    def __init__(self, folder: str) -> None:
        """Take the folder; it is made when the first mail comes."""
        self._folder = Path(folder)

    def send(self, message: EmailMessage, sender: str, to: str) -> None:  # noqa: ARG002 - as above
        """Write beside the final place and move, so that nobody reads half a mail."""
        name = message["Message-ID"].strip("<>").partition("@")[0]
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".new-", delete=False) as file:
                file.write(message.as_bytes(policy=email.policy.SMTPUTF8))
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(self._folder / f"{name}.eml")
        except OSError as error:
            raise NotSent(f"{self._folder}: {error.strerror}", ends_round=True) from error

    def close(self) -> None:
        """Nothing was opened."""


def make(settings: Settings) -> Transport | None:
    """Return the way that MAIL_URL names, or None without one."""
    chosen = relay.read(settings.mail_url)
    if chosen is None:
        return None
    if chosen.kind == relay.SMTP:
        return Smtp(chosen, settings.mail_ca)
    if chosen.kind == relay.FOLDER:
        return Folder(chosen.folder)
    return Console() if chosen.kind == relay.CONSOLE else Memory()
