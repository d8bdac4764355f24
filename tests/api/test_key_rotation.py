"""A new SECRET_KEY: it signs from the first moment, the former ones verify, and sessions depend on none (L9)."""

import flask
import pytest

from tests.factories import PASSWORD, Browser, assert_refused, copy_of, form_to, signed_in
from tests.fixtures import NewApp

OLD, NEW, NEWEST = (f"{word}-key-that-is-long-enough-for-everybody" for word in ("first", "second", "third"))


@pytest.fixture
def under(new_app: NewApp, sqlite_url: str) -> NewApp:
    """Give a function that starts the application with a key, and fallbacks, on one database."""

    def start(key: str, *fallbacks: str) -> flask.Flask:
        return new_app(DATABASE_URL=sqlite_url, SECRET_KEY=key, SECRET_KEY_FALLBACKS=",".join(fallbacks))

    return start


def moved(browser: Browser, app: flask.Flask) -> Browser:
    """Return the same browser, with all its cookies, at another process."""
    other = app.test_client()
    for name in ("session", "visitor", "device"):
        if cookie := browser.get_cookie(name):
            other.set_cookie(name, cookie.value)
    return other


@pytest.mark.control("CS-SECRETS-2", "ASVS-5.0-13.3.4")
def test_a_session_survives_every_change_of_key(under: NewApp) -> None:
    anna = signed_in(under(OLD), "anna")

    assert copy_of(anna, under(NEW, OLD)).is_signed_in()
    assert copy_of(anna, under(NEWEST)).is_signed_in()


@pytest.mark.control("CS-SECRETS-2", "ASVS-5.0-11.2.2")
def test_what_the_former_key_signed_is_good_while_it_is_a_fallback(under: NewApp) -> None:
    before = under(OLD)
    anna, visitor = signed_in(before, "anna"), before.test_client()
    token, form = anna.token(), form_to(visitor.page("/login"), "/login")
    after, finally_ = under(NEW, OLD), under(NEW)

    kept = moved(anna, after).post("/api/profile", json={"bio": "x"}, headers={"X-CSRFToken": token})
    assert kept.status_code == 200
    typed = {**form, "username": "anna", "password": PASSWORD}
    assert moved(visitor, after).post("/login", data=typed).status_code == 303
    void = moved(anna, finally_).post("/api/profile", json={"bio": "y"}, headers={"X-CSRFToken": token})
    assert_refused(void, 400, "csrf_failed")
    assert_refused(moved(visitor, finally_).post("/login", data=typed), 400, "csrf_failed")


@pytest.mark.control("CS-SECRETS-2", "ASVS-5.0-13.3.4")
def test_new_signatures_use_the_new_key_at_once(under: NewApp) -> None:
    """Two libraries read the list from opposite ends; what the middle time signs must outlive the old key."""
    during, after = under(NEW, OLD), under(NEW)
    anna, visitor = signed_in(during, "anna"), during.test_client()
    token, form = anna.token(), form_to(visitor.page("/login"), "/login")

    written = moved(anna, after).post("/api/profile", json={"bio": "x"}, headers={"X-CSRFToken": token})
    assert written.status_code == 200
    typed = {**form, "username": "anna", "password": PASSWORD}
    assert moved(visitor, after).post("/login", data=typed).status_code == 303


def test_the_interrupted_form_and_the_known_device_follow_the_keys(under: NewApp) -> None:
    before, after = under(OLD), under(NEW, OLD)
    anna = signed_in(before, "anna")
    token = anna.token()
    anna.write("/api/logout")
    asked = anna.submit("/profile", bio="A long story", csrf_token=token)
    resume = form_to(asked, "/login")["resume"]
    browser = moved(anna, after)
    page = browser.submit("/login", username="anna", password=PASSWORD, resume=resume)

    assert form_to(page, "/profile")["bio"] == "A long story"
    lost = moved(anna, under(NEW)).submit("/login", username="anna", password=PASSWORD, resume=resume)
    assert (lost.status_code, lost.headers["Location"]) == (303, "/")


@pytest.mark.control("ASVS-5.0-9.1.3")
def test_a_fallback_of_one_application_is_nothing_to_another(under: NewApp) -> None:
    anna = signed_in(under(OLD), "anna")
    refused = moved(anna, under(NEW, NEWEST)).post(
        "/api/profile", json={"bio": "x"}, headers={"X-CSRFToken": anna.token()}
    )

    assert_refused(refused, 400, "csrf_failed")
