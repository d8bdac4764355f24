"""Every setting once: name, type, default, unit, one line, and what production demands of it.

`declared.py` is the list, `parse.py` turns text into values, `judge.py` holds the rules of production. The
start-up check, `aegis config` and the reference in the docs all come from the declarations.
"""

from aegis.settings.credentials import ROLES
from aegis.settings.declaration import PRODUCTION, TESTING
from aegis.settings.declared import Settings, declarations
from aegis.settings.limit import Limit
from aegis.settings.load import ConfigurationError, Configured, load
from aegis.settings.mailing import OFF, REQUIRED
from aegis.settings.parse import masked

__all__ = [
    "OFF",
    "PRODUCTION",
    "REQUIRED",
    "ROLES",
    "TESTING",
    "ConfigurationError",
    "Configured",
    "Limit",
    "Settings",
    "declarations",
    "load",
    "masked",
]
