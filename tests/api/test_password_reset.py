"""A forgotten password: won back by mail, without telling who has an account, and without a way around anything."""

import re
from collections.abc import Callable

import flask
import pytest

from aegis import state
from aegis.accounts import standing
from aegis.mfa import totp
from aegis.reset import service
from tests.codes import enrol, give
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
from tests.stores.wire import Recorder

FORGOT, RESET = "/api/password/forgot", "/api/password/reset"
ADDRESS = "anna@mail.test"


@pytest.fixture
def app(new_app: NewApp, sqlite_url: str) -> flask.Flask:
    """Give the platform with anna, who has an address, and mails that stay in this process."""
    app = new_app(DATABASE_URL=sqlite_url)
    add_account(app, "anna", email=ADDRESS)
    return app


def mails(app: flask.Flask) -> list[str]:
    """Return the texts of all mails so far, with their recipients."""
    messages = app.extensions["aegis"].sender.transport.messages
    return [f"To: {message['To']}\n{message.get_body(('plain',)).get_content()}" for message in messages]


def ask(app: flask.Flask, email: str = ADDRESS) -> tuple[str, str]:
    """Ask for a new password and return the token and the code of the mail."""
    assert app.test_client().write(FORGOT, {"email": email}).status_code == 200
    text = mails(app)[-1]
    token = re.search(r"token=([A-Za-z0-9_-]{43})", text)
    code = re.search(r"Code: (\d{8})", text)
    assert token is not None
    assert code is not None
    return token[1], code[1]


def reset(app: flask.Flask, **body: str) -> flask.Response:
    """Send a new password."""
    return app.test_client().write(RESET, {"new_password": OTHER_PASSWORD, **body})


@pytest.mark.control("ASVS-5.0-6.4.3", "CS-RESET-3", "CS-RESET-4")
def test_the_link_sets_a_password_once_and_signs_nobody_in(app: flask.Flask) -> None:
    """Field lesson L19. Whatever was known before is dead: sessions, devices, other links."""
    anna = app.test_client()
    anna.sign_in("anna")
    token, _ = ask(app)
    done = reset(app, token=token)
    assert done.status_code == 200
    assert "session=" not in str(done.headers.getlist("Set-Cookie"))
    assert not anna.is_signed_in()
    assert rows(app, "devices") == []
    assert app.test_client().sign_in("anna", PASSWORD).status_code == 401
    assert app.test_client().sign_in("anna", OTHER_PASSWORD).status_code == 200
    assert_refused(reset(app, token=token), 400, "invalid_input")
    assert "Your password was changed by a mail" in mails(app)[-1]


def test_the_code_does_the_same_and_may_be_typed_with_blanks(app: flask.Flask) -> None:
    _, code = ask(app)
    assert reset(app, email="ANNA@mail.test", code=f" {code[:4]} {code[4:]} ").status_code == 200
    assert app.test_client().sign_in("anna", OTHER_PASSWORD).status_code == 200


@pytest.mark.control("ASVS-5.0-6.6.3")
def test_five_wrong_codes_burn_the_right_one(app: flask.Flask) -> None:
    _, code = ask(app)
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    for _ in range(5):
        assert_refused(reset(app, email=ADDRESS, code=wrong), 400, "invalid_input")
    assert_refused(reset(app, email=ADDRESS, code=code), 400, "invalid_input")
    _, code = ask(app)
    assert reset(app, email=ADDRESS, code=code).status_code == 200


@pytest.mark.control("ASVS-5.0-6.3.8", "CS-RESET-1")
def test_nothing_tells_whether_there_is_an_account(app: flask.Flask) -> None:
    gone = add_account(app, "gone", email="gone@mail.test")
    with app.app_context():
        standing.deactivate(gone)
    answers = set()
    for email in (ADDRESS, "nobody@mail.test", "gone@mail.test", "anna", "@", "x" * 300):
        answer = app.test_client().write(FORGOT, {"email": email})
        answers.add((answer.status_code, answer.text))
    assert len(answers) == 1
    assert len(mails(app)) == 1
    assert mails(app)[0].startswith(f"To: {ADDRESS}")


@pytest.mark.parametrize(
    "look_alike", ["k\u0131m@mail.test", "\uff4bim@mail.test", "\u212aim@mail.test", "KIM@mail.test"]
)
def test_a_mail_goes_to_the_stored_address_alone(app: flask.Flask, look_alike: str) -> None:
    """Field lesson L20."""
    add_account(app, "kim", email="kim@mail.test")
    app.test_client().write(FORGOT, {"email": look_alike})
    assert {text.partition("\n")[0] for text in mails(app)} <= {"To: kim@mail.test"}


@pytest.mark.control("ASVS-5.0-6.4.1")
def test_a_link_is_good_for_half_an_hour(app: flask.Flask, clock: Clock) -> None:
    token, _ = ask(app)
    clock.advance(service.LIFETIME_S)
    assert_refused(reset(app, token=token), 400, "invalid_input")
    token, _ = ask(app)
    clock.advance(service.LIFETIME_S - 1)
    assert reset(app, token=token).status_code == 200


@pytest.mark.control("ASVS-5.0-6.5.5")
def test_a_code_is_good_for_ten_minutes(app: flask.Flask, clock: Clock) -> None:
    _, code = ask(app)
    clock.advance(600)
    assert_refused(reset(app, email=ADDRESS, code=code), 400, "invalid_input")
    _, code = ask(app)
    clock.advance(599)
    assert reset(app, email=ADDRESS, code=code).status_code == 200


def test_a_later_link_replaces_the_earlier_one(app: flask.Flask) -> None:
    first, _ = ask(app)
    second, _ = ask(app)
    assert_refused(reset(app, token=first), 400, "invalid_input")
    assert reset(app, token=second).status_code == 200


@pytest.mark.parametrize("change", ["password", "address"])
def test_any_change_of_password_or_address_kills_the_link(app: flask.Flask, change: str) -> None:
    anna = app.test_client()
    anna.sign_in("anna")
    token, _ = ask(app)
    if change == "password":
        body = {"current_password": PASSWORD, "new_password": "another long one with words"}
        assert anna.write("/api/profile/change-password", body).status_code == 200
    else:
        change_address(anna, "new@mail.test")
    assert_refused(reset(app, token=token), 400, "invalid_input")


def test_a_password_that_is_too_weak_does_not_cost_the_link(app: flask.Flask) -> None:
    token, _ = ask(app)
    refused = reset(app, token=token, new_password="short")
    assert set(assert_refused(refused, 400, "invalid_input")["fields"]) == {"new_password"}
    assert reset(app, token=token).status_code == 200


def test_mail_scanners_use_nothing_up(app: flask.Flask) -> None:
    """Field lesson L16: HEAD and GET, from anywhere and often, change nothing; then the page works once."""
    token, _ = ask(app)
    path = f"/reset-password?token={token}"
    for _ in range(3):
        assert app.test_client().head(path).status_code == 303
        assert app.test_client().page(path).status_code == 303
    person = app.test_client()
    led = person.page(path)
    assert led.headers["Location"] == "/reset-password"
    assert led.headers["Referrer-Policy"] == "no-referrer"
    page = person.page("/reset-password")
    assert token not in page.text
    form = form_to(page, "/reset-password")
    done = person.post(
        "/reset-password", data={**form, "new_password": OTHER_PASSWORD}, headers={"Accept": "text/html"}
    )
    assert (done.status_code, done.headers["Location"]) == (303, "/login")
    assert app.test_client().sign_in("anna", OTHER_PASSWORD).status_code == 200


@pytest.mark.control("CS-RESET-2")
@pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-URL"])
def test_the_link_stands_on_the_public_address_alone(new_app: NewApp, header: str) -> None:
    """Field lesson L12."""
    app = new_app(AEGIS_URL="https://platform.test")
    add_account(app, "anna", email=ADDRESS)
    person = app.test_client()
    host = {"Host": "platform.test", "Origin": "https://platform.test"}
    token = person.get("/csrf-token", headers=host).json["csrf_token"]
    headers = {**host, "X-CSRFToken": token, header: "host=evil.test"}
    evil = person.post(FORGOT, json={"email": ADDRESS}, headers={**headers, "Host": "evil.test"})
    assert evil.status_code == 421
    assert mails(app) == []
    assert person.post(FORGOT, json={"email": ADDRESS}, headers=headers).status_code == 200
    reset = re.search(r"https://platform.test/reset-password\?token=(\S+)", mails(app)[0])
    assert reset is not None
    body = {"token": reset[1], "new_password": OTHER_PASSWORD}
    assert person.post(RESET, json=body, headers=headers).status_code == 200
    assert "https://platform.test/account/undo?token=" in mails(app)[1]
    assert not any("evil" in mail for mail in mails(app))


@pytest.mark.control("ASVS-5.0-6.3.8", "CS-RESET-1")
def test_an_unknown_address_costs_the_same_work(new_app: NewApp, sqlite_url: str) -> None:
    """The same statements in the same order: time tells nothing either. The mail to nobody leaves no trace."""
    app = new_app(DATABASE_URL=sqlite_url, AEGIS_MAIL_EMBEDDED="0")
    add_account(app, "anna", email=ADDRESS)
    recorder, seen = Recorder(), []
    recorder.attach(app.extensions["aegis"].database)
    for email in (ADDRESS, "nobody@mail.test"):
        person = app.test_client()
        person.write(FORGOT, {"email": "warm-up@mail.test"})
        token = person.token()
        recorder.take()
        person.post(FORGOT, json={"email": email}, headers={"X-CSRFToken": token})
        seen.append(
            [re.sub(r"\d+", "0", re.split("VALUES|WHERE", statement)[0]) for statement in recorder.take()]
        )
    assert len(rows(app, "outbox")) == 4
    assert seen[0] == seen[1]
    with app.app_context():
        state.current().sender.send_due()
    assert [text.partition("\n")[0] for text in mails(app)] == [f"To: {ADDRESS}"]
    assert rows(app, "outbox") == []


def test_a_password_that_somebody_else_chose_is_replaced_for_good(app: flask.Flask) -> None:
    """The owner has chosen now, so nothing is forced at the next sign-in."""
    with app.app_context():
        standing.expire_password(rows(app, "accounts")[0]["id"])
    token, _ = ask(app)
    assert reset(app, token=token).status_code == 200
    anna = app.test_client()
    anna.sign_in("anna", OTHER_PASSWORD)
    assert anna.get("/api/profile").status_code == 200


def test_a_reset_does_not_get_around_the_second_factor(app: flask.Flask, clock: Clock) -> None:
    own = app.test_client()
    own.sign_in("anna")
    phone = enrol(own)
    token, _ = ask(app)
    assert reset(app, token=token).status_code == 200
    clock.advance(totp.STEP_S)
    anna = app.test_client()
    assert_refused(anna.sign_in("anna", OTHER_PASSWORD), 401, "mfa_required")
    assert not anna.is_signed_in()
    assert give(anna, phone.code()).status_code == 200
    assert anna.is_signed_in()


@pytest.mark.control("CS-RESET-5", "ASVS-5.0-2.4.1")
def test_mails_to_one_address_are_limited(app: flask.Flask) -> None:
    statuses = [app.test_client().write(FORGOT, {"email": ADDRESS}).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    assert app.test_client().write(FORGOT, {"email": "other@mail.test"}).status_code == 200
    assert len(mails(app)) == 5


def test_without_mail_it_is_off_and_says_so(new_app: NewApp) -> None:
    app = new_app(MAIL_URL="")
    account = add_account(app, "anna", email=ADDRESS)
    assert_refused(app.test_client().write(FORGOT, {"email": ADDRESS}), 404, "not_found")
    assert "Ask the people who run it" in app.test_client().page("/forgot-password").text
    with app.app_context():
        link = service.print_link(state.current(), account)
    assert reset(app, token=link.partition("token=")[2]).status_code == 200
    assert app.test_client().sign_in("anna", OTHER_PASSWORD).status_code == 200


def test_an_untried_relay_keeps_it_off(new_app: NewApp) -> None:
    """Nobody should wait for a mail that a broken relay loses: `aegis mail test` comes first."""
    app = new_app(MAIL_URL="smtp://aegis:x@127.0.0.1:9")
    add_account(app, "anna", email=ADDRESS)
    assert_refused(app.test_client().write(FORGOT, {"email": ADDRESS}), 404, "not_found")


def test_a_dump_of_the_tables_resets_nothing(app: flask.Flask) -> None:
    token, code = ask(app)
    [row] = rows(app, "proofs")
    assert not any(token in str(value) or code in str(value) for value in row.values())
    for stolen in (row["token_hash"].hex(), row["code_hash"], row["id"]):
        assert_refused(reset(app, token=stolen), 400, "invalid_input")


@pytest.mark.parametrize("by", ["token", "code"])
def test_of_parallel_resets_one_succeeds(new_app: NewApp, migrated_url: str, by: str) -> None:
    """Field lesson L18, on the three databases."""
    app = new_app(DATABASE_URL=migrated_url, AEGIS_DATABASE_TIMEOUT="20")
    add_account(app, "anna", email=ADDRESS)
    token, code = ask(app)
    given = {"token": token} if by == "token" else {"email": ADDRESS, "code": code}
    words = [
        "seven purple boats under one bridge",
        "nine green trains above two rivers",
        "four red kites over six hills",
    ]
    people: list[Browser] = [app.test_client() for _ in words]
    for person in people:
        person.token()
    tasks: list[Callable[[], flask.Response]] = [
        lambda person=person, word=word: person.write(RESET, {**given, "new_password": word})
        for person, word in zip(people, words, strict=True)
    ]
    assert sorted(answer.status_code for answer in at_once(tasks)) == [200, 400, 400]
    assert sum(app.test_client().sign_in("anna", word).status_code == 200 for word in words) == 1
