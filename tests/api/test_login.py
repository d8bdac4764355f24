"""Signing in by password: who gets in, and what everybody else is told."""

import re

import argon2
import flask
import pytest
from werkzeug.security import generate_password_hash

from aegis.accounts import standing
from tests.factories import (
    OTHER_PASSWORD,
    PASSWORD,
    Browser,
    add_account,
    assert_refused,
    change,
    form_to,
    rows,
    set_cookies,
    signed_in,
)
from tests.fixtures import Clock, NewApp


def test_the_answer_shows_the_account_and_nothing_else(app: flask.Flask, client: Browser) -> None:
    account_id = add_account(app, "Anna", email="Anna@mail.test", role="teacher")
    answer = client.sign_in("anna")

    assert answer.status_code == 200
    assert answer.json == {
        "message": "You are signed in.",
        "user": {
            "id": account_id,
            "username": "Anna",
            "display_name": "",
            "email": "Anna@mail.test",
            "role": "teacher",
        },
    }
    assert client.get("/api/check_session").json["user"] == answer.json["user"]


@pytest.mark.parametrize(
    "typed", ["anna", "ANNA", " Anna ", "ａｎｎａ", "anna@mail.test", "Anna@MAIL.test", " anna@mail.test "]
)
def test_every_spelling_of_name_and_address_signs_in(app: flask.Flask, client: Browser, typed: str) -> None:
    add_account(app, "Anna", email="anna@mail.test")

    assert client.sign_in(typed).status_code == 200


@pytest.mark.parametrize(
    "typed",
    ["anna\u200b", "аnna", "anna.", "a nna", "ann\u0131", "anna@mail.test.", "anna@", "@", "ann", "anna%"],
)
def test_what_only_looks_like_the_name_does_not(app: flask.Flask, client: Browser, typed: str) -> None:
    add_account(app, "anna", email="anna@mail.test")

    assert_refused(client.sign_in(typed), 401, "invalid_credentials")
    assert client.sign_in("anna").status_code == 200


# One answer for every failure


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the parameters of all password hashes that are computed from now on."""
    seen: list[str] = []
    verify, make = argon2.PasswordHasher.verify, argon2.PasswordHasher.hash

    def counted_verify(self: argon2.PasswordHasher, encoded: str, secret: bytes) -> bool:
        seen.append(encoded.rpartition("$")[0].rpartition("$")[0])
        return verify(self, encoded, secret)

    def counted_hash(self: argon2.PasswordHasher, secret: bytes) -> str:
        encoded = make(self, secret)
        seen.append(encoded.rpartition("$")[0].rpartition("$")[0])
        return encoded

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted_verify)
    monkeypatch.setattr(argon2.PasswordHasher, "hash", counted_hash)
    return seen


@pytest.mark.control("CS-AUTHN-1", "ASVS-5.0-6.3.8")
@pytest.mark.parametrize("by", ["api", "page"])
def test_unknown_wrong_and_deactivated_are_one_answer_at_one_cost(
    app: flask.Flask, computed: list[str], by: str
) -> None:
    add_account(app, "anna", email="anna@mail.test")
    gone = add_account(app, "gone")
    with app.app_context():
        standing.deactivate(gone)
    answers, costs = set(), set()
    for name, password in (
        ("anna", OTHER_PASSWORD),
        ("nobody-here", PASSWORD),
        ("gone", PASSWORD),
        ("gone", OTHER_PASSWORD),
        ("anna@mail.test", OTHER_PASSWORD),
        ("nobody@mail.test", PASSWORD),
        ("not\u200ba name", PASSWORD),
        ("@", PASSWORD),
        ("n" * 320, PASSWORD),
        ("anna", "x" * 1024),
        ("nobody-here", "x" * 1024),
    ):
        client = app.test_client()
        token = client.token()
        computed.clear()
        if by == "api":
            answer = client.sign_in(name, password)
            shown = {key: text for key, text in answer.json.items() if key != "request_id"}
        else:
            answer = client.submit("/login", username=name, password=password, csrf_token=token)
            shown = {"page": re.sub('name="csrf_token" value="[^"]+"', "", answer.text)}
            shown["page"] = shown["page"].replace(f'value="{name}"', "")
        headers = {key: text for key, text in answer.headers if key not in {"X-Request-ID", "Content-Length"}}
        assert "Set-Cookie" not in headers
        answers.add((answer.status_code, repr(shown), repr(headers)))
        costs.add(tuple(computed))

    assert len(answers) == 1
    assert {status for status, _, _ in answers} == {401}
    assert costs == {("$argon2id$v=19$m=1024,t=1,p=1",)}
    computed.clear()
    assert app.test_client().sign_in("anna").status_code == 200
    assert tuple(computed) in costs


def test_a_failed_sign_in_leaves_an_open_session_alone(app: flask.Flask, anna: Browser) -> None:
    assert_refused(anna.sign_in(password=OTHER_PASSWORD), 401, "invalid_credentials")

    assert anna.is_signed_in()


@pytest.mark.control("ASVS-5.0-6.2.8", "NIST-63B4-3.1.1.2-3", "CS-PWSTORE-3")
def test_the_password_counts_exactly_as_it_was_chosen(app: flask.Flask, client: Browser) -> None:
    chosen = " Grüße aus dem Süden, 73 Zeichen sind nicht das Ende dieses langen Satzes! "
    add_account(app, "anna", chosen)
    for wrong in (chosen.strip(), chosen.lower(), chosen[:72], chosen + " ", chosen.replace("ü", "u")):
        assert_refused(client.sign_in("anna", wrong), 401, "invalid_credentials")
    assert client.sign_in("anna", chosen).status_code == 200

    decomposed = chosen.replace("ü", "u\u0308")
    assert decomposed != chosen
    assert client.sign_in("anna", decomposed).status_code == 200


@pytest.mark.control("ASVS-5.0-6.2.10", "NIST-63B4-3.1.1.2-5")
def test_an_old_password_is_still_good(app: flask.Flask, clock: Clock, client: Browser) -> None:
    add_account(app, "anna")
    clock.advance(3 * 365 * 86_400)

    assert client.sign_in("anna").status_code == 200
    assert client.get("/api/profile").status_code == 200


# Hashes that came from elsewhere, or from weaker times


@pytest.mark.control("CS-PWSTORE-2", "ASVS-5.0-11.4.2")
@pytest.mark.parametrize(
    "stored",
    [
        generate_password_hash(PASSWORD, "scrypt:1024:8:1"),
        generate_password_hash(PASSWORD, "pbkdf2:sha256:1000"),
        argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD),
        argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1, hash_len=16).hash(PASSWORD),
        argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1, type=argon2.Type.I).hash(
            PASSWORD
        ),
    ],
    ids=["scrypt", "pbkdf2", "less memory", "shorter", "argon2i"],
)
def test_a_weaker_hash_is_replaced_at_the_next_sign_in(
    app: flask.Flask, client: Browser, stored: str
) -> None:
    add_account(app, "anna")
    change(app, "accounts", password_hash=stored, password_changed_at=17)
    assert_refused(client.sign_in("anna", OTHER_PASSWORD), 401, "invalid_credentials")
    assert rows(app, "accounts")[0]["password_hash"] == stored
    assert client.sign_in("anna").status_code == 200

    [account] = rows(app, "accounts")
    assert account["password_hash"].startswith("$argon2id$v=19$m=1024,t=1,p=1$")
    assert account["password_changed_at"] == 17
    assert client.is_signed_in()
    assert client.sign_in("anna").status_code == 200
    assert rows(app, "accounts")[0]["password_hash"] == account["password_hash"]


@pytest.mark.parametrize(
    "stored", ["", "!", "x", "$argon2id$", "scrypt:1:1:1$a$b", "sha256$a$b", "plain:" + PASSWORD]
)
def test_what_is_no_hash_signs_nobody_in(app: flask.Flask, client: Browser, stored: str) -> None:
    add_account(app, "anna")
    change(app, "accounts", password_hash=stored)

    for password in (PASSWORD, stored or "x"):
        assert_refused(client.sign_in("anna", password), 401, "invalid_credentials")


# Many at once


@pytest.mark.control("ASVS-5.0-15.2.2")
def test_when_all_places_are_taken_the_answer_is_busy(new_app: NewApp) -> None:
    app = new_app(AEGIS_ARGON2_PARALLEL="1", AEGIS_ARGON2_QUEUE="0")
    add_account(app, "ben")
    anna = signed_in(app, "anna")
    client = app.test_client()
    change_password = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    newcomer = {"username": "carol", "password": OTHER_PASSWORD}
    with app.extensions["aegis"].hasher.gate.place():
        for answer in (
            client.sign_in("ben"),
            client.sign_in("nobody-here"),
            client.write("/api/register", newcomer),
            anna.write("/api/reauthenticate", {"password": PASSWORD}),
            anna.write("/api/profile/change-password", change_password),
        ):
            assert_refused(answer, 503, "busy")
            assert int(answer.headers["Retry-After"]) > 0
        page = client.submit("/login", username="ben", password=PASSWORD)
        assert (page.status_code, page.headers["Retry-After"]) == (503, "2")
        assert form_to(page, "/login")["username"] == "ben"
        assert anna.is_signed_in()

    assert client.sign_in("ben").status_code == 200
    assert anna.write("/api/profile/change-password", change_password).status_code == 200


def test_a_double_click_on_the_form_leaves_one_session(app: flask.Flask) -> None:
    add_account(app, "anna")
    browser = app.test_client()
    form = form_to(browser.page("/login"), "/login")
    twin = app.test_client()
    twin.set_cookie("visitor", browser.get_cookie("visitor").value)
    for client in (browser, twin):
        answer = client.post("/login", data={**form, "username": "anna", "password": PASSWORD})
        assert answer.status_code == 303

    assert len(rows(app, "sessions")) == 1
    assert not browser.is_signed_in()
    assert twin.is_signed_in()


def test_a_second_click_with_the_new_cookie_is_no_failure(app: flask.Flask) -> None:
    add_account(app, "anna")
    browser = app.test_client()
    form = {**form_to(browser.page("/login"), "/login"), "username": "anna", "password": PASSWORD}
    for _ in range(3):
        assert browser.post("/login", data=form).status_code == 303

    assert len(rows(app, "sessions")) == 1
    assert browser.is_signed_in()


def test_two_browsers_are_two_sessions(app: flask.Flask) -> None:
    add_account(app, "anna")
    browsers = [app.test_client() for _ in range(3)]
    for browser in browsers:
        form = form_to(browser.page("/login"), "/login")
        browser.post("/login", data={**form, "username": "anna", "password": PASSWORD})

    assert all(browser.is_signed_in() for browser in browsers)
    assert len(rows(app, "sessions")) == 3


@pytest.mark.control("ASVS-5.0-7.2.4")
def test_signing_in_as_somebody_else_ends_the_session_of_before(app: flask.Flask, anna: Browser) -> None:
    add_account(app, "ben")
    old = anna.session_cookie()
    assert anna.sign_in("ben").status_code == 200

    assert anna.get("/api/check_session").json["user"]["username"] == "ben"
    assert len(rows(app, "sessions")) == 1
    anna.set_cookie("session", str(old))
    assert not anna.is_signed_in()


def test_the_cookie_comes_with_the_answer_and_only_then(app: flask.Flask, client: Browser) -> None:
    add_account(app, "anna")
    assert set_cookies(client.sign_in("anna", OTHER_PASSWORD)) == {}
    assert set(set_cookies(client.sign_in("anna"))) == {"session", "device"}
