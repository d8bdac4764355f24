"""Aegis: accounts and sessions for any Flask application, hardened by default.

Public names: `Aegis`, the guards `login_required`, `fresh_login_required` and `role_required`, and `current_account`.
"""

from aegis.extension import Aegis
from aegis.sessions.required import current_account, fresh_login_required, login_required, role_required
from aegis.settings import ConfigurationError

__all__ = [
    "Aegis",
    "ConfigurationError",
    "current_account",
    "fresh_login_required",
    "login_required",
    "role_required",
]
