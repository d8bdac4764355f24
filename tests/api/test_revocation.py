"""Ending sessions from elsewhere: in force on the next request of every client, at every process."""

import flask
import pytest

from aegis import role_required
from aegis.accounts import standing
from tests.factories import (
    OTHER_PASSWORD,
    PASSWORD,
    Browser,
    add_account,
    assert_refused,
    change,
    copy_of,
    rows,
    signed_in,
)
from tests.fixtures import Clock, NewApp


def sign_in_again(app: flask.Flask, username: str) -> Browser:
    """Return another browser of the same person."""
    browser = app.test_client()
    assert browser.sign_in(username).status_code == 200
    return browser


def session_id(browser: Browser) -> str:
    """Return the public id of the own session."""
    [own] = [item for item in browser.get("/api/sessions").json["sessions"] if item["is_current"]]
    return str(own["id"])


# Listing


def test_the_list_shows_each_own_session(app: flask.Flask, clock: Clock, anna: Browser, ben: Browser) -> None:
    clock.advance(100)
    phone = app.test_client()
    phone.sign_in("anna")
    phone.get("/api/profile", headers={"User-Agent": "A phone"})
    listed = anna.get("/api/sessions").json["sessions"]

    assert len(listed) == 2
    assert {item["is_current"] for item in listed} == {True, False}
    [own] = [item for item in listed if item["is_current"]]
    assert set(own) == {
        "id",
        "device",
        "address",
        "place",
        "method",
        "started_at",
        "last_used_at",
        "expires_at",
        "is_current",
    }
    assert own["address"] == "127.0.0.1"
    assert own["method"] == "password"
    assert own["id"] not in {item["id"] for item in ben.get("/api/sessions").json["sessions"]}


def test_the_list_shows_the_client_as_it_signed_in(app: flask.Flask) -> None:
    add_account(app, "anna")
    anna = app.test_client()
    hostile = "Browser \x1b[31m\u202e<script>" + "x" * 400
    raw = hostile.encode().decode("latin-1")
    body = {"username": "anna", "password": PASSWORD}
    assert anna.post("/api/login", json=body, headers={"User-Agent": raw}).status_code == 200
    [listed] = anna.get("/api/sessions").json["sessions"]

    assert listed["device"]
    assert listed["device"].isprintable()
    assert "<script>" not in anna.page("/account/security").text


def test_expired_sessions_are_not_listed(app: flask.Flask, clock: Clock, anna: Browser) -> None:
    other = sign_in_again(app, "anna")
    clock.advance(3000)
    assert other.get("/api/profile").status_code == 200
    clock.advance(600)

    assert [item["is_current"] for item in other.get("/api/sessions").json["sessions"]] == [True]


@pytest.mark.control("ASVS-5.0-15.3.1", "ASVS-5.0-7.2.1")
def test_an_id_from_the_list_signs_nobody_in(app: flask.Flask, anna: Browser) -> None:
    client = app.test_client()
    client.set_cookie("session", session_id(anna))
    assert not client.is_signed_in()


# Ending one, ending all others


@pytest.mark.control("ASVS-5.0-7.5.2")
@pytest.mark.parametrize("by", ["api", "page"])
def test_one_session_is_ended_from_another(app: flask.Flask, anna: Browser, by: str) -> None:
    stolen, third = sign_in_again(app, "anna"), sign_in_again(app, "anna")
    if by == "api":
        answer = anna.write(f"/api/sessions/{session_id(stolen)}", method="DELETE")
        assert (answer.status_code, answer.json["ended"]) == (200, 1)
    else:
        answer = anna.submit(f"/account/sessions/{session_id(stolen)}/end")
        assert answer.headers["Location"] == "/account/security"

    assert not stolen.is_signed_in()
    assert third.is_signed_in()
    assert anna.is_signed_in()


@pytest.mark.control("ASVS-5.0-7.4.3", "ASVS-5.0-7.5.2")
@pytest.mark.parametrize("by", ["api", "page"])
def test_all_other_sessions_are_ended_at_once(app: flask.Flask, anna: Browser, ben: Browser, by: str) -> None:
    others = [sign_in_again(app, "anna") for _ in range(3)]
    if by == "api":
        assert anna.write("/api/sessions", method="DELETE").json["ended"] == 3
        assert anna.write("/api/sessions", method="DELETE").json["ended"] == 0
    else:
        assert anna.submit("/account/sessions/end-others").status_code == 303

    assert [browser.is_signed_in() for browser in others] == [False] * 3
    assert anna.is_signed_in()
    assert ben.is_signed_in()


@pytest.mark.control("ASVS-5.0-8.2.2")
def test_somebody_elses_session_is_not_there(app: flask.Flask, anna: Browser, ben: Browser) -> None:
    theirs = session_id(ben)
    for path in (f"/api/sessions/{theirs}", "/api/sessions/AAAAAAAAAAAAAAAAAAAAAA", "/api/sessions/' OR 1=1"):
        assert_refused(anna.write(path, method="DELETE"), 404, "not_found")
    assert_refused(anna.write(f"/account/sessions/{theirs}/end"), 404, "not_found")
    assert ben.is_signed_in()

    assert ben.write(f"/api/sessions/{theirs}", method="DELETE").status_code == 200
    assert not ben.is_signed_in()


def test_ending_the_own_session_is_a_logout(anna: Browser) -> None:
    copy = copy_of(anna)
    assert anna.write(f"/api/sessions/{session_id(anna)}", method="DELETE").status_code == 200

    assert anna.session_cookie() is None
    assert not copy.is_signed_in()


def test_a_dead_session_can_end_no_other(app: flask.Flask, anna: Browser) -> None:
    stolen, kept = sign_in_again(app, "anna"), session_id(anna)
    token = stolen.token()
    anna.write("/api/sessions", method="DELETE")
    for path in (f"/api/sessions/{kept}", "/api/sessions"):
        refused = stolen.delete(path, headers={"X-CSRFToken": token})
        assert_refused(refused, 401, "not_authenticated")

    assert anna.is_signed_in()


# The account as it is now (L3)


@pytest.mark.control("ASVS-5.0-7.4.2", "ASVS-5.0-8.3.2")
def test_deactivation_ends_all_sessions_on_their_next_request(app: flask.Flask, ben: Browser) -> None:
    second = sign_in_again(app, "ben")
    assert ben.is_signed_in()
    assert second.get("/auth/check").status_code == 204
    with app.app_context():
        standing.deactivate(rows(app, "accounts")[0]["id"])

    assert not ben.is_signed_in()
    assert second.get("/auth/check").status_code == 401
    assert rows(app, "sessions") == []
    assert_refused(ben.sign_in(), 401, "invalid_credentials")


@pytest.mark.control("ASVS-5.0-7.4.2", "ASVS-5.0-8.3.2")
@pytest.mark.parametrize("path", ["/api/check_session", "/auth/check", "/api/profile"])
def test_an_account_switched_off_in_the_database_is_out_at_once(
    app: flask.Flask, ben: Browser, path: str
) -> None:
    """Even if nobody ended the sessions: each request reads the account with the session."""
    assert ben.get(path).status_code in {200, 204}
    change(app, "accounts", is_active=False)
    assert ben.get(path).status_code == 401
    change(app, "accounts", is_active=True)
    assert ben.get(path).status_code in {200, 204}


@pytest.fixture
def staff_app(new_app: NewApp) -> flask.Flask:
    """Give an application with a view for each role."""
    app = new_app()
    for role in ("learner", "teacher", "admin"):
        app.add_url_rule(f"/for-{role}", role, role_required(role)(lambda: "ok"))
    return app


@pytest.mark.control("ASVS-5.0-8.2.1", "ASVS-5.0-8.3.1")
def test_a_role_may_what_the_roles_below_may(staff_app: flask.Flask) -> None:
    allowed = {}
    for role in ("learner", "teacher", "admin"):
        browser = signed_in(staff_app, f"a-{role}-x", role=role)
        answers = [browser.get(f"/for-{wanted}") for wanted in ("learner", "teacher", "admin")]
        for answer in answers:
            if answer.status_code != 200:
                assert_refused(answer, 403, "forbidden")
        allowed[role] = [answer.status_code for answer in answers]
    visitor = staff_app.test_client()
    assert_refused(visitor.get("/for-learner"), 401, "not_authenticated")

    assert allowed == {"learner": [200, 403, 403], "teacher": [200, 200, 403], "admin": [200, 200, 200]}


@pytest.mark.control("ASVS-5.0-8.3.2", "ASVS-5.0-8.2.1", "CS-SESSION-4")
@pytest.mark.parametrize(("before", "after"), [("admin", "learner"), ("learner", "admin")])
def test_a_new_role_holds_on_the_next_request_and_needs_a_new_sign_in(
    staff_app: flask.Flask, before: str, after: str
) -> None:
    ben = signed_in(staff_app, "ben", role=before)
    own_id = rows(staff_app, "accounts")[0]["id"]
    add_account(staff_app, "head", role="admin")
    assert ben.get(f"/for-{before}").status_code == 200
    with staff_app.app_context():
        standing.set_role(own_id, after)

    assert_refused(ben.get("/for-learner"), 401, "not_authenticated")
    ben.sign_in()
    assert ben.get(f"/for-{after}").status_code == 200
    assert ben.get("/for-admin").status_code == (200 if after == "admin" else 403)


@pytest.mark.control("ASVS-5.0-8.3.2")
@pytest.mark.parametrize(("before", "after"), [("admin", "learner"), ("learner", "admin")])
def test_a_role_changed_in_the_database_holds_on_the_next_request(
    staff_app: flask.Flask, before: str, after: str
) -> None:
    ben = signed_in(staff_app, "ben", role=before)
    assert ben.get("/for-admin").status_code == (200 if before == "admin" else 403)
    change(staff_app, "accounts", role=after)

    assert ben.get("/for-admin").status_code == (200 if after == "admin" else 403)


# At most so many at once


@pytest.mark.control("ASVS-5.0-7.1.2")
def test_beyond_the_maximum_the_oldest_session_goes(app: flask.Flask, clock: Clock, ben: Browser) -> None:
    add_account(app, "anna")
    browsers = []
    for _ in range(25):
        clock.advance(1)
        browsers.append(sign_in_again(app, "anna"))
    assert all(browser.is_signed_in() for browser in browsers)
    clock.advance(1)
    browsers.append(sign_in_again(app, "anna"))

    assert [browser.is_signed_in() for browser in browsers] == [False] + [True] * 25
    assert ben.is_signed_in()


@pytest.mark.parametrize("maximum", ["1", "2"])
def test_the_maximum_is_a_setting(new_app: NewApp, clock: Clock, maximum: str) -> None:
    app = new_app(AEGIS_SESSIONS_PER_ACCOUNT=maximum)
    add_account(app, "anna")
    browsers = []
    for _ in range(4):
        clock.advance(1)
        browsers.append(sign_in_again(app, "anna"))
    kept = int(maximum)

    assert [browser.is_signed_in() for browser in browsers] == [False] * (4 - kept) + [True] * kept


# Two processes


@pytest.mark.control("ASVS-5.0-7.4.1", "ASVS-5.0-7.4.2")
def test_every_process_sees_an_end_at_once(new_app: NewApp, sqlite_url: str) -> None:
    here, there = new_app(DATABASE_URL=sqlite_url), new_app(DATABASE_URL=sqlite_url)
    anna = signed_in(here, "anna")
    elsewhere = copy_of(anna, there)
    other = sign_in_again(there, "anna")
    assert elsewhere.is_signed_in()
    assert copy_of(other, here).is_signed_in()

    assert other.write(f"/api/sessions/{session_id(anna)}", method="DELETE").status_code == 200
    assert not anna.is_signed_in()
    assert not elsewhere.is_signed_in()
    there_again = copy_of(other, here)
    assert other.write("/api/logout").status_code == 200
    assert not there_again.is_signed_in()


def test_every_process_sees_a_new_token_and_a_new_password_at_once(new_app: NewApp, sqlite_url: str) -> None:
    here, there = new_app(DATABASE_URL=sqlite_url), new_app(DATABASE_URL=sqlite_url)
    anna = signed_in(here, "anna")
    other, copy = sign_in_again(there, "anna"), copy_of(anna, there)
    assert copy.get("/api/profile").status_code == 200
    change = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert anna.write("/api/profile/change-password", change).status_code == 200

    assert copy.get("/api/profile").status_code == 401
    assert other.get("/api/profile").status_code == 401
    assert copy_of(anna, there).get("/api/profile").status_code == 200
    assert_refused(other.sign_in(), 401, "invalid_credentials")
    assert other.sign_in(password=OTHER_PASSWORD).status_code == 200
