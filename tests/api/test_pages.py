"""The account pages as a browser without JavaScript uses them: forms, the way back, and nothing lost (L8)."""

import flask
import pytest

from aegis import login_required
from tests.factories import (
    PASSWORD,
    Browser,
    Form,
    add_account,
    assert_refused,
    copy_of,
    form_to,
    forms,
    rows,
)
from tests.fixtures import Clock, NewApp

STORY = "Once upon a time,\n\n  there was <a> \"story\" & it had 'quotes' — and 🔑.\n" + "It went on. " * 70
HTML = {"Accept": "text/html"}


def fill(form: Form, **typed: str) -> dict[str, str]:
    """Return a form with something typed into it, lines ended as browsers end them."""
    return {**form, **{name: text.replace("\n", "\r\n") for name, text in typed.items()}}


def send(browser: Browser, form: Form, **typed: str) -> flask.Response:
    """Press the button."""
    return browser.post(form.action, data=fill(form, **typed), headers=HTML)


def bio(app: flask.Flask) -> str:
    """Return what is stored."""
    return str(rows(app, "accounts")[0]["bio"])


# The way in and out


def test_a_visitor_signs_in_looks_and_signs_out(app: flask.Flask) -> None:
    add_account(app, "anna")
    browser = app.test_client()
    assert browser.page("/").status_code == 200
    answer = send(browser, form_to(browser.page("/login"), "/login"), username="Anna", password=PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "anna" in browser.page("/").text
    out = send(browser, form_to(browser.page("/profile"), "/logout"))

    assert out.status_code == 200
    assert not browser.is_signed_in()
    assert browser.page("/profile").headers["Location"] == "/login?next=/profile"


def test_a_wrong_password_keeps_the_name_and_the_way_back(app: flask.Flask) -> None:
    add_account(app, "anna")
    browser = app.test_client()
    form = form_to(browser.page("/login?next=/account/security"), "/login")
    assert form["next"] == "/account/security"
    page = send(browser, form, username="anna", password="the wrong password")

    assert page.status_code == 401
    assert "The name or the password is not right." in page.text
    assert "the wrong password" not in page.text
    again = form_to(page, "/login")
    assert (again["username"], again["next"], again["password"]) == ("anna", "/account/security", "")
    assert send(browser, again, password=PASSWORD).headers["Location"] == "/account/security"


@pytest.mark.parametrize("path", ["/profile", "/account/security", "/reauthenticate"])
def test_a_visitor_is_led_to_sign_in_and_back(app: flask.Flask, path: str) -> None:
    add_account(app, "anna")
    browser = app.test_client()
    led = browser.page(path)
    assert (led.status_code, led.headers["Location"]) == (303, f"/login?next={path}")
    form = form_to(browser.page(led.headers["Location"]), "/login")

    assert send(browser, form, username="anna", password=PASSWORD).headers["Location"] == path


def test_the_way_back_keeps_the_query(new_app: NewApp) -> None:
    app = new_app()
    app.add_url_rule("/search", "search", login_required(lambda: "found"))
    led = app.test_client().page("/search?q=a%26b&page=2")

    assert led.headers["Location"] == "/login?next=/search?q%3Da%2526b%26page%3D2"


def test_who_is_signed_in_needs_no_sign_in_page(anna: Browser) -> None:
    assert anna.page("/login?next=/profile").headers["Location"] == "/profile"
    assert anna.page("/login?next=//evil.test").headers["Location"] == "/"


ELSEWHERE = [
    "https://evil.test",
    "//evil.test",
    "///evil.test",
    "////evil.test/",
    "/\\evil.test",
    "\\/evil.test",
    "\\\\evil.test",
    "/\t/evil.test",
    "/\n/evil.test",
    "\t//evil.test",
    " //evil.test",
    "/ /evil.test",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "http:evil.test",
    "http:/evil.test",
    "https:///evil.test",
    "evil.test",
    "@evil.test",
    ".evil.test",
    "?next=//evil.test",
    "#//evil.test",
    "/\\\\evil.test",
    "/profile\r\nLocation: //evil.test",
    "/\x0b/evil.test",
    "",
]


@pytest.mark.control("ASVS-5.0-3.7.2", "ASVS-5.0-1.2.2")
@pytest.mark.parametrize("target", ELSEWHERE, ids=range(len(ELSEWHERE)))
def test_the_way_on_never_leaves_the_site(app: flask.Flask, target: str) -> None:
    add_account(app, "anna")
    browser = app.test_client()
    page = browser.get("/login", query_string={"next": target}, headers=HTML)
    assert not form_to(page, "/login").get("next")
    assert "evil.test" not in page.text
    form = Form(form_to(page, "/login"))
    answer = browser.post(
        "/login", data={**form, "next": target, "username": "anna", "password": PASSWORD}, headers=HTML
    )
    assert (answer.status_code, answer.headers.getlist("Location")) == (303, ["/"])
    for path in ("/login", "/reauthenticate"):
        again = browser.get(path, query_string={"next": target}, headers=HTML)
        assert "evil.test" not in str(again.headers) + again.text


@pytest.mark.control("ASVS-5.0-3.7.2")
@pytest.mark.parametrize(
    "target", ["/profile", "/courses/locks?x=1&y=//evil.test", "/größe", "/a@b", "/#note", "/%2F/x"]
)
def test_the_way_on_reaches_every_page_of_ours(app: flask.Flask, target: str) -> None:
    add_account(app, "anna")
    browser = app.test_client()
    page = browser.get("/login", query_string={"next": target}, headers=HTML)
    form = form_to(page, "/login")
    assert form["next"] == target
    location = send(browser, form, username="anna", password=PASSWORD).headers["Location"]

    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert location == target.replace("größe", "gr%C3%B6%C3%9Fe")


# A form that met an ended session


@pytest.mark.parametrize("ended_by", ["timeout", "logout in another tab", "revocation"])
def test_a_form_that_met_an_ended_session_comes_back_complete(
    app: flask.Flask, clock: Clock, anna: Browser, ended_by: str
) -> None:
    other = app.test_client()
    other.sign_in("anna")
    form = form_to(anna.page("/profile"), "/profile")
    if ended_by == "timeout":
        clock.advance(3600)
    elif ended_by == "revocation":
        other.write("/api/sessions", method="DELETE")
    else:
        copy_of(anna).write("/api/logout")
    asked = send(anna, form, bio=STORY, display_name="Anna")
    assert asked.status_code == 401
    assert bio(app) == ""
    assert "What you typed is kept." in asked.text
    shown = send(anna, form_to(asked, "/login"), username="anna", password=PASSWORD)

    kept = form_to(shown, "/profile")
    assert kept["bio"] == STORY
    assert kept["display_name"] == "Anna"
    assert bio(app) == ""
    assert send(anna, kept).headers["Location"] == "/profile"
    assert bio(app) == STORY.strip()


def test_a_wrong_password_on_the_way_loses_nothing(app: flask.Flask, clock: Clock, anna: Browser) -> None:
    form = form_to(anna.page("/profile"), "/profile")
    clock.advance(3600)
    asked = send(anna, form, bio=STORY)
    for _ in range(3):
        asked = send(anna, form_to(asked, "/login"), username="anna", password="the wrong password")
        assert asked.status_code == 401
    shown = send(anna, form_to(asked, "/login"), username="anna", password=PASSWORD)

    assert send(anna, form_to(shown, "/profile")).status_code == 303
    assert bio(app) == STORY.strip()


def test_a_form_is_good_after_signing_in_again_in_another_tab(
    app: flask.Flask, clock: Clock, anna: Browser
) -> None:
    form = form_to(anna.page("/profile"), "/profile")
    clock.advance(3600)
    assert (
        send(anna, form_to(anna.page("/login"), "/login"), username="anna", password=PASSWORD).status_code
        == 303
    )

    assert send(anna, form, bio=STORY).status_code == 303
    assert bio(app) == STORY.strip()


def test_somebody_else_who_signs_in_sees_the_text_and_sends_it_as_their_own(
    app: flask.Flask, clock: Clock, anna: Browser
) -> None:
    """The text was typed in this browser, in front of these eyes; the account it goes to is the one that sends it."""
    add_account(app, "ben")
    form = form_to(anna.page("/profile"), "/profile")
    clock.advance(3600)
    asked = send(anna, form, bio=STORY)
    shown = send(anna, form_to(asked, "/login"), username="ben", password=PASSWORD)
    assert send(anna, form_to(shown, "/profile")).status_code == 303

    assert {row["username"]: row["bio"] for row in rows(app, "accounts")} == {
        "anna": "",
        "ben": STORY.strip(),
    }


@pytest.mark.control("ASVS-5.0-9.1.1", "ASVS-5.0-3.7.2")
def test_a_kept_form_that_was_changed_on_the_way_is_dropped(
    app: flask.Flask, clock: Clock, anna: Browser
) -> None:
    form = form_to(anna.page("/profile"), "/profile")
    clock.advance(3600)
    login = form_to(send(anna, form, bio=STORY), "/login")
    for changed in (login["resume"][:-1], "x" + login["resume"], "x", "e30.x", "é"):
        browser = app.test_client()
        fresh = form_to(browser.page("/login"), "/login")
        answer = send(browser, fresh, username="anna", password=PASSWORD, resume=changed)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")


@pytest.mark.control("ASVS-5.0-14.2.1")
def test_passwords_are_never_kept(app: flask.Flask, clock: Clock, anna: Browser) -> None:
    form = form_to(anna.page("/account/security"), "/account/password")
    clock.advance(3600)
    asked = send(anna, form, current_password=PASSWORD, new_password="a new secret of many words")

    assert asked.status_code == 401
    login = form_to(asked, "/login")
    assert not login.get("resume")
    assert "a new secret" not in asked.text
    assert send(anna, login, username="anna", password=PASSWORD).status_code == 303


# A form with an outdated token


def test_a_form_with_an_outdated_token_comes_back_complete(
    app: flask.Flask, clock: Clock, anna: Browser
) -> None:
    form = form_to(anna.page("/profile"), "/profile")
    clock.advance(86_400)
    anna.sign_in()
    shown = send(anna, form, bio=STORY, display_name="Anna")
    assert shown.status_code == 400
    assert bio(app) == ""

    kept = form_to(shown, "/profile")
    assert (kept["bio"], kept["display_name"]) == (STORY, "Anna")
    assert send(anna, kept).status_code == 303
    assert bio(app) == STORY.strip()


@pytest.mark.control("CS-CSRF-2")
def test_another_sites_form_is_not_offered_for_sending(app: flask.Flask, anna: Browser) -> None:
    """One click on "send it now" must not finish an attack."""
    form = form_to(anna.page("/profile"), "/profile")
    for headers in ({"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}):
        refused = anna.post("/profile", data=fill(form, bio="evil words"), headers={**HTML, **headers})
        assert refused.status_code == 400
        assert "evil words" not in refused.text
        assert not [found for found in forms(refused) if found.action == "/profile"]
    assert bio(app) == ""


@pytest.mark.parametrize("path", ["/login", "/register"])
def test_a_sign_in_form_that_was_open_for_too_long_is_shown_again(app: flask.Flask, path: str) -> None:
    add_account(app, "anna")
    browser = app.test_client()
    form = form_to(browser.page(f"{path}?next=/profile"), path)
    browser.delete_cookie("visitor")
    page = send(browser, form, username="ben" if path == "/register" else "anna", password=PASSWORD)
    assert page.status_code == 400
    again = form_to(page, path)
    assert (again["username"], again["password"], again["next"]) == (
        form_to(page, path)["username"],
        "",
        "/profile",
    )
    assert PASSWORD not in page.text

    assert send(browser, again, password=PASSWORD).headers["Location"] == "/profile"
    assert browser.is_signed_in()


@pytest.mark.control("ASVS-5.0-3.7.2", "ASVS-5.0-1.2.1")
def test_a_form_shown_again_leads_nowhere_else_and_holds_no_markup(app: flask.Flask, client: Browser) -> None:
    hostile = {
        "username": "<script>alert(1)</script>",
        "password": "x",
        "next": "//evil.test",
        "resume": '"><b>',
    }
    page = client.post("/login", data=hostile, headers=HTML)

    assert page.status_code == 400
    assert "<script>alert" not in page.text
    assert '"><b>' not in page.text
    assert form_to(page, "/login").get("next", "") != "//evil.test"


# The password once more


def test_a_sensitive_form_asks_for_the_password_and_goes_on(
    app: flask.Flask, clock: Clock, anna: Browser
) -> None:
    form = form_to(anna.page("/profile"), "/profile/email")
    clock.advance(600)
    asked = send(anna, form, email="anna@mail.test")
    assert asked.status_code == 401
    assert rows(app, "accounts")[0]["pending_email"] is None
    confirm = form_to(asked, "/reauthenticate")
    wrong = send(anna, confirm, password="the wrong password")
    assert wrong.status_code == 401
    shown = send(anna, form_to(wrong, "/reauthenticate"), password=PASSWORD)

    kept = form_to(shown, "/profile/email")
    assert kept["email"] == "anna@mail.test"
    assert send(anna, kept).status_code == 303
    assert rows(app, "accounts")[0]["pending_email"] == "anna@mail.test"


def test_programs_get_the_plain_refusal_where_people_get_a_page(clock: Clock, anna: Browser) -> None:
    token = anna.token()
    clock.advance(600)
    refused = anna.post("/profile/email", data={"email": "x@mail.test", "csrf_token": token})
    assert_refused(refused, 401, "reauthentication_required")
    clock.advance(3600)
    refused = anna.post("/profile", data={"bio": "x", "csrf_token": token})
    assert_refused(refused, 401, "not_authenticated")
    assert_refused(anna.post("/profile", data={"bio": "x"}), 400, "csrf_failed")
    assert_refused(anna.get("/profile"), 401, "not_authenticated")


# The list of sessions


def test_the_page_lists_sessions_and_ends_them(app: flask.Flask, clock: Clock, anna: Browser) -> None:
    clock.advance(1)
    phone = app.test_client()
    phone.sign_in("anna")
    page = anna.page("/account/security")
    ends = [form for form in forms(page) if form.action.endswith("/end")]
    assert len(ends) == 1
    assert send(anna, ends[0]).headers["Location"] == "/account/security"

    assert not phone.is_signed_in()
    assert "The session has ended." in anna.page("/account/security").text
    assert not [
        form for form in forms(anna.page("/account/security")) if form.action.endswith(("/end", "end-others"))
    ]


def test_ending_the_own_session_by_its_form_signs_out(anna: Browser) -> None:
    [own] = anna.get("/api/sessions").json["sessions"]
    answer = anna.submit(f"/account/sessions/{own['id']}/end")

    assert answer.status_code == 200
    assert anna.session_cookie() is None
    assert answer.headers["Clear-Site-Data"]


@pytest.mark.control("ASVS-5.0-6.2.6", "ASVS-5.0-6.2.7")
@pytest.mark.parametrize(
    ("path", "names"), [("/login", 1), ("/register", 1), ("/account/security", 2), ("/reauthenticate", 1)]
)
def test_every_password_is_asked_for_in_a_masked_field_that_managers_know(
    anna: Browser, client: Browser, path: str, names: int
) -> None:
    page = (client if path in {"/login", "/register"} else anna).page(path).text
    inputs = [
        part.partition(">")[0] for part in page.split("<input")[1:] if 'password"' in part.partition(">")[0]
    ]
    fields = [
        field for field in inputs if 'name="' in field and "password" in field.partition('name="')[2][:20]
    ]

    assert len(fields) == names
    for field in fields:
        assert 'type="password"' in field
        assert 'autocomplete="current-password"' in field or 'autocomplete="new-password"' in field
        assert "maxlength" not in field
        assert "onpaste" not in field
