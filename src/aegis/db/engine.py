"""One pool of connections a process, made at first use and never shared over a fork.

The connections are always in autocommit, so that a read is one round trip: no BEGIN, ROLLBACK or ping beside it.
"""

import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import pool

from aegis import clock

KEPT_S = 60.0
"""How long a lent connection may stay at hand before the pool sees it again and judges its age."""


class Lent(NamedTuple):
    """A connection for one read, with the cursor to read by, and until when it may be kept at hand."""

    connection: sa.PoolProxiedConnection
    cursor: Any
    until: float


class Database:
    """The engine of one process, made at first use, so that no socket is open before a fork."""

    def __init__(
        self, url: str, *, pool_size: int, timeout_s: int, prepare: Callable[["Database"], None]
    ) -> None:
        """Take the address as people write it; `prepare` brings an embedded SQLite up to date at first use."""
        self.url = driver_url(url)
        self.is_embedded = self.url.get_backend_name() == "sqlite"
        self._pool_size = pool_size
        self._timeout_s = timeout_s
        self._prepare = prepare
        self._engine: sa.Engine | None = None
        self._unready: sa.Engine | None = None
        self._lock = threading.RLock()
        self.generation = 0
        self._at_hand: deque[Lent] = deque()
        self._keep = 0
        _databases.add(self)

    @property
    def engine(self) -> sa.Engine:
        """The engine of this process; everything that needs more than the functions below starts here."""
        return self._engine or self._ready_engine()

    def _ready_engine(self) -> sa.Engine:
        """Make the engine; other threads wait until an embedded database was brought up to date."""
        with self._lock:
            if self._engine is None and self._unready is None:
                self._unready = self._create()
                try:
                    if self.is_embedded:
                        self._prepare(self)
                    self._engine = self._unready
                finally:
                    self._unready = None
            ready = self._engine or self._unready
        if ready is None:
            raise AssertionError("made above, or being made by this very thread")
        return ready

    def _create(self) -> sa.Engine:
        name = self.url.get_backend_name()
        is_memory = name == "sqlite" and self.url.database in {None, "", ":memory:"}
        if name == "sqlite" and self.url.database and not is_memory:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        size = 1 if is_memory else self._pool_size
        self._keep = size // 4
        engine = sa.create_engine(
            self.url,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            poolclass=pool.QueuePool,
            pool_size=size,
            max_overflow=0,
            pool_timeout=self._timeout_s,
            pool_reset_on_return=None,
            pool_recycle=-1 if name == "sqlite" else 1800,
            pool_use_lifo=True,
            connect_args=_connect_args(name, self._timeout_s),
            hide_parameters=True,
        )
        sa.event.listen(engine, "connect", _CONNECTED[name])
        sa.event.listen(engine, "engine_disposed", self._let_go)
        if name == "postgresql":
            from aegis.db import postgres  # noqa: PLC0415 - only who uses it should wait for its driver

            sa.event.listen(engine, "do_connect", postgres.bounded(self._timeout_s))
        return engine

    def lend(self) -> Lent:
        """Lend a connection for one read, without the pool's book-keeping where one is at hand: it costs more than the read."""
        try:
            lent = self._at_hand.pop()
        except IndexError:
            pass
        else:
            if clock.monotonic() < lent.until:
                return lent
            lent.connection.close()
        connection = self.engine.raw_connection()
        return Lent(connection, connection.cursor(), clock.monotonic() + KEPT_S)

    def take_back(self, lent: Lent) -> None:
        """Keep a lent connection at hand, or return it to the pool, of which three quarters stay for all other work."""
        if len(self._at_hand) < self._keep:
            self._at_hand.append(lent)
        else:
            lent.connection.close()

    def _let_go(self, _engine: sa.Engine) -> None:
        """Close what is at hand whenever the pool is closed."""
        with contextlib.suppress(IndexError):
            while True:
                self._at_hand.pop().connection.invalidate()

    def unhurried(self) -> sa.Engine:
        """Return a separate engine without limits of time, for migrations and other long work; dispose of it."""
        name = self.url.get_backend_name()
        arguments = _connect_args(name, 10)
        arguments.pop("read_timeout", None)
        engine = sa.create_engine(
            self.url, isolation_level="AUTOCOMMIT", poolclass=pool.NullPool, connect_args=arguments
        )
        sa.event.listen(engine, "connect", _CONNECTED[name])
        return engine

    def forget(self) -> None:
        """Drop the parent's pool in a forked child without closing the parent's sockets."""
        self._lock = threading.RLock()
        _inherited.append(self._at_hand)
        self._at_hand = deque()
        if self._engine is not None:
            self._engine.dispose(close=False)
            self._engine = None
        self.generation += 1

    def renew(self) -> None:
        """Close what is idle and start with fresh connections: the server went away."""
        self.engine.dispose()
        self.generation += 1

    def begin_word(self) -> str:
        """Return the statement that opens a transaction; SQLite takes its write lock at once, as an upgrade could fail."""
        return "BEGIN IMMEDIATE" if self.is_embedded else "BEGIN"


_databases: "weakref.WeakSet[Database]" = weakref.WeakSet()
_inherited: list[deque[Lent]] = []
"""What a parent had at hand. It is held for ever, because dropping it would use the parent's pool and its lock."""


def _after_fork() -> None:
    for database in _databases:
        database.forget()


os.register_at_fork(after_in_child=_after_fork)


def driver_url(url: str) -> sa.URL:
    """Return the address with the driver of our choice; `postgres://` is taken too, as some hosts hand it out."""
    parsed = sa.make_url(url)
    backend = parsed.drivername.partition("+")[0]
    drivers = {
        "postgres": "postgresql+psycopg",
        "postgresql": "postgresql+psycopg",
        "mysql": "mysql+pymysql",
        "mariadb": "mysql+pymysql",
        "sqlite": "sqlite+pysqlite",
    }
    if backend not in drivers:
        raise ValueError(f"{backend!r} is not a database that Aegis knows")
    return parsed.set(drivername=drivers[backend])


def _connect_args(name: str, timeout_s: int) -> dict[str, Any]:
    if name == "postgresql":
        return {"connect_timeout": max(timeout_s, 2), "application_name": "aegis"}
    if name == "mysql":
        return {
            "connect_timeout": timeout_s,
            "read_timeout": timeout_s,
            "write_timeout": timeout_s,
            "charset": "utf8mb4",
        }
    return {"timeout": timeout_s * 2.5, "check_same_thread": False}


def _ask(connection: Any, *statements: str) -> Any:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    row = cursor.fetchone()
    cursor.close()
    return row[0] if row else None


def _sqlite_connected(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    _ask(
        connection,
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=NORMAL",
        "PRAGMA foreign_keys=ON",
    )


def _postgresql_connected(connection: Any, _record: object) -> None:
    connection.autocommit = True
    clock.follow(lambda: _ask(connection, "SELECT extract(epoch FROM clock_timestamp())::bigint"))


def _mysql_connected(connection: Any, _record: object) -> None:
    connection.autocommit(True)
    _ask(connection, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    clock.follow(lambda: _ask(connection, "SELECT unix_timestamp()"))


_CONNECTED = {"sqlite": _sqlite_connected, "postgresql": _postgresql_connected, "mysql": _mysql_connected}
