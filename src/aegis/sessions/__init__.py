"""Sessions: from cookie to record. SQL is their only home, so that a revocation needs no invalidation.

`service.py` starts, rotates, ends and lists; `interface.py` is Flask's seam (cookies, the request's session);
`required.py` holds the guards; `check.py` answers nginx ahead of Flask.
"""

from aegis.sessions.interface import (
    current,
    forget_cookie,
    give_cookie,
    keep_visitor_seed,
    passive,
    presented_remembrance,
    presented_token,
    remember,
    token_in,
    visitor_seed,
)
from aegis.sessions.model import CHANGE_PASSWORD, ENROL_FACTOR, STEPS, Account, Factors, Resumed, Session

__all__ = [
    "CHANGE_PASSWORD",
    "ENROL_FACTOR",
    "STEPS",
    "Account",
    "Factors",
    "Resumed",
    "Session",
    "current",
    "forget_cookie",
    "give_cookie",
    "keep_visitor_seed",
    "passive",
    "presented_remembrance",
    "presented_token",
    "remember",
    "token_in",
    "visitor_seed",
]
