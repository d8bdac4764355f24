"""An event as it is shown to people and handed to other programs."""

import base64
import json
from typing import Any, NamedTuple

Place = tuple[int, str, int]
"""Time, chain and number of a row: where a page ended."""


class Seen(NamedTuple):
    """One event; a number of 0 means that it was told, but has no row."""

    chain: str
    number: int
    at: int
    event: str
    account_id: str | None
    actor_id: str | None
    address: str
    request_id: str
    data: dict[str, Any]
    mac: str

    @property
    def place(self) -> Place:
        """Where this event stands among all, for the next page."""
        return (self.at, self.chain, self.number)


def as_cursor(place: Place) -> str:
    """Return a place as it stands in an address."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def from_cursor(text: str) -> Place:
    """Return the place that `as_cursor` wrote. Raises ValueError for anything else."""
    try:
        at, chain, number = json.loads(base64.b64decode(text, altchars=b"-_", validate=True))
        chain.encode()
        is_place = all(type(part) is int and 0 <= part < 2**63 for part in (at, number))
    except (ValueError, TypeError, AttributeError, RecursionError):
        is_place = False
    if not is_place or "\0" in chain:
        raise ValueError("is not a place in this list; leave it out to begin with the latest")
    return at, chain, number
