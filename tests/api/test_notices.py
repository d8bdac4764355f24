"""Which mails owners get about their account, and which they can do without."""

import flask
import pytest

from tests.factories import Browser, add_account, assert_refused, change_address, form_to
from tests.fixtures import NewApp

OWN = "anna@mail.test"
NEW_DEVICE = "A device that we do not know signed in"


@pytest.fixture
def app(new_app: NewApp, sqlite_url: str) -> flask.Flask:
    """Give the platform with anna, who has an address."""
    app = new_app(DATABASE_URL=sqlite_url)
    add_account(app, "anna", email=OWN)
    return app


def subjects(app: flask.Flask) -> list[str]:
    return [str(message["Subject"]) for message in app.extensions["aegis"].sender.transport.messages]


def entered(app: flask.Flask, browser: Browser | None = None) -> Browser:
    browser = browser or app.test_client()
    assert browser.sign_in("anna").status_code == 200
    return browser


@pytest.mark.control("ASVS-5.0-6.3.5")
def test_a_device_that_is_not_known_is_told_the_first_and_a_known_one_are_not(app: flask.Flask) -> None:
    anna = entered(app)
    entered(app, anna)
    assert subjects(app) == []
    entered(app)
    assert subjects(app) == [NEW_DEVICE]


def test_a_notice_names_what_only_we_know_and_carries_no_way_in(app: flask.Flask) -> None:
    entered(app)
    entered(app)
    [message] = app.extensions["aegis"].sender.transport.messages
    text = message.get_body(("plain",)).get_content()
    assert "since when you have had your account" in " ".join(text.split())
    assert "/login" not in text
    assert "token=" not in text


def test_sessions_that_were_ended_are_told(app: flask.Flask) -> None:
    anna = entered(app)
    assert anna.write("/api/sessions", method="DELETE").status_code == 200
    assert subjects(app) == []  # there was none
    entered(app)
    anna.write("/api/sessions", method="DELETE")
    assert subjects(app) == [NEW_DEVICE, "Your other sessions were ended"]


@pytest.mark.parametrize("by", ["json", "page"])
def test_people_can_do_without_the_informational_ones_but_not_without_the_others(
    app: flask.Flask, by: str
) -> None:
    anna = entered(app)
    if by == "json":
        assert anna.write("/api/profile", {"notices": "critical"}).json["user"]["notices"] == "critical"
    else:
        assert form_to(anna.page("/profile"), "/profile/notices")
        assert anna.submit("/profile/notices", notices="critical").status_code == 303
    entered(app)
    assert subjects(app) == []
    assert anna.write("/api/mfa/totp").status_code == 200
    change_address(anna, "new@mail.test")
    assert subjects(app)[1:] == ["The e-mail address of your account was changed"]
    assert anna.write("/api/profile", {"notices": "all"}).json["user"]["notices"] == "all"
    entered(app)
    assert subjects(app)[-1] == NEW_DEVICE


def test_another_choice_is_refused(app: flask.Flask) -> None:
    assert_refused(entered(app).write("/api/profile", {"notices": "none"}), 400, "invalid_input")
