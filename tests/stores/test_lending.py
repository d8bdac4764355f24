"""The connections that a database keeps at hand for the read of each request."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from aegis import clock
from aegis.db import Database, HotStatement, engine
from aegis.schema import accounts, metadata

BY_NAME = HotStatement(
    sa.select(accounts.c.id).where(accounts.c.username_canonical == sa.bindparam("name")), "name"
)


def _database(url: str, pool_size: int = 8) -> Database:
    return Database(url, pool_size=pool_size, timeout_s=2, prepare=lambda _: None)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Give a database with tables, on each kind in turn."""
    database = _database(database_url)
    metadata.create_all(database.engine)
    yield database
    database.engine.dispose()


def test_reads_in_turn_share_one_connection(database: Database) -> None:
    first = database.lend()
    database.take_back(first)
    for _ in range(3):
        assert BY_NAME.one(database, "nobody") is None
    again = database.lend()

    assert again.connection is first.connection
    assert again.cursor is first.cursor
    database.take_back(again)


def test_a_quarter_of_the_pool_is_kept_and_the_rest_returned(database: Database) -> None:
    lent = [database.lend() for _ in range(8)]
    assert database.engine.pool.checkedout() == 8
    for one in lent:
        database.take_back(one)

    assert database.engine.pool.checkedout() == 2


@pytest.mark.parametrize("size", [1, 3])
def test_a_small_pool_keeps_none_back(database_url: str, size: int) -> None:
    database = _database(database_url, size)
    database.take_back(database.lend())

    assert database.engine.pool.checkedout() == 0
    database.engine.dispose()


def test_the_one_connection_of_a_memory_database_stays_free() -> None:
    database = _database("sqlite://")
    metadata.create_all(database.engine)
    assert BY_NAME.one(database, "nobody") is None

    assert database.engine.pool.checkedout() == 0
    database.engine.dispose()


def test_the_pool_judges_the_age_once_a_minute(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    first = database.lend()
    database.take_back(first)
    now += engine.KEPT_S - 1
    kept = database.lend()
    database.take_back(kept)
    now += 1
    renewed = database.lend()

    assert kept.connection is first.connection
    assert renewed.connection is not first.connection
    assert database.engine.pool.checkedout() == 1
    database.take_back(renewed)


def test_disposing_closes_what_is_at_hand(database: Database) -> None:
    lent = database.lend()
    database.take_back(lent)
    database.engine.dispose()
    with pytest.raises(Exception, match=r".") as refused:
        lent.cursor.execute("SELECT 1")

    assert isinstance(refused.value, database.engine.dialect.loaded_dbapi.Error)
    assert BY_NAME.one(database, "nobody") is None
