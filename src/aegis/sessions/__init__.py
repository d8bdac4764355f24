"""Sessions: from cookie to record. SQL is their only home, so that a revocation needs no invalidation.

`service.py` starts, rotates, ends and lists; `interface.py` is Flask's seam (cookies, the request's session);
`required.py` holds the guards; `check.py` answers nginx ahead of Flask.
"""

from aegis.sessions.interface import (
    current,
    forget_cookie,
    give_cookie,
    passive,
    presented_token,
    visitor_seed,
)
from aegis.sessions.model import Account, Session

__all__ = [
    "Account",
    "Session",
    "current",
    "forget_cookie",
    "give_cookie",
    "passive",
    "presented_token",
    "visitor_seed",
]
