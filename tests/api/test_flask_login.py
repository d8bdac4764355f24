"""An application that already uses Flask-Login gains sessions that can be revoked by adding `Aegis(app)`."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import flask
import flask_login
import pytest

from aegis import Aegis
from aegis.accounts import ending, standing
from tests.factories import Browser, assert_refused, copy_of, rows, set_cookies
from tests.fixtures import Clock

USERS = {"1": ("kim", "pass of kim"), "2": ("lee", "pass of lee"), "ü:/ 3": ("max", "pass of max")}


class User(flask_login.UserMixin):
    """A user of the host's own table."""

    def __init__(self, user_id: str) -> None:
        self.id = user_id


def foreign_app(aegis: str = "last", **environ: str) -> flask.Flask:
    """Return an application of forty lines; `aegis` says when the one line is added, if at all."""
    app = flask.Flask("foreign")
    app.secret_key = "a-key-of-the-foreign-application-itself"
    settings = {"FLASK_ENV": "testing", "DATABASE_URL": "sqlite://", **environ}
    if aegis == "first":
        Aegis(app, environ=settings)
    manager = flask_login.LoginManager(app)
    manager.user_loader(lambda user_id: User(user_id) if user_id in USERS else None)

    @app.post("/in")
    def log_in() -> tuple[str, int]:
        form = flask.request.form
        known = [user_id for user_id, user in USERS.items() if user == (form["name"], form["password"])]
        for user_id in known:
            flask_login.login_user(User(user_id), remember="remember" in form)
        return ("Welcome.", 200) if known else ("No.", 401)

    @app.post("/out")
    def log_out() -> str:
        flask_login.logout_user()
        return "Goodbye."

    @app.get("/me")
    @flask_login.login_required
    def me() -> str:
        return USERS[flask_login.current_user.id][0]

    @app.get("/who")
    def who() -> str:
        return "nobody" if flask_login.current_user.is_anonymous else "somebody"

    @app.get("/basket")
    def basket() -> str:
        flask.session["basket"] = [*flask.session.get("basket", []), flask.request.args.get("add")]
        return ",".join(flask.session["basket"])

    app.get("/fresh", endpoint="fresh")(flask_login.fresh_login_required(lambda: "fresh"))
    app.get("/public", endpoint="public")(lambda: "the same for all")
    if aegis == "last":
        Aegis(app, environ=settings)
    app.test_client_class = Browser
    return app


@pytest.fixture(params=["first", "last"])
def foreign(request: pytest.FixtureRequest) -> Iterator[flask.Flask]:
    """Give the foreign application, with Aegis added before and after Flask-Login."""
    app = foreign_app(request.param)
    yield app
    app.extensions["aegis"].database.engine.dispose()


def sign_in(app: flask.Flask, name: str = "kim", **more: str) -> Browser:
    """Sign in as the host's users do."""
    browser = app.test_client()
    answer = browser.submit("/in", name=name, password=f"pass of {name}", **more)
    assert answer.data == b"Welcome."
    return browser


def test_without_aegis_a_copied_cookie_outlives_the_logout() -> None:
    """The trouble that is to be cured, so that the cure is one."""
    app = foreign_app("never")
    app.test_client_class = None
    kim = app.test_client()
    kim.post("/in", data={"name": "kim", "password": "pass of kim"})
    stolen = app.test_client()
    stolen.set_cookie("session", kim.get_cookie("session").value)
    kim.post("/out")

    assert kim.get("/me").status_code == 401
    assert stolen.get("/me").data == b"kim"


@pytest.mark.control("ASVS-5.0-7.4.1", "ASVS-5.0-7.2.1")
def test_its_decorators_and_current_user_stay(foreign: flask.Flask) -> None:
    visitor = foreign.test_client()
    assert_refused(visitor.get("/me"), 401, "not_authenticated")
    assert visitor.get("/who").data == b"nobody"
    for name in ("kim", "lee", "max"):
        browser = sign_in(foreign, name)
        assert browser.get("/me").data == name.encode()
        assert browser.get("/who").data == b"somebody"
        assert browser.get("/fresh").data == b"fresh"


@pytest.mark.control("ASVS-5.0-7.4.1", "NIST-63B4-5.1-1")
def test_a_copied_cookie_is_dead_after_the_logout(foreign: flask.Flask) -> None:
    kim = sign_in(foreign)
    stolen = copy_of(kim)
    assert stolen.get("/me").data == b"kim"
    answer = kim.submit("/out")

    assert set_cookies(answer)["session"]["max-age"] == "0"
    assert kim.get("/who").data == b"nobody"
    assert stolen.get("/me").status_code == 401
    assert rows(foreign, "sessions") == []


@pytest.mark.control("ASVS-5.0-7.2.1")
def test_the_cookie_says_nothing_of_the_user(foreign: flask.Flask) -> None:
    """Whoever knows the secret key can forge Flask's cookie, but no session."""
    kim = sign_in(foreign)
    visitor = foreign.test_client()
    with foreign.test_request_context():
        serializer = foreign.session_interface.get_signing_serializer(foreign)
        forged = serializer.dumps({"_user_id": "1", "_fresh": True})
        assert "_user_id" not in serializer.loads(kim.get_cookie("visitor").value)
    for name in ("visitor", "session"):
        visitor.set_cookie(name, forged)

    assert visitor.get("/who").data == b"nobody"
    assert visitor.get("/me").status_code == 401
    assert kim.get("/me").data == b"kim"


@pytest.mark.control("ASVS-5.0-7.2.4", "CS-SESSION-4")
def test_each_sign_in_is_a_new_token_and_the_old_one_is_dead(foreign: flask.Flask) -> None:
    kim = sign_in(foreign)
    old = copy_of(kim)
    assert kim.submit("/in", name="lee", password="pass of lee").data == b"Welcome."

    assert kim.get("/me").data == b"lee"
    assert old.get("/me").status_code == 401
    assert len(rows(foreign, "sessions")) == 1


@pytest.mark.control("ASVS-5.0-7.5.2", "ASVS-5.0-7.4.5")
def test_sessions_can_be_listed_and_ended(foreign: flask.Flask) -> None:
    kim, second, lee = sign_in(foreign), sign_in(foreign), sign_in(foreign, "lee")
    listed = kim.get("/api/sessions").json["sessions"]
    assert {item["method"] for item in listed} == {"flask-login"}
    [other] = [item["id"] for item in listed if not item["is_current"]]
    assert kim.write(f"/api/sessions/{other}", method="DELETE").status_code == 200

    assert second.get("/me").status_code == 401
    assert kim.get("/me").data == b"kim"
    with foreign.app_context():
        [account] = [row for row in rows(foreign, "accounts") if row["username"] == "external:1"]
        assert ending.revoke_sessions(account["id"]) == 1
    assert kim.get("/me").status_code == 401
    assert lee.get("/me").data == b"lee"


@pytest.mark.control("ASVS-5.0-7.3.1", "ASVS-5.0-7.3.2")
def test_the_timeouts_hold(foreign: flask.Flask, clock: Clock) -> None:
    kim = sign_in(foreign)
    for _ in range(23):
        clock.advance(1800)
        assert kim.get("/me").data == b"kim"
    clock.advance(1800)
    assert kim.get("/me").status_code == 401
    kim = sign_in(foreign)
    clock.advance(3600)

    assert kim.get("/me").status_code == 401


@pytest.mark.control("ASVS-5.0-7.3.1")
def test_a_page_that_polls_is_no_use_here_either(foreign: flask.Flask, clock: Clock) -> None:
    kim = sign_in(foreign)
    for _ in range(60):
        clock.advance(60)
        kim.get("/api/check_session")

    assert kim.get("/me").status_code == 401


@pytest.mark.control("ASVS-5.0-7.4.2")
def test_a_stand_in_that_is_deactivated_is_out(foreign: flask.Flask) -> None:
    kim = sign_in(foreign)
    with foreign.app_context():
        standing.deactivate(rows(foreign, "accounts")[0]["id"])

    assert kim.get("/me").status_code == 401
    refused = kim.submit("/in", name="kim", password="pass of kim")
    assert refused.status_code == 401
    assert "Welcome" not in refused.text
    assert kim.get("/who").data == b"nobody"


@pytest.mark.control("ASVS-5.0-6.3.4")
def test_nobody_else_gets_into_the_stand_in(foreign: flask.Flask) -> None:
    sign_in(foreign)
    for name in ("external:1", "EXTERNAL:1", "external：1"):
        for password in ("!", "pass of kim"):
            refused = foreign.test_client().sign_in(name, password)
            assert_refused(refused, 401, "invalid_credentials")
    newcomer = {"username": "external:2", "password": "some bricks beside the green sea"}
    refused = foreign.test_client().write("/api/register", newcomer)
    assert_refused(refused, 400, "invalid_input")


@pytest.mark.control("ASVS-5.0-3.5.1")
def test_its_writes_are_guarded_too(foreign: flask.Flask) -> None:
    kim = sign_in(foreign)
    assert_refused(kim.post("/out"), 400, "csrf_failed")
    assert_refused(kim.post("/in", data={"name": "lee", "password": "pass of lee"}), 400, "csrf_failed")
    assert kim.get("/me").data == b"kim"
    token = kim.token()
    cross = {"Origin": "https://evil.test", "X-CSRFToken": token}
    assert_refused(kim.post("/out", headers=cross), 400, "csrf_failed")

    assert kim.post("/out", headers={"X-CSRFToken": token}).data == b"Goodbye."


def test_what_else_it_keeps_in_its_session_stays_in_the_signed_cookie(foreign: flask.Flask) -> None:
    browser = foreign.test_client()
    browser.get("/basket?add=apple")
    assert browser.get("/basket?add=pear").data == b"apple,pear"
    assert browser.submit("/in", name="kim", password="pass of kim").data == b"Welcome."
    assert browser.get("/basket?add=plum").data == b"apple,pear,plum"

    assert browser.get("/me").data == b"kim"
    assert rows(foreign, "sessions")[0]["method"] == "flask-login"


@pytest.mark.control("ASVS-5.0-14.3.2")
def test_what_depends_on_the_user_is_kept_out_of_caches(foreign: flask.Flask) -> None:
    kim = sign_in(foreign)
    for browser in (kim, foreign.test_client()):
        answer = browser.get("/who")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Cookie" in answer.headers["Vary"]
    assert "Set-Cookie" not in kim.get("/me").headers


def test_a_session_of_our_own_is_no_user_of_the_host(foreign: flask.Flask) -> None:
    """The ready pages may be used beside it: their accounts are none of the host's users."""
    browser = foreign.test_client()
    newcomer = {"username": "carol", "password": "some bricks beside the green sea"}
    assert browser.write("/api/register", newcomer).status_code == 201
    assert browser.sign_in("carol", newcomer["password"]).status_code == 200

    assert browser.get("/who").data == b"nobody"
    assert browser.is_signed_in()


def test_its_remember_cookie_starts_nothing(foreign: flask.Flask) -> None:
    """Flask-Login's own long cookie would sign in again after each revocation, so it is ignored and taken back."""
    kim = sign_in(foreign, remember="yes")
    assert kim.get_cookie("remember_token")
    thief = foreign.test_client()
    thief.set_cookie("remember_token", kim.get_cookie("remember_token").value)
    assert thief.get("/who").data == b"nobody"
    assert kim.get("/me").data == b"kim"
    with foreign.app_context():
        ending.revoke_sessions(rows(foreign, "accounts")[0]["id"])

    assert kim.get("/me").status_code == 401
    assert kim.get_cookie("remember_token") is None


def test_a_view_that_asks_for_nobody_costs_no_query_and_stays_cacheable(foreign: flask.Flask) -> None:
    kim = sign_in(foreign)
    seen: list[str] = []
    engine = foreign.extensions["aegis"].database.engine
    with engine.connect() as connection:
        connection.connection.driver_connection.set_trace_callback(seen.append)
    answer = kim.get("/public")
    assert (answer.data, seen) == (b"the same for all", [])
    assert answer.headers.get("Cache-Control") != "no-store"

    assert kim.get("/me").data == b"kim"
    assert len(seen) == 1
    with engine.connect() as connection:
        connection.connection.driver_connection.set_trace_callback(None)


def test_a_sign_in_that_could_not_be_recorded_is_refused(tmp_path: Path) -> None:
    app = foreign_app(DATABASE_URL=f"sqlite:///{tmp_path}/foreign.sqlite", AEGIS_DATABASE_TIMEOUT="1")
    kim = sign_in(app)
    browser = app.test_client()
    token = browser.token()
    other = sqlite3.connect(tmp_path / "foreign.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # somebody else writes and does not come to an end
    refused = browser.post("/in", data={"name": "kim", "password": "pass of kim", "csrf_token": token})
    assert_refused(refused, 503, "unavailable")
    assert browser.session_cookie() is None
    other.execute("ROLLBACK")
    other.close()

    assert browser.get("/who").data == b"nobody"
    assert kim.get("/me").data == b"kim"
    assert browser.submit("/in", name="kim", password="pass of kim").data == b"Welcome."
    assert browser.get("/me").data == b"kim"
    app.extensions["aegis"].database.engine.dispose()
