"""Record what happened, and read it again.

A row is written in a transaction of its own, after what it tells of was committed or refused, so that a refusal
leaves its trace. Log lines and rows never hold a password, a token or what somebody typed as a name.
"""

import json
import logging
import os
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aegis import clock, db, errors, state, tally, tokens
from aegis.audit import chain, model, store
from aegis.audit.events import Event
from aegis.audit.model import Place, Seen
from aegis.tokens import Keyring
from aegis.web import Client

logger = logging.getLogger("aegis.audit")

REFUSALS_A_MINUTE = 120
"""Rows that refused requests may cause in one process: a flood fills the log, not the database."""

CHAIN_S = 86_400
CHAIN_ROWS = 10_000
"""A chain ends after a day or this many rows; the next one names its end, so that no tail stays unnamed for long."""

WAIT_S = 5.0
"""How long one thread waits for another one's row: a database that hangs must not hold them one after the other."""

_HEADS = 100
_NOBODY = Client("", "", "")
_REFUSALS = frozenset(
    {Event.CSRF_REFUSED, Event.INPUT_REJECTED, Event.FORBIDDEN, Event.RATE_LIMITED, Event.LOGIN_LIMITED}
)


class Audit:
    """The writer of one application; each process writes chains of its own."""

    def __init__(self, keyring: Keyring) -> None:
        """Take the keys of the MACs."""
        self._keyring = keyring
        self._lock = threading.Lock()
        self._process = 0
        self._chain = ""
        self._opened_at = 0
        self._number = 0
        self._mac = chain.FIRST
        self._minute = 0
        self._refusals = 0
        _writers.add(self)

    def renew(self) -> None:
        """Start afresh in a child: the thread that may have held the lock does not exist there."""
        self._lock = threading.Lock()

    def record(
        self,
        event: Event,
        client: Client,
        *,
        account_id: str | None = None,
        actor_id: str | None = None,
        **data: str | int | None,
    ) -> None:
        """Write one event as a row and as a log line, which carries the row's number and MAC out of the machine.

        `actor_id` is who did it where that is somebody else. Raises Unavailable when the row cannot be written: what
        cannot be recorded is not done. A refusal stays a refusal whether or not its row could be written.
        """
        known = {name: value for name, value in data.items() if value is not None}
        tally.add("events", event.value, str(known.get("reason") or known.get("limit") or ""))
        place: dict[str, str | int] = {}
        try:
            if event not in _REFUSALS or self._may_write_refusal():
                place = self._write(event, account_id, actor_id, client, known)
        except errors.Unavailable:
            if event not in _REFUSALS:
                raise
        finally:
            subject = {"account_id": account_id, "actor_id": actor_id, "address": client.address}
            told = {**subject, "request_id": client.request_id, **known, **place}
            logger.log(event.level, event.value, extra={"aegis": told})

    def head(self) -> chain.Head | None:
        """Return the last row that this process wrote, if it has a chain."""
        with self._lock:
            is_ours = self._process == os.getpid()
            return chain.Head(self._chain, self._number, self._mac) if is_ours else None

    def _write(
        self,
        event: Event,
        account_id: str | None,
        actor_id: str | None,
        client: Client,
        data: Mapping[str, Any],
    ) -> dict[str, str | int]:
        """Append a row, in a new chain where this one cannot go on; return its place."""
        if not self._lock.acquire(timeout=WAIT_S):
            raise errors.Unavailable
        try:
            if not self._may_go_on():
                self._open()
            try:
                self._append(event, account_id, actor_id, client, data)
            except db.Duplicate:  # somebody else writes this chain: a copied machine, or an inserted row
                self._open()
                self._append(event, account_id, actor_id, client, data)
            return self._place()
        except BaseException:
            self._process = 0  # whether the row was stored is unknown: go on in a new chain
            raise
        finally:
            self._lock.release()

    def _place(self) -> dict[str, str | int]:
        return {"chain": self._chain, "number": self._number, "mac": self._mac}

    def _may_go_on(self) -> bool:
        is_ours = self._process == os.getpid()
        return is_ours and self._number < CHAIN_ROWS and clock.now() - self._opened_at < CHAIN_S

    def _may_write_refusal(self) -> bool:
        minute = clock.now() // 60
        if minute != self._minute:
            self._minute, self._refusals = minute, 0
        self._refusals += 1
        return self._refusals <= REFUSALS_A_MINUTE

    def _open(self) -> None:
        """Start a chain whose first row names the other chains' ends: none of them can vanish unseen."""
        self._chain, self._number, self._mac = tokens.new_id(), 0, chain.FIRST
        self._opened_at = clock.now()
        heads = {row.chain: [row.number, row.mac] for row in store.list_heads(Event.CHAIN_OPENED, _HEADS)}
        named = {"heads": json.dumps(heads, sort_keys=True)}
        self._append(Event.CHAIN_OPENED, None, None, _NOBODY, named)
        self._process = os.getpid()
        logger.info(Event.CHAIN_OPENED.value, extra={"aegis": self._place()})

    def _append(
        self,
        event: Event,
        account_id: str | None,
        actor_id: str | None,
        client: Client,
        data: Mapping[str, Any],
    ) -> None:
        now, number = clock.now(), self._number + 1
        origin = (client.address, client.request_id)
        entry = chain.Entry(
            self._chain, number, now, event.value, account_id, actor_id, *origin, chain.plain(data), ""
        )
        entry = entry._replace(mac=chain.mac_of(entry, self._mac, self._keyring))
        with db.alone():
            store.add(entry._asdict())
        self._number, self._mac = number, entry.mac


_writers: "weakref.WeakSet[Audit]" = weakref.WeakSet()


def _after_fork() -> None:
    for writer in _writers:
        writer.renew()


os.register_at_fork(after_in_child=_after_fork)


def record(
    event: Event,
    client: Client,
    *,
    account_id: str | None = None,
    actor_id: str | None = None,
    **data: str | int | None,
) -> None:
    """Write one event of the current application; see `Audit.record`."""
    state.current().audit.record(event, client, account_id=account_id, actor_id=actor_id, **data)


def search(  # noqa: PLR0913 - each is a column to search by
    *,
    account_id: str | None = None,
    events: Sequence[str] | None = None,
    address: str | None = None,
    before: Place | None = None,
    since: int | None = None,
    until: int | None = None,
    limit: int = 50,
) -> list[Seen]:
    """Return events that match, the latest first; `before` is the place of the last one of the page before."""
    found = store.search(
        account_id=account_id,
        events=events,
        address=address,
        before=before,
        since=since,
        until=until,
        limit=limit,
    )
    return [_seen(row) for row in found]


def page(cursor: str | None, limit: int, **conditions: Any) -> tuple[list[Seen], str | None]:
    """Return the events behind a cursor that match as in `search`, and the cursor of the page after them, if any.

    Raises InvalidInput for a cursor that is none.
    """
    try:
        before = model.from_cursor(cursor) if cursor else None
    except ValueError as fault:
        raise errors.InvalidInput(fields={"cursor": f"This {fault}."}) from None
    found = search(before=before, limit=limit + 1, **conditions)
    return found[:limit], model.as_cursor(found[limit - 1].place) if len(found) > limit else None


def walk(since: int = 0) -> Iterator[Seen]:
    """Yield the record since a time, the earliest first, for an export."""
    return (_seen(row) for row in store.walk_since(since))


def count() -> int:
    """Return how many rows there are."""
    return store.count()


def heads() -> list[chain.Head]:
    """Return the ends of the latest chains, to be kept where this machine cannot write."""
    return [chain.Head._make(row) for row in store.list_heads(Event.CHAIN_OPENED, _HEADS)]


def verify(keyring: Keyring, told: Mapping[str, Mapping[int, str]] | None = None) -> Iterator[chain.Fault]:
    """Yield every changed, removed or moved row; `told` are places from log lines that left the machine.

    What a chain's first row names counts as well, if that row itself is genuine.
    """
    opened = [chain.Entry._make(row) for row in store.list_of_event(Event.CHAIN_OPENED)]
    genuine = [row for row in opened if row.number == 1 and chain.is_genuine(row, chain.FIRST, keyring)]
    heads = chain.joined(*(chain.heads_named_by(row) for row in genuine), told or {})
    return chain.verify((chain.Entry._make(row) for row in store.walk()), heads, keyring)


def _seen(row: Any) -> Seen:
    """Read a row; one whose data somebody made unreadable is shown all the same, `verify` names it."""
    try:
        data = json.loads(row.data)
    except ValueError:
        data = {}
    return Seen(*row)._replace(data=data if isinstance(data, dict) else {})
