"""The record: who did what, in words of the OWASP Logging Vocabulary, as log lines and as rows that show tampering.

`events.py` lists what is recorded, `service.py` records and reads, `chain.py` makes and verifies the hash chain.
"""

from aegis.audit.events import Event
from aegis.audit.service import Audit, record, search, verify, walk

__all__ = ["Audit", "Event", "record", "search", "verify", "walk"]
