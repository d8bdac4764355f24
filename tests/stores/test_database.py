"""What the database costs a request, and what a request does when the database fails."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from aegis import db, errors
from aegis.schema import counters, metadata
from tests.factories import Browser, add_account, assert_refused, copy_of, dispose, rows, signed_in
from tests.fixtures import Clock, NewApp
from tests.services import MariaDB, Postgres, Service
from tests.services.databases import mariadb_admin, postgres_admin
from tests.services.keeper import server_url
from tests.stores.wire import Recorder, recorded

CHECKS = ("/api/check_session", "/auth/check")


@pytest.fixture
def wired(new_app: NewApp, migrated_url: str) -> Iterator[tuple[flask.Flask, Recorder]]:
    """Give an application and what it says to its database, on each database in turn."""
    with recorded(migrated_url) as (url, recorder):
        app = new_app(DATABASE_URL=url, AEGIS_DATABASE_TIMEOUT="10")
        recorder.attach(app.extensions["aegis"].database)
        yield app, recorder
        dispose(app)


# One query for a session, none for a visitor


@pytest.mark.parametrize("path", CHECKS)
def test_a_session_costs_one_query_and_nothing_beside_it(
    wired: tuple[flask.Flask, Recorder], clock: Clock, path: str
) -> None:
    app, recorder = wired
    anna = signed_in(app, "anna")
    for _ in range(12):  # until the driver has prepared the statement
        anna.get(path)
    recorder.take()
    for _ in range(20):
        assert anna.get(path).status_code in {200, 204}

    said = recorder.take()
    assert len(said) == 20
    assert {words.split()[0] for words in said} == {"SELECT"}
    assert len({words.partition("WHERE")[0] for words in said}) == 1
    assert all("sessions" in words and "accounts" in words for words in said)


@pytest.mark.parametrize(
    "path", [*CHECKS, "/csrf-token", "/login", "/api/profile", "/health", "/nothing-here"]
)
def test_a_visitor_costs_none(wired: tuple[flask.Flask, Recorder], path: str) -> None:
    app, recorder = wired
    client = app.test_client(use_cookies=False)
    client.get(path)
    recorder.take()
    for cookie in ("", "session=", "session=junk", "session=" + "x" * 5000, "other=" + "x" * 43):
        assert client.get(path, headers={"Cookie": cookie}).status_code < 500

    assert recorder.take() == []


def test_an_unknown_token_costs_one_query(wired: tuple[flask.Flask, Recorder]) -> None:
    app, recorder = wired
    client = app.test_client()
    client.set_cookie("session", "x" * 43)
    for _ in range(12):
        client.get("/auth/check")
    recorder.take()
    for path in CHECKS:
        assert client.get(path).status_code == 401

    assert len(recorder.take()) == 2


def test_a_page_asks_for_the_session_once(wired: tuple[flask.Flask, Recorder]) -> None:
    app, recorder = wired
    anna = signed_in(app, "anna")
    for _ in range(12):
        anna.page("/reauthenticate")
    recorder.take()
    assert anna.page("/reauthenticate").status_code == 200

    assert sum("sessions.token_hash" in statement for statement in recorder.take()) == 1


def test_a_use_is_written_once_a_minute_in_one_transaction(
    wired: tuple[flask.Flask, Recorder], clock: Clock
) -> None:
    app, recorder = wired
    anna = signed_in(app, "anna")
    for _ in range(12):
        anna.get("/auth/check")
    for path in ("/auth/check", "/api/profile"):
        clock.advance(60)
        recorder.take()
        assert anna.get(path).status_code in {200, 204}
        first_words = [words.split()[0] for words in recorder.take()]
        assert first_words[:4] == ["SELECT", "BEGIN", "UPDATE", "COMMIT"]
        assert anna.get("/auth/check").status_code == 204
        assert [words.split()[0] for words in recorder.take()][-1:] == ["SELECT"]


# Transactions


@pytest.fixture
def app(new_app: NewApp, migrated_url: str) -> Iterator[flask.Flask]:
    """Give an application on each database in turn."""
    app = new_app(DATABASE_URL=migrated_url, AEGIS_DATABASE_TIMEOUT="10")
    yield app
    dispose(app)


def notes(app: flask.Flask) -> set[str]:
    """Return what the tests below have stored."""
    return {row["name"] for row in rows(app, "counters")}


def add(name: str) -> None:
    """Store something."""
    db.change(sa.insert(counters).values(name=name, empty_at_ms=1))


@pytest.mark.control("ASVS-5.0-2.3.3", "ASVS-5.0-16.5.3")
def test_return_commits_and_raise_rolls_back(app: flask.Flask) -> None:
    with app.app_context():
        with db.transaction():
            add("one")
            with db.transaction():
                add("two")
        with pytest.raises(KeyError), db.transaction():  # noqa: PT012 - what happens inside is the point
            add("three")
            with db.transaction():
                add("four")
            raise KeyError
        add("five")

    assert notes(app) == {"one", "two", "five"}


@pytest.mark.control("ASVS-5.0-2.3.3")
def test_a_refusal_inside_rolls_everything_back(app: flask.Flask) -> None:
    with app.app_context(), pytest.raises(db.Duplicate), db.transaction():  # noqa: PT012 - as above
        add("one")
        add("one")

    assert notes(app) == set()


def test_a_connection_comes_back_clean_after_a_failure(app: flask.Flask) -> None:
    with app.app_context():
        for _ in range(15):  # more than the pool holds
            with pytest.raises(db.Duplicate), db.transaction():  # noqa: PT012 - as above
                add("one")
                add("one")
            with pytest.raises((errors.Unavailable, sa.exc.ProgrammingError)):
                db.rows(sa.text("SELECT nothing FROM nowhere"))
        add("after")

    assert notes(app) == {"after"}


def test_an_own_transaction_refuses_to_join(app: flask.Flask) -> None:
    with app.app_context(), pytest.raises(AssertionError), db.transaction(), db.alone():
        add("never")

    assert notes(app) == set()


def test_add_if_absent_adds_once_among_many(app: flask.Flask) -> None:
    gate = threading.Barrier(8)

    def run(_: int) -> bool:
        with app.app_context():
            gate.wait(30)
            return db.add_if_absent(counters, {"name": "one", "empty_at_ms": 1})

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(run, range(8))) == [False] * 7 + [True]


def test_text_is_compared_exactly(app: flask.Flask) -> None:
    """MariaDB's default would find `anna` for `ANNA`, and `muller` for `müller` (field lesson L20)."""
    names = ["anna", "Anna", "muller", "müller", "mu\u0308ller", "ß", "ss", "🔑", "🔒", "ı", "i"]
    with app.app_context():
        for name in names:
            add(name)
        for name in names:
            found = db.rows(sa.select(counters.c.name).where(counters.c.name == name))
            assert [row.name for row in found] == [name]


# Connections that died while they were idle


def kill_connections(app: flask.Flask) -> int:
    """End all of the application's connections from the server's side, as a restart or a firewall does."""
    url = app.extensions["aegis"].database.url
    if url.get_backend_name() == "postgresql":
        with postgres_admin(sa.make_url(server_url("postgresql"))) as admin:
            ended = admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                (url.database,),
            ).fetchall()
        return len(ended)
    with mariadb_admin(sa.make_url(server_url("mariadb"))) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (url.database,))
        found = cursor.fetchall()
        for (id_,) in found:
            cursor.execute(f"KILL {id_}")
    return len(found)


def open_connections(app: flask.Flask, how_many: int) -> None:
    """Fill the pool with idle connections."""
    engine = app.extensions["aegis"].database.engine
    held = [engine.raw_connection() for _ in range(how_many)]
    for connection in held:
        connection.close()


@pytest.fixture(params=["postgresql", "mariadb"])
def served_app(
    request: pytest.FixtureRequest, new_app: NewApp, migrated_database: Callable[[str], str]
) -> flask.Flask:
    """Give an application on each database server in turn."""
    return new_app(DATABASE_URL=migrated_database(request.param), AEGIS_DATABASE_TIMEOUT="10")


@pytest.mark.parametrize("path", [*CHECKS, "/api/profile", "/api/sessions", "/profile"])
def test_a_connection_that_died_idle_is_replaced_within_the_request(
    served_app: flask.Flask, path: str
) -> None:
    anna = signed_in(served_app, "anna")
    open_connections(served_app, 5)
    assert kill_connections(served_app) >= 5

    for _ in range(8):
        assert anna.page(path).status_code in {200, 204}


def test_a_write_on_a_connection_that_died_idle_is_done_once(served_app: flask.Flask) -> None:
    anna = signed_in(served_app, "anna")
    token = anna.token()
    for number in range(4):
        open_connections(served_app, 3)
        assert kill_connections(served_app) >= 3
        # The session's own read finds the dead connection; here the write does.
        with served_app.app_context():
            add(f"note {number}")
    assert notes(served_app) >= {f"note {number}" for number in range(4)}
    kill_connections(served_app)
    answer = anna.post("/api/profile", json={"bio": "once"}, headers={"X-CSRFToken": token})

    assert answer.status_code == 200
    assert rows(served_app, "accounts")[0]["bio"] == "once"


def test_signing_in_and_out_works_on_connections_that_died_idle(served_app: flask.Flask) -> None:
    add_account(served_app, "anna")
    anna = served_app.test_client()
    kill_connections(served_app)
    assert anna.sign_in("anna").status_code == 200
    token = anna.token()
    kill_connections(served_app)
    assert anna.post("/api/logout", headers={"X-CSRFToken": token}).status_code == 200
    kill_connections(served_app)

    assert not anna.is_signed_in()
    assert rows(served_app, "sessions") == []


@pytest.mark.control("ASVS-5.0-2.3.3")
def test_a_connection_that_dies_inside_a_transaction_loses_all_of_it(served_app: flask.Flask) -> None:
    with served_app.app_context(), pytest.raises(errors.Unavailable), db.transaction():  # noqa: PT012 - as above
        add("one")
        kill_connections(served_app)
        add("two")

    assert notes(served_app) == set()


# A database that is away


OUTAGES: dict[str, type[Service]] = {"postgresql": Postgres, "mariadb": MariaDB}


@pytest.fixture(scope="module", params=OUTAGES)
def own_server(request: pytest.FixtureRequest) -> Iterator[Service]:
    """Give a server that may be stopped."""
    with OUTAGES[request.param]() as server:
        yield server


@pytest.fixture
def fragile(own_server: Service, new_app: NewApp) -> flask.Flask:
    """Give an application with the usual timeout, on a server that may be stopped."""
    app = new_app(DATABASE_URL=own_server.url)
    metadata.drop_all(app.extensions["aegis"].database.engine)
    metadata.create_all(app.extensions["aegis"].database.engine)
    return app


def timed(ask: Callable[[], Any]) -> tuple[Any, float]:
    """Return an answer and how long it took."""
    began = time.monotonic()
    return ask(), time.monotonic() - began


def asking(anna: Browser, token: str) -> list[Callable[[], Any]]:
    """Return requests that need the database, in each of the ways in which one is made."""
    return [
        lambda: anna.get("/api/check_session"),
        lambda: anna.get("/auth/check"),
        lambda: copy_of(anna).get("/api/profile"),
        lambda: anna.post("/api/profile", json={"bio": "x"}, headers={"X-CSRFToken": token}),
        lambda: anna.application.test_client().sign_in("anna"),
        lambda: anna.application.test_client().sign_in("nobody"),
    ]


@pytest.mark.control("ASVS-5.0-16.5.2", "ASVS-5.0-16.5.3")
def test_while_the_database_is_away_the_answer_is_unavailable_and_comes_soon(
    own_server: Service, fragile: flask.Flask
) -> None:
    anna = signed_in(fragile, "anna")
    token = anna.token()
    own_server.stop()
    try:
        for ask in asking(anna, token) * 2:
            answer, took = timed(ask)
            assert_refused(answer, 503, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert took < 2
        page, took = timed(lambda: anna.page("/profile"))
        assert (page.status_code, page.mimetype) == (503, "text/html")
        assert took < 2
        assert fragile.test_client().get("/api/check_session").status_code == 401
        assert fragile.test_client().get("/health").status_code == 200
        assert fragile.test_client().get("/health/ready").status_code == 503
    finally:
        own_server.start()

    assert anna.is_signed_in()
    assert anna.get("/auth/check").status_code == 204
    answer = anna.post("/api/profile", json={"bio": "back"}, headers={"X-CSRFToken": token})
    assert answer.json["user"]["bio"] == "back"
    assert anna.sign_in().status_code == 200


@pytest.mark.control("ASVS-5.0-16.5.2", "ASVS-5.0-16.5.3")
def test_while_the_database_hangs_the_answer_is_unavailable_and_comes_soon(
    own_server: Service, fragile: flask.Flask
) -> None:
    anna = signed_in(fragile, "anna")
    token = anna.token()
    own_server.pause()
    asks = asking(anna, token)
    try:
        with ThreadPoolExecutor(len(asks)) as pool:
            answers = list(pool.map(timed, asks))
        for answer, _ in answers:
            assert_refused(answer, 503, "unavailable")
        assert fragile.test_client().get("/api/check_session").status_code == 401
    finally:
        own_server.resume()

    assert anna.is_signed_in()
    answer = anna.post("/api/profile", json={"bio": "back"}, headers={"X-CSRFToken": token})
    assert answer.json["user"]["bio"] == "back"
    assert max(took for _, took in answers) < 3
