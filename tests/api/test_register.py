"""Creating an account: one for all spellings, all faults told at once, nothing stored after a refusal."""

import flask
import pytest

from tests.factories import OTHER_PASSWORD, PASSWORD, Browser, add_account, assert_refused, form_to, rows

ANNA = {"username": "Anna", "password": PASSWORD, "email": "Anna@Mail.test"}


def test_the_answer_shows_the_account_and_it_can_sign_in(app: flask.Flask, client: Browser) -> None:
    answer = client.write("/api/register", ANNA)

    assert answer.status_code == 201
    [stored] = rows(app, "accounts")
    assert answer.json == {
        "message": "Your account was created. You can sign in now.",
        "user": {
            "id": stored["id"],
            "username": "Anna",
            "display_name": "",
            "email": "Anna@mail.test",
            "role": "learner",
        },
    }
    assert not client.is_signed_in()
    assert client.sign_in("anna").status_code == 200


@pytest.mark.control("ASVS-5.0-11.4.2", "CS-PWSTORE-1", "ASVS-5.0-14.2.4")
def test_in_production_the_stored_hash_has_owasps_parameters(production_app: flask.Flask) -> None:
    add_account(production_app, "anna")

    [stored] = rows(production_app, "accounts")
    assert stored["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in repr(stored)


@pytest.mark.parametrize("again", ["anna", "ANNA", "  anna ", "ａｎｎａ", "\uff21nna"])
def test_all_spellings_of_a_name_are_one_account(app: flask.Flask, client: Browser, again: str) -> None:
    assert client.write("/api/register", {"username": "Anna", "password": PASSWORD}).status_code == 201
    refused = client.write("/api/register", {"username": again, "password": OTHER_PASSWORD})

    assert set(assert_refused(refused, 400, "invalid_input")["fields"]) == {"username"}
    assert len(rows(app, "accounts")) == 1
    assert client.sign_in(again).status_code == 200


@pytest.mark.control("CS-EMAIL-3")
@pytest.mark.parametrize("again", ["anna@mail.test", "ANNA@MAIL.TEST", " anna@mail.test "])
def test_all_spellings_of_an_address_are_one(app: flask.Flask, client: Browser, again: str) -> None:
    assert client.write("/api/register", ANNA).status_code == 201
    refused = client.write("/api/register", {"username": "ben", "password": PASSWORD, "email": again})

    assert set(assert_refused(refused, 400, "invalid_input")["fields"]) == {"email"}
    assert len(rows(app, "accounts")) == 1


@pytest.mark.control("CS-EMAIL-3")
@pytest.mark.parametrize("look_alike", ["k\u0131m@mail.test", "\uff4bim@mail.test", "\u212aim@mail.test"])
def test_an_address_that_only_looks_the_same_never_meets_the_other(
    app: flask.Flask, client: Browser, look_alike: str
) -> None:
    kim = {"username": "kim", "password": PASSWORD, "email": "kim@mail.test"}
    assert client.write("/api/register", kim).status_code == 201
    answer = client.write("/api/register", {**kim, "username": "other", "email": look_alike})

    stored = {row["email_canonical"] for row in rows(app, "accounts")}
    if answer.status_code == 201:
        assert len(stored) == 2
    else:
        assert set(assert_refused(answer, 400, "invalid_input")["fields"]) == {"email"}
        assert stored == {"kim@mail.test"}
    assert_refused(client.sign_in(look_alike, OTHER_PASSWORD), 401, "invalid_credentials")


@pytest.mark.parametrize("absent", [{}, {"email": None}, {"email": ""}])
def test_the_address_is_optional_and_none_is_no_duplicate(
    app: flask.Flask, client: Browser, absent: dict[str, str]
) -> None:
    for name in ("anna", "ben"):
        answer = client.write("/api/register", {"username": name, "password": PASSWORD, **absent})
        assert answer.status_code == 201
        assert answer.json["user"]["email"] is None

    assert {row["email_canonical"] for row in rows(app, "accounts")} == {None}


@pytest.mark.control("ASVS-5.0-2.2.1", "ASVS-5.0-2.2.2")
def test_all_wrong_fields_are_told_at_once(app: flask.Flask, client: Browser) -> None:
    wrong = {"username": "a\u200bb", "password": "short", "email": "no address"}
    body = assert_refused(client.write("/api/register", wrong), 400, "invalid_input")

    assert set(body["fields"]) == {"username", "password", "email"}
    assert all(sentence[0].isupper() and sentence[-1] in ".!" for sentence in body["fields"].values())
    for value in wrong.values():
        assert value not in str(body)
    assert rows(app, "accounts") == []
    assert client.write("/api/register", ANNA).status_code == 201


def test_all_wrong_shapes_are_told_at_once(client: Browser) -> None:
    body = {"username": 12, "password": None, "email": ["a@b.test"], "role": "admin"}
    fields = assert_refused(client.write("/api/register", body), 400, "invalid_input")["fields"]

    assert set(fields) == {"username", "password", "email", "role"}


@pytest.mark.control("ASVS-5.0-15.3.3", "ASVS-5.0-8.2.3")
@pytest.mark.parametrize("field", ["role", "id", "is_active", "password_hash", "created_at", "display_name"])
def test_no_other_field_of_an_account_can_be_given(app: flask.Flask, client: Browser, field: str) -> None:
    refused = client.write("/api/register", {**ANNA, field: "admin"})
    assert set(assert_refused(refused, 400, "invalid_input")["fields"]) == {field}
    assert rows(app, "accounts") == []

    assert client.write("/api/register", ANNA).json["user"]["role"] == "learner"


@pytest.mark.control("ASVS-5.0-6.3.2")
@pytest.mark.parametrize("name", ["admin", "Admin", "adm1n", "root", "external:1", "postmaster", "me", "a"])
def test_names_of_the_operator_and_the_program_are_not_for_everybody(
    app: flask.Flask, client: Browser, name: str
) -> None:
    refused = client.write("/api/register", {"username": name, "password": PASSWORD})
    assert set(assert_refused(refused, 400, "invalid_input")["fields"]) == {"username"}
    assert rows(app, "accounts") == []


@pytest.mark.control(
    "ASVS-5.0-6.2.1",
    "ASVS-5.0-6.2.4",
    "ASVS-5.0-6.2.12",
    "NIST-63B4-3.1.1.2-1",
    "NIST-63B4-3.1.1.2-4",
)
@pytest.mark.parametrize(
    "weak",
    [
        "fourteen chars",
        "passwordpassword",
        "correcthorsebatterystaple",
        "Anna likes this very much",
        "aaaaaaaaaaaaaaaaaaaa",
        "123456789012345678",
        "x" * 129,
    ],
)
def test_a_weak_password_is_refused_with_the_reason(app: flask.Flask, client: Browser, weak: str) -> None:
    refused = client.write("/api/register", {**ANNA, "password": weak})
    fields = assert_refused(refused, 400, "invalid_input")["fields"]

    assert set(fields) == {"password"}
    assert len(fields["password"].split()) > 3
    assert rows(app, "accounts") == []


@pytest.mark.control("ASVS-5.0-6.2.5", "ASVS-5.0-6.2.9", "NIST-63B4-3.1.1.2-2")
@pytest.mark.parametrize(
    "good",
    [
        "all lower case letters do",
        "трава зеленеет, солнышко блестит",
        "🔑 🐎 🔋 📎 and eleven more words",
        "sixty four characters and more are as welcome as anything shorter is",
        "one hundred and twenty eight characters are the longest that fits, so this sentence goes on and on until it is as long as that..",
    ],
)
def test_a_long_password_of_any_kind_is_accepted(client: Browser, good: str) -> None:
    assert client.write("/api/register", {**ANNA, "password": good}).status_code == 201

    assert client.sign_in("anna", good).status_code == 200


# The page


def test_the_form_registers_and_signs_in(app: flask.Flask, client: Browser) -> None:
    form = form_to(client.page("/register"), "/register")
    assert set(form) == {"csrf_token", "username", "email", "password"}
    answer = client.post("/register", data={**form, "username": "anna", "password": PASSWORD})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert client.is_signed_in()
    assert len(rows(app, "sessions")) == 1


def test_the_form_keeps_what_was_typed_but_no_password(app: flask.Flask, client: Browser) -> None:
    page = client.submit("/register", username="anna<b>", email="anna@mail.test", password="too short")
    form = form_to(page, "/register")

    assert page.status_code == 400
    assert form["username"] == "anna<b>"
    assert form["email"] == "anna@mail.test"
    assert form["password"] == ""
    assert "too short" not in page.text
    assert "anna<b>" not in page.text
    assert "Use at least 15 characters" in page.text
    again = {**form, "username": "anna", "password": PASSWORD}
    assert client.post("/register", data=again).status_code == 303
    assert [row["username"] for row in rows(app, "accounts")] == ["anna"]
