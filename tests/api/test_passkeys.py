"""Passkeys through HTTP: who may add one, what signs somebody in, and that each challenge is good once."""

from typing import Any

import flask
import pytest
from werkzeug.test import TestResponse

from aegis.accounts import standing
from tests.authenticator import BACKED_UP, BACKUP_ELIGIBLE, PRESENT, VERIFIED, Authenticator
from tests.factories import PASSWORD, Browser, assert_refused, at_once, copy_of, rows, signed_in
from tests.fixtures import Clock, NewApp

SIGN_IN, ADD, CONFIRM = "/api/login/passkey", "/api/passkeys", "/api/reauthenticate/passkey"


def begin(browser: Browser, path: str) -> dict[str, Any]:
    """Begin a ceremony and return what the browser is given."""
    answer = browser.write(f"{path}/options")
    assert answer.status_code == 200, answer.text
    options: dict[str, Any] = answer.json["publicKey"]
    return options


def add(browser: Browser, authenticator: Authenticator | None = None, **more: Any) -> TestResponse:
    """Add a passkey to the signed-in account."""
    made = (authenticator or Authenticator()).create(begin(browser, ADD))
    return browser.write(ADD, {"credential": made, **more})


def use(browser: Browser, authenticator: Authenticator, path: str = SIGN_IN) -> TestResponse:
    """Sign in, or confirm, with a passkey."""
    return browser.write(path, {"credential": authenticator.get(begin(browser, path))})


@pytest.fixture
def key(anna: Browser) -> Authenticator:
    """Give anna's passkey."""
    authenticator = Authenticator()
    assert add(anna, authenticator, name="phone").status_code == 201
    return authenticator


@pytest.mark.control("ASVS-5.0-6.3.3", "ASVS-5.0-7.2.4")
def test_a_passkey_signs_in_without_a_name_and_counts_as_two_factors(
    app: flask.Flask, key: Authenticator, client: Browser
) -> None:
    answer = use(client, key)

    assert (answer.status_code, answer.json["user"]["username"]) == (200, "anna")
    assert client.get("/api/check_session").json["auth_level"] == 2
    [session] = [row for row in rows(app, "sessions") if row["method"] == "passkey"]
    assert session["auth_level"] == 2


def test_the_session_before_it_ends(app: flask.Flask, key: Authenticator, ben: Browser) -> None:
    old = copy_of(ben, app)
    assert use(ben, key).status_code == 200
    assert ben.get("/api/check_session").json["user"]["username"] == "anna"
    assert not old.is_signed_in()


def test_options_ask_for_a_verified_user_and_name_this_site(anna: Browser) -> None:
    options = begin(anna, ADD)
    assert options["rp"] == {"id": "localhost", "name": "Aegis Academy"}
    assert options["user"]["name"] == "anna"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert begin(anna, SIGN_IN)["userVerification"] == "required"
    assert begin(anna, SIGN_IN).get("allowCredentials", []) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.test"},
        {"origin": "http://localhost.evil.test"},
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"flags": PRESENT | VERIFIED | BACKED_UP},
        {"handle": b"somebody else"},
        {"id": b"unknown"},
        {"_key": Authenticator()._key},
        {"flags": PRESENT | VERIFIED | BACKUP_ELIGIBLE},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_whatever_is_wrong_is_one_answer(key: Authenticator, client: Browser, wrong: dict[str, Any]) -> None:
    """Another site's signature, nobody verified, another key, an unknown one, a credential that changed its kind."""
    right = dict(vars(key))
    vars(key).update(wrong)
    assert_refused(use(client, key), 401, "invalid_credentials")
    vars(key).update(right)
    assert use(client, key).status_code == 200


def test_a_challenge_is_good_once(key: Authenticator, client: Browser) -> None:
    """A copy of all that was sent, cookies included, signs nobody in."""
    signed = key.get(begin(client, SIGN_IN))
    visitor = client.get_cookie("visitor")
    assert visitor is not None
    assert client.write(SIGN_IN, {"credential": signed}).status_code == 200
    client.delete_cookie("session")
    client.set_cookie("visitor", visitor.value)
    assert_refused(client.write(SIGN_IN, {"credential": signed}), 401, "invalid_credentials")


def test_a_challenge_is_good_for_five_minutes(clock: Clock, key: Authenticator, client: Browser) -> None:
    signed = key.get(begin(client, SIGN_IN))
    clock.advance(300)
    assert_refused(client.write(SIGN_IN, {"credential": signed}), 401, "invalid_credentials")
    signed = key.get(begin(client, SIGN_IN))
    clock.advance(299)
    assert client.write(SIGN_IN, {"credential": signed}).status_code == 200


def test_a_challenge_belongs_to_one_browser(app: flask.Flask, key: Authenticator, client: Browser) -> None:
    """Otherwise an attacker could have a victim sign what signs the attacker in."""
    signed = key.get(begin(client, SIGN_IN))
    other = app.test_client()
    begin(other, SIGN_IN)
    assert_refused(other.write(SIGN_IN, {"credential": signed}), 401, "invalid_credentials")
    assert client.write(SIGN_IN, {"credential": signed}).status_code == 200


def test_a_challenge_is_for_one_purpose(anna: Browser, key: Authenticator) -> None:
    signed = key.get(begin(anna, SIGN_IN))
    assert_refused(anna.write(CONFIRM, {"credential": signed}), 401, "invalid_credentials")
    assert use(anna, key, CONFIRM).status_code == 200


def test_a_counter_must_grow_and_none_at_all_is_fine(anna: Browser, client: Browser) -> None:
    counting = Authenticator(counter=5)
    assert add(anna, counting).status_code == 201
    assert_refused(use(client, counting), 401, "invalid_credentials")
    counting.counter = 6
    assert use(client, counting).status_code == 200
    counting.counter = 5
    assert_refused(use(client, counting), 401, "invalid_credentials")


def test_a_deactivated_account_is_the_same_answer(
    app: flask.Flask, key: Authenticator, client: Browser
) -> None:
    with app.app_context():
        standing.deactivate(rows(app, "accounts")[0]["id"])
    assert_refused(use(client, key), 401, "invalid_credentials")


def test_somebody_elses_passkey_confirms_nothing(anna: Browser, ben: Browser, key: Authenticator) -> None:
    assert_refused(use(ben, key, CONFIRM), 401, "invalid_credentials")
    assert use(anna, key, CONFIRM).status_code == 200


@pytest.mark.control("ASVS-5.0-7.2.4", "ASVS-5.0-7.5.3")
def test_confirming_renews_the_token_and_raises_the_level(
    app: flask.Flask, clock: Clock, anna: Browser, key: Authenticator
) -> None:
    old = copy_of(anna, app)
    clock.advance(600)
    assert_refused(anna.write(f"{ADD}/options"), 401, "reauthentication_required")
    assert use(anna, key, CONFIRM).status_code == 200
    assert anna.write(f"{ADD}/options").status_code == 200
    assert anna.get("/api/check_session").json["auth_level"] == 2
    assert not old.is_signed_in()


def test_adding_and_removing_need_a_fresh_sign_in(clock: Clock, anna: Browser, key: Authenticator) -> None:
    [listed] = anna.get(ADD).json["passkeys"]
    made = Authenticator().create(begin(anna, ADD))
    clock.advance(600)
    assert_refused(anna.write(ADD, {"credential": made}), 401, "reauthentication_required")
    path = f"{ADD}/{listed['id']}"
    assert_refused(anna.write(path, method="DELETE"), 401, "reauthentication_required")
    assert anna.write("/api/reauthenticate", {"password": PASSWORD}).status_code == 200
    assert anna.write(path, method="DELETE").status_code == 200
    assert anna.get(ADD).json["passkeys"] == []


def test_own_passkeys_are_listed_named_and_removed_and_no_others(
    anna: Browser, ben: Browser, key: Authenticator
) -> None:
    [listed] = anna.get(ADD).json["passkeys"]
    path = f"{ADD}/{listed['id']}"
    assert (listed["name"], listed["is_synced"], listed["last_used_at"]) == ("phone", False, None)
    assert ben.get(ADD).json["passkeys"] == []
    for refused in (ben.write(path, {"name": "x"}, method="PATCH"), ben.write(path, method="DELETE")):
        assert_refused(refused, 404, "not_found")
    assert anna.write(path, {"name": "  my   phone "}, method="PATCH").status_code == 200
    assert anna.get(ADD).json["passkeys"][0]["name"] == "my phone"


def test_a_synced_passkey_is_told_as_such(anna: Browser) -> None:
    added = add(anna, Authenticator(flags=PRESENT | VERIFIED | BACKUP_ELIGIBLE | BACKED_UP))
    assert added.json["is_synced"]


def test_one_credential_belongs_to_one_account(anna: Browser, ben: Browser, key: Authenticator) -> None:
    assert_refused(add(ben, key), 400, "invalid_input")
    assert_refused(add(anna, key), 400, "invalid_input")
    assert add(ben, Authenticator()).status_code == 201


def test_there_is_a_maximum(anna: Browser) -> None:
    for _ in range(20):
        assert add(anna).status_code == 201
    assert_refused(anna.write(f"{ADD}/options"), 409, "conflict")


@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"rawId": 1},
        {"rawId": "é"},
        {"rawId": "!" * 43, "id": "x", "type": "public-key", "response": {}},
        {"rawId": "A" * 43, "id": "A" * 43, "type": "public-key", "response": {"clientDataJSON": "e30"}},
        {"rawId": "A" * 43, "id": "A" * 43, "type": "public-key", "response": []},
    ],
    ids=range(6),
)
def test_a_malformed_credential_is_refused(
    anna: Browser, client: Browser, credential: dict[str, Any]
) -> None:
    begin(anna, ADD)
    assert_refused(anna.write(ADD, {"credential": credential}), 400, "invalid_input")
    begin(client, SIGN_IN)
    assert_refused(client.write(SIGN_IN, {"credential": credential}), 401, "invalid_credentials")


def test_guesses_at_one_address_end(key: Authenticator, client: Browser) -> None:
    answers = [client.write(SIGN_IN, {"credential": {}}).status_code for _ in range(21)]
    assert answers == [401] * 20 + [429]


def test_without_a_public_address_passkeys_are_off(new_production_app: NewApp) -> None:
    """They are bound to the address for ever, so a guess from a Host header would be no good."""
    off = new_production_app().test_client()
    assert_refused(off.write(f"{SIGN_IN}/options"), 404, "not_found")
    assert "passkey" not in off.page("/login").text
    on = new_production_app(AEGIS_URL="https://localhost").test_client()
    assert begin(on, SIGN_IN)["rpId"] == "localhost"
    assert "Sign in with a passkey" in on.page("/login").text


def test_two_browsers_that_send_one_answer_at_once_are_one_sign_in(
    new_app: NewApp, migrated_url: str
) -> None:
    app = new_app(DATABASE_URL=migrated_url, AEGIS_DATABASE_TIMEOUT="20")
    key, thief = Authenticator(), app.test_client()
    assert add(signed_in(app, "anna"), key).status_code == 201
    signed = key.get(begin(thief, SIGN_IN))
    visitor = thief.get_cookie("visitor")
    assert visitor is not None
    copies = [app.test_client() for _ in range(6)]
    for copy in copies:
        copy.set_cookie("visitor", visitor.value)
        copy.get("/csrf-token")
    answers = at_once([lambda copy=copy: copy.write(SIGN_IN, {"credential": signed}) for copy in copies])

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5
    assert len([row for row in rows(app, "sessions") if row["method"] == "passkey"]) == 1
