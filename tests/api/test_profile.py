"""The own account: what its owner sees, and what the owner can change."""

import flask
import pytest

from tests.factories import Browser, assert_refused, change_address, form_to, rows, signed_in
from tests.fixtures import Clock

PATH = "/api/profile"


@pytest.mark.control("ASVS-5.0-15.3.1", "ASVS-5.0-8.2.3")
def test_the_owner_sees_the_account_without_its_secrets(app: flask.Flask, clock: Clock) -> None:
    anna = signed_in(app, "anna", email="anna@mail.test")

    [stored] = rows(app, "accounts")
    assert anna.get(PATH).json == {
        "user": {
            "id": stored["id"],
            "username": "anna",
            "display_name": "",
            "email": "anna@mail.test",
            "email_verified": True,
            "pending_email": None,
            "notices": "all",
            "role": "learner",
            "bio": "",
            "avatar_url": None,
            "created_at": "2027-01-15T08:00:00Z",
        }
    }


@pytest.mark.control("ASVS-5.0-8.2.1")
@pytest.mark.parametrize(
    ("method", "path"), [("GET", PATH), ("POST", PATH), ("POST", PATH + "/change-email")]
)
def test_a_visitor_sees_and_changes_nothing(client: Browser, method: str, path: str) -> None:
    assert_refused(client.write(path, {"bio": "x"}, method=method), 401, "not_authenticated")


def test_what_is_left_out_stays(app: flask.Flask, anna: Browser, ben: Browser) -> None:
    assert anna.write(PATH, {"display_name": "Anna A.", "bio": "First line\r\nsecond"}).status_code == 200
    assert anna.write(PATH, {"bio": "Other"}).json["user"]["display_name"] == "Anna A."
    assert anna.write(PATH, {"display_name": None}).json["user"]["display_name"] == "Anna A."
    assert anna.write(PATH, {}).json["user"]["bio"] == "Other"
    assert anna.write(PATH, {"display_name": ""}).json["user"]["display_name"] == ""

    assert ben.get(PATH).json["user"]["bio"] == ""
    assert anna.get(PATH).json["user"]["bio"] == "Other"


@pytest.mark.control("ASVS-5.0-15.3.3", "ASVS-5.0-8.2.3", "ASVS-5.0-8.3.1")
@pytest.mark.parametrize("field", ["role", "id", "is_active", "username", "email", "password_hash", "user"])
def test_nothing_else_can_be_changed(app: flask.Flask, anna: Browser, field: str) -> None:
    before = rows(app, "accounts")
    refused = anna.write(PATH, {"bio": "x", field: "admin"})

    assert set(assert_refused(refused, 400, "invalid_input")["fields"]) == {field}
    assert rows(app, "accounts") == before


@pytest.mark.control("ASVS-5.0-1.3.3")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("display_name", "x" * 81),
        ("bio", "x" * 1001),
        ("display_name", "An\u202ena"),
        ("bio", "a\u0000b"),
        ("bio", "a\x1b[31m"),
        ("display_name", 12),
        ("bio", {"a": 1}),
    ],
)
def test_text_that_cannot_be_shown_is_refused_not_cut(
    app: flask.Flask, anna: Browser, field: str, value: object
) -> None:
    refused = anna.write(PATH, {field: value})

    assert set(assert_refused(refused, 400, "invalid_input")["fields"]) == {field}
    assert anna.get(PATH).json["user"]["bio"] == ""


@pytest.mark.control(
    "ASVS-5.0-1.1.2", "ASVS-5.0-1.2.1", "ASVS-5.0-1.2.3", "ASVS-5.0-1.3.7", "ASVS-5.0-1.3.10"
)
@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "\"'><img src=x onerror=alert(1)>",
        "</textarea><script>",
        "{{7*7}} {% raw %} ${7*7}",
        "%s%n {0.__class__}",
        "javascript:alert(1)",
    ],
)
def test_text_is_stored_as_typed_and_escaped_where_it_is_shown(
    app: flask.Flask, anna: Browser, hostile: str
) -> None:
    assert anna.write(PATH, {"display_name": hostile, "bio": hostile}).status_code == 200

    assert rows(app, "accounts")[0]["bio"] == hostile
    assert anna.get(PATH).json["user"]["bio"] == hostile
    page = anna.page("/profile")
    assert form_to(page, "/profile")["bio"] == hostile
    assert form_to(page, "/profile")["display_name"] == hostile
    for path in ("/profile", "/", "/account/security"):
        text = anna.page(path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "</textarea><script>" not in text


# The address


@pytest.mark.control("ASVS-5.0-7.5.1")
def test_the_address_is_set_changed_and_removed(app: flask.Flask, anna: Browser, ben: Browser) -> None:
    path = PATH + "/change-email"
    change_address(anna, "Anna@mail.test")
    assert anna.write(path, {"email": "anna@MAIL.test"}).json["user"]["email"] == "anna@mail.test"
    wrong = ben.write(path, {"email": "no address"})
    assert set(assert_refused(wrong, 400, "invalid_input")["fields"]) == {"email"}
    change_address(ben, "ben@mail.test")
    assert anna.write(path, {"email": " "}).json["user"]["email"] is None

    change_address(ben, "anna@mail.test")
    stored = {row["username"]: row["email_canonical"] for row in rows(app, "accounts")}
    assert stored == {"anna": None, "ben": "anna@mail.test"}


# The pages


def test_the_form_saves_the_profile(anna: Browser) -> None:
    form = form_to(anna.page("/profile"), "/profile")
    assert set(form) == {"csrf_token", "display_name", "bio"}
    text = "\n  Ein Gedicht\n\n  mit Zeilen & <Zeichen>\n"
    answer = anna.post("/profile", data={**form, "display_name": "Anna", "bio": text.replace("\n", "\r\n")})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/profile")
    page = anna.page("/profile")
    assert "Your profile was saved." in page.text
    assert form_to(page, "/profile")["bio"] == text.strip()
    assert "Your profile was saved." not in anna.page("/profile").text


def test_the_form_keeps_what_was_typed(anna: Browser) -> None:
    form = form_to(anna.page("/profile"), "/profile")
    page = anna.post("/profile", data={**form, "display_name": "x" * 81, "bio": "My <long> story"})

    assert page.status_code == 400
    kept = form_to(page, "/profile")
    assert kept["bio"] == "My <long> story"
    assert kept["display_name"] == "x" * 81
    assert anna.post("/profile", data={**kept, "display_name": "Anna"}).status_code == 303
    assert anna.get(PATH).json["user"]["bio"] == "My <long> story"


def test_the_form_of_the_address_leads_to_the_code_and_saves_it(anna: Browser) -> None:
    form = form_to(anna.page("/profile"), "/profile/email")
    sent = anna.post("/profile/email", data={**form, "email": "anna@mail.test"})
    assert (sent.status_code, sent.headers["Location"]) == (303, "/verify-email?next=/profile")
    assert "waits for its code" in anna.page("/profile").text
    assert form_to(anna.page("/profile"), "/profile/email")["email"] == ""
    change_address(anna, "anna@mail.test")
    assert form_to(anna.page("/profile"), "/profile/email")["email"] == "anna@mail.test"
    assert "waits for its code" not in anna.page("/profile").text
    kept = anna.post("/profile/email", data={**form, "email": "anna@mail.test"})
    assert kept.headers["Location"] == "/profile"
    page = anna.post("/profile/email", data={**form, "email": "wrong"})

    assert page.status_code == 400
    assert form_to(page, "/profile/email")["email"] == "wrong"
    assert anna.get(PATH).json["user"]["email"] == "anna@mail.test"
