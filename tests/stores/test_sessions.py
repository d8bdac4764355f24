"""Session records on the three databases: one suite for the promise, then the purge of many while people work."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from aegis import clock as aegis_clock
from aegis import errors, schema, state, tokens
from aegis.ops import housekeeping
from aegis.sessions import service
from aegis.web import Client
from tests.factories import add_account, at_once, rows
from tests.fixtures import Clock, NewApp

CLIENT = Client("192.0.2.1", "test", "")
IDLE_S, OVERALL_S = 3600, 43_200
MANY = 200_000


@pytest.fixture
def app(new_app: NewApp, migrated_url: str, clock: Clock) -> Iterator[flask.Flask]:
    """Give the platform on each database, with anna and ben, inside its context."""
    made = new_app(DATABASE_URL=migrated_url, AEGIS_DATABASE_TIMEOUT="20")
    add_account(made, "anna")
    add_account(made, "ben")
    with made.app_context():
        yield made


def id_of(app: flask.Flask, name: str) -> str:
    """Return an account's id."""
    [found] = [row["id"] for row in rows(app, "accounts") if row["username"] == name]
    return str(found)


def started(app: flask.Flask, name: str = "anna", **more: Any) -> str:
    """Start a session and return its token."""
    return service.start(id_of(app, name), state.current().settings, CLIENT, **more)


def found(token: str) -> service.Session | None:
    """Look a token up as a request does."""
    application = state.current()
    return service.find(token, application.database, application.settings)


def live(token: str) -> service.Session:
    """Look up a token that must be alive."""
    session = found(token)
    assert session is not None
    return session


@pytest.mark.control("ASVS-5.0-7.2.2", "ASVS-5.0-7.2.3")
def test_a_token_leads_to_its_record_and_only_its_hash_is_stored(app: flask.Flask) -> None:
    token = started(app)
    [row] = rows(app, "sessions")

    assert live(token).username == "anna"
    assert row["token_hash"] == tokens.hash_token(token)
    assert not any(token in str(value) for value in row.values())
    assert found(tokens.new_token()) is None
    assert found(row["id"]) is None


def test_role_and_activity_are_read_with_the_session(app: flask.Flask) -> None:
    """There is no copy to invalidate: what the account's row says is what the next request sees."""
    token = started(app)
    with state.current().database.engine.connect() as connection:
        connection.execute(sa.update(schema.accounts).values(role="teacher"))
    assert live(token).role == "teacher"
    with state.current().database.engine.connect() as connection:
        connection.execute(sa.update(schema.accounts).values(is_active=False))
    assert found(token) is None


@pytest.mark.parametrize(("step_s", "limit_s"), [(IDLE_S, IDLE_S), (IDLE_S - 1, OVERALL_S)])
def test_both_timeouts_are_exact(app: flask.Flask, clock: Clock, step_s: int, limit_s: int) -> None:
    token, begun = started(app), clock.now
    while clock.now + step_s < begun + limit_s:
        clock.advance(step_s)
        service.note_use(live(token), state.current().settings)
    clock.now = begun + limit_s - 1
    assert found(token)
    clock.advance(1)
    assert found(token) is None


def test_of_parallel_rotations_one_succeeds_and_the_old_token_is_dead(app: flask.Flask) -> None:
    token = started(app)
    session = live(token)
    results = at_once([lambda: service.rotate(session, token)] * 6, app)
    [new] = [result for result in results if isinstance(result, str)]

    assert sum(isinstance(result, errors.NotSignedIn) for result in results) == 5
    assert found(token) is None
    assert live(new).id == session.id


def test_no_write_revives_a_session_that_ended(app: flask.Flask, clock: Clock) -> None:
    token = started(app)
    session = live(token)
    clock.advance(120)
    assert service.revoke_token(token)
    service.note_use(session, state.current().settings)
    with pytest.raises(errors.NotSignedIn):
        service.rotate(session, token)

    assert rows(app, "sessions") == []


def test_parallel_starts_never_exceed_the_maximum(app: flask.Flask) -> None:
    """The oldest go, and those of other accounts stay."""
    first, ben = started(app), started(app, "ben")
    at_most = state.current().settings.sessions_per_account
    fresh = at_once([lambda: started(app)] * 8, app)
    fresh += [started(app) for _ in range(at_most - 8)]

    assert len(rows(app, "sessions")) == at_most + 1
    assert found(first) is None
    assert all(found(token) for token in [*fresh, ben])


def test_a_start_makes_room_however_many_there_were(app: flask.Flask, clock: Clock) -> None:
    """The maximum may have been lowered: what is beyond it goes in pieces that every database takes."""
    fill(app, "anna", 1200, used_at=clock.now)
    token = started(app)

    assert len(rows(app, "sessions")) == state.current().settings.sessions_per_account
    assert found(token)


def test_parallel_forms_of_one_browser_leave_one_session(app: flask.Flask) -> None:
    tokens_given = at_once([lambda: started(app, browser="one form")] * 6, app)
    other = started(app, browser="another form")

    assert sum(found(token) is not None for token in tokens_given) == 1
    assert found(other)


def test_ending_touches_own_sessions_alone(app: flask.Flask) -> None:
    anna, again, ben = started(app), started(app), started(app, "ben")
    with pytest.raises(errors.NotFound):
        service.revoke(id_of(app, "anna"), live(ben).id)
    service.revoke(id_of(app, "anna"), live(anna).id)
    assert (found(anna), bool(found(again)), bool(found(ben))) == (None, True, True)
    assert service.revoke_all(id_of(app, "anna")) == 1
    assert (found(again), bool(found(ben))) == (None, True)


@pytest.mark.control("ASVS-5.0-7.3.1", "ASVS-5.0-7.3.2")
def test_the_purge_takes_what_is_expired_and_nothing_else(app: flask.Flask, clock: Clock) -> None:
    """One is expired by age, one by silence; one was used in time."""
    old = started(app)
    clock.advance(OVERALL_S - IDLE_S)
    silent = started(app)
    clock.advance(60)
    used = started(app)
    clock.advance(IDLE_S - 60)

    assert [service.purge(state.current().settings, 1) for _ in range(3)] == [1, 1, 0]
    assert [found(token) is not None for token in (old, silent, used)] == [False, False, True]


def fill(app: flask.Flask, name: str, number: int, used_at: int) -> None:
    """Store sessions of an account as they would stand after long use."""
    account_id = id_of(app, name)
    records = [
        {
            "token_hash": place.to_bytes(32),
            "id": f"{place:022d}",
            "account_id": account_id,
            "started_at": used_at,
            "started_us": place,
            "authenticated_at": used_at,
            "last_used_at": used_at,
            "auth_level": 1,
            "method": "password",
            "user_agent": "",
            "address": "",
        }
        for place in range(number)
    ]
    with state.current().database.engine.connect() as connection:
        connection.execute(sa.insert(schema.sessions), records)


# Many expired sessions, and people who go on working meanwhile


@pytest.fixture
def crowded(new_app: NewApp, migrated_database: Callable[[str], str], clock: Clock) -> Iterator[flask.Flask]:
    """Give the platform on PostgreSQL with 200,000 expired sessions."""
    made = new_app(DATABASE_URL=migrated_database("postgresql"), AEGIS_DATABASE_TIMEOUT="20")
    add_account(made, "anna")
    add_account(made, "ben")
    with made.app_context():
        long_ago = clock.now - OVERALL_S
        unhurried = state.current().database.unhurried()
        with unhurried.connect() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO sessions (token_hash, id, account_id, started_at, started_us, authenticated_at,"
                    " last_used_at, auth_level, method, user_agent, address) SELECT sha256(n::text::bytea), n::text,"
                    " :account, :at, n, :at, :at, 1, 'password', '', '' FROM generate_series(1, :many) n"
                ),
                {"account": id_of(made, "ben"), "at": long_ago, "many": MANY},
            )
        unhurried.dispose()
        yield made


@pytest.mark.control("ASVS-5.0-7.3.2")
def test_a_large_backlog_is_purged_in_small_batches_while_people_work(
    crowded: flask.Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are answered, uses are written and sessions start and end meanwhile; no statement takes many rows."""
    monkeypatch.setattr(housekeeping, "PAUSE_S", 0)
    batches: list[int] = []
    purge = service.purge

    def counted(*arguments: Any) -> int:
        batches.append(purge(*arguments))
        return batches[-1]

    monkeypatch.setattr(service, "purge", counted)
    staying, is_done = started(crowded), threading.Event()
    served: list[int] = []
    with ThreadPoolExecutor(3) as pool:
        workers = [pool.submit(_work, crowded, staying, is_done, served) for _ in range(2)]
        try:
            gone = housekeeping.purge()
        finally:
            is_done.set()
        for worker in workers:
            worker.result()

    assert gone == MANY
    assert max(batches) <= service.PURGE_BATCH
    assert len(rows(crowded, "sessions")) == 1
    assert live(staying).username == "anna"
    assert served


def _work(app: flask.Flask, token: str, is_done: threading.Event, served: list[int]) -> None:
    """Ask, use, start and end sessions until told to stop; a refusal fails."""
    with app.app_context():
        settings = state.current().settings
        while not is_done.is_set():
            service.note_use(live(token)._replace(last_used_at=0), settings)
            own = started(app)
            assert found(own)
            assert service.revoke_token(own)
            served.append(aegis_clock.now())
