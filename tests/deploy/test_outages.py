"""A worker that lost its database says so within two seconds, in JSON, and recovers by itself."""

import time

import pytest

from tests.deploy.servers import Caller, Server, add_accounts, production, run, wait_until
from tests.services import Postgres

WITHIN_S = 2.0
SLACK_S = 1.0
"""What other tests on two cores may add to a request."""


@pytest.fixture
def postgres():
    with Postgres() as server:
        yield server


@pytest.fixture
def site(postgres):
    settings = production(postgres.url)
    migrated = run("flask", "--app", "app", "db", "upgrade", environ=settings)
    assert migrated.returncode == 0, migrated.stderr
    add_accounts(postgres.url, "anna")
    with Server("gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "app:app", environ=settings) as server:
        yield server


@pytest.mark.control("ASVS-5.0-16.5.2")
def test_an_outage_is_told_in_time_and_over_by_itself(postgres, site):
    anna = Caller(site)
    assert anna.sign_in("anna").status_code == 200
    for take_away, give_back in ((postgres.stop, postgres.start), (postgres.pause, postgres.resume)):
        take_away()
        try:
            _is_told_in_time(anna)
        finally:
            give_back()
        wait_until(lambda: anna.ask("GET", "/health/ready").status_code == 200, "the return")
        assert [anna.who() for _ in range(8)] == ["anna"] * 8

    postgres.stop()
    postgres.start()
    seen = [anna.who() for _ in range(8)]
    assert seen.count(None) <= 1, "a restart costs at most one request"


def _is_told_in_time(anna):
    answers = {path: _timed(anna, path) for path in ("/api/check_session", "/auth/check", "/health/ready")}
    alive, _ = _timed(anna, "/health")
    page, _ = _timed(anna, "/profile", Accept="text/html")

    assert {path: answer.status_code for path, (answer, _) in answers.items()} == dict.fromkeys(answers, 503)
    assert {path: taken for path, (_, taken) in answers.items() if taken > WITHIN_S + SLACK_S} == {}
    error = answers["/api/check_session"][0]
    assert (error.json()["code"], error.headers["retry-after"]) == ("unavailable", "5")
    assert answers["/health/ready"][0].json()["checks"] == {
        "database": "unreachable",
        "migrations": "unknown",
    }
    assert (alive.status_code, alive.json()) == (200, {"status": "healthy"})
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")


def _timed(caller, path, **headers):
    begun = time.monotonic()
    answer = caller.ask("GET", path, **headers)
    return answer, time.monotonic() - begun


def test_pending_migrations_are_not_ready(postgres_url):
    settings = {"FLASK_ENV": "testing", "DATABASE_URL": postgres_url}
    with Server("gunicorn", "-w", "1", "-b", "127.0.0.1:{port}", "app:app", environ=settings) as server:
        before = Caller(server).ask("GET", "/health/ready")
        upgraded = run("flask", "--app", "app", "db", "upgrade", environ=settings)
        after = Caller(server).ask("GET", "/health/ready")

    assert upgraded.returncode == 0
    assert (before.status_code, before.json()["checks"]) == (503, {"database": "ok", "migrations": "pending"})
    assert (after.status_code, after.json()["status"]) == (200, "ready")
