"""How gunicorn runs the platform; it reads this file by itself. Arguments of its command line win.

The settings are judged here, in the master and before any worker: misconfiguration ends with status 78, once.
"""

import os
from typing import Any

from aegis.ops import entry
from config import by_environment

entry.warn_of_development()
_judged = entry.judged(by_environment.get(os.environ.get("FLASK_ENV", "development"))).settings

workers = _judged.workers
worker_class = "gthread"
threads = _judged.threads

timeout = 30
graceful_timeout = 30
keepalive = 5

# Aegis alone judges forwarded headers, by AEGIS_TRUSTED_PROXIES.
forwarded_allow_ips = ""
secure_scheme_headers = {}

# Its default is a socket in the home folder through which the server can be commanded.
control_socket_disable = True


def on_starting(server: Any) -> None:
    """Keep gunicorn's reloader out of production."""
    if _judged.is_production and server.cfg.reload:
        entry.say("ERROR: gunicorn's --reload is on: remove it; production has no reloader.")
        raise SystemExit(78)
