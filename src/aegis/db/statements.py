"""Reads, writes and transactions on the current application's database.

A connection that died while it was idle is noticed by its failure and replaced within the same call, but only where
nothing can have happened yet: a read, or a BEGIN.
"""

import contextlib
import contextvars
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from aegis import clock, errors, state, tally
from aegis.db.engine import Database

logger = logging.getLogger(__name__)

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None

STALE_WITHIN_S = 0.5

joined: contextvars.ContextVar[sa.Connection | None] = contextvars.ContextVar("transaction", default=None)
"""The connection of the transaction that is open here, if any."""

_afterwards: contextvars.ContextVar[list[Callable[[], None]] | None] = contextvars.ContextVar(
    "afterwards", default=None
)

os.register_at_fork(after_in_child=lambda: joined.set(None))


class Duplicate(Exception):
    """A unique column already holds the value."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn what drivers raise into the two things callers care about: taken, or away."""
    try:
        yield
    except exc.IntegrityError as error:
        raise Duplicate from error
    except exc.TimeoutError as error:
        tally.add("database_errors", "pool_exhausted")
        logger.warning("database_pool_exhausted")
        raise errors.Unavailable from error
    except Exception as error:
        if not _means_away(error):
            raise
        tally.add("database_errors", "unavailable")
        logger.warning("database_unavailable", exc_info=True)
        raise errors.Unavailable from error


def _means_away(error: Exception) -> bool:
    """Tell whether the database could not be reached or asked. Drivers share these names (PEP 249), not a class."""
    return any(kind.__name__ in {"OperationalError", "InterfaceError"} for kind in type(error).__mro__)


def _is_stale(error: exc.DBAPIError, since: float) -> bool:
    """Tell whether the connection had died while idle: then it fails at once, a server in trouble fails slowly."""
    return error.connection_invalidated and clock.monotonic() - since < STALE_WITHIN_S


def rows(statement: sa.Executable, parameters: Parameters = None) -> Sequence[sa.Row[Any]]:
    """Return all rows of a read."""
    transaction = joined.get()
    with translated():
        if transaction is not None:
            return transaction.execute(statement, parameters).all()
        engine, since = state.current().database.engine, clock.monotonic()
        try:
            with engine.connect() as connection:
                return connection.execute(statement, parameters).all()
        except exc.DBAPIError as error:
            if not _is_stale(error, since):
                raise
        with engine.connect() as connection:
            return connection.execute(statement, parameters).all()


def row(statement: sa.Executable, parameters: Parameters = None) -> sa.Row[Any] | None:
    """Return the first row of a read, or None."""
    found = rows(statement, parameters)
    return found[0] if found else None


def change(statement: sa.Executable, parameters: Parameters = None) -> int:
    """Run one write and return how many rows it met. Raises Duplicate where a unique column is taken."""
    with transaction():
        connection = joined.get()
        if connection is None:
            raise AssertionError("a transaction has a connection")
        with translated():
            return connection.execute(statement, parameters).rowcount


def add_if_absent(table: sa.Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless a unique column already holds it; tell whether it was inserted."""
    with transaction():
        run("SAVEPOINT absent")
        try:
            change(sa.insert(table).values(**values))
        except Duplicate:
            run("ROLLBACK TO SAVEPOINT absent")
            return False
        run("RELEASE SAVEPOINT absent")
        return True


def run(words: str) -> None:
    """Send a plain statement without parameters inside the current transaction."""
    connection = joined.get()
    if connection is None:
        raise AssertionError("only inside db.transaction()")
    with translated():
        connection.exec_driver_sql(words)


@contextlib.contextmanager
def transaction() -> Iterator[None]:
    """Run the block as one transaction: return commits, raise rolls back, and what is called inside joins in.

    Keep password hashes, mail and other waiting out of it.
    """
    if joined.get() is not None:
        yield
        return
    with contextlib.ExitStack() as stack:
        with translated():
            connection = _begun(state.current().database)
            stack.enter_context(contextlib.closing(connection))
        reset = joined.set(connection)
        afterwards: list[Callable[[], None]] = []
        reset_afterwards = _afterwards.set(afterwards)
        try:
            yield
        except BaseException:
            joined.reset(reset)
            _afterwards.reset(reset_afterwards)
            with contextlib.suppress(exc.SQLAlchemyError):  # a dead connection has nothing to roll back
                connection.exec_driver_sql("ROLLBACK")
            raise
        joined.reset(reset)
        _afterwards.reset(reset_afterwards)
        with translated():
            try:
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                connection.invalidate()
                raise
    for call in afterwards:
        call()


def after_commit(call: Callable[[], None]) -> None:
    """Call this once when the transaction around it has been committed, and never if it is undone; it must not raise."""
    afterwards = _afterwards.get()
    if afterwards is None:
        raise AssertionError("only inside db.transaction()")
    if call not in afterwards:
        afterwards.append(call)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Run the block as a transaction of its own that no other can undo; there must be none around it."""
    if joined.get() is not None:
        raise AssertionError("this write must not be undone by the transaction around it")
    with transaction():
        yield


def _begun(database: Database) -> sa.Connection:
    since = clock.monotonic()
    for is_last in (False, True):
        connection = database.engine.connect()
        try:
            connection.exec_driver_sql(database.begin_word())
        except exc.DBAPIError as error:
            connection.close()
            if is_last or not _is_stale(error, since):
                raise
        else:
            return connection
    raise AssertionError("unreachable")
