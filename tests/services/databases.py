"""A database for each test: created empty or copied from a prepared one, and dropped afterwards."""

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pymysql
from psycopg.sql import SQL, Identifier
from sqlalchemy.engine import URL, make_url

from tests.services.keeper import given_url, server_url

DIALECTS = ("sqlite", "postgresql", "mariadb")


@contextlib.contextmanager
def fresh_database(dialect: str) -> Iterator[str]:
    """Create an empty database, yield its address, drop it."""
    with _created(dialect, None) as url:
        yield url


@contextlib.contextmanager
def copy_of_database(url: str) -> Iterator[str]:
    """Create a database with the tables and rows of another, yield its address, drop it.

    Nobody may be connected to the other one: dispose of the engine that prepared it.
    """
    source = make_url(url)
    dialect = "mariadb" if source.get_backend_name() in {"mysql", "mariadb"} else source.get_backend_name()
    with _created(dialect, source) as copy:
        yield copy


class Shelf:
    """Copies of one database that are lent to one test after the other.

    Making a table costs a server as much as many tests do in it, so a copy comes back, is emptied, and is lent again; one whose
    shape a test changed is thrown away. Nobody but the borrower may be connected to it then.
    """

    def __init__(self, source: str, tables: Sequence[str]) -> None:
        """Take the database to copy, and its tables in an order in which they can be emptied; others keep their rows."""
        self._source, self._tables = source, tables
        self._stack = contextlib.ExitStack()
        self._free: list[str] = []
        self._shape: object = None

    @contextlib.contextmanager
    def lend(self) -> Iterator[str]:
        """Yield the address of a copy that has the source's rows and nothing else."""
        if make_url(self._source).get_backend_name() == "sqlite":
            with copy_of_database(self._source) as url:
                yield url
            return
        self._shape = self._shape or _shape(self._source)
        url = self._free.pop() if self._free else self._stack.enter_context(copy_of_database(self._source))
        yield url
        _empty(url, self._tables)
        if _shape(url) == self._shape:
            self._free.append(url)

    def close(self) -> None:
        """Drop all copies."""
        self._stack.close()


def _shape(url: str) -> object:
    """Return what the tables, columns and indexes of a database are, and what its migrations say."""
    place = make_url(url)
    if place.get_backend_name() == "postgresql":
        columns = "table_schema = 'public'"
        indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
        with postgres_admin(place) as connection:
            return [connection.execute(sql).fetchall() for sql in _questions(columns, indexes)]
    columns = f"table_schema = '{place.database}'"
    indexes = (
        "SELECT table_name, index_name, column_name FROM information_schema.statistics "
        f"WHERE {columns} ORDER BY 1, 2, seq_in_index"
    )
    found = []
    with mariadb_admin(place) as connection, connection.cursor() as cursor:
        for sql in _questions(columns, indexes):
            cursor.execute(sql)
            found.append(cursor.fetchall())
    return found


def _questions(condition: str, indexes: str) -> tuple[str, ...]:
    columns = f"SELECT table_name, column_name, data_type FROM information_schema.columns WHERE {condition} ORDER BY 1, 2"
    return columns, indexes, "SELECT version_num FROM alembic_version"


def _empty(url: str, tables: Sequence[str]) -> None:
    """Let nobody else in, and delete the rows."""
    place = make_url(url)
    if place.get_backend_name() == "postgresql":
        with postgres_admin(place) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute("; ".join(f'DELETE FROM "{table}"' for table in tables))
        return
    with mariadb_admin(place) as connection, connection.cursor() as cursor:
        _disconnect(cursor, str(place.database))
        for table in tables:
            cursor.execute(f"DELETE FROM `{table}`")


@contextlib.contextmanager
def _created(dialect: str, source: URL | None) -> Iterator[str]:
    name = f"aegis_test_{secrets.token_hex(6)}"
    if dialect == "sqlite":
        with tempfile.TemporaryDirectory(prefix="aegis-tests-") as folder:
            file = Path(folder) / f"{name}.db"
            if source is not None:
                shutil.copyfile(str(source.database), file)
            yield f"sqlite:///{file}"
        return
    create, drop = {
        "postgresql": (_create_postgres, _drop_postgres),
        "mariadb": (_create_mariadb, _drop_mariadb),
    }[dialect]
    server = make_url(server_url(dialect))
    create(server, name, source)
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        drop(server, name)


def postgres_admin(server: URL) -> "psycopg.Connection[Any]":
    """Connect to the database of an address, each statement committed by itself."""
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True, connect_timeout=10)


def mariadb_admin(server: URL) -> "pymysql.Connection[Any]":
    """Connect to the server, each statement committed by itself."""
    return pymysql.connect(
        host=server.host or "127.0.0.1",
        port=server.port or 3306,
        user=server.username,
        password=server.password or "",
        database=server.database,
        autocommit=True,
        connect_timeout=10,
    )


def _create_postgres(server: URL, name: str, source: URL | None) -> None:
    template = Identifier(str(source.database) if source else "template0")
    # FILE_COPY would wait for two checkpoints of the whole server.
    statement = SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY WAL_LOG").format(Identifier(name), template)
    with postgres_admin(server) as admin:
        admin.execute(statement)


def _drop_postgres(server: URL, name: str) -> None:
    with postgres_admin(server) as admin:
        admin.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))


def _create_mariadb(server: URL, name: str, source: URL | None) -> None:
    with mariadb_admin(server) as admin, admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{name}`")
        if source is None:
            return
        cursor.execute(f"USE `{name}`")
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute(f"SHOW TABLES FROM `{source.database}`")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SHOW CREATE TABLE `{source.database}`.`{table}`")
            row = cursor.fetchone()
            assert row is not None
            cursor.execute(row[1])
            cursor.execute(f"INSERT INTO `{table}` SELECT * FROM `{source.database}`.`{table}`")


def _drop_mariadb(server: URL, name: str) -> None:
    with mariadb_admin(server) as admin, admin.cursor() as cursor:
        # A connection left in a transaction would hold the drop up for ever.
        _disconnect(cursor, name)
        cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")


def _disconnect(cursor: Any, name: str) -> None:
    """End all other connections to a database."""
    others = "SELECT id FROM information_schema.processlist WHERE db = %s AND id <> connection_id()"
    cursor.execute(others, (name,))
    for (connection,) in cursor.fetchall():
        with contextlib.suppress(pymysql.MySQLError):
            cursor.execute(f"KILL {connection}")


@contextlib.contextmanager
def reset_redis(worker: int) -> Iterator[str]:
    """Yield the address of an empty Redis database that only this worker uses, and empty it again."""
    from redis import Redis  # noqa: PLC0415 - only the tests that count in Redis need it: 100 ms

    url = make_url(server_url("redis")).set(database=str(worker)).render_as_string(hide_password=False)
    with Redis.from_url(url) as client:
        if given_url("redis"):
            assert client.dbsize() == 0, (
                f"database {worker} of AEGIS_TEST_REDIS_URL holds data: not touching it"
            )
        client.flushdb()
        yield url
        client.flushdb()
