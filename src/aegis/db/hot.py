"""The read that runs on each request, without what an ORM or a result object costs.

It is compiled once a dialect and runs on a connection that the database keeps at hand.
"""

from typing import Any

import sqlalchemy as sa

from aegis import clock
from aegis.db.engine import Database
from aegis.db.statements import STALE_WITHIN_S, joined, translated


class HotStatement:
    """A read with one bound parameter, answered with the driver's plain tuple.

    Columns must be of types that need no conversion: numbers, text, bytes (booleans come as 0 and 1 from some).
    """

    def __init__(self, statement: sa.Select[Any], parameter: str) -> None:
        """Take a statement whose only bound parameter has this name."""
        self._statement = statement
        self._parameter = parameter
        self._words: dict[str, str] = {}

    def one(self, database: Database, value: Any) -> tuple[Any, ...] | None:
        """Return the row for the parameter's value, or None. Raises Unavailable."""
        try:
            dialect = database.engine.dialect
            words = self._words.get(dialect.name) or self._compile(dialect)
            transaction = joined.get()
            if transaction is not None:
                return _fetch(transaction.connection.cursor(), words, value)
            return _read(database, words, value)
        except Exception:
            with translated():
                raise

    def _compile(self, dialect: sa.Dialect) -> str:
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        compiled = self._statement.compile(dialect=dialect)
        words = compiled.string.replace(f"%({self._parameter})s", mark).replace(f"{mark}::BYTEA", mark)
        if words.count(mark) != 1:
            raise AssertionError(f"expected one parameter in: {words}")
        self._words[dialect.name] = words
        return words


def _read(database: Database, words: str, value: Any) -> tuple[Any, ...] | None:
    """Ask on a lent connection; one that died while it was idle is replaced once."""
    since = clock.monotonic()
    for is_last in (False, True):
        lent = database.lend()
        try:
            found = _fetch(lent.cursor, words, value)
        except Exception as error:
            is_lost = _is_lost(database.engine.dialect, lent.connection, error)
            if is_lost:
                lent.connection.invalidate(error)
            else:
                lent.connection.close()
            if is_last or not is_lost or clock.monotonic() - since > STALE_WITHIN_S:
                raise
            database.renew()
        else:
            database.take_back(lent)
            return found
    raise AssertionError("unreachable")


def _fetch(cursor: Any, words: str, value: Any) -> tuple[Any, ...] | None:
    cursor.execute(words, (value,))
    found = cursor.fetchall()
    return found[0] if found else None


def _is_lost(dialect: sa.Dialect, connection: sa.PoolProxiedConnection, error: Exception) -> bool:
    """Tell whether the error means that the connection died."""
    driver = dialect.loaded_dbapi
    return isinstance(error, driver.Error) and dialect.is_disconnect(error, connection.dbapi_connection, None)
