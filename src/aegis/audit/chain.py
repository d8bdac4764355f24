"""The hash chain: each row's MAC covers the row and the MAC before it, under a key the database does not hold.

Every process writes chains of its own, so that writers never wait for each other. A changed row breaks its MAC, a
removed one the numbering, a moved one both. The end of a chain shows in two places: the first row of each later
chain names it, and every log line that left the machine carries number and MAC of its row.
"""

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from aegis.tokens import Keyring, equal

PURPOSE = "audit"
FIRST = "0" * 64
"""What stands for the MAC before the first row."""

NEAR = 100
"""How far from its place a row is looked for before it counts as changed."""

LONGEST = 1_000_000
"""More rows than any chain has: a number beyond it was written by somebody else."""

Heads = dict[str, dict[int, str]]
"""By chain and number the MACs that were written down elsewhere."""

_MAC = re.compile(r"[0-9a-f]{64}")


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


class Head(NamedTuple):
    """The last row of a chain."""

    chain: str
    number: int
    mac: str


class Fault(NamedTuple):
    """Where the record was tampered with."""

    chain: str
    number: int
    sentence: str


def mac_of(entry: Entry, before: str, keyring: Keyring) -> str:
    """Return the MAC of a row that follows the row with the MAC `before`."""
    return keyring.mac(PURPOSE, _text(entry, before))


def is_genuine(entry: Entry, before: str, keyring: Keyring) -> bool:
    """Tell whether one of our keys made the row's MAC, for a row that follows the one with the MAC `before`."""
    return any(equal(entry.mac, mac) for mac in keyring.macs(PURPOSE, _text(entry, before)))


def verify(
    entries: Iterable[Entry], told: Mapping[str, Mapping[int, str]], keyring: Keyring
) -> Iterator[Fault]:
    """Yield every fault of rows that come ordered by chain and number.

    `told` are MACs that were written down elsewhere: each chain must still reach them, with these rows.
    """
    seen = set()
    for chain, rows in itertools.groupby(entries, key=lambda entry: entry.chain):
        seen.add(chain)
        yield from _Walk(list(rows), told.get(chain, {}), keyring).faults()
    for chain in sorted(told.keys() - seen):
        yield from _lost(chain, 1, max(told[chain]), is_tail=True)


class _Walk:
    """One chain from its first row to its end."""

    def __init__(self, rows: list[Entry], told: Mapping[int, str], keyring: Keyring) -> None:
        self._chain = rows[0].chain
        self._rows = {row.number: row for row in rows if 0 < row.number <= LONGEST}
        self._strays = sorted(row.number for row in rows if row.number not in self._rows)
        self._told = told
        self._keyring = keyring
        self._last = max(self._rows, default=0)
        self._before = FIRST
        """The MAC that the next row continues; nothing if the row that held it is missing."""
        self._is_doubtful = False
        """Whether the row before could not be trusted, so that its successor cannot be judged alone."""

    def faults(self) -> Iterator[Fault]:
        gap = 0
        for number in range(1, self._last + 1):
            row = self._rows.get(number)
            is_in_place = row is not None and is_genuine(row, self._before, self._keyring)
            own = row if is_in_place else self._moved(number)
            if own is None and row is None:
                gap = gap or number
                self._before, self._is_doubtful = self._told.get(number, ""), True
                continue
            if gap:
                yield from _lost(self._chain, gap, number - 1)
                gap = 0
            sentence = self._continue(own, number) if own is not None else self._judge(row, number)
            if sentence:
                yield Fault(self._chain, number, sentence)
        for number in self._strays:
            yield Fault(self._chain, number, "stands out of order.")
        cut = max(self._told, default=0)
        if cut > self._last:
            yield from _lost(self._chain, self._last + 1, cut, is_tail=True)

    def _continue(self, own: Entry, number: int) -> str:
        """Go on after the row that belongs here; say what is wrong with where it stands."""
        self._before, self._is_doubtful = own.mac, False
        told = self._told.get(number)
        if own.number != number:
            return f"stands at {own.number}: the order was changed."
        if told and not equal(told, own.mac):
            return "differs from what left the machine: the chain was written anew with its key."
        return ""

    def _judge(self, row: Entry | None, number: int) -> str:
        """Say what is wrong with a row whose MAC does not fit, and go on after it."""
        if row is None:
            raise AssertionError("a gap is no row")
        told = self._told.get(number)
        is_after_gap, was_doubtful = not self._before, self._is_doubtful
        self._before, self._is_doubtful = told or row.mac, not is_after_gap
        if is_after_gap:
            is_known = told is not None and equal(told, row.mac)
            return "" if is_known else "cannot be judged, as the row before it is missing."
        if was_doubtful:
            return "was changed, or follows a row that was."
        return "was changed or inserted, or its key is not known any more."

    def _moved(self, number: int) -> Entry | None:
        """Return the row that belongs at this place and stands at another one nearby."""
        if self._before:
            for place in range(max(1, number - NEAR), min(self._last, number + NEAR) + 1):
                row = self._rows.get(place)
                if row is not None and is_genuine(row._replace(number=number), self._before, self._keyring):
                    return row
        return None


def _lost(chain: str, first: int, last: int, *, is_tail: bool = False) -> Iterator[Fault]:
    what = "is missing" if first == last else f"and the rows up to {last} are missing"
    why = (
        ", although they left the machine or a later chain names them: the tail was cut off"
        if is_tail
        else ""
    )
    yield Fault(chain, first, f"{what}{why}.")


def heads_in(lines: Iterable[str]) -> Heads:
    """Return the rows that log lines name, whatever a collector put in front of their JSON."""
    found: Heads = {}
    for line in lines:
        _, brace, rest = line.partition("{")
        try:
            told = json.loads(brace + rest) if brace else None
        except ValueError:
            continue
        if isinstance(told, dict):
            _add(found, told.get("chain"), told.get("number"), told.get("mac"))
    return found


def heads_named_by(first_row: Entry) -> Heads:
    """Return the ends of other chains that the first row of a chain names; the row must be genuine."""
    found: Heads = {}
    for chain, (number, mac) in json.loads(json.loads(first_row.data)["heads"]).items():
        _add(found, chain, number, mac)
    return found


def joined(*all_heads: Mapping[str, Mapping[int, str]]) -> Heads:
    """Return several collections of heads as one; those that left the machine come last and win."""
    found: Heads = {}
    for heads in all_heads:
        for chain, rows in heads.items():
            found.setdefault(chain, {}).update(rows)
    return found


def _add(found: Heads, chain: object, number: object, mac: object) -> None:
    if isinstance(chain, str) and isinstance(number, int) and isinstance(mac, str) and _MAC.fullmatch(mac):
        found.setdefault(chain, {})[number] = mac


def _text(entry: Entry, before: str) -> str:
    """Return the row in one unambiguous form."""
    return json.dumps([before, *entry[:-1]], ensure_ascii=True, separators=(",", ":"))


def plain(data: Mapping[str, Any]) -> str:
    """Return what is known beside the columns as one line of JSON: control characters cannot leave it."""
    return json.dumps(data, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
