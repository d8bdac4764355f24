"""The record: who did what, in words of the OWASP Logging Vocabulary, as log lines and as rows that show tampering.

`events.py` lists what is recorded, `service.py` records and reads, `chain.py` makes and verifies the hash chain,
`formats.py` writes events for other programs, `sentences.py` for people.
"""

from aegis.audit.chain import Head, Heads, heads_in
from aegis.audit.events import Event
from aegis.audit.model import Seen
from aegis.audit.service import Audit, count, heads, page, record, search, verify, walk

__all__ = [
    "Audit",
    "Event",
    "Head",
    "Heads",
    "Seen",
    "count",
    "heads",
    "heads_in",
    "page",
    "record",
    "search",
    "verify",
    "walk",
]
