"""The one place that asks the time; everything stored is whole seconds since 1970 (UTC).

Several machines must agree on when a session ends, so the clock that counts is the database's: each new
connection tells how far it is ahead of this machine (`follow`), and `now` corrects by it.
"""

import datetime
import re
import time
from collections.abc import Callable

_ahead_s = 0
_AGE = re.compile(r"([0-9]{1,6})([smhd])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def now() -> int:
    """Return the current time in epoch seconds, by the database's clock once one was seen."""
    return int(time.time()) + _ahead_s


def monotonic() -> float:
    """Return seconds for measuring how long something took; they say nothing of the time of day."""
    return time.monotonic()


def microseconds() -> int:
    """Return the time of day in microseconds: it tells which of two records of one second is the older one."""
    return time.time_ns() // 1000 + _ahead_s * 1_000_000


def follow(read: Callable[[], int]) -> None:
    """Take what `read` returns, the time of the database, as the present.

    A time between question and answer, give or take a second, is no difference, however long the answer took.
    """
    global _ahead_s  # noqa: PLW0603 - one clock a process is the point
    asked = int(time.time())
    epoch = read()
    answered = int(time.time())
    _ahead_s = 0 if asked - 1 <= epoch <= answered + 1 else epoch - answered


def as_datetime(epoch: int) -> datetime.datetime:
    """Return an aware UTC datetime for people and JSON."""
    return datetime.datetime.fromtimestamp(epoch, datetime.UTC)


def as_text(epoch: int) -> str:
    """Return RFC 3339 in UTC with a Z, as every JSON answer shows times."""
    return as_datetime(epoch).isoformat().replace("+00:00", "Z")


def from_text(text: str, *, is_end: bool = False) -> int:
    """Read a time as people type it: a date, RFC 3339 (UTC unless it says otherwise), or an age such as `24h` or `7d`.

    A date stands for its first second, or for its last where it ends a span. Raises ValueError with the fix.
    """
    typed = text.strip()
    if age := _AGE.fullmatch(typed):
        return now() - int(age[1]) * _UNITS[age[2]]
    try:
        moment = datetime.datetime.fromisoformat(typed)
        epoch = int((moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp())
    except (ValueError, OverflowError):
        raise ValueError("must be a time such as 2026-11-25, 2026-11-25T08:00:00Z, 24h or 7d") from None
    return epoch + 86_399 if is_end and _DATE.fullmatch(typed) else epoch
