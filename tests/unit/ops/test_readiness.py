"""Readiness answers in time, whatever the database does, and many askers cost one look."""

import threading
import time

import pytest

from aegis import db, mail
from aegis.ops import readiness
from tests.factories import change, dispose
from tests.services.process import free_port

READY = {"database": "ok", "migrations": "ok", "mail": "ok"}
AWAY = {"database": "unreachable", "migrations": "unknown"}


@pytest.fixture
def hanging(new_app):
    """Give an application whose look at the schema waits, the looks so far, and what lets them go on."""
    app = new_app()
    looks, go_on = [], threading.Event()

    def wait(_database):
        looks.append(1)
        go_on.wait(30)
        return True

    app.extensions["aegis"].is_current = wait
    yield app, looks, go_on
    go_on.set()


def ask(app, into):
    with app.app_context():
        into.append(readiness.checks())


def test_ready_and_pending_are_told_apart(new_app):
    app, answers = new_app(), []
    ask(app, answers)
    app.extensions["aegis"].is_current = lambda _: False
    ask(app, answers)

    assert answers == [READY, {"database": "ok", "migrations": "pending"}]


def test_a_database_that_hangs_holds_nobody_and_is_asked_once(hanging):
    app, looks, go_on = hanging
    answers = []
    begun = time.monotonic()
    crowd = [threading.Thread(target=ask, args=(app, answers)) for _ in range(8)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()

    assert time.monotonic() - begun < 4
    assert answers == [AWAY] * 8
    assert len(looks) == 1

    go_on.set()
    ask(app, answers)
    assert answers[-1] == READY


def test_nobody_listening_is_unreachable(new_app):
    answers = []
    ask(new_app(DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/none"), answers)

    assert answers == [AWAY]


def test_a_fault_of_our_own_is_logged_and_not_ready(new_app, caplog):
    app, answers = new_app(), []
    app.extensions["aegis"].is_current = lambda _: 1 / 0
    ask(app, answers)

    assert answers == [AWAY]
    assert "readiness_failed" in caplog.messages


@pytest.mark.parametrize(
    ("environ", "contact"),
    [
        ({}, "mailto:security@localhost"),
        ({"AEGIS_URL": "https://platform.test"}, "mailto:security@platform.test"),
        (
            {"AEGIS_URL": "https://platform.test", "AEGIS_SECURITY_CONTACT": "https://school.test/security"},
            "https://school.test/security",
        ),
    ],
)
def test_researchers_find_a_contact(new_app, environ, contact):
    """RFC 9116; where nobody chose one, the mailbox that RFC 2142 reserves for it."""
    client = new_app(**environ).test_client()
    host = {"Host": "platform.test"} if environ else {}
    answer = client.get("/.well-known/security.txt", headers=host)
    lines = dict(line.split(": ", 1) for line in answer.text.splitlines())

    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert lines["Contact"] == contact
    assert lines["Canonical"].endswith("/.well-known/security.txt")


def test_mails_that_were_given_up_and_a_redis_that_is_away_are_told_and_stop_no_traffic(
    new_app, migrated_database
):
    url = migrated_database("sqlite")
    app = new_app(DATABASE_URL=url, REDIS_URL=f"redis://127.0.0.1:{free_port()}", AEGIS_MAIL_EMBEDDED="0")
    with app.app_context(), db.transaction():
        mail.post("relay_test", "anna@mail.test", code="12345678")
    late = app.test_client().get("/health/ready")
    change(app, "outbox", next_try_at=0)
    unsent = app.test_client().get("/health/ready")
    change(app, "outbox", state="dead")
    dead = app.test_client().get("/health/ready")

    assert [answer.status_code for answer in (late, unsent, dead)] == [200] * 3
    assert [answer.json["checks"]["mail"] for answer in (late, unsent, dead)] == [
        "ok",
        "1 that nobody sends",
        "1 given up",
    ]
    assert dead.json["checks"]["redis"] == "unreachable, limits are counted in SQL"
    dispose(app)


def test_a_redis_that_is_there_is_told(new_app, redis_url):
    assert new_app(REDIS_URL=redis_url).test_client().get("/health/ready").json["checks"]["redis"] == "ok"
