"""What belongs to a person: a copy to take along, and an account that goes when its owner does."""

import contextlib
import io
import json
import zipfile
from typing import Any

import flask
import pytest

from academy.courses import publishing
from aegis.errors import Unavailable
from aegis.ops import housekeeping
from tests.api.test_courses import COURSE
from tests.codes import enrol
from tests.factories import (
    PASSWORD,
    Browser,
    add_account,
    assert_refused,
    at_once,
    form_to,
    rows,
    signed_in,
)
from tests.fixtures import Clock, NewApp
from tests.pictures import picture

EXPORT, ACCOUNT = "/api/account/export", "/api/account"
DAY_S = 86_400
OWN = "anna@mail.test"


@pytest.fixture
def app(new_app: NewApp, sqlite_url: str) -> flask.Flask:
    """Give the platform with a course."""
    app = new_app(DATABASE_URL=sqlite_url)
    with app.app_context():
        publishing.publish(COURSE)
    return app


@pytest.fixture
def anna(clock: Clock, app: flask.Flask) -> Browser:
    """Give somebody who learns."""
    anna = signed_in(app, "anna", email=OWN)
    slug = f"/api/courses/{COURSE.slug}"
    lesson = COURSE.sections[0].lessons[0].slug
    assert anna.write(f"{slug}/enrol").status_code == 200
    progress = {"lesson": lesson, "status": "completed"}
    assert anna.write(f"{slug}/progress", progress, method="PUT").status_code == 200
    assert anna.write(f"{slug}/note", {"content": "Mine"}, method="PUT").status_code == 200
    return anna


def parts(browser: Browser) -> dict[str, Any]:
    """Return the files of an archive."""
    answer = browser.get(EXPORT)
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def purge(app: flask.Flask) -> None:
    with app.app_context():
        housekeeping.purge()


def test_a_copy_holds_what_is_kept_and_no_secret(app: flask.Flask, anna: Browser) -> None:
    secret = enrol(anna, name="My phone").secret
    files = parts(anna)
    read = {name.removesuffix(".json"): json.loads(content) for name, content in files.items()}
    assert (read["account"]["username"], read["account"]["email"]) == ("anna", OWN)
    assert len(read["sessions"]) == len(read["devices"]) == 1
    assert [item["name"] for item in read["second_factors"]["authenticators"]] == ["My phone"]
    assert "You signed in." in [item["sentence"] for item in read["activity"]]
    assert [item["course"] for item in read["courses"]] == [COURSE.slug]
    assert [item["status"] for item in read["progress"]] == ["completed"]
    assert [item["content"] for item in read["notes"]] == ["Mine"]
    everything = b"".join(files.values()).decode()
    [stored] = rows(app, "accounts")
    for hidden in (secret, stored["password_hash"], anna.session_cookie(), *anna.recovery_codes):
        assert hidden not in everything


def test_a_copy_is_only_of_the_own_data(app: flask.Flask, anna: Browser) -> None:
    files = parts(signed_in(app, "ben"))
    assert "anna" not in b"".join(files.values()).decode()
    assert json.loads(files["notes.json"]) == []


@pytest.mark.control("ASVS-5.0-2.4.1")
def test_copies_are_limited_and_need_a_fresh_sign_in(clock: Clock, anna: Browser, client: Browser) -> None:
    assert [anna.get(EXPORT).status_code for _ in range(6)] == [200] * 5 + [429]
    clock.advance(601)
    assert_refused(anna.get(EXPORT), 401, "reauthentication_required")
    assert_refused(client.get(EXPORT), 401, "not_authenticated")
    assert_refused(anna.write(ACCOUNT, method="DELETE"), 401, "reauthentication_required")
    assert_refused(client.write(ACCOUNT, method="DELETE"), 401, "not_authenticated")


@pytest.mark.control("ASVS-5.0-14.2.4")
def test_an_account_is_erased_with_all_that_hangs_on_it_seven_days_later(
    clock: Clock, app: flask.Flask, anna: Browser
) -> None:
    add_account(app, "ben")
    other = app.test_client()
    other.sign_in("anna")
    left = anna.write(ACCOUNT, method="DELETE")
    assert left.json["erased_at"] == "2027-01-22T08:00:00Z"
    assert not anna.is_signed_in()
    assert not other.is_signed_in()
    clock.advance(7 * DAY_S - 1)
    purge(app)
    assert len(rows(app, "accounts")) == 2
    clock.advance(1)
    purge(app)
    assert [row["username"] for row in rows(app, "accounts")] == ["ben"]
    for table in ("sessions", "devices", "enrolments", "lesson_progress", "notes", "proofs"):
        assert rows(app, table) == [], table
    record = str(rows(app, "audit"))
    assert "user_deleted" in record
    assert "anna" not in record
    assert_refused(app.test_client().sign_in("anna"), 401, "invalid_credentials")
    assert (
        app.test_client()
        .write("/api/register", {"username": "anna", "password": PASSWORD, "email": OWN})
        .status_code
        == 201
    )


def test_signing_in_before_keeps_the_account(clock: Clock, app: flask.Flask, anna: Browser) -> None:
    anna.write(ACCOUNT, method="DELETE")
    mail = app.extensions["aegis"].sender.transport.messages[-1]
    assert (
        mail["Subject"]
        == "Your account will be erased on 22 January 2027, 08:00 UTC, unless you sign in before"
    )
    clock.advance(7 * DAY_S - 1)
    assert anna.sign_in().status_code == 200
    clock.advance(DAY_S)
    purge(app)
    assert [row["username"] for row in rows(app, "accounts")] == ["anna"]
    assert len(rows(app, "notes")) == 1


def test_a_wrong_password_keeps_nothing(clock: Clock, app: flask.Flask, anna: Browser) -> None:
    anna.write(ACCOUNT, method="DELETE")
    app.test_client().sign_in("anna", "not the right one")
    clock.advance(7 * DAY_S)
    purge(app)
    assert rows(app, "accounts") == []


def test_without_grace_it_goes_at_once(new_app: NewApp, sqlite_url: str, clock: Clock) -> None:
    app = new_app(DATABASE_URL=sqlite_url, AEGIS_ACCOUNT_DELETION_GRACE="0")
    signed_in(app, "anna").write(ACCOUNT, method="DELETE")
    purge(app)
    assert rows(app, "accounts") == []


def test_the_picture_goes_too(clock: Clock, app: flask.Flask, anna: Browser) -> None:
    data = {"avatar": (io.BytesIO(picture()), "me.png")}
    headers = {"X-CSRFToken": anna.token()}
    shown = anna.post("/api/profile/avatar", data=data, headers=headers).json["user"]["avatar_url"]
    assert parts(anna)["picture.webp"] == anna.get(shown).data
    anna.write(ACCOUNT, method="DELETE")
    clock.advance(7 * DAY_S)
    purge(app)
    assert app.test_client().get(shown).status_code == 404


def test_the_last_administrator_stays(app: flask.Flask) -> None:
    admin = signed_in(app, "head", role="admin")
    assert_refused(admin.write(ACCOUNT, method="DELETE"), 409, "conflict")
    refused = admin.submit("/account/delete")
    assert refused.status_code == 409
    assert "last administrator" in refused.text


def test_a_sign_in_at_the_last_moment_and_the_erasure_end_in_one_of_both(
    new_app: NewApp, migrated_url: str
) -> None:
    """MariaDB may end a deadlock of both by a 503 for one; whoever is let in has an account."""
    app = new_app(DATABASE_URL=migrated_url, AEGIS_DATABASE_TIMEOUT="20", AEGIS_ACCOUNT_DELETION_GRACE="0")

    def erase() -> None:
        with contextlib.suppress(Unavailable):  # housekeeping comes again
            purge(app)

    for number in range(4):
        name = f"person{number}"
        signed_in(app, name).write(ACCOUNT, method="DELETE")
        browser = app.test_client()
        answer, _ = at_once([lambda browser=browser, name=name: browser.sign_in(name), erase])
        stays = any(row["username"] == name for row in rows(app, "accounts"))
        assert answer.status_code in {200, 401, 503}
        assert browser.is_signed_in() == (answer.status_code == 200)
        assert stays or answer.status_code != 200


def test_the_page_does_the_same(app: flask.Flask, anna: Browser) -> None:
    page = anna.page("/account/data")
    assert EXPORT in page.text
    assert "After 7 days" in page.text
    left = anna.submit("/account/delete", **form_to(page, "/account/delete"))
    assert (left.status_code, left.headers["Location"]) == (303, "/login")
    assert not anna.is_signed_in()
    assert "will be erased" in anna.page("/login").text
