"""A change that its owner did not make, taken back from the mailbox that the account had before it."""

import re

import flask
import pytest

from tests.codes import enrol
from tests.factories import (
    OTHER_PASSWORD,
    PASSWORD,
    Browser,
    add_account,
    assert_refused,
    at_once,
    change_address,
    form_to,
    rows,
)
from tests.fixtures import Clock, NewApp

UNDO, RESET = "/api/account/undo", "/api/password/reset"
OLD, NEW, NEWER = "anna@mail.test", "thief@mail.test", "other@mail.test"
MINE = "four green ladders beside a piano"


@pytest.fixture
def app(new_app: NewApp, sqlite_url: str) -> flask.Flask:
    """Give the platform with anna, who has an address."""
    app = new_app(DATABASE_URL=sqlite_url)
    add_account(app, "anna", email=OLD)
    return app


@pytest.fixture
def anna(app: flask.Flask) -> Browser:
    return entered(app)


def entered(app: flask.Flask, password: str = PASSWORD) -> Browser:
    """Return somebody who signed in as anna."""
    browser: Browser = app.test_client()
    assert browser.sign_in("anna", password).status_code == 200
    return browser


def notices(app: flask.Flask, to: str) -> list[str]:
    """Return the mails with a link to undo that went to an address."""
    messages = app.extensions["aegis"].sender.transport.messages
    texts = [message.get_body(("plain",)).get_content() for message in messages if message["To"] == to]
    return [text for text in texts if "/account/undo?token=" in text]


def token_in(text: str) -> str:
    found = re.search(r"undo\?token=([A-Za-z0-9_-]{43})", text)
    assert found is not None, text
    return found[1]


def change_password(browser: Browser, old: str = PASSWORD, new: str = OTHER_PASSWORD) -> None:
    body = {"current_password": old, "new_password": new}
    assert browser.write("/api/profile/change-password", body).status_code == 200


def undo(app: flask.Flask, token: str) -> flask.Response:
    return app.test_client().write(UNDO, {"token": token})


def account(app: flask.Flask) -> dict[str, object]:
    return next(row for row in rows(app, "accounts") if row["username"] == "anna")


@pytest.mark.control("ASVS-5.0-6.3.7")
def test_a_password_that_a_thief_changed_is_void_and_the_owner_chooses_the_next(
    app: flask.Flask, anna: Browser
) -> None:
    thief = entered(app)
    change_password(thief)
    done = undo(app, token_in(notices(app, OLD)[-1]))
    assert done.status_code == 200
    assert not thief.is_signed_in()
    for password in (PASSWORD, OTHER_PASSWORD):
        assert_refused(app.test_client().sign_in("anna", password), 401, "invalid_credentials")
    body = {"token": done.json["reset_token"], "new_password": MINE}
    assert app.test_client().write(RESET, body).status_code == 200
    assert entered(app, MINE).is_signed_in()


def test_an_address_comes_back_whatever_was_changed_meanwhile(app: flask.Flask, anna: Browser) -> None:
    change_address(anna, NEW)
    change_password(anna)
    change_address(anna, NEWER)
    first = notices(app, OLD)[-1]
    assert undo(app, token_in(first)).status_code == 200
    assert (account(app)["email"], account(app)["pending_email"]) == (OLD, None)
    assert rows(app, "sessions") == rows(app, "devices") == []


def test_the_thief_cannot_undo_the_undoing(app: flask.Flask, anna: Browser) -> None:
    change_address(anna, NEW)
    change_address(anna, NEWER)
    later = token_in(notices(app, NEW)[-1])
    assert undo(app, token_in(notices(app, OLD)[-1])).status_code == 200
    assert_refused(undo(app, later), 400, "invalid_input")
    assert account(app)["email"] == OLD


def test_the_owner_still_wins_when_the_thief_undoes_first(app: flask.Flask, anna: Browser) -> None:
    change_address(anna, NEW)
    change_address(anna, NEWER)
    assert undo(app, token_in(notices(app, NEW)[-1])).status_code == 200
    assert account(app)["email"] == NEW
    assert undo(app, token_in(notices(app, OLD)[-1])).status_code == 200
    assert account(app)["email"] == OLD


def test_it_takes_the_address_from_whoever_has_it_now(app: flask.Flask, anna: Browser) -> None:
    change_address(anna, NEW)
    body = {"username": "mallory", "password": PASSWORD, "email": OLD}
    assert app.test_client().write("/api/register", body).status_code == 201
    assert undo(app, token_in(notices(app, OLD)[-1])).status_code == 200
    assert {row["username"]: row["email"] for row in rows(app, "accounts")} == {"anna": OLD, "mallory": None}


def test_factors_added_since_go_and_those_from_before_stay(app: flask.Flask, clock: Clock) -> None:
    anna = entered(app)
    enrol(anna)
    [own] = rows(app, "authenticators")
    clock.advance(60)
    change_password(anna)
    clock.advance(60)
    enrol(anna)
    assert len(rows(app, "authenticators")) == 2
    assert undo(app, token_in(notices(app, OLD)[-1])).status_code == 200
    assert [row["id"] for row in rows(app, "authenticators")] == [own["id"]]
    assert len(rows(app, "recovery_codes")) == 10


def test_the_address_stays_as_it_is_for_three_days(app: flask.Flask, clock: Clock) -> None:
    anna = entered(app)
    change_address(anna, NEW)
    done = undo(app, token_in(notices(app, OLD)[-1]))
    app.test_client().write(RESET, {"token": done.json["reset_token"], "new_password": MINE})
    again = entered(app, MINE)
    refused = again.write("/api/profile/change-email", {"email": NEW})
    assert "stays as it is until" in assert_refused(refused, 409, "conflict")["error"]
    clock.advance(72 * 3600 + 1)
    assert entered(app, MINE).write("/api/profile/change-email", {"email": NEW}).status_code == 200


def test_a_link_is_good_for_three_days_and_once(app: flask.Flask, clock: Clock) -> None:
    anna = entered(app)
    change_address(anna, NEW)
    change_address(anna, NEWER)
    first, second = token_in(notices(app, OLD)[-1]), token_in(notices(app, NEW)[-1])
    clock.advance(72 * 3600 - 1)
    assert undo(app, second).status_code == 200
    assert_refused(undo(app, second), 400, "invalid_input")
    clock.advance(1)
    assert_refused(undo(app, first), 400, "invalid_input")


def test_a_reset_by_mail_can_be_undone_too(app: flask.Flask) -> None:
    app.test_client().write("/api/password/forgot", {"email": OLD})
    text = app.extensions["aegis"].sender.transport.messages[-1].get_body(("plain",)).get_content()
    token = re.search(r"token=([A-Za-z0-9_-]{43})", text)
    assert token is not None
    reset = app.test_client().write(RESET, {"token": token[1], "new_password": OTHER_PASSWORD})
    assert reset.status_code == 200
    assert undo(app, token_in(notices(app, OLD)[-1])).status_code == 200


def test_of_parallel_undoings_one_succeeds(new_app: NewApp, migrated_url: str) -> None:
    app = new_app(DATABASE_URL=migrated_url, AEGIS_DATABASE_TIMEOUT="20")
    add_account(app, "anna", email=OLD)
    change_address(entered(app), NEW)
    token, browsers = token_in(notices(app, OLD)[-1]), [app.test_client() for _ in range(4)]
    for browser in browsers:
        browser.token()
    answers = at_once([lambda own=own: own.write(UNDO, {"token": token}) for own in browsers])
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


@pytest.mark.control("CS-RESET-6")
def test_opening_the_link_changes_nothing_and_leaves_no_token_behind(app: flask.Flask, anna: Browser) -> None:
    change_password(anna)
    path = f"/account/undo?token={token_in(notices(app, OLD)[-1])}"
    for _ in range(2):
        assert app.test_client().page(path).status_code == 303
        assert app.test_client().head(path).status_code == 303
    owner = app.test_client()
    led = owner.page(path)
    assert (led.headers["Location"], led.headers["Referrer-Policy"]) == ("/account/undo", "no-referrer")
    form = form_to(owner.page("/account/undo"), "/account/undo")
    done = owner.submit("/account/undo", **form)
    assert (done.status_code, done.headers["Location"]) == (303, "/reset-password")
    chosen = owner.submit("/reset-password", new_password=MINE)
    assert chosen.headers["Location"] == "/login"
    assert entered(app, MINE).is_signed_in()
    assert "Open the link in the mail" in owner.page("/account/undo").text


def test_the_page_says_when_a_link_is_not_good_any_more(app: flask.Flask) -> None:
    somebody = app.test_client()
    somebody.page(f"/account/undo?token={'x' * 43}")
    refused = somebody.submit("/account/undo")
    assert refused.status_code == 400
    assert "was used" in refused.text


def test_only_changes_that_win_the_account_carry_a_link(app: flask.Flask, anna: Browser) -> None:
    enrol(anna)
    assert notices(app, OLD) == []
    change_address(anna, NEW)
    assert len(notices(app, OLD)) == 1
    assert notices(app, NEW) == []


def test_a_dump_of_the_tables_undoes_nothing(app: flask.Flask, anna: Browser) -> None:
    change_password(anna)
    token = token_in(notices(app, OLD)[-1])
    assert token not in str([rows(app, table) for table in ("proofs", "outbox", "audit", "accounts")])
