"""The record on three databases: several writers, tampering through SQL, and what happens when a write goes wrong."""

import json
import logging
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from aegis import audit, db, errors, state
from aegis.audit import Event, chain
from aegis.audit import service as audit_service
from aegis.audit import store as audit_store
from aegis.db import statements
from aegis.schema import audit as table
from aegis.web import Client
from tests.factories import dispose, make_app, rows

HERE = Client("192.0.2.7", "test", "0123456789abcdef")
SPAWNED = multiprocessing.get_context("spawn")


@pytest.fixture
def app(migrated_url: str) -> Iterator[flask.Flask]:
    """Give the platform on each database."""
    made = make_app(DATABASE_URL=migrated_url, AEGIS_DATABASE_TIMEOUT="10")
    yield made
    dispose(made)


@pytest.fixture
def lite(sqlite_url: str) -> Iterator[flask.Flask]:
    """Give the platform on SQLite alone, where the kind of database makes no difference."""
    made = make_app(DATABASE_URL=sqlite_url)
    yield made
    dispose(made)


def write(app: flask.Flask, count: int, event: Event = Event.LOGIN_SUCCESS) -> None:
    with app.app_context():
        for number in range(count):
            audit.record(event, HERE, account_id="anna", note=f"no {number}")


def faults(app: flask.Flask, told: audit.Heads | None = None) -> list[tuple[int, str]]:
    with app.app_context():
        found = list(audit.verify(state.current().keyring, told))
    return [(fault.number, fault.sentence) for fault in found]


def tamper(app: flask.Flask, statement: Any) -> None:
    with app.app_context():
        assert db.change(statement)


def at(number: int) -> Any:
    return table.c.number == number


def write_in_another_process(url: str, count: int, start: Any) -> None:
    made = make_app(DATABASE_URL=url, AEGIS_DATABASE_TIMEOUT="10")
    start.wait(30)
    threads = [threading.Thread(target=write, args=(made, count)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    dispose(made)


@pytest.mark.control("ASVS-5.0-16.4.2")
def test_threads_and_processes_write_without_losing_or_tearing_anything(migrated_url: str) -> None:
    start = SPAWNED.Barrier(2)
    children = [
        SPAWNED.Process(target=write_in_another_process, args=(migrated_url, 20, start)) for _ in range(2)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    app = make_app(DATABASE_URL=migrated_url)
    stored = [row for row in rows(app, "audit") if row["event"] == Event.LOGIN_SUCCESS]

    assert len(stored) == 2 * 3 * 20
    assert len({row["chain"] for row in stored}) == 2
    assert faults(app) == []
    dispose(app)


def write_until_killed(url: str, counted: Any) -> None:
    made = make_app(DATABASE_URL=url)
    while True:
        write(made, 1)
        counted.release()


def test_a_killed_writer_leaves_a_whole_record(migrated_url: str) -> None:
    counted = SPAWNED.Semaphore(0)
    child = SPAWNED.Process(target=write_until_killed, args=(migrated_url, counted))
    child.start()
    for _ in range(20):
        assert counted.acquire(timeout=60)
    child.kill()
    child.join(30)
    app = make_app(DATABASE_URL=migrated_url, AEGIS_DATABASE_TIMEOUT="10")
    write(app, 1)

    stored = [row for row in rows(app, "audit") if row["event"] == Event.LOGIN_SUCCESS]
    assert len(stored) >= 20 + 1
    assert len({row["chain"] for row in stored}) == 2
    assert faults(app) == []
    dispose(app)


@pytest.mark.control("ASVS-5.0-16.4.2")
@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (sa.update(table).where(at(4)).values(account_id="ben"), {4}),
        (sa.update(table).where(at(4)).values(data='{"note":"other"}'), {4}),
        (sa.update(table).where(at(1)).values(data="nonsense"), {1}),
        (sa.delete(table).where(at(4)), {4, 5}),
        (sa.delete(table).where(at(1)), {1, 2}),
    ],
    ids=["column", "data", "first", "remove", "remove first"],
)
def test_tampering_by_sql_names_the_rows(app: flask.Flask, statement: Any, named: set[int]) -> None:
    write(app, 6)
    assert faults(app) == []

    tamper(app, statement)

    assert {number for number, _ in faults(app)} == named


def test_swapped_rows_are_named_with_their_places(app: flask.Flask) -> None:
    write(app, 6)
    for old, new in ((3, 100), (5, 3), (100, 5)):
        tamper(app, sa.update(table).where(at(old)).values(number=new))

    assert [number for number, _ in faults(app)] == [3, 5]


def test_an_inserted_row_is_named_and_stops_nobody_from_recording(app: flask.Flask) -> None:
    write(app, 3)
    [last] = [row for row in rows(app, "audit") if row["number"] == 4]
    tamper(app, sa.insert(table).values(**{**last, "number": 5, "account_id": "ben"}))
    assert [number for number, _ in faults(app)] == [5]

    write(app, 2)

    assert len([row for row in rows(app, "audit") if row["event"] == Event.LOGIN_SUCCESS]) == 3 + 1 + 2
    assert len({row["chain"] for row in rows(app, "audit")}) == 2
    assert [number for number, _ in faults(app)] == [5]


def test_a_cut_off_tail_shows_against_the_log(app: flask.Flask, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "aegis.audit"):
        write(app, 5)
    left = audit.heads_in(json.dumps(line.aegis) for line in caplog.records)  # type: ignore[attr-defined]
    assert faults(app, left) == []

    tamper(app, sa.delete(table).where(table.c.number > 3))

    assert faults(app) == []
    assert [number for number, _ in faults(app, left)] == [4]


def test_a_later_chain_names_the_end_of_the_one_before(migrated_url: str) -> None:
    first, second = make_app(DATABASE_URL=migrated_url), make_app(DATABASE_URL=migrated_url)
    write(first, 5)
    write(second, 1)
    assert faults(second) == []
    [ended] = {row["chain"] for row in rows(second, "audit") if row["number"] == 6}

    tamper(second, sa.delete(table).where(table.c.chain == ended, table.c.number > 4))
    assert [number for number, _ in faults(second)] == [5]

    tamper(second, sa.delete(table).where(table.c.chain == ended))
    assert [number for number, _ in faults(second)] == [1]
    dispose(first)
    dispose(second)


def test_a_forged_first_row_accuses_nobody_else(lite: flask.Flask) -> None:
    write(lite, 2)
    forged = {"heads": json.dumps({"nobody": [7, "a" * 64]})}
    [first] = [row for row in rows(lite, "audit") if row["number"] == 1]
    tamper(lite, sa.insert(table).values(**{**first, "chain": "forged", "data": json.dumps(forged)}))

    assert [number for number, _ in faults(lite)] == [1]


def test_a_chain_ends_after_so_many_rows(lite: flask.Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_service, "CHAIN_ROWS", 4)
    write(lite, 7)

    assert sorted(row["number"] for row in rows(lite, "audit")) == [1, 1, 1, 2, 2, 2, 3, 3, 4, 4]
    assert faults(lite) == []


def test_a_chain_ends_after_a_day(lite: flask.Flask, clock: Any) -> None:
    write(lite, 1)
    clock.advance(audit_service.CHAIN_S - 1)
    write(lite, 1)
    assert len({row["chain"] for row in rows(lite, "audit")}) == 1

    clock.advance(1)
    write(lite, 1)

    assert len({row["chain"] for row in rows(lite, "audit")}) == 2
    assert faults(lite) == []


@pytest.mark.parametrize("is_stored", [True, False])
def test_an_unknown_outcome_ends_the_chain_and_loses_no_link(
    app: flask.Flask, monkeypatch: pytest.MonkeyPatch, is_stored: bool
) -> None:
    """The commit's answer is lost: whether the row is there, nobody can know. The record must be whole both ways."""
    write(app, 2)
    add = audit_store.add

    def add_and_lose_the_answer(values: dict[str, Any]) -> None:
        if is_stored:
            add(values)
            statements.run("COMMIT")
        raise errors.Unavailable

    monkeypatch.setattr(audit_store, "add", add_and_lose_the_answer)
    with pytest.raises(errors.Unavailable):
        write(app, 1)
    monkeypatch.setattr(audit_store, "add", add)
    write(app, 2)

    stored = [row for row in rows(app, "audit") if row["event"] == Event.LOGIN_SUCCESS]
    assert len(stored) == (5 if is_stored else 4)
    assert len({row["chain"] for row in stored}) == 2
    assert faults(app) == []


def test_what_cannot_be_recorded_is_refused_and_a_refusal_stays_one(
    lite: flask.Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_values: dict[str, Any]) -> None:
        raise errors.Unavailable

    monkeypatch.setattr(audit_store, "add", away)
    with caplog.at_level(logging.INFO, "aegis.audit"):
        with pytest.raises(errors.Unavailable):
            write(lite, 1)
        write(lite, 1, Event.CSRF_REFUSED)

    assert [line.message for line in caplog.records] == [Event.LOGIN_SUCCESS, Event.CSRF_REFUSED]


def test_a_flood_of_refusals_fills_the_log_and_not_the_database(
    lite: flask.Flask, caplog: pytest.LogCaptureFixture, clock: Any
) -> None:
    with caplog.at_level(logging.INFO, "aegis.audit"):
        write(lite, 200, Event.CSRF_REFUSED)
        clock.advance(60)
        write(lite, 3, Event.CSRF_REFUSED)

    logged = [line for line in caplog.records if line.message == Event.CSRF_REFUSED]
    stored = [row for row in rows(lite, "audit") if row["event"] == Event.CSRF_REFUSED]
    assert (len(logged), len(stored)) == (203, audit_service.REFUSALS_A_MINUTE + 3)


def test_a_forked_child_writes_a_chain_of_its_own(migrated_database: Callable[[str], str]) -> None:
    app = make_app(DATABASE_URL=migrated_database("postgresql"))
    write(app, 2)
    child = multiprocessing.get_context("fork").Process(target=write, args=(app, 2))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    write(app, 1)

    stored = [row for row in rows(app, "audit") if row["event"] == Event.LOGIN_SUCCESS]
    assert len(stored) == 5
    assert len({row["chain"] for row in stored}) == 2
    assert faults(app) == []
    dispose(app)


@pytest.mark.control("ASVS-5.0-16.4.1")
def test_rows_hold_hostile_text_as_one_line(app: flask.Flask) -> None:
    hostile = 'a\r\n{"event":"user_created"}\x1b[31m" \\ \u202e é ' + "x" * 3000
    with app.app_context():
        audit.record(Event.LOGIN_SUCCESS, HERE, account_id="anna", note=hostile)
        [seen] = audit.search(account_id="anna")
    [stored] = [row["data"] for row in rows(app, "audit") if row["account_id"] == "anna"]

    assert seen.data["note"] == hostile
    assert stored.isascii()
    assert stored.isprintable()
    assert faults(app) == []


def test_pages_show_each_event_once_even_within_one_second(app: flask.Flask, clock: Any) -> None:
    write(app, 5)
    clock.advance(1)
    write(app, 4)
    with app.app_context():
        seen, before = [], None
        while page := audit.search(account_id="anna", before=before, limit=2):
            seen += page
            before = page[-1].place
        exported = [event.place for event in audit.walk()]

    assert len(seen) == len({event.place for event in seen}) == 9
    assert [event.at for event in seen] == sorted((event.at for event in seen), reverse=True)
    assert exported == sorted(exported)


def test_reading_in_pages_loses_nothing(app: flask.Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_store, "PAGE", 3)
    write(app, 8)
    with app.app_context():
        assert len(list(audit.walk())) == 9
    assert faults(app) == []


def test_verification_needs_the_key(lite: flask.Flask) -> None:
    write(lite, 1)
    entries = [chain.Entry(**row) for row in rows(lite, "audit")]

    assert all(len(entry.mac) == 64 for entry in entries)
    assert list(chain.verify(entries, {}, make_app().extensions["aegis"].keyring)) == []
    other = make_app(SECRET_KEY="another key that is long enough to be one")
    assert len(list(chain.verify(entries, {}, other.extensions["aegis"].keyring))) == 2
