"""Signing out is in force everywhere when its answer is sent."""

import flask
import pytest

from tests.factories import Browser, assert_refused, copy_of, forms, rows, set_cookies, signed_in


@pytest.mark.control("ASVS-5.0-7.4.1", "NIST-63B4-5.1-1", "CS-SESSION-9")
def test_a_copied_cookie_is_dead_after_logout(app: flask.Flask, anna: Browser) -> None:
    copy = copy_of(anna)
    assert copy.get("/api/profile").status_code == 200
    answer = anna.write("/api/logout")

    assert answer.status_code == 200
    assert answer.json == {"message": "You are signed out."}
    assert rows(app, "sessions") == []
    for path in ("/api/profile", "/auth/check", "/api/check_session"):
        assert copy.get(path).status_code == 401


@pytest.mark.control("CS-SESSION-9", "ASVS-5.0-14.3.1")
@pytest.mark.parametrize("path", ["/api/logout", "/logout"])
def test_logout_tells_the_browser_to_forget(anna: Browser, path: str) -> None:
    answer = anna.write(path)

    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert set_cookies(answer)["session"]["max-age"] == "0"
    assert set_cookies(answer)["visitor"]["max-age"] == "0"


@pytest.mark.parametrize("path", ["/api/logout", "/logout"])
def test_logout_without_a_session_is_fine(client: Browser, path: str) -> None:
    for _ in range(2):
        assert client.write(path).status_code == 200
        assert not client.is_signed_in()


@pytest.mark.parametrize("path", ["/api/logout", "/logout"])
def test_a_page_that_was_open_when_the_session_ended_can_still_log_out(anna: Browser, path: str) -> None:
    token = anna.token()
    assert copy_of(anna).write("/api/logout").status_code == 200
    answer = anna.post(path, headers={"X-CSRFToken": token, "Accept": "text/html"})

    assert answer.status_code == 200
    assert anna.session_cookie() is None


@pytest.mark.control("CS-CSRF-5")
@pytest.mark.parametrize("path", ["/api/logout", "/logout"])
def test_nobody_is_logged_out_from_elsewhere(anna: Browser, path: str) -> None:
    assert_refused(anna.post(path), 400, "csrf_failed")
    assert_refused(anna.get(path), 405, "method_not_allowed")
    assert anna.is_signed_in()

    assert anna.write(path).status_code == 200
    assert not anna.is_signed_in()


def test_only_the_session_of_the_cookie_ends(app: flask.Flask, anna: Browser, ben: Browser) -> None:
    other = app.test_client()
    other.sign_in("anna")
    anna.write("/api/logout")

    assert not anna.is_signed_in()
    assert other.is_signed_in()
    assert ben.is_signed_in()


def test_after_logout_the_next_person_starts_anew(app: flask.Flask, anna: Browser) -> None:
    signed_in(app, "ben")
    old_token = anna.token()
    anna.write("/api/logout")
    assert anna.sign_in("ben").status_code == 200

    assert anna.get("/api/profile").json["user"]["username"] == "ben"
    refused = anna.post("/api/profile", json={"display_name": "x"}, headers={"X-CSRFToken": old_token})
    assert_refused(refused, 400, "csrf_failed")


@pytest.mark.control("ASVS-5.0-7.4.4")
@pytest.mark.parametrize("path", ["/", "/profile", "/account/security", "/nothing-here", "/reauthenticate"])
def test_every_signed_in_page_shows_how_to_log_out(anna: Browser, path: str) -> None:
    page = anna.page(path)
    assert anna.page(path).status_code in {200, 404}
    form = next(form for form in forms(page) if form.action == "/logout")

    assert anna.post("/logout", data=form).status_code == 200
    assert not anna.is_signed_in()
