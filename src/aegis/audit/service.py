"""Record what happened, and read it again.

A row is written in a transaction of its own, after what it tells of was committed or refused, so that a refusal
leaves its trace. Log lines and rows never hold a password, a token or what somebody typed as a name.
"""

import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from aegis import clock, db, state, tokens
from aegis.audit import chain, store
from aegis.audit.events import Event
from aegis.tokens import Keyring
from aegis.web import Client

logger = logging.getLogger("aegis.audit")

REFUSALS_A_MINUTE = 120
"""Rows that refused requests may cause in one process: a flood fills the log, not the database."""

_HEADS = 50
_REFUSALS = frozenset({Event.CSRF_REFUSED, Event.INPUT_REJECTED, Event.FORBIDDEN, Event.RATE_LIMITED})


class Audit:
    """The writer of one application; each process continues a chain of its own."""

    def __init__(self, keyring: Keyring) -> None:
        """Take the keys of the MACs."""
        self._keyring = keyring
        self._lock = threading.Lock()
        self._process = 0
        self._chain = ""
        self._number = 0
        self._mac = chain.FIRST
        self._minute = 0
        self._refusals = 0
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
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
        """Write one event as a log line and as a row. `actor_id` is who did it where that is somebody else.

        Raises Unavailable when the row cannot be written: what cannot be recorded is not done.
        """
        known = {name: value for name, value in data.items() if value is not None}
        subject = {"account_id": account_id, "actor_id": actor_id, "address": client.address}
        logger.info(event.value, extra={"aegis": {**subject, "request_id": client.request_id, **known}})
        if event in _REFUSALS and not self._may_write_refusal():
            return
        with self._lock:
            try:
                if self._process != os.getpid():
                    self._open()
                self._append(event, account_id, actor_id, client, known)
            except BaseException:
                self._process = 0  # whether the row was stored is unknown: go on in a new chain
                raise

    def write_head(self) -> None:
        """Send the head of this process's chain out of the machine, as a log line and wherever that is collected."""
        with self._lock:
            if self._process == os.getpid():
                head = {"chain": self._chain, "number": self._number, "mac": self._mac}
                logger.info(Event.HEAD.value, extra={"aegis": head})

    def _may_write_refusal(self) -> bool:
        minute = clock.now() // 60
        if minute != self._minute:
            self._minute, self._refusals = minute, 0
        self._refusals += 1
        return self._refusals <= REFUSALS_A_MINUTE

    def _open(self) -> None:
        """Start a chain whose first row names the other chains' heads: none of them can vanish unseen."""
        self._chain, self._number, self._mac = tokens.new_id(), 0, chain.FIRST
        heads = {row.chain: [row.number, row.mac] for row in store.list_heads(_HEADS)}
        self._append(
            Event.CHAIN_OPENED, None, None, Client("", "", ""), {"heads": json.dumps(heads, sort_keys=True)}
        )
        self._process = os.getpid()

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


class Seen(NamedTuple):
    """One event as it is shown to people and exported."""

    at: int
    event: str
    account_id: str | None
    actor_id: str | None
    address: str
    request_id: str
    data: dict[str, Any]


def search(  # noqa: PLR0913 - each is a column to search by
    *,
    account_id: str | None = None,
    event: str | None = None,
    address: str | None = None,
    before: int | None = None,
    since: int | None = None,
    limit: int = 50,
) -> list[Seen]:
    """Return events that match, the latest first."""
    found = store.search(
        account_id=account_id, event=event, address=address, before=before, since=since, limit=limit
    )
    return [_seen(row) for row in found]


def walk() -> Iterator[Seen]:
    """Yield the whole record by chain and number, for an export."""
    return (_seen(row) for row in store.walk())


def verify(keyring: Keyring, told: Mapping[str, tuple[int, str]] | None = None) -> Iterator[chain.Fault]:
    """Yield every changed, removed or reordered row; `told` are heads from the log lines that left the machine."""
    heads: dict[str, tuple[int, str]] = {}
    for row in store.list_of_event(Event.CHAIN_OPENED):
        for name, (number, mac) in json.loads(json.loads(row.data)["heads"]).items():
            heads[name] = max(heads.get(name, (0, "")), (number, mac))
    for name, head in (told or {}).items():
        heads[name] = max(heads.get(name, (0, "")), head)
    return chain.verify((chain.Entry._make(row) for row in store.walk()), heads, keyring)


def _seen(row: Any) -> Seen:
    return Seen(
        row.at, row.event, row.account_id, row.actor_id, row.address, row.request_id, json.loads(row.data)
    )
