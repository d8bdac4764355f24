"""The fixtures through which tests reach the servers."""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.services import keeper
from tests.services.databases import DIALECTS, Shelf, fresh_database, reset_redis
from tests.services.smtp import Smtp

if TYPE_CHECKING:
    from playwright.sync_api import Browser

KEEPER = pytest.StashKey[keeper.Keeper]()
# What a test asks for by these fixture names, begun as soon as the tests are collected.
NEEDS = {
    "postgres_url": ("postgresql",),
    "mariadb_url": ("mariadb",),
    "database_url": ("postgresql", "mariadb"),
    "migrated_url": ("postgresql", "mariadb"),
    "redis_url": ("redis",),
    "s3_url": ("s3",),
}


def pytest_configure(config: pytest.Config) -> None:
    """Make the keeper in the first process of the run."""
    if keeper.SOCKET_VARIABLE not in os.environ:
        config.stash[KEEPER] = keeper.Keeper()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers."""
    if KEEPER in config.stash:
        config.stash[KEEPER].close()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to start what the selected tests will ask for."""
    if not session.config.option.collectonly:
        names = {name for item in session.items for name in getattr(item, "fixturenames", ())}
        keeper.warm_up({kind for name in names for kind in NEEDS.get(name, ())})


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """Give an empty PostgreSQL database."""
    with fresh_database("postgresql") as url:
        yield url


@pytest.fixture
def mariadb_url() -> Iterator[str]:
    """Give an empty MariaDB database."""
    with fresh_database("mariadb") as url:
        yield url


@pytest.fixture
def sqlite_url() -> Iterator[str]:
    """Give an SQLite file that does not exist yet."""
    with fresh_database("sqlite") as url:
        yield url


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give an empty database of each of the three kinds in turn."""
    with fresh_database(request.param) as url:
        yield url


@pytest.fixture(scope="session")
def migrated() -> Iterator[Callable[[str], Shelf]]:
    """Give a function from dialect to the copies of a migrated database."""
    made: dict[str, Shelf] = {}
    with contextlib.ExitStack() as stack:

        def shelf(dialect: str) -> Shelf:
            if dialect not in made:
                source = stack.enter_context(fresh_database(dialect))
                made[dialect] = Shelf(source, _migrate(source))
                stack.callback(made[dialect].close)
            return made[dialect]

        yield shelf


def _migrate(url: str) -> list[str]:
    """Make all tables, and return them in an order in which they can be emptied."""
    from academy import migrate  # noqa: PLC0415 - only with databases: it would make each unit test import the platform
    from academy.schema import metadata  # noqa: PLC0415 - as above
    from aegis.db import Database  # noqa: PLC0415 - as above

    database = Database(url, pool_size=1, timeout_s=30, prepare=lambda _: None)
    migrate.upgrade(database)
    database.engine.dispose()
    return [table.name for table in reversed(metadata.sorted_tables)]


@pytest.fixture(params=DIALECTS)
def migrated_url(request: pytest.FixtureRequest, migrated: Callable[[str], Shelf]) -> Iterator[str]:
    """Give a database of each of the three kinds in turn, with all tables and no rows."""
    with migrated(request.param).lend() as url:
        yield url


@pytest.fixture
def migrated_database(migrated: Callable[[str], Shelf]) -> Iterator[Callable[[str], str]]:
    """Give a function from dialect to the address of a database with all tables and no rows."""
    with contextlib.ExitStack() as stack:
        yield lambda dialect: stack.enter_context(migrated(dialect).lend())


@pytest.fixture
def redis_url(worker_number: int) -> Iterator[str]:
    """Give an empty Redis database."""
    with reset_redis(worker_number) as url:
        yield url


@pytest.fixture
def s3_url() -> str:
    """Give an empty corner of a bucket, in the form of AEGIS_UPLOADS_S3_URL."""
    place, _, query = keeper.server_url("s3").partition("?")
    return f"{place}/{secrets.token_hex(8)}?{query}"


@pytest.fixture
def smtp() -> Iterator[Smtp]:
    """Give a mail server with STARTTLS and AUTH."""
    with Smtp() as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Give a Chromium to the tests of one module.

    Not longer: while Playwright is open its event loop counts as running in this thread, and
    another module's asyncio would refuse to start.
    """
    from tests.services.browser import chromium  # noqa: PLC0415 - only browser tests need Playwright: 150 ms

    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def worker_number() -> int:
    """Tell the worker's number: 0 without xdist."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
