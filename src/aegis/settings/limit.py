"""A limit as a value: how many in which time."""

import re
from typing import NamedTuple

_FORM = re.compile(r"([1-9][0-9]{0,6})/([1-9][0-9]{0,6})(s|m|h|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Limit(NamedTuple):
    """At most `attempts` at once, given back evenly over `window_s` seconds (GCRA, a leaky bucket as a meter)."""

    attempts: int
    window_s: int

    @property
    def interval_ms(self) -> int:
        """Milliseconds after which one more is allowed."""
        return max(1, self.window_s * 1000 // self.attempts)

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"{self.attempts}/{self.window_s}s"


def read(text: str) -> Limit:
    """Read `10/160m`: ten at once, and one more every sixteen minutes."""
    found = _FORM.fullmatch(text.strip().replace(" ", ""))
    if not found:
        raise ValueError("must be a number and a time, such as 10/160m (units s, m, h, d)")
    return Limit(int(found[1]), int(found[2]) * _UNITS[found[3]])
