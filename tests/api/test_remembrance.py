"""Staying signed in: what a browser keeps is good once, opens little, can be ended, and a copy of it gives itself away."""

import re

import flask
import pytest
from werkzeug.test import TestResponse

from aegis.accounts import service as accounts
from aegis.accounts import standing
from aegis.audit import Event
from aegis.ops import housekeeping
from aegis.sessions import remembrance
from tests.authenticator import Authenticator
from tests.codes import enrol, give
from tests.factories import (
    OTHER_PASSWORD,
    PASSWORD,
    Browser,
    add_account,
    assert_refused,
    at_once,
    change_address,
    rows,
)
from tests.fixtures import Clock, NewApp

DAY_S = 86_400
EMAIL = "anna@mail.test"
BROWSERS = "/api/remembered-browsers"
FRESH_ONLY = "/api/account/export"
"""A read that needs a fresh sign-in."""


@pytest.fixture
def app(new_app: NewApp, sqlite_url: str, clock: Clock) -> flask.Flask:
    """Give the platform with anna, where browsers may stay signed in for two weeks."""
    return offering(new_app, sqlite_url)


def offering(new_app: NewApp, url: str, **environ: str) -> flask.Flask:
    """Return a platform where browsers may stay signed in."""
    app = new_app(DATABASE_URL=url, AEGIS_REMEMBER_LIFETIME=str(14 * DAY_S), **environ)
    add_account(app, "anna", email=EMAIL)
    return app


def stay(app: flask.Flask, name: str = "anna", password: str = PASSWORD) -> Browser:
    """Return a browser in which somebody signed in and asked to stay so."""
    browser: Browser = app.test_client()
    body = {"username": name, "password": password, "remember": True}
    assert browser.post("/api/login", json=body).status_code == 200
    browser.username = name
    return browser


@pytest.fixture
def anna(app: flask.Flask) -> Browser:
    """Give a browser in which anna stays signed in."""
    return stay(app)


def kept(browser: Browser) -> str | None:
    found = browser.get_cookie("remember")
    return found.value if found else None


def come_back(browser: Browser) -> TestResponse:
    """Return what a browser sees that was closed in the meantime: its session cookie is gone."""
    browser.delete_cookie("session")
    return browser.get("/api/profile")


def thief(app: flask.Flask, copy: str | None) -> Browser:
    """Return another browser, elsewhere, that holds a copy of what was kept."""
    assert copy
    browser: Browser = app.test_client()
    browser.environ_base |= {"REMOTE_ADDR": "203.0.113.9"}
    browser.set_cookie("remember", copy)
    return browser


def notices(app: flask.Flask) -> list[str]:
    messages = app.extensions["aegis"].sender.transport.messages
    return [str(message.get_body(("plain",)).get_content()) for message in messages]


# --- offered and asked for ------------------------------------------------------------------------------------------


@pytest.mark.control("NIST-63B4-5.1-2")
def test_it_is_off_until_the_operator_offers_it(new_app: NewApp, sqlite_url: str) -> None:
    app = new_app(DATABASE_URL=sqlite_url)
    add_account(app, "anna")
    browser = app.test_client()
    asked = browser.post("/api/login", json={"username": "anna", "password": PASSWORD, "remember": True})
    assert "remember" in assert_refused(asked, 400, "invalid_input")["fields"]
    assert "Stay signed in" not in browser.page("/login").text


def test_who_does_not_ask_for_it_gets_no_lasting_cookie(app: flask.Flask) -> None:
    browser = app.test_client()
    assert browser.sign_in("anna").status_code == 200
    assert kept(browser) is None
    assert come_back(browser).status_code == 401


def test_the_cookie_lasts_as_long_as_the_operator_says_and_no_script_reads_it(app: flask.Flask) -> None:
    body = {"username": "anna", "password": PASSWORD, "remember": True}
    answer = app.test_client().post("/api/login", json=body)
    [line] = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("remember=")]
    assert f"Max-Age={14 * DAY_S}" in line
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))
    [session] = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("session=")]
    assert "Max-Age" not in session


@pytest.mark.control("ASVS-5.0-3.3.1", "ASVS-5.0-3.3.3")
def test_in_production_the_cookie_travels_over_tls_alone(new_production_app: NewApp) -> None:
    app = new_production_app(AEGIS_REMEMBER_LIFETIME="1209600")
    add_account(app, "anna")
    body = {"username": "anna", "password": PASSWORD, "remember": True}
    answer = app.test_client().post("/api/login", json=body)
    [line] = [line for line in answer.headers.getlist("Set-Cookie") if "remember=" in line]
    assert line.startswith("__Host-remember=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(line.split("; "))
    assert "Domain" not in line


def test_the_form_offers_it_and_keeps_the_choice_when_something_was_wrong(app: flask.Flask) -> None:
    browser = app.test_client()
    assert "for up to 14 days" in browser.page("/login").text
    again = browser.submit("/login", username="anna", password="not right", remember="1")
    assert re.search(r'<input id="remember"[^>]* checked', again.text)
    assert browser.submit("/login", username="anna", password=PASSWORD, remember="1").status_code == 303
    assert come_back(browser).status_code == 200


def test_the_choice_survives_the_second_factor(app: flask.Flask, clock: Clock) -> None:
    first = app.test_client()
    first.sign_in("anna")
    phone = enrol(first)
    clock.advance(60)
    browser = app.test_client()
    body = {"username": "anna", "password": PASSWORD, "remember": True}
    assert_refused(browser.post("/api/login", json=body), 401, "mfa_required")
    assert kept(browser) is None
    assert give(browser, phone.code()).status_code == 200
    assert come_back(browser).status_code == 200


# --- what it opens --------------------------------------------------------------------------------------------------


def test_a_browser_goes_on_after_its_session_is_over(app: flask.Flask, anna: Browser, clock: Clock) -> None:
    clock.advance(3 * DAY_S)
    assert anna.get("/api/profile").status_code == 200
    assert anna.get("/api/check_session").json["auth_level"] == 0
    assert anna.page("/login?next=/profile").headers["Location"] == "/profile"


def test_the_rest_of_the_form_is_not_lost(anna: Browser, clock: Clock) -> None:
    token = anna.token()
    clock.advance(2 * 3600)
    assert anna.submit("/profile", display_name="Anna", bio="", csrf_token=token).status_code == 303
    assert anna.get("/api/profile").json["user"]["display_name"] == "Anna"


def test_what_asks_by_itself_starts_no_session(anna: Browser) -> None:
    before = kept(anna)
    anna.delete_cookie("session")
    assert anna.get("/api/check_session").status_code == 401
    assert kept(anna) == before


@pytest.mark.control("NIST-63B4-5.1-2", "ASVS-5.0-7.5.3")
def test_anything_sensitive_asks_for_the_password(anna: Browser) -> None:
    assert come_back(anna).status_code == 200
    refused = assert_refused(anna.get(FRESH_ONLY), 401, "reauthentication_required")
    assert refused["methods"] == ["password"]
    assert anna.write("/api/reauthenticate", {"password": PASSWORD}).status_code == 200
    assert anna.get("/api/check_session").json["auth_level"] == 1
    assert anna.get(FRESH_ONLY).status_code == 200


def test_a_code_alone_does_not_make_up_for_the_password(app: flask.Flask, clock: Clock) -> None:
    anna = stay(app)
    phone = enrol(anna)
    clock.advance(60)
    come_back(anna)
    assert assert_refused(anna.get(FRESH_ONLY), 401, "reauthentication_required")["methods"] == ["password"]
    refused = anna.write("/api/reauthenticate", {"method": "totp", "code": phone.code()})
    assert_refused(refused, 401, "reauthentication_required")

    anna.write("/api/reauthenticate", {"password": PASSWORD})
    assert "totp" in assert_refused(anna.get(FRESH_ONLY), 401, "reauthentication_required")["methods"]
    assert anna.write("/api/reauthenticate", {"method": "totp", "code": phone.code()}).status_code == 200
    assert anna.get(FRESH_ONLY).status_code == 200


def test_a_passkey_does(app: flask.Flask) -> None:
    anna, device = stay(app), Authenticator()
    offer = anna.write("/api/passkeys/options").json["publicKey"]
    assert anna.write("/api/passkeys", {"credential": device.create(offer)}).status_code == 201
    come_back(anna)
    refused = assert_refused(anna.get(FRESH_ONLY), 401, "reauthentication_required")
    assert refused["methods"] == ["password", "passkey"]
    offer = anna.write("/api/reauthenticate/passkey/options").json["publicKey"]
    confirmed = anna.write("/api/reauthenticate/passkey", {"credential": device.get(offer)})
    assert confirmed.status_code == 200
    assert anna.get("/api/check_session").json["auth_level"] == 2

    browser = app.test_client()
    offer = browser.write("/api/login/passkey/options").json["publicKey"]
    body = {"credential": device.get(offer), "remember": True}
    assert browser.write("/api/login/passkey", body).status_code == 200
    assert come_back(browser).status_code == 200


def test_an_administrator_proves_everything_anew(app: flask.Flask, clock: Clock) -> None:
    add_account(app, "head", role="admin")
    head = stay(app, "head")
    phone = enrol(head)
    assert head.get("/api/admin/users").status_code == 200
    clock.advance(60)
    come_back(head)
    assert_refused(head.get("/api/admin/users"), 401, "reauthentication_required")
    assert head.write("/api/reauthenticate", {"password": PASSWORD}).status_code == 200
    assert_refused(head.get("/api/admin/users"), 401, "reauthentication_required")
    head.write("/api/reauthenticate", {"method": "totp", "code": phone.code()})
    assert head.get("/api/admin/users").status_code == 200


def test_the_page_leads_over_the_password_to_what_was_begun(anna: Browser) -> None:
    come_back(anna)
    asked = anna.submit("/profile/email", email="new@mail.test")
    assert "What you typed is kept" in asked.text
    assert 'name="password"' in asked.text
    resume = re.search(r'name="resume" value="([^"]+)"', asked.text)
    assert resume is not None
    done = anna.submit("/reauthenticate", password=PASSWORD, resume=resume[1])
    assert "new@mail.test" in done.text


def test_a_forced_step_still_comes_first(app: flask.Flask) -> None:
    anna = stay(app)
    with app.app_context():
        found = accounts.find("anna")
        assert found is not None
        accounts.store.change(found.id, {"must_change_password": True})
    anna.delete_cookie("session")
    assert_refused(anna.get("/api/profile"), 403, "password_change_required")


# --- good once ------------------------------------------------------------------------------------------------------


def test_each_use_gives_the_next_one(anna: Browser) -> None:
    first = kept(anna)
    come_back(anna)
    second = kept(anna)
    assert first != second
    assert come_back(anna).status_code == 200
    assert kept(anna) != second


def test_its_end_does_not_move_with_use(anna: Browser, clock: Clock) -> None:
    clock.advance(13 * DAY_S)
    assert come_back(anna).status_code == 200
    clock.advance(2 * DAY_S)
    assert come_back(anna).status_code == 401
    assert kept(anna) is None


@pytest.mark.parametrize("first", ["thief", "owner"])
def test_a_copy_that_is_used_ends_all_of_it_and_the_owner_is_told(
    app: flask.Flask, anna: Browser, first: str
) -> None:
    other = thief(app, kept(anna))
    anna.delete_cookie("session")
    one, two = (other, anna) if first == "thief" else (anna, other)
    assert one.get("/api/profile").status_code == 200
    assert two.get("/api/profile").status_code == 401
    assert one.get("/api/profile").status_code == 401
    assert rows(app, "sessions") == []
    assert rows(app, "remembrances") == []
    assert (kept(one), kept(two)) == (None, None)
    told = [text for text in notices(app) if "somebody has a copy of it" in text]
    assert len(told) == 1
    assert [row["event"] for row in rows(app, "audit")].count(Event.REMEMBRANCE_COPIED) == 1
    assert "one of the two was a copy" in str(signed_in_activity(app))


def signed_in_activity(app: flask.Flask) -> object:
    browser = app.test_client()
    browser.sign_in("anna")
    return browser.get("/api/activity").json


def test_a_copy_gives_itself_away_however_late(app: flask.Flask, anna: Browser) -> None:
    old = kept(anna)
    for _ in range(3):
        assert come_back(anna).status_code == 200
    assert thief(app, old).get("/api/profile").status_code == 401
    assert rows(app, "sessions") == []


def test_other_browsers_of_the_account_are_not_touched_by_it(app: flask.Flask, anna: Browser) -> None:
    laptop, old = stay(app), kept(anna)
    come_back(anna)
    thief(app, old).get("/api/profile")
    assert come_back(laptop).status_code == 200


def test_several_tabs_at_once_are_no_copies(app: flask.Flask, anna: Browser) -> None:
    """Whichever answer comes last, the browser keeps the same; one session is enough for all of them."""
    tabs = [app.test_client() for _ in range(3)]
    for tab in tabs:
        tab.set_cookie("remember", kept(anna) or "")
    assert [tab.get("/api/profile").status_code for tab in tabs] == [200, 401, 401]
    assert len({kept(tab) for tab in tabs} - {kept(anna)}) == 1
    assert come_back(tabs[2]).status_code == 200
    assert (
        tabs[1].page("/login?next=/profile").status_code == 200
    )  # a tab behind by two: refused, and no alarm
    assert come_back(tabs[2]).status_code == 200


def test_an_answer_that_was_lost_is_asked_for_again(app: flask.Flask, anna: Browser, clock: Clock) -> None:
    lost = app.test_client()
    lost.set_cookie("remember", kept(anna) or "")
    assert lost.get("/api/profile").status_code == 200  # which never reached the browser
    anna.delete_cookie("session")
    clock.advance(30)
    sent_on = anna.page("/profile")
    assert sent_on.headers["Location"] == "/login?next=/profile"
    assert anna.page(sent_on.headers["Location"]).headers["Location"] == "/profile"
    assert anna.page("/profile").status_code == 200
    assert notices(app) == []


def test_the_same_browser_later_is_a_copy_like_any_other(
    app: flask.Flask, anna: Browser, clock: Clock
) -> None:
    tab = app.test_client()
    tab.set_cookie("remember", kept(anna) or "")
    come_back(anna)
    clock.advance(remembrance.GRACE_S)
    assert tab.get("/api/profile").status_code == 401
    assert come_back(anna).status_code == 401


def test_of_parallel_uses_one_starts_a_session(new_app: NewApp, migrated_url: str) -> None:
    """On the three databases."""
    app = offering(new_app, migrated_url, AEGIS_DATABASE_TIMEOUT="20")
    anna = stay(app)
    tabs = [app.test_client() for _ in range(6)]
    for tab in tabs:
        tab.set_cookie("remember", kept(anna) or "")
    answers = at_once([lambda tab=tab: tab.get("/api/profile") for tab in tabs])
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5
    [winner] = [tab for tab, answer in zip(tabs, answers, strict=True) if answer.status_code == 200]
    assert come_back(winner).status_code == 200


def test_what_was_ended_at_the_same_moment_stays_ended(new_app: NewApp, migrated_url: str) -> None:
    """On the three databases: a browser that comes back while everything is ended has nothing afterwards."""
    app = offering(new_app, migrated_url, AEGIS_DATABASE_TIMEOUT="20")
    for _ in range(5):
        anna, tab = stay(app), app.test_client()
        tab.set_cookie("remember", kept(anna) or "")
        anna.token()
        at_once([lambda tab=tab: tab.get("/api/profile"), lambda own=anna: own.write("/api/logout")])
        assert tab.get("/api/profile").status_code == 401
        assert rows(app, "sessions") == []
        assert rows(app, "remembrances") == []


# --- listed and ended -----------------------------------------------------------------------------------------------


def test_browsers_that_stay_signed_in_are_listed_and_ended(app: flask.Flask, anna: Browser) -> None:
    laptop = stay(app)
    listed = anna.get(BROWSERS).json["browsers"]
    assert [item["is_current"] for item in listed].count(True) == 1
    [other] = [item for item in listed if not item["is_current"]]
    assert anna.write(f"{BROWSERS}/{other['id']}", method="DELETE").status_code == 200
    assert laptop.get("/api/profile").status_code == 401
    assert come_back(laptop).status_code == 401
    assert come_back(anna).status_code == 200


def test_the_page_lists_and_ends_them(app: flask.Flask, anna: Browser) -> None:
    laptop = stay(app)
    page = anna.page("/account/security").text
    assert "Browsers that stay signed in" in page
    own, other = sorted(anna.get(BROWSERS).json["browsers"], key=lambda item: not item["is_current"])
    assert anna.submit(f"/account/remembered/{other['id']}/end").headers["Location"] == "/account/security"
    assert come_back(laptop).status_code == 401
    assert anna.submit(f"/account/remembered/{own['id']}/end").headers["Location"] == "/login"
    assert kept(anna) is None


@pytest.mark.parametrize("by", ["json", "page"])
def test_an_administrator_ends_them_for_somebody(app: flask.Flask, anna: Browser, by: str) -> None:
    add_account(app, "head", role="admin")
    head = app.test_client()
    head.sign_in("head")
    enrol(head)
    target = next(row["id"] for row in rows(app, "accounts") if row["username"] == "anna")
    shown = head.get(f"/api/admin/users/{target}").json
    [browser], [device] = shown["remembered_browsers"], shown["devices"]
    if by == "json":
        paths = (f"remembered-browsers/{browser['id']}", f"devices/{device['id']}")
        done = [head.write(f"/api/admin/users/{target}/{path}", method="DELETE") for path in paths]
        assert [answer.status_code for answer in done] == [200, 200]
        again = [head.write(f"/api/admin/users/{target}/{path}", method="DELETE") for path in paths]
        assert [answer.status_code for answer in again] == [404, 404]
    else:
        assert "Browsers that stay signed in" in head.page(f"/admin/users/{target}").text
        for path in (f"remembered/{browser['id']}/end", f"devices/{device['id']}/forget"):
            assert head.submit(f"/admin/users/{target}/{path}").status_code == 303
    assert anna.get("/api/profile").status_code == 401
    own = next(row["id"] for row in rows(app, "accounts") if row["username"] == "head")
    acts = {str(row["event"]) for row in rows(app, "audit") if row["actor_id"] == own}
    assert acts == {Event.REMEMBRANCE_ENDED, Event.DEVICE_FORGOTTEN}


def test_nobody_ends_those_of_others(app: flask.Flask, anna: Browser) -> None:
    add_account(app, "ben")
    ben = stay(app, "ben")
    [own] = anna.get(BROWSERS).json["browsers"]
    assert_refused(ben.write(f"{BROWSERS}/{own['id']}", method="DELETE"), 404, "not_found")
    assert come_back(anna).status_code == 200


def test_ending_a_session_does_not_leave_what_would_start_it_again(app: flask.Flask, anna: Browser) -> None:
    laptop = stay(app)
    [other] = [item for item in anna.get("/api/sessions").json["sessions"] if not item["is_current"]]
    assert anna.write(f"/api/sessions/{other['id']}", method="DELETE").status_code == 200
    assert laptop.get("/api/profile").status_code == 401


def test_ending_all_others_keeps_this_one(app: flask.Flask, anna: Browser) -> None:
    laptop = stay(app)
    assert anna.write("/api/sessions", method="DELETE").status_code == 200
    assert come_back(laptop).status_code == 401
    assert come_back(anna).status_code == 200


@pytest.mark.control("ASVS-5.0-7.4.1")
@pytest.mark.parametrize("is_closed", [False, True], ids=["open", "closed in between"])
def test_signing_out_ends_it(app: flask.Flask, anna: Browser, *, is_closed: bool) -> None:
    copy = kept(anna)
    if is_closed:
        come_back(anna)
        copy = kept(anna)
    assert anna.write("/api/logout").status_code == 200
    assert kept(anna) is None
    assert thief(app, copy).get("/api/profile").status_code == 401
    assert [row["event"] for row in rows(app, "audit")].count(Event.SESSION_ENDED) == 1


def test_signing_in_without_asking_for_it_ends_it(app: flask.Flask, anna: Browser) -> None:
    copy = kept(anna)
    assert anna.sign_in("anna").status_code == 200
    assert kept(anna) is None
    assert rows(app, "remembrances") == []
    assert thief(app, copy).get("/api/profile").status_code == 401


def change_password(app: flask.Flask, anna: Browser) -> None:
    body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert anna.write("/api/profile/change-password", body).status_code == 200


def change_role(app: flask.Flask, anna: Browser) -> None:
    with app.app_context():
        found = accounts.find("anna")
        assert found is not None
        standing.set_role(found.id, "teacher")


def deactivate(app: flask.Flask, anna: Browser) -> None:
    with app.app_context():
        found = accounts.find("anna")
        assert found is not None
        standing.deactivate(found.id)


def reset(app: flask.Flask, anna: Browser) -> None:
    assert anna.write("/api/password/forgot", {"email": EMAIL}).status_code == 200
    token = re.search(r"token=(\S+)", notices(app)[-1])
    assert token is not None
    done = anna.write("/api/password/reset", {"token": token[1], "new_password": OTHER_PASSWORD})
    assert done.status_code == 200


def take_back(app: flask.Flask, anna: Browser) -> None:
    """Undo a change of the address, which itself ends nothing."""
    change_address(anna, "new@mail.test")
    assert rows(app, "remembrances") != []
    token = re.search(r"undo\?token=(\S+)", notices(app)[-1])
    assert token is not None
    assert anna.write("/api/account/undo", {"token": token[1]}).status_code == 200


def leave(app: flask.Flask, anna: Browser) -> None:
    assert anna.write("/api/account", method="DELETE").status_code == 200


@pytest.mark.control("ASVS-5.0-7.4.2", "ASVS-5.0-7.4.3")
@pytest.mark.parametrize("act", [change_password, change_role, deactivate, reset, take_back, leave])
def test_what_ends_sessions_ends_it_too(app: flask.Flask, anna: Browser, act: object) -> None:
    laptop = stay(app)
    assert callable(act)
    act(app, anna)
    assert come_back(laptop).status_code == 401
    assert rows(app, "remembrances") == []


def test_they_are_as_many_as_sessions_may_be(new_app: NewApp, sqlite_url: str, clock: Clock) -> None:
    app = offering(new_app, sqlite_url, AEGIS_SESSIONS_PER_ACCOUNT="2")
    browsers = []
    for _ in range(3):
        browsers.append(stay(app))
        clock.advance(1)
    assert [come_back(browser).status_code for browser in browsers] == [401, 200, 200]


def test_old_ones_are_swept_away(app: flask.Flask, anna: Browser, clock: Clock) -> None:
    clock.advance(14 * DAY_S)
    with app.app_context():
        housekeeping.purge()
    assert rows(app, "remembrances") == []


def test_a_made_up_cookie_is_dropped_and_tells_nothing(app: flask.Flask, anna: Browser) -> None:
    [row] = rows(app, "remembrances")
    series = str(kept(anna)).partition(".")[0]
    made_up = f"{'A' * 22}.{'A' * 43}"
    answer = thief(app, made_up).get("/api/profile")
    assert answer.status_code == 401
    assert "remember=;" in str(answer.headers)
    assert come_back(anna).status_code == 200
    assert series not in str(row)


def test_a_dump_of_the_table_signs_nobody_in(app: flask.Flask, anna: Browser) -> None:
    [row] = rows(app, "remembrances")
    series, _, token = str(kept(anna)).partition(".")
    assert not any(secret in str(value) for secret in (series, token) for value in row.values())


def test_with_the_offer_withdrawn_what_was_kept_opens_nothing(new_app: NewApp, sqlite_url: str) -> None:
    anna = stay(offering(new_app, sqlite_url))
    withdrawn = new_app(DATABASE_URL=sqlite_url)
    assert thief(withdrawn, kept(anna)).get("/api/profile").status_code == 401
