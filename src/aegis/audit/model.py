"""An event as it is shown to people and handed to other programs."""

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
