"""When a session ends by itself. The clock is set, so that each limit is tried on both sides of its last second."""

import datetime

import flask
import pytest

from aegis import sessions
from tests.factories import OTHER_PASSWORD, PASSWORD, Browser, add_account, copy_of, rows, signed_in
from tests.fixtures import Clock, NewApp

IDLE, OVERALL = 3600, 43_200


def epoch(text: str) -> int:
    """Read a time as our JSON shows it."""
    assert text.endswith("Z")
    return int(datetime.datetime.fromisoformat(text).timestamp())


@pytest.mark.control("ASVS-5.0-7.3.1", "CS-SESSION-6", "NIST-63B4-5.2-1", "NIST-63B4-2.2.3-2")
@pytest.mark.parametrize("path", ["/api/check_session", "/auth/check", "/api/profile"])
def test_a_session_ends_an_hour_after_its_last_use(clock: Clock, anna: Browser, path: str) -> None:
    clock.advance(IDLE - 1)
    assert anna.get(path).status_code in {200, 204}
    if path == "/api/check_session":  # no use
        clock.advance(1)
    else:
        clock.advance(IDLE)
    assert anna.get(path).status_code == 401
    assert anna.get("/api/check_session").json == {"is_authenticated": False}


@pytest.mark.control("ASVS-5.0-7.3.2", "NIST-63B4-2.2.3-1", "NIST-63B4-2.1.3-1", "NIST-63B4-5.2-1")
def test_a_session_ends_twelve_hours_after_sign_in_however_much_it_is_used(
    clock: Clock, anna: Browser
) -> None:
    for _ in range(OVERALL // 1800 - 1):
        clock.advance(1800)
        assert anna.get("/api/profile").status_code == 200
    clock.advance(1799)
    assert anna.get("/api/profile").status_code == 200
    clock.advance(1)
    assert anna.get("/api/profile").status_code == 401


@pytest.mark.control("NIST-63B4-5.2-1")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/reauthenticate", {"password": PASSWORD}),
        ("/api/profile/change-password", {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}),
    ],
)
def test_proving_the_password_again_resets_both_timeouts(
    clock: Clock, anna: Browser, path: str, body: dict[str, str]
) -> None:
    for _ in range(OVERALL // 1800 - 1):
        clock.advance(1800)
        assert anna.get("/api/profile").status_code == 200
    assert anna.write(path, body).status_code == 200

    for _ in range(OVERALL // 1800 - 1):
        clock.advance(1800)
        assert anna.get("/api/profile").status_code == 200
    clock.advance(1800)
    assert anna.get("/api/profile").status_code == 401


def test_a_wrong_password_resets_nothing(clock: Clock, anna: Browser) -> None:
    for _ in range(OVERALL // 1800 - 1):
        clock.advance(1800)
        assert anna.get("/api/profile").status_code == 200
    assert anna.write("/api/reauthenticate", {"password": OTHER_PASSWORD}).status_code == 401

    clock.advance(1800)
    assert anna.get("/api/profile").status_code == 401


@pytest.mark.control("ASVS-5.0-7.4.1", "NIST-63B4-5.1.1-2", "CS-SESSION-6")
def test_an_expired_session_is_over_whatever_the_client_keeps(
    app: flask.Flask, clock: Clock, anna: Browser
) -> None:
    copy = copy_of(anna)
    assert copy.get("/api/profile").status_code == 200
    clock.advance(IDLE)
    for _ in range(3):
        refused = copy.get("/api/profile", headers={"Date": "Mon, 01 Jan 2024 00:00:00 GMT"})
        assert refused.status_code == 401
    assert copy.write("/api/profile", {"display_name": "x"}).status_code == 401
    assert rows(app, "accounts")[0]["display_name"] == ""


def test_the_answer_tells_when_the_session_ends(clock: Clock, anna: Browser) -> None:
    checked = anna.get("/api/check_session").json
    assert set(checked) == {"is_authenticated", "user", "expires_at", "auth_level"}
    assert set(checked["user"]) == {"id", "username", "display_name", "email", "role"}
    assert checked["auth_level"] == 1
    assert epoch(checked["expires_at"]) == clock.now + IDLE

    started = clock.now
    for _ in range(OVERALL // 1800 - 1):
        clock.advance(1800)
        anna.get("/api/profile")
    assert epoch(anna.get("/api/check_session").json["expires_at"]) == started + OVERALL


# Which requests are use


@pytest.mark.control("ASVS-5.0-7.3.1")
def test_asking_whether_one_is_signed_in_is_no_use(app: flask.Flask, clock: Clock, anna: Browser) -> None:
    """A forgotten tab that polls must time out (field lesson L5)."""
    told = {anna.get("/api/check_session").json["expires_at"]}
    for _ in range(59):
        clock.advance(60)
        told.add(anna.get("/api/check_session").json["expires_at"])
    assert len(told) == 1
    clock.advance(60)

    assert not anna.is_signed_in()


def test_a_view_of_the_host_may_be_no_use_either(new_app: NewApp, clock: Clock) -> None:
    app = new_app()

    @app.get("/news")
    @sessions.passive
    def news() -> dict[str, bool]:
        return {"is_anna": sessions.current() is not None}

    anna = signed_in(app, "anna")
    clock.advance(IDLE - 1)
    assert anna.get("/news").json == {"is_anna": True}
    clock.advance(1)

    assert anna.get("/news").json == {"is_anna": False}


@pytest.mark.parametrize("path", ["/api/profile", "/profile", "/", "/auth/check", "/csrf-token"])
def test_what_a_person_does_is_use(clock: Clock, anna: Browser, path: str) -> None:
    clock.advance(IDLE - 1)
    assert anna.get(path).status_code in {200, 204}
    clock.advance(IDLE - 1)

    assert anna.is_signed_in()


@pytest.mark.parametrize("path", ["/health", "/api/content", "/openapi.json", "/static/aegis/aegis.css"])
def test_what_does_not_depend_on_the_session_is_no_use(clock: Clock, anna: Browser, path: str) -> None:
    clock.advance(IDLE - 1)
    assert anna.get(path).status_code == 200
    clock.advance(1)

    assert not anna.is_signed_in()


def test_use_is_written_at_most_once_a_minute(app: flask.Flask, clock: Clock, anna: Browser) -> None:
    started, written = clock.now, []
    for _ in range(600):
        clock.advance(1)
        anna.get("/auth/check")
        [record] = rows(app, "sessions")
        written.append(record["last_used_at"])

    assert sorted(set(written)) == [started + 60 * minute for minute in range(11)]


def test_a_short_idle_limit_is_kept_as_exactly(new_app: NewApp, clock: Clock) -> None:
    app = new_app(PERMANENT_SESSION_LIFETIME="6")
    anna = signed_in(app, "anna")
    for _ in range(20):
        clock.advance(4)
        assert anna.get("/api/profile").status_code == 200
    clock.advance(6)

    assert anna.get("/api/profile").status_code == 401


def test_a_setting_takes_effect_on_sessions_that_are_open(
    new_app: NewApp, clock: Clock, sqlite_url: str
) -> None:
    """The way to sign everybody out after an incident: a shorter limit, one restart."""
    long = new_app(DATABASE_URL=sqlite_url)
    short = new_app(DATABASE_URL=sqlite_url, PERMANENT_SESSION_LIFETIME="10")
    anna = signed_in(long, "anna")
    clock.advance(10)

    assert copy_of(anna, long).is_signed_in()
    assert not copy_of(anna, short).is_signed_in()


# Freshness


@pytest.mark.control("ASVS-5.0-7.5.1", "ASVS-5.0-7.5.3")
def test_a_sensitive_action_needs_a_recent_proof(app: flask.Flask, clock: Clock, anna: Browser) -> None:
    change = {"email": "anna@mail.test"}
    clock.advance(599)
    assert anna.write("/api/profile/change-email", change).status_code == 200
    assert rows(app, "accounts")[0]["pending_email"] == "anna@mail.test"
    clock.advance(1)
    refused = anna.write("/api/profile/change-email", {"email": "other@mail.test"})

    assert refused.status_code == 401
    assert refused.json["code"] == "reauthentication_required"
    assert refused.json["methods"] == ["password"]
    assert rows(app, "accounts")[0]["pending_email"] == "anna@mail.test"
    assert anna.write("/api/reauthenticate", {"password": PASSWORD}).status_code == 200
    assert anna.write("/api/profile/change-email", {"email": "other@mail.test"}).status_code == 200


def test_a_new_sign_in_is_fresh_and_use_is_not(app: flask.Flask, clock: Clock) -> None:
    add_account(app, "anna")
    anna = app.test_client()
    anna.sign_in("anna")
    for _ in range(10):
        clock.advance(60)
        assert anna.get("/api/profile").status_code == 200
    assert anna.write("/api/profile/change-email", {"email": "a@mail.test"}).status_code == 401
    anna.sign_in("anna")

    assert anna.write("/api/profile/change-email", {"email": "a@mail.test"}).status_code == 200
