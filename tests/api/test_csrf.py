"""Writes that other sites make a browser send are refused, whoever is signed in; each refusal beside the same request that works."""

import re

import flask
import pytest

from aegis import csrf, login_required
from tests.factories import (
    OTHER_PASSWORD,
    PASSWORD,
    Browser,
    add_account,
    assert_refused,
    copy_of,
    form_to,
    forms,
    rows,
    signed_in,
)
from tests.fixtures import PUBLIC_URL, Clock, NewApp

PATH = "/api/profile"


def bio(app: flask.Flask, username: str = "anna") -> str:
    """Return what the database holds of what the tests try to change."""
    [found] = [row["bio"] for row in rows(app, "accounts") if row["username"] == username]
    return str(found)


def send(browser: Browser, token: str | None, text: str = "changed", **headers: str) -> flask.Response:
    """Try to change the profile."""
    sent = {**headers, **({} if token is None else {"X-CSRFToken": token})}
    return browser.post(PATH, json={"bio": text}, headers=sent)


# The token


@pytest.mark.control("ASVS-5.0-3.5.1", "CS-CSRF-5", "NIST-63B4-5.1-3")
@pytest.mark.parametrize("token", [None, "", "x", ".", "~~~~", "a.b", "s~a~b~1~c.d", "é" * 20, "0" * 10_000])
def test_a_write_without_a_token_of_ours_is_refused(
    app: flask.Flask, anna: Browser, token: str | None
) -> None:
    raw = None if token is None else token.encode().decode("latin-1")
    assert_refused(send(anna, raw), 400, "csrf_failed")
    assert bio(app) == ""

    assert send(anna, anna.token()).status_code == 200
    assert bio(app) == "changed"


@pytest.mark.control("ASVS-5.0-3.5.1", "NIST-63B4-5.1-3", "CS-CSRF-1", "ASVS-5.0-9.1.1")
def test_a_token_that_was_changed_anywhere_is_refused(app: flask.Flask, anna: Browser) -> None:
    token = anna.token()
    for place in range(0, len(token), 7):
        other = "A" if token[place] != "A" else "B"
        assert_refused(send(anna, token[:place] + other + token[place + 1 :]), 400, "csrf_failed")
    for form in (token[:-1], token + "A", token.rpartition(".")[0], token.swapcase(), "." + token):
        assert_refused(send(anna, form), 400, "csrf_failed")
    assert bio(app) == ""

    assert send(anna, token).status_code == 200


@pytest.mark.control("ASVS-5.0-3.5.1", "NIST-63B4-5.1-3", "CS-CSRF-1")
def test_a_token_of_somebody_else_is_refused(app: flask.Flask, anna: Browser, ben: Browser) -> None:
    token = ben.token()
    assert_refused(send(anna, token), 400, "csrf_failed")
    assert bio(app) == ""

    assert send(ben, token).status_code == 200


@pytest.mark.control("ASVS-5.0-3.5.1", "NIST-63B4-5.1-3")
def test_a_token_of_another_live_session_of_the_same_person_is_refused(
    app: flask.Flask, anna: Browser
) -> None:
    """It may have been read from a lost laptop; only an ended session's form is helped on."""
    other = app.test_client()
    other.sign_in("anna")
    token = other.token()
    assert_refused(send(anna, token), 400, "csrf_failed")

    assert send(other, token).status_code == 200
    assert bio(app) == "changed"


@pytest.mark.control("ASVS-5.0-3.5.1", "NIST-63B4-5.1-3")
def test_a_token_from_before_signing_in_is_refused_afterwards(app: flask.Flask) -> None:
    add_account(app, "anna")
    browser = app.test_client()
    before = browser.token()
    assert browser.sign_in("anna").status_code == 200
    assert_refused(send(browser, before), 400, "csrf_failed")
    assert bio(app) == ""

    assert send(browser, browser.token()).status_code == 200


@pytest.mark.control("ASVS-5.0-3.5.1")
def test_a_visitors_token_belongs_to_the_visitors_browser(app: flask.Flask, client: Browser) -> None:
    newcomer = {"username": "carol", "password": PASSWORD}
    stranger = app.test_client()
    stranger.token()
    for browser in (stranger, app.test_client()):
        refused = browser.post("/api/register", json=newcomer, headers={"X-CSRFToken": client.token()})
        assert_refused(refused, 400, "csrf_failed")
    assert rows(app, "accounts") == []

    assert client.write("/api/register", newcomer).status_code == 201


@pytest.mark.control("ASVS-5.0-3.5.1")
def test_a_token_of_an_attackers_own_session_helps_against_no_visitor(app: flask.Flask, ben: Browser) -> None:
    newcomer = {"username": "carol", "password": PASSWORD}
    victim = app.test_client()
    for token in (ben.token(), ben.token()):
        refused = victim.post("/api/register", json=newcomer, headers={"X-CSRFToken": token})
        assert_refused(refused, 400, "csrf_failed")
        form = {"username": "ben", "password": PASSWORD, "csrf_token": token}
        assert_refused(victim.post("/login", data=form), 400, "csrf_failed")
        assert_refused(victim.post("/register", data=form), 400, "csrf_failed")

    assert len(rows(app, "accounts")) == 1
    assert len(rows(app, "sessions")) == 1
    assert victim.write("/api/register", newcomer).status_code == 201


@pytest.mark.control("CS-CSRF-1")
def test_tokens_are_never_the_same_and_hold_nothing_secret(anna: Browser, client: Browser) -> None:
    tokens = {browser.token() for browser in (anna, client) for _ in range(50)}
    assert len(tokens) == 100
    secrets = {str(anna.session_cookie()), str(client.get_cookie("visitor").value)}
    assert not any(secret in token for secret in secrets for token in tokens)


def test_every_open_tab_keeps_its_token(app: flask.Flask, anna: Browser) -> None:
    tabs = [form_to(anna.page("/profile"), "/profile") for _ in range(5)]
    for number, form in enumerate(tabs):
        assert anna.post("/profile", data={**form, "bio": f"tab {number}"}).status_code == 303
        assert bio(app) == f"tab {number}"
    for number, form in enumerate(reversed(tabs)):
        assert anna.post("/profile", data={**form, "bio": f"again {number}"}).status_code == 303


def test_a_new_token_of_the_same_session_changes_nothing_for_open_forms(
    app: flask.Flask, anna: Browser
) -> None:
    token = anna.token()
    assert anna.write("/api/reauthenticate", {"password": PASSWORD}).status_code == 200
    assert send(anna, token).status_code == 200
    change = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert anna.write("/api/profile/change-password", change).status_code == 200

    assert send(anna, token, "and again").status_code == 200
    assert bio(app) == "and again"


# A token outlives its session, for its owner alone


def test_an_ended_sessions_form_is_good_in_the_owners_next_session(
    app: flask.Flask, clock: Clock, anna: Browser
) -> None:
    token = anna.token()
    clock.advance(3600)
    assert_refused(send(anna, token), 401, "not_authenticated")
    assert bio(app) == ""
    anna.sign_in()

    assert send(anna, token).status_code == 200


def test_an_ended_sessions_form_is_good_for_a_day(clock: Clock, anna: Browser) -> None:
    token = anna.token()
    clock.advance(86_400 - 1)
    anna.sign_in()
    assert send(anna, token).status_code == 200
    clock.advance(1)

    assert_refused(send(anna, token), 400, "csrf_failed")
    assert send(anna, anna.token()).status_code == 200


@pytest.mark.control("NIST-63B4-5.1-3")
def test_an_ended_sessions_form_is_nothing_to_anybody_else(
    app: flask.Flask, clock: Clock, anna: Browser, ben: Browser
) -> None:
    token = anna.token()
    anna.write("/api/logout")
    assert_refused(send(ben, token), 400, "csrf_failed")
    assert bio(app, "ben") == ""

    anna.sign_in()
    assert send(anna, token).status_code == 200


def test_a_token_of_the_live_session_lasts_as_long_as_the_session(clock: Clock, anna: Browser) -> None:
    token = anna.token()
    for _ in range(24):
        clock.advance(1799)
        assert send(anna, token).status_code == 200


# Where the token may stand


@pytest.mark.control("ASVS-5.0-15.3.7", "CS-CSRF-1")
def test_the_token_counts_as_header_or_form_field_only(app: flask.Flask, anna: Browser) -> None:
    token = anna.token()
    for refused in (
        anna.post(f"{PATH}?csrf_token={token}", json={"bio": "x"}),
        anna.post(PATH, json={"bio": "x", "csrf_token": token}),
        anna.post(PATH, json={"bio": "x"}, headers={"X-XSRF-Token": token}),
        anna.post(f"/profile?csrf_token={token}", data={"bio": "x"}),
        anna.post("/profile", data={"bio": "x", "X-CSRFToken": token}),
    ):
        assert_refused(refused, 400, "csrf_failed")
    anna.set_cookie("csrf_token", token)
    assert_refused(anna.post("/profile", data={"bio": "x"}), 400, "csrf_failed")
    assert bio(app) == ""

    for good in (
        anna.post(PATH, json={"bio": "x"}, headers={"X-CSRFToken": token}),
        anna.post(PATH, json={"bio": "x"}, headers={"X-CsrfToken": token}),
        anna.post("/profile", data={"bio": "x", "csrf_token": token}),
        anna.post("/profile", data={"bio": "x", "csrf_token": token}, content_type="multipart/form-data"),
        anna.post("/profile", data={"bio": "x"}, headers={"X-CSRFToken": token}),
    ):
        assert good.status_code in {200, 303}


@pytest.mark.control("ASVS-5.0-3.5.2")
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "text/json",
        "application/jsonp",
        "application/json-patch",
        "text/html;application/json",
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "",
        "é",
    ],
)
@pytest.mark.parametrize("path", [PATH, "/api/login", "/api/register"])
def test_json_is_read_under_json_types_alone(
    app: flask.Flask, anna: Browser, path: str, content_type: str
) -> None:
    """What a form of another site can send without asking first (CORS preflight) is never taken for JSON."""
    headers = {"X-CSRFToken": anna.token(), "Content-Type": content_type}
    body = '{"bio": "x", "username": "carol", "password": "x"}'
    assert_refused(anna.post(path, data=body, headers=headers), 415, "unsupported_media_type")
    assert bio(app) == ""


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF8",
        'application/json; charset="utf-8"',
        "application/merge-patch+json",
        "application/problem+json",
    ],
)
def test_json_types_in_all_spellings_are_read(app: flask.Flask, anna: Browser, content_type: str) -> None:
    headers = {"X-CSRFToken": anna.token(), "Content-Type": content_type}
    assert anna.post(PATH, data='{"bio": "x"}', headers=headers).status_code == 200
    assert bio(app) == "x"


# What the browser says of the sending page

OWN, EVIL = "http://localhost", "https://evil.test"
TABLE = [
    ({}, True),
    ({"Origin": OWN}, True),
    ({"Origin": OWN, "Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "none"}, True),
    ({"Referer": f"{OWN}/profile?x=1"}, True),
    ({"Sec-Fetch-Site": "same-origin", "Referer": EVIL}, True),
    ({"Origin": OWN, "Referer": EVIL}, True),
    ({"Origin": EVIL}, False),
    ({"Origin": "null"}, False),
    ({"Origin": ""}, False),
    ({"Origin": "http://localhost:81"}, False),
    ({"Origin": "http://localhost.evil.test"}, False),
    ({"Origin": "http://evil.test/localhost"}, False),
    ({"Origin": "http://localhost@evil.test"}, False),
    ({"Origin": "http://evil.test#localhost"}, False),
    ({"Origin": "http://evillocalhost"}, False),
    ({"Origin": "localhost"}, False),
    ({"Origin": "http://["}, False),
    ({"Origin": "http://localhost:port"}, False),
    ({"Origin": f"{OWN}, {EVIL}"}, False),
    ({"Origin": EVIL, "Sec-Fetch-Site": "same-origin"}, False),
    ({"Origin": OWN, "Sec-Fetch-Site": "cross-site"}, False),
    ({"Sec-Fetch-Site": "cross-site"}, False),
    ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": "unheard-of"}, False),
    ({"Sec-Fetch-Site": ""}, False),
    ({"Sec-Fetch-Site": "same-origin, cross-site"}, False),
    ({"Referer": EVIL}, False),
    ({"Referer": f"{EVIL}/{OWN}"}, False),
    ({"Referer": f"{EVIL}/?{OWN}"}, False),
    ({"Referer": "about:blank"}, False),
    ({"Referer": ""}, False),
]


@pytest.mark.control("CS-CSRF-2", "CS-CSRF-3", "CS-CSRF-5", "ASVS-5.0-3.5.1")
@pytest.mark.parametrize(("headers", "allowed"), TABLE, ids=range(len(TABLE)))
def test_the_sending_page_is_judged_even_with_a_good_token(
    app: flask.Flask, anna: Browser, headers: dict[str, str], allowed: bool
) -> None:
    answer = send(anna, anna.token(), **headers)
    if allowed:
        assert answer.status_code == 200
    else:
        assert_refused(answer, 400, "csrf_failed")

    assert bio(app) == ("changed" if allowed else "")


@pytest.mark.control("CS-CSRF-2", "CS-CSRF-3", "NIST-63B4-5.1-3")
@pytest.mark.parametrize(("headers", "allowed"), TABLE, ids=range(len(TABLE)))
def test_a_good_sender_is_no_replacement_for_the_token(
    app: flask.Flask, anna: Browser, headers: dict[str, str], allowed: bool
) -> None:
    assert_refused(send(anna, None, **headers), 400, "csrf_failed")
    assert bio(app) == ""


PUBLIC_TABLE = [
    (PUBLIC_URL, True),
    (PUBLIC_URL + ":443", True),
    (PUBLIC_URL.upper(), True),
    (PUBLIC_URL + ":8443", False),
    (PUBLIC_URL.replace("https", "http"), False),
    (PUBLIC_URL.replace("platform", "other.platform"), False),
    (PUBLIC_URL + ".evil.test", False),
    ("null", False),
]


@pytest.mark.control("CS-CSRF-2", "CS-CSRF-3")
@pytest.mark.parametrize(("origin", "allowed"), PUBLIC_TABLE, ids=range(len(PUBLIC_TABLE)))
def test_with_a_public_address_scheme_host_and_port_count(
    new_production_app: NewApp, origin: str, allowed: bool
) -> None:
    app = new_production_app(AEGIS_URL=PUBLIC_URL)
    app.config["SERVER_NAME"] = "platform.test"
    anna = signed_in(app, "anna")
    for headers in ({"Origin": origin}, {"Referer": origin + "/profile"}):
        answer = send(anna, anna.token(), **headers)
        if allowed:
            assert answer.status_code == 200
        else:
            assert_refused(answer, 400, "csrf_failed")


# Signing in


@pytest.mark.control("CS-CSRF-4", "ASVS-5.0-3.5.1")
def test_a_script_signs_in_without_a_token_and_a_browser_does_not(app: flask.Flask) -> None:
    add_account(app, "anna")
    body = {"username": "anna", "password": PASSWORD}
    for headers in (
        {"Origin": OWN},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Referer": OWN + "/login"},
        {"Origin": EVIL},
        {"Referer": EVIL},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        browser = app.test_client()
        assert_refused(browser.post("/api/login", json=body, headers=headers), 400, "csrf_failed")
        assert browser.session_cookie() is None
        token = browser.token()
        with_token = browser.post("/api/login", json=body, headers={**headers, "X-CSRFToken": token})
        is_own = headers.get("Origin", OWN) == OWN and "cross-site" not in headers.values()
        assert with_token.status_code == (200 if is_own and EVIL not in headers.values() else 400)
    assert app.test_client().post("/api/login", json=body).status_code == 200


@pytest.mark.control("CS-CSRF-4")
def test_only_the_login_of_the_api_spares_scripts_the_token(app: flask.Flask) -> None:
    spared = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if hasattr(app.view_functions[rule.endpoint], "csrf_spares_scripts")
    }
    assert spared == {"/api/login"}


@pytest.mark.control("CS-CSRF-4")
def test_the_login_page_needs_its_token_from_everybody(app: flask.Flask) -> None:
    add_account(app, "anna")
    browser = app.test_client()
    typed = {"username": "anna", "password": PASSWORD}
    assert_refused(browser.post("/login", data=typed), 400, "csrf_failed")
    assert_refused(browser.post("/login", data={**typed, "csrf_token": "x"}), 400, "csrf_failed")
    assert browser.session_cookie() is None

    assert (
        browser.post("/login", data={**form_to(browser.page("/login"), "/login"), **typed}).status_code == 303
    )
    assert browser.is_signed_in()


# Every view, without exception


def write_routes(app: flask.Flask) -> list[tuple[str, str, str]]:
    """Return method, path and endpoint of everything that is no read."""
    return [
        (method, re.sub(r"<[^>]+>", "x" * 22, rule.rule.replace("<slug>", "locks")), rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods - csrf.SAFE_METHODS)
    ]


@pytest.mark.control("ASVS-5.0-3.5.1", "CS-CSRF-5")
def test_every_write_of_the_platform_is_refused_without_a_token(app: flask.Flask, anna: Browser) -> None:
    tried = write_routes(app)
    assert len(tried) > 15
    before = {table: rows(app, table) for table in ("accounts", "sessions", "enrolments")}
    for method, path, _ in tried:
        for answer in (
            anna.open(path, method=method, json={}, headers={"Origin": OWN}),
            anna.open(path, method=method, data={}, headers={"Origin": OWN}),
        ):
            assert_refused(answer, 400, "csrf_failed")
        cross = {"X-CSRFToken": anna.token(), "Sec-Fetch-Site": "cross-site"}
        assert_refused(anna.open(path, method=method, json={}, headers=cross), 400, "csrf_failed")
        past = anna.open(path, method=method, headers={"X-CSRFToken": anna.token()}, data={"x": "x"})
        assert "no longer valid" not in past.text, path
        anna = copy_of(anna) if anna.session_cookie() else signed_in(app, f"anna{len(path)}{method.lower()}")
    assert rows(app, "enrolments") == before["enrolments"]


def test_the_views_without_any_check_are_exactly_these(app: flask.Flask) -> None:
    """A new exemption needs a reason, and a place in this list."""
    exempt = {
        endpoint: view.csrf_exempt
        for endpoint, view in app.view_functions.items()
        if hasattr(view, "csrf_exempt")
    }
    assert exempt == {}


def test_a_view_of_the_host_is_guarded_unless_it_says_why_not(new_app: NewApp) -> None:
    app = new_app()
    app.post("/guarded")(lambda: "done")
    app.post("/open", endpoint="open")(csrf.exempt(reason="signed by its sender")(lambda: "done"))
    blueprint = flask.Blueprint("host", __name__)
    blueprint.route("/in-blueprint", methods=["PUT", "PATCH", "DELETE"])(login_required(lambda: "done"))
    app.register_blueprint(blueprint)
    anna = signed_in(app, "anna")

    assert_refused(anna.post("/guarded"), 400, "csrf_failed")
    assert anna.write("/guarded").data == b"done"
    assert anna.post("/open", headers={"Origin": EVIL}).data == b"done"
    for method in ("PUT", "PATCH", "DELETE"):
        assert_refused(anna.open("/in-blueprint", method=method), 400, "csrf_failed")
        assert anna.write("/in-blueprint", method=method).data == b"done"


@pytest.mark.control("ASVS-5.0-3.5.3")
@pytest.mark.parametrize("trick", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_read_never_becomes_a_write(app: flask.Flask, anna: Browser, trick: str) -> None:
    before = {table: rows(app, table) for table in ("accounts", "sessions")}
    for method, path, _ in write_routes(app):
        for read in ("GET", "HEAD", "OPTIONS", "TRACE"):
            query = {"_method": method, "bio": "x", "csrf_token": anna.token()}
            answer = anna.open(path, method=read, headers={trick: method}, query_string=query)
            assert answer.status_code < 500
    assert {table: rows(app, table) for table in before} == before
    assert anna.is_signed_in()


def test_every_form_of_every_page_carries_a_token(anna: Browser, client: Browser) -> None:
    for browser, paths in (
        (anna, ("/", "/profile", "/account/security", "/reauthenticate")),
        (client, ("/login", "/register")),
    ):
        for path in paths:
            found = [form for form in forms(browser.page(path)) if form.action]
            assert found or path == "/"
            assert all(form["csrf_token"] for form in found)
