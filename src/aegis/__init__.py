"""Aegis: accounts and sessions for any Flask application, hardened by default.

Public names: `Aegis`, the guards `login_required`, `fresh_login_required`, `second_factor_required`,
`role_required` and `admin_required`, and `current_account`.
They are loaded at their first use, so that `aegis --help` and the check of the settings stay quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aegis.extension import Aegis
    from aegis.sessions.required import (
        admin_required,
        current_account,
        fresh_login_required,
        login_required,
        role_required,
        second_factor_required,
    )
    from aegis.settings import ConfigurationError

__all__ = [
    "Aegis",
    "ConfigurationError",
    "admin_required",
    "current_account",
    "fresh_login_required",
    "login_required",
    "role_required",
    "second_factor_required",
]

_HOMES = dict.fromkeys(__all__, "aegis.sessions.required") | {
    "Aegis": "aegis.extension",
    "ConfigurationError": "aegis.settings",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its room."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
