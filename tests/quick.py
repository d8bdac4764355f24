"""What makes platforms quick to make: a run makes more than a thousand, all alike in their routes and tables.

Nothing here changes what a platform does. Its tables come from its migrations once a process, and are copied from then on; the
functions that build its addresses are compiled once a route.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule

from aegis.db import Database

_builders: dict[tuple[Any, ...], Callable[..., Any]] = {}
_compile_builder = Rule._compile_builder


def compile_once(self: Rule, append_unknown: bool = True) -> Callable[..., Any]:
    """Stand in for werkzeug's: without defaults, what it compiles depends on the words of the rule alone."""
    if self.defaults:
        return _compile_builder(self, append_unknown)
    key = (self.rule, tuple(self._trace), append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(self, append_unknown)
    return _builders[key]


Rule._compile_builder = compile_once  # type: ignore[method-assign]

_migrated: list[sqlite3.Connection] = []


def migrate_once(database: Database) -> None:
    """Let an empty SQLite get its tables from the one that was migrated first; any other is prepared as ever."""
    prepare = database._prepare

    def from_the_first(database: Database) -> None:
        with database.engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            is_empty = raw.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
            if is_empty and _migrated:
                _migrated[0].backup(raw)
        prepare(database)
        if is_empty and not _migrated:
            with database.engine.connect() as connection:
                copy = sqlite3.connect(":memory:", check_same_thread=False)
                raw = connection.connection.driver_connection
                raw.backup(copy)
                _migrated.append(copy)

    database._prepare = from_the_first
