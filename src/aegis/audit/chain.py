"""The hash chain: each row's MAC covers the row and the MAC before it, under a key the database does not hold.

Every process writes a chain of its own, so that writers never wait for each other. A changed row breaks its MAC, a
removed or reordered one the numbering, and a cut-off tail shows against the heads that left the machine
(`Event.HEAD`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from aegis.tokens import Keyring, equal

PURPOSE = "audit"
FIRST = "0" * 64
"""What stands for the MAC before the first row."""


class Entry(NamedTuple):
    """One row of the record."""

    chain: str
    number: int
    at: int
    event: str
    account_id: str | None
    actor_id: str | None
    address: str
    request_id: str
    data: str
    mac: str


class Fault(NamedTuple):
    """Where the record was tampered with."""

    chain: str
    number: int
    sentence: str


def mac_of(entry: Entry, before: str, keyring: Keyring) -> str:
    """Return the MAC of a row that follows the row with the MAC `before`."""
    return keyring.mac(PURPOSE, _text(entry, before))


def verify(
    entries: Iterable[Entry], heads: Mapping[str, tuple[int, str]], keyring: Keyring
) -> Iterator[Fault]:
    """Yield every fault of rows that come ordered by chain and number.

    `heads` are numbers and MACs that were written down elsewhere: a chain must still reach each of them.
    """
    chain, number, before = "", 0, FIRST
    waiting = dict(heads)
    for entry in entries:
        if entry.chain != chain:
            chain, number, before = entry.chain, 0, FIRST
        if entry.number != number + 1:
            yield Fault(chain, number + 1, _missing(number + 1, entry.number - 1))
        elif not any(equal(entry.mac, mac) for mac in keyring.macs(PURPOSE, _text(entry, before))):
            yield Fault(
                chain, entry.number, "was changed, or written under a key that is not known any more."
            )
        number, before = entry.number, entry.mac
        if waiting.get(chain, (0, ""))[0] == number:
            yield from _compare(chain, number, entry.mac, waiting.pop(chain)[1])
    for lost, (needed, _) in waiting.items():
        yield Fault(
            lost,
            needed,
            "is missing, although the head that left the machine names it: the tail was cut off.",
        )


def _missing(first: int, last: int) -> str:
    if last < first:
        return "stands out of order or twice."
    return "was removed." if first == last else f"and the rows up to {last} were removed."


def _compare(chain: str, number: int, found: str, told: str) -> Iterator[Fault]:
    if not equal(found, told):
        yield Fault(chain, number, "differs from the head that left the machine: the chain was written anew.")


def _text(entry: Entry, before: str) -> str:
    """Return the row in one unambiguous form."""
    return json.dumps([before, *entry[:-1]], ensure_ascii=True, separators=(",", ":"))


def plain(data: Mapping[str, Any]) -> str:
    """Return what is known beside the columns as one line of JSON: control characters cannot leave it."""
    return json.dumps(data, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
