"""Mails: written in the transaction that causes them, sent afterwards, each once.

`service.py` decides, `messages.py` writes out a template, `transports.py` and `smtp.py` hand over to a relay, a folder
or the console, `sender.py` is who sends: a thread of each serving process, or `aegis worker`. The rows wait in `outbox`
with their values sealed, and are deleted once they were taken.
"""

from aegis.mail.sender import Sender
from aegis.mail.service import Counts, counts, is_on, post, post_once

__all__ = ["Counts", "Sender", "counts", "is_on", "post", "post_once"]
