"""Who only looks leaves nothing: no record, no cookie (field lesson L6)."""

import collections

import flask
import pytest

from aegis.ops import housekeeping
from tests.factories import PASSWORD, Browser, add_account, rows, set_cookies
from tests.fixtures import Clock, NewApp

PATHS = (
    "/",
    "/health",
    "/health/ready",
    "/nothing-here",
    "/api/content",
    "/api/check_session",
    "/auth/check",
)


def test_a_thousand_visits_leave_no_record_and_no_cookie(app: flask.Flask) -> None:
    add_account(app, "anna")
    before = {table: rows(app, table) for table in ("sessions", "devices", "audit", "accounts")}
    seen: collections.Counter[int] = collections.Counter()
    for number in range(1000):
        answer = app.test_client().get(PATHS[number % len(PATHS)])
        assert "Set-Cookie" not in answer.headers
        seen[answer.status_code] += 1

    assert set(seen) == {200, 401, 404}
    assert {table: rows(app, table) for table in before} == before


def test_a_refused_request_starts_no_session_and_sets_no_cookie(app: flask.Flask) -> None:
    add_account(app, "anna")
    answers = [
        app.test_client().sign_in("anna", "the wrong password"),
        app.test_client().sign_in("nobody-here"),
        app.test_client().post("/api/login", data="{", content_type="application/json"),
        app.test_client().post("/api/register", json={}),
        app.test_client().post("/login", data={"username": "anna", "password": PASSWORD}),
        app.test_client().get("/profile"),
        app.test_client().get("/api/profile"),
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 400, 400, 400, 401, 401]
    assert all("Set-Cookie" not in answer.headers for answer in answers)
    assert rows(app, "sessions") == []
    assert app.test_client().sign_in("anna").status_code == 200
    assert len(rows(app, "sessions")) == 1


@pytest.mark.parametrize("path", ["/login", "/register"])
def test_only_a_form_gives_a_visitor_a_cookie(client: Browser, path: str) -> None:
    given = client.page(path)
    assert set(set_cookies(given)) == {"visitor"}
    assert "Max-Age" not in given.headers["Set-Cookie"]

    assert "Set-Cookie" not in client.page(path).headers


def test_a_redirect_to_the_sign_in_page_needs_no_cookie(client: Browser) -> None:
    answer = client.page("/profile")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=/profile")
    assert "Set-Cookie" not in answer.headers


def test_expired_sessions_leave_by_themselves(new_app: NewApp, clock: Clock) -> None:
    app = new_app(PERMANENT_SESSION_LIFETIME="5", AEGIS_SESSIONS_PER_ACCOUNT="1000")
    add_account(app, "anna")
    for _ in range(20):
        app.test_client().sign_in("anna")
    clock.advance(5)
    live = app.test_client()
    live.sign_in("anna")
    assert len(rows(app, "sessions")) == 21
    with app.app_context():
        assert housekeeping.purge(batch=8) == 20

    assert len(rows(app, "sessions")) == 1
    assert live.is_signed_in()
