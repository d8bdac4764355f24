"""The read that runs on each request, without what an ORM or a result object costs.

It is compiled once a dialect and runs on a cursor that stays with its pooled connection.
"""

from typing import Any

import sqlalchemy as sa

from aegis import clock
from aegis.db.engine import Database
from aegis.db.statements import STALE_WITHIN_S, joined, translated

_CURSOR = "aegis.cursor"


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
        with translated():
            engine = database.engine
            words = self._words.get(engine.dialect.name) or self._compile(engine.dialect)
            transaction, since = joined.get(), clock.monotonic()
            if transaction is not None:
                return _fetch(transaction.connection, words, value)
            connection = engine.raw_connection()
            try:
                return _fetch(connection, words, value)
            except Exception as error:
                if (
                    not _is_lost(engine.dialect, connection, error)
                    or clock.monotonic() - since > STALE_WITHIN_S
                ):
                    raise
                connection.invalidate(error)
            finally:
                connection.close()
            database.renew()
            connection = database.engine.raw_connection()
            try:
                return _fetch(connection, words, value)
            finally:
                connection.close()

    def _compile(self, dialect: sa.Dialect) -> str:
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        compiled = self._statement.compile(dialect=dialect)
        words = compiled.string.replace(f"%({self._parameter})s", mark).replace(f"{mark}::BYTEA", mark)
        if words.count(mark) != 1:
            raise AssertionError(f"expected one parameter in: {words}")
        self._words[dialect.name] = words
        return words


def _fetch(connection: sa.PoolProxiedConnection, words: str, value: Any) -> tuple[Any, ...] | None:
    cursor = connection.info.get(_CURSOR)
    if cursor is None:
        cursor = connection.info[_CURSOR] = connection.cursor()
    cursor.execute(words, (value,))
    found = cursor.fetchall()
    return found[0] if found else None


def _is_lost(dialect: sa.Dialect, connection: sa.PoolProxiedConnection, error: Exception) -> bool:
    """Tell whether the error means that the connection died."""
    driver = dialect.loaded_dbapi
    return isinstance(error, driver.Error) and dialect.is_disconnect(error, connection.dbapi_connection, None)
