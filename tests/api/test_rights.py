"""A session gains rights with a new token alone: a copy from before is worthless, whatever was proven."""

from collections.abc import Callable

import flask
import pytest

from aegis.accounts import standing
from tests.authenticator import Authenticator
from tests.codes import App, enrol
from tests.factories import (
    OTHER_PASSWORD,
    PASSWORD,
    Browser,
    add_account,
    assert_refused,
    copy_of,
    rows,
    signed_in,
)
from tests.fixtures import Clock, NewApp

Gain = Callable[[], object]
Act = Callable[[Browser, Browser, Clock], Gain]
"""Prepares what a session is to gain by, given that browser and another one of the same person."""


def confirm_a_remembered_browser(own: Browser, other: Browser, clock: Clock) -> Gain:
    own.post("/api/login", json={"username": "anna", "password": PASSWORD, "remember": True})
    own.delete_cookie("session")
    assert own.get("/api/check_session").status_code == 401
    own.get("/api/profile")
    return lambda: own.write("/api/reauthenticate", {"password": PASSWORD})


def give_a_code(own: Browser, other: Browser, clock: Clock) -> Gain:
    phone: App = enrol(other)
    clock.advance(60)
    return lambda: own.write("/api/reauthenticate", {"method": "totp", "code": phone.code()})


def give_a_recovery_code(own: Browser, other: Browser, clock: Clock) -> Gain:
    enrol(other)
    body = {"method": "recovery_code", "code": other.recovery_codes[0]}
    return lambda: own.write("/api/reauthenticate", body)


def passkey(browser: Browser) -> tuple[Authenticator, dict[str, object]]:
    device = Authenticator()
    return device, device.create(browser.write("/api/passkeys/options").json["publicKey"])


def use_a_passkey(own: Browser, other: Browser, clock: Clock) -> Gain:
    device, made = passkey(other)
    other.write("/api/passkeys", {"credential": made})
    offer = own.write("/api/reauthenticate/passkey/options").json["publicKey"]
    return lambda: own.write("/api/reauthenticate/passkey", {"credential": device.get(offer)})


def add_a_passkey(own: Browser, other: Browser, clock: Clock) -> Gain:
    _, made = passkey(own)
    return lambda: own.write("/api/passkeys", {"credential": made})


def add_an_authenticator(own: Browser, other: Browser, clock: Clock) -> Gain:
    return lambda: enrol(own)


@pytest.mark.control("ASVS-5.0-7.2.4")
@pytest.mark.parametrize(
    "act",
    [
        confirm_a_remembered_browser,
        give_a_code,
        give_a_recovery_code,
        use_a_passkey,
        add_a_passkey,
        add_an_authenticator,
    ],
)
def test_a_higher_level_comes_with_a_new_token(
    new_app: NewApp, sqlite_url: str, clock: Clock, act: Act
) -> None:
    app = new_app(DATABASE_URL=sqlite_url, AEGIS_REMEMBER_LIFETIME="1209600")
    add_account(app, "anna")
    own, other = app.test_client(), app.test_client()
    own.sign_in("anna")
    other.sign_in("anna")
    gain = act(own, other, clock)
    before = own.get("/api/check_session").json["auth_level"]
    copy = copy_of(own)
    assert copy.is_signed_in()
    gain()
    assert own.get("/api/check_session").json["auth_level"] > before
    assert not copy.is_signed_in()


@pytest.mark.control("ASVS-5.0-7.2.4")
def test_the_end_of_a_forced_step_comes_with_a_new_token(app: flask.Flask, anna: Browser) -> None:
    with app.app_context():
        standing.expire_password(rows(app, "accounts")[0]["id"])
    anna.sign_in()
    copy = copy_of(anna)
    assert_refused(copy.get("/api/profile"), 403, "password_change_required")
    body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert anna.write("/api/profile/change-password", body).status_code == 200
    assert anna.get("/api/profile").status_code == 200
    assert_refused(copy.get("/api/profile"), 401, "not_authenticated")


@pytest.mark.control("ASVS-5.0-7.4.3")
@pytest.mark.parametrize("role", ["teacher", "admin"])
def test_a_higher_role_comes_with_a_new_session(app: flask.Flask, role: str) -> None:
    anna = signed_in(app, "anna")
    with app.app_context():
        standing.set_role(rows(app, "accounts")[0]["id"], role)
    assert_refused(anna.get("/api/profile"), 401, "not_authenticated")
