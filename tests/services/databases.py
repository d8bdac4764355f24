"""A database for each test: created empty or copied from a prepared one, and dropped afterwards."""

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
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
    """Connect to the server's maintenance database, each statement committed by itself."""
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True, connect_timeout=10)


def mariadb_admin(server: URL) -> "pymysql.Connection[Any]":
    """Connect to the server, each statement committed by itself."""
    return pymysql.connect(
        host=server.host or "127.0.0.1",
        port=server.port or 3306,
        user=server.username,
        password=server.password or "",
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
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
        for (connection,) in cursor.fetchall():
            with contextlib.suppress(pymysql.MySQLError):
                cursor.execute(f"KILL {connection}")
        cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")


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
