"""Changing the password: the current one is asked for, everybody else is out, this session goes on under a new token."""

import flask
import pytest

from tests.factories import (
    OTHER_PASSWORD,
    PASSWORD,
    Browser,
    assert_refused,
    form_to,
    rows,
)
from tests.fixtures import Clock

PATH = "/api/profile/change-password"
CHANGE = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}


@pytest.mark.control("ASVS-5.0-6.2.2", "ASVS-5.0-7.4.3", "CS-SESSION-4")
def test_all_other_sessions_end_and_this_one_goes_on(
    app: flask.Flask, clock: Clock, anna: Browser, ben: Browser
) -> None:
    others = [app.test_client() for _ in range(2)]
    for other in others:
        assert other.sign_in("anna").status_code == 200
    clock.advance(1)
    answer = anna.write(PATH, CHANGE)

    assert answer.status_code == 200
    assert answer.json["user"]["username"] == "anna"
    assert anna.is_signed_in()
    assert [other.is_signed_in() for other in others] == [False, False]
    assert ben.is_signed_in()
    stored = {row["username"]: row["password_changed_at"] for row in rows(app, "accounts")}
    assert stored == {"anna": clock.now, "ben": clock.now - 1}
    assert_refused(others[0].sign_in("anna", PASSWORD), 401, "invalid_credentials")
    assert others[0].sign_in("anna", OTHER_PASSWORD).status_code == 200


@pytest.mark.control("ASVS-5.0-6.2.3")
@pytest.mark.parametrize("wrong", [OTHER_PASSWORD, PASSWORD + " ", PASSWORD.upper(), "x"])
def test_a_wrong_current_password_changes_nothing(app: flask.Flask, anna: Browser, wrong: str) -> None:
    other = app.test_client()
    other.sign_in("anna")
    before = rows(app, "accounts")
    refused = anna.write(PATH, {**CHANGE, "current_password": wrong})

    assert set(assert_refused(refused, 400, "invalid_input")["fields"]) == {"current_password"}
    assert rows(app, "accounts") == before
    assert anna.is_signed_in()
    assert other.is_signed_in()
    assert anna.write(PATH, CHANGE).status_code == 200


@pytest.mark.control("ASVS-5.0-6.2.3", "ASVS-5.0-6.2.11", "ASVS-5.0-6.1.2")
@pytest.mark.parametrize(
    "new", ["too short", PASSWORD, "passwordpassword", "I am anna and this is me", "Aegis Academy 2026 !"]
)
def test_a_weak_or_equal_new_password_changes_nothing(app: flask.Flask, anna: Browser, new: str) -> None:
    before = rows(app, "accounts")
    refused = anna.write(PATH, {**CHANGE, "new_password": new})

    assert set(assert_refused(refused, 400, "invalid_input")["fields"]) == {"new_password"}
    assert rows(app, "accounts") == before
    assert anna.write(PATH, CHANGE).status_code == 200


def test_composed_and_decomposed_are_the_same_password(app: flask.Flask, anna: Browser) -> None:
    assert anna.write(PATH, {**CHANGE, "new_password": "fünf grüne Süßigkeiten"}).status_code == 200
    same = {
        "current_password": "fünf grüne Süßigkeiten",
        "new_password": "fu\u0308nf gru\u0308ne Su\u0308ßigkeiten",
    }

    assert set(assert_refused(anna.write(PATH, same), 400, "invalid_input")["fields"]) == {"new_password"}


@pytest.mark.control("ASVS-5.0-6.2.3")
@pytest.mark.parametrize("missing", ["current_password", "new_password"])
def test_both_passwords_are_needed(anna: Browser, missing: str) -> None:
    body = {key: text for key, text in CHANGE.items() if key != missing}
    for sent in (body, {**body, missing: ""}, {**body, missing: None}):
        fields = assert_refused(anna.write(PATH, sent), 400, "invalid_input")["fields"]
        assert set(fields) == {missing}

    assert anna.write(PATH, CHANGE).status_code == 200


def test_a_visitor_cannot(client: Browser) -> None:
    assert_refused(client.write(PATH, CHANGE), 401, "not_authenticated")


@pytest.mark.control("ASVS-5.0-6.3.1")
def test_the_current_password_cannot_be_guessed_for_ever(
    app: flask.Flask, clock: Clock, anna: Browser
) -> None:
    wrong = {**CHANGE, "current_password": OTHER_PASSWORD}
    statuses = [anna.write(PATH, wrong).status_code for _ in range(11)]
    assert statuses == [400] * 10 + [429]
    refused = anna.write(PATH, CHANGE)
    assert_refused(refused, 429, "rate_limited")
    clock.advance(int(refused.headers["Retry-After"]))

    assert anna.write(PATH, CHANGE).status_code == 200


# The page


@pytest.mark.control("ASVS-5.0-6.2.2", "ASVS-5.0-6.2.6")
def test_the_form_changes_the_password(app: flask.Flask, anna: Browser) -> None:
    other = app.test_client()
    other.sign_in("anna")
    form = form_to(anna.page("/account/security"), "/account/password")
    answer = anna.post("/account/password", data={**form, **CHANGE})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/security")
    assert "Your password was changed." in anna.page("/account/security").text
    assert not other.is_signed_in()
    assert other.sign_in("anna", OTHER_PASSWORD).status_code == 200


def test_the_form_shows_what_is_wrong_and_no_password(anna: Browser) -> None:
    form = form_to(anna.page("/account/security"), "/account/password")
    page = anna.post("/account/password", data={**form, **CHANGE, "current_password": "not the one"})

    assert page.status_code == 400
    assert "This is not your current password." in page.text
    assert OTHER_PASSWORD not in page.text
    assert "not the one" not in page.text
    assert (
        anna.post("/account/password", data={**form_to(page, "/account/password"), **CHANGE}).status_code
        == 303
    )
