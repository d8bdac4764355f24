"""Bring the database up to date, one process at a time.

A lock of the database itself is held from the first look to the last step, so latecomers wait, find nothing to do
and are content. Steps are harmless when repeated: an upgrade that was killed in the middle is completed by the next.
"""

import contextlib
import fcntl
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc

from aegis.db import Database
from aegis.errors import Unavailable

SCRIPTS = Path(__file__).parent / "migrations"
"""Alembic's environment: env.py, and the steps in versions/, named by their number."""

_LOCK_NAME = "aegis-upgrade"
_TRY_AGAIN_S = 0.1
_one_thread = threading.Lock()
"""Alembic keeps what it works on in global names."""


class Upgraded(NamedTuple):
    """Where the database stood before and after; None means empty."""

    before: str | None
    after: str | None


def head(scripts: Path = SCRIPTS) -> str:
    """Return the newest revision, read from the file names: importing alembic would cost a quarter of a second."""
    return max(file.name.partition("_")[0] for file in (scripts / "versions").glob("[0-9]*.py"))


def stored_revision(connection: sa.Connection) -> str | None:
    """Return the revision that the database is at; None before the first step."""
    try:
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    except exc.DBAPIError as error:
        if _says_no_such_table(error):
            return None
        raise


def _says_no_such_table(error: exc.DBAPIError) -> bool:
    """Tell a missing table from a database that is away; SQLite calls both operational errors."""
    return isinstance(error, exc.ProgrammingError) or "no such table" in str(error.orig)


def is_current(database: Database) -> bool:
    """Tell by one query whether the database has all steps of this release; a newer one has them too.

    Raises Unavailable when the database does not answer.
    """
    try:
        with database.engine.connect() as connection:
            stored = stored_revision(connection)
    except (exc.DBAPIError, exc.TimeoutError) as error:
        raise Unavailable from error
    return stored is not None and stored >= head()


def prepare_embedded(database: Database) -> None:
    """Upgrade an embedded SQLite where needed; `Database` calls this at its first use in a process."""
    if not is_current(database):
        upgrade(database)


def upgrade(database: Database, scripts: Path = SCRIPTS) -> Upgraded:
    """Run the steps that the database lacks, alone; a database of a newer release is left as it is."""
    with own_connection(database) as connection, _exclusive(connection):
        before = stored_revision(connection)
        if before is not None and before >= head(scripts):
            return Upgraded(before, before)
        with _atomic(connection):
            _run_steps(connection, scripts)
        return Upgraded(before, stored_revision(connection))


def list_revisions(scripts: Path = SCRIPTS) -> list[tuple[str, str]]:
    """Return number and title of all revisions, the newest first."""
    files = sorted((scripts / "versions").glob("[0-9]*.py"), reverse=True)
    return [(file.name.partition("_")[0], file.read_text().partition("\n")[0].strip('"')) for file in files]


def list_differences(connection: sa.Connection) -> list[str]:
    """Return how the tables differ from the ones that this release works with, a line each."""
    from academy.migrations import alembic_runs  # noqa: PLC0415 - alembic costs 245 ms

    return alembic_runs.list_differences(connection)


def _run_steps(connection: sa.Connection, scripts: Path) -> None:
    from academy.migrations import alembic_runs  # noqa: PLC0415 - alembic costs 245 ms

    with _one_thread:
        alembic_runs.upgrade(connection, scripts)


@contextlib.contextmanager
def own_connection(database: Database) -> Iterator[sa.Connection]:
    """Open a connection of its own, without the time limits of requests, as a step may take minutes.

    An in-memory SQLite lives in the pool's one connection, so there it has to be that.
    """
    if database.is_embedded and database.url.database in {None, "", ":memory:"}:
        with database.engine.connect() as connection:
            yield connection
        return
    if database.is_embedded:
        Path(str(database.url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = database.unhurried()
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextlib.contextmanager
def _exclusive(connection: sa.Connection) -> Iterator[None]:
    """Hold the lock of the whole database; whoever holds it is freed of it by the end of its connection, too."""
    if connection.dialect.name == "sqlite":
        with _file_lock(connection):
            yield
        return
    take, give = _lock_statements(connection)
    while not connection.execute(take).scalar():
        time.sleep(_TRY_AGAIN_S)
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.execute(give)


def _lock_statements(connection: sa.Connection) -> tuple[sa.Executable, sa.Executable]:
    """Return how to try for the lock and how to free it; waiting inside of a statement would hold a snapshot."""
    if connection.dialect.name == "postgresql":
        key = zlib.crc32(_LOCK_NAME.encode())
        return sa.select(sa.func.pg_try_advisory_lock(key)), sa.select(sa.func.pg_advisory_unlock(key))
    name = f"{_LOCK_NAME}-{connection.engine.url.database}"[:64]
    return sa.select(sa.func.get_lock(name, 0)), sa.select(sa.func.release_lock(name))


@contextlib.contextmanager
def _file_lock(connection: sa.Connection) -> Iterator[None]:
    """Hold a lock beside SQLite's file: its own gives up after a time."""
    main = connection.exec_driver_sql("PRAGMA database_list").first()
    if main is None or not main.file:
        yield
        return
    with Path(f"{main.file}.upgrade-lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _atomic(connection: sa.Connection) -> Iterator[None]:
    """Make all steps one transaction, where the database can take back a CREATE TABLE; MariaDB cannot.

    SQLite's foreign keys rest meanwhile, because a table that is rebuilt would take along the rows that refer to it.
    """
    if connection.dialect.name == "mysql":
        yield
        return
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_sqlite else "BEGIN")
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    else:
        connection.exec_driver_sql("COMMIT")
    finally:
        if is_sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
