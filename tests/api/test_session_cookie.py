"""The cookie of a session: what it says, how it is deleted, and what is made of whatever else arrives under its name."""

import base64
import secrets

import flask
import pytest

from aegis.schema import metadata
from aegis.tokens import hash_token
from tests.factories import (
    JUNK_TOKENS,
    OTHER_PASSWORD,
    PASSWORD,
    TOKEN,
    Browser,
    add_account,
    copy_of,
    rows,
    set_cookies,
    signed_in,
)
from tests.fixtures import NewApp
from tests.properties import HealthCheck, given, settings, st

SESSION = "__Host-session"
ATTRIBUTES = {"secure": True, "httponly": True, "path": "/", "samesite": "Lax"}


# What the token is


@pytest.mark.control("ASVS-5.0-7.2.2", "ASVS-5.0-7.2.3", "ASVS-5.0-11.5.1", "NIST-63B4-5.1-1")
def test_each_sign_in_gives_a_new_token_of_256_bits(app: flask.Flask) -> None:
    add_account(app, "anna")
    tokens = set()
    for _ in range(5):
        browser = app.test_client()
        browser.sign_in("anna")
        tokens.add(browser.session_cookie())

    assert len(tokens) == 5
    assert all(TOKEN.fullmatch(token) for token in tokens)


@pytest.mark.control("ASVS-5.0-14.2.4", "ASVS-5.0-7.2.1")
def test_the_database_holds_the_hash_of_the_token_and_nowhere_the_token(
    app: flask.Flask, anna: Browser
) -> None:
    token = str(anna.session_cookie())
    assert anna.is_signed_in()

    [record] = rows(app, "sessions")
    everything = repr({name: rows(app, name) for name in metadata.tables})
    assert record["token_hash"] == hash_token(token)
    assert repr(hash_token(token)) in everything  # the search below would have found the token
    assert token not in everything


@pytest.mark.control("ASVS-5.0-3.3.4", "ASVS-5.0-14.2.1")
def test_the_token_appears_nowhere_but_in_its_set_cookie(app: flask.Flask, anna: Browser) -> None:
    token = str(anna.session_cookie())
    paths = ["/", "/profile", "/account/security", "/csrf-token"]
    paths += ["/api/profile", "/api/sessions", "/api/check_session", "/auth/check", "/nothing-here"]
    for path in paths:
        for answer in (anna.get(path), anna.page(path)):
            assert token not in answer.text
            assert token not in str(answer.headers)


@pytest.mark.control("CS-SESSION-3")
def test_a_token_counts_in_its_cookie_only(app: flask.Flask, anna: Browser) -> None:
    token, client = anna.session_cookie(), app.test_client(use_cookies=False)
    path = f"/api/check_session?session={token}&token={token}"
    headers = {"Authorization": f"Bearer {token}", "session": str(token), "X-Session": str(token)}

    assert client.get(path, headers=headers).status_code == 401
    assert client.get(path, headers={"Cookie": f"session={token}"}).status_code == 200


# Its attributes


@pytest.mark.control(
    "ASVS-5.0-3.3.1",
    "ASVS-5.0-3.3.2",
    "ASVS-5.0-3.3.3",
    "NIST-63B4-5.1.1-1",
    "RFC-6265BIS-1",
    "RFC-6265BIS-2",
    "CS-SESSION-1",
    "NIST-63B4-5.1-2",
)
def test_in_production_the_cookie_is_bound_to_host_and_https_and_ends_with_the_browser(
    production_app: flask.Flask,
) -> None:
    add_account(production_app, "anna")
    answer = production_app.test_client().sign_in("anna")

    cookie = set_cookies(answer)[SESSION]
    assert TOKEN.fullmatch(cookie.pop("value"))
    assert cookie == ATTRIBUTES


@pytest.mark.control("ASVS-5.0-3.3.1", "ASVS-5.0-3.3.2", "ASVS-5.0-3.3.3", "ASVS-5.0-3.3.5", "RFC-6265BIS-4")
def test_in_production_every_cookie_is_as_narrow(production_app: flask.Flask) -> None:
    add_account(production_app, "anna")
    client, seen = production_app.test_client(), {}
    for answer in (
        client.page("/login"),
        client.sign_in("anna"),
        client.write("/api/reauthenticate", {"password": PASSWORD}),
        client.submit("/profile", display_name="Anna", bio=""),
        client.write("/api/logout"),
    ):
        assert answer.status_code < 400, answer.text
        for line in answer.headers.getlist("Set-Cookie"):
            assert len(line.partition(";")[0]) <= 4096
        for name, cookie in set_cookies(answer).items():
            seen[name] = True
            assert name.startswith("__Host-")
            assert {key: cookie.get(key) for key in ATTRIBUTES} == ATTRIBUTES
            assert "domain" not in cookie
            assert int(cookie.get("max-age", 0)) <= 400 * 86_400
    assert set(seen) == {"__Host-session", "__Host-visitor", "__Host-device"}


def test_in_development_the_cookie_works_without_https(app: flask.Flask) -> None:
    add_account(app, "anna")
    cookie = set_cookies(app.test_client().sign_in("anna"))["session"]

    assert TOKEN.fullmatch(cookie.pop("value"))
    assert cookie == {key: value for key, value in ATTRIBUTES.items() if key != "secure"}


@pytest.mark.control("NIST-63B4-5.1.1-1", "ASVS-5.0-14.3.3")
def test_no_cookie_tells_anything_of_the_person(production_app: flask.Flask) -> None:
    add_account(production_app, "anna", email="anna@mail.test")
    client = production_app.test_client()
    client.page("/login")
    client.sign_in("anna")
    client.submit("/profile", display_name="Grace Hopper", bio="")

    values = [client.get_cookie(f"__Host-{name}").value for name in ("session", "visitor", "device")]
    decoded = []
    for value in values:
        for part in value.split("."):
            padded = part + "=" * (-len(part) % 4)
            decoded.append(base64.urlsafe_b64decode(padded).lower())
    assert any(b"seed" in part for part in decoded)
    for secret in (b"anna", b"grace", b"hopper", b"mail"):
        assert not any(secret in part for part in decoded)


@pytest.mark.control("RFC-6265BIS-3", "RFC-6265BIS-2")
@pytest.mark.parametrize("how", ["/api/logout", "/logout", "own session"])
def test_the_deletion_repeats_the_attributes_of_the_cookie(production_app: flask.Flask, how: str) -> None:
    add_account(production_app, "anna")
    client = production_app.test_client()
    given = set_cookies(client.sign_in("anna"))[SESSION]
    if how == "own session":
        [listed] = client.get("/api/sessions").json["sessions"]
        answer = client.write(f"/api/sessions/{listed['id']}", method="DELETE")
    else:
        answer = client.write(how)

    deleted = set_cookies(answer)[SESSION]
    assert answer.status_code == 200
    assert deleted.pop("value") == ""
    assert deleted.pop("max-age") == "0"
    del deleted["expires"]  # for browsers that do not know Max-Age
    assert deleted == {key: value for key, value in given.items() if key != "value"}
    assert client.session_cookie() is None


# What else arrives under its name


@pytest.mark.parametrize("junk", JUNK_TOKENS, ids=range(len(JUNK_TOKENS)))
@pytest.mark.parametrize("path", ["/api/check_session", "/auth/check", "/api/profile"])
def test_what_is_no_token_is_a_visitor(app: flask.Flask, path: str, junk: str) -> None:
    raw = f"session={junk}".encode().decode("latin-1")
    answer = app.test_client(use_cookies=False).get(path, headers={"Cookie": raw})

    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("junk", JUNK_TOKENS, ids=range(len(JUNK_TOKENS)))
def test_junk_beside_the_token_does_not_keep_its_owner_out(
    app: flask.Flask, anna: Browser, junk: str
) -> None:
    raw = f"session={junk}; session={anna.session_cookie()}; session=".encode().decode("latin-1")

    client = app.test_client(use_cookies=False)
    assert client.get("/api/check_session", headers={"Cookie": raw}).status_code == 200


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=200))
def test_no_cookie_header_is_an_error(app: flask.Flask, text: str) -> None:
    client = app.test_client(use_cookies=False)
    for header in (text, f"session={text}", f"session={text}; session={text}"):
        assert client.get("/api/check_session", headers={"Cookie": header}).status_code == 401
        assert client.get("/auth/check", headers={"Cookie": header}).status_code == 401


@pytest.mark.parametrize("order", [0, 1])
def test_two_tokens_are_no_choice_between_two_people(
    app: flask.Flask, anna: Browser, ben: Browser, order: int
) -> None:
    both = [f"session={browser.session_cookie()}" for browser in (anna, ben)]
    mixed = "; ".join(both if order else reversed(both))
    for path in ("/api/check_session", "/auth/check", "/api/profile"):
        assert app.test_client(use_cookies=False).get(path, headers={"Cookie": mixed}).status_code == 401

    assert anna.is_signed_in()
    assert ben.is_signed_in()


def test_the_same_token_twice_is_one(app: flask.Flask, anna: Browser) -> None:
    twice = "; ".join([f"session={anna.session_cookie()}"] * 2)

    client = app.test_client(use_cookies=False)
    assert client.get("/api/check_session", headers={"Cookie": twice}).json["is_authenticated"]


def test_a_cookie_of_another_name_is_not_ours(production_app: flask.Flask) -> None:
    anna = signed_in(production_app, "anna")
    token, client = anna.session_cookie(), production_app.test_client(use_cookies=False)
    for name in ("session", "__Host-session2", "x__Host-session", "__host-session", "__Secure-session"):
        answer = client.get("/api/check_session", headers={"Cookie": f"{name}={token}"})
        assert answer.status_code == 401, name

    assert anna.is_signed_in()


@pytest.mark.control("CS-SESSION-2", "ASVS-5.0-7.2.4", "NIST-63B4-5.1-1")
def test_a_token_that_the_server_did_not_issue_is_never_adopted(app: flask.Flask) -> None:
    add_account(app, "anna")
    planted, client = secrets.token_urlsafe(32), app.test_client()
    client.set_cookie("session", planted)
    assert client.sign_in("anna").status_code == 200

    assert client.session_cookie() != planted
    assert client.is_signed_in()
    client.set_cookie("session", planted)
    assert not client.is_signed_in()


# When it changes


@pytest.mark.control("ASVS-5.0-7.2.4", "CS-SESSION-4", "ASVS-5.0-7.4.1")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/login", {"username": "anna", "password": PASSWORD}),
        ("/api/reauthenticate", {"password": PASSWORD}),
        (
            "/api/profile/change-password",
            {"current_password": PASSWORD, "new_password": OTHER_PASSWORD},
        ),
        ("/login", {"username": "anna", "password": PASSWORD}),
        ("/reauthenticate", {"password": PASSWORD}),
        ("/account/password", {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}),
    ],
)
def test_the_token_is_new_after_each_proof_of_identity_and_the_old_one_dead(
    app: flask.Flask, anna: Browser, path: str, body: dict[str, str]
) -> None:
    old, copy = anna.session_cookie(), copy_of(anna)
    assert copy.is_signed_in()
    answer = anna.write(path, body) if path.startswith("/api") else anna.submit(path, **body)

    assert answer.status_code in {200, 303}
    assert anna.session_cookie() != old
    assert anna.is_signed_in()
    assert not copy.is_signed_in()
    assert len(rows(app, "sessions")) == 1


@pytest.mark.control("ASVS-5.0-3.5.3", "ASVS-5.0-7.6.2")
def test_reading_sets_no_cookie_and_starts_no_session(app: flask.Flask, anna: Browser) -> None:
    before = rows(app, "sessions")
    for rule in app.url_map.iter_rules():
        if "GET" in rule.methods and not rule.arguments and rule.rule not in {"/csrf-token", "/login"}:
            for answer in (anna.get(rule.rule), anna.page(rule.rule), anna.head(rule.rule)):
                assert answer.status_code < 500, rule.rule
                assert "Set-Cookie" not in answer.headers, rule.rule

    assert rows(app, "sessions") == before
    assert anna.is_signed_in()


def test_the_form_token_needs_a_cookie_from_a_visitor_alone(anna: Browser, client: Browser) -> None:
    assert "Set-Cookie" not in anna.get("/csrf-token").headers
    assert set(set_cookies(client.get("/csrf-token"))) == {"visitor"}
    assert "Set-Cookie" not in client.get("/csrf-token").headers


def test_samesite_follows_its_setting_for_cookie_and_deletion(
    new_production_app: NewApp,
) -> None:
    app = new_production_app(SESSION_COOKIE_SAMESITE="Strict")
    add_account(app, "anna")
    client = app.test_client()

    assert set_cookies(client.sign_in("anna"))[SESSION]["samesite"] == "Strict"
    assert set_cookies(client.write("/api/logout"))[SESSION]["samesite"] == "Strict"
