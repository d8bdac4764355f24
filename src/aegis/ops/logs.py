"""Log lines: JSON to standard output in production, plain text in development.

One line is one event whatever its parts contain: control characters cannot leave the JSON, so nobody forges a line.
"""

import json
import logging
import sys
import traceback
from typing import Any

from aegis import clock
from aegis.settings import Settings

NAMES = ("aegis", "academy")
"""The loggers of this project; those of a host application are its own business."""


class JsonLines(logging.Formatter):
    """One JSON object a line, under field names that log collectors know."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": clock.as_text(int(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "aegis", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(line, ensure_ascii=True, default=str)


class Plain(logging.Formatter):
    """A line for a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        known = " ".join(f"{name}={value!r}" for name, value in getattr(record, "aegis", {}).items() if value)
        return f"{super().format(record)} {known}".rstrip()


def configure(settings: Settings) -> None:
    """Send this project's log lines to standard output. Called by the platform, not by the extension."""
    if settings.environment == "testing":
        return
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonLines() if settings.is_production else Plain("%(levelname)s %(name)s %(message)s")
    )
    for name in NAMES:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
