"""Many accounts from one file on the administrators' page: checked first, all or none, each fault with its line."""

import io
import re
from typing import Any

import flask
import pytest
from werkzeug.test import TestResponse

from tests.codes import enrol
from tests.factories import Browser, assert_refused, rows, signed_in
from tests.fixtures import NewApp

PAGE, API = "/admin/import", "/api/admin/import"
GOOD = "username,email,role\nÄnne,aenne@mail.test,learner\nben,,teacher\n"
BAD = "username,email,role\nanna,not an address,king\nben,b@mail.test,learner\nBEN,b@mail.test,learner\n"


@pytest.fixture
def admin(app: flask.Flask) -> Browser:
    """Give an administrator with a second factor and a fresh sign-in."""
    browser = signed_in(app, "head", role="admin")
    enrol(browser)
    return browser


def send(who: Browser, path: str, content: str | bytes, **fields: Any) -> TestResponse:
    """Send a file as a browser does."""
    raw = content if isinstance(content, bytes) else content.encode()
    data = {"file": (io.BytesIO(raw), "people.csv", "text/csv"), **fields}
    headers = {"X-CSRFToken": who.token(), "Accept": "text/html" if path == PAGE else "application/json"}
    return who.post(path, data=data, headers=headers, content_type="multipart/form-data")


def names(app: flask.Flask) -> set[str]:
    return {str(row["username"]) for row in rows(app, "accounts")}


def test_a_check_stores_nothing_and_the_import_does(app: flask.Flask, admin: Browser) -> None:
    checked = send(admin, f"{API}?dry_run=1", GOOD)
    assert (checked.status_code, checked.json["count"]) == (200, 2)
    assert names(app) == {"head"}
    done = send(admin, API, GOOD)
    assert done.json == {"message": "2 accounts were created.", "count": 2}
    assert names(app) == {"head", "Änne", "ben"}
    [event] = [row for row in rows(app, "audit") if row["event"] == "user_imported"]
    assert event["account_id"] == next(row["id"] for row in rows(app, "accounts") if row["role"] == "admin")


def test_each_fault_is_named_with_its_line_and_nothing_is_stored(app: flask.Flask, admin: Browser) -> None:
    refused = assert_refused(send(admin, API, BAD), 400, "invalid_input")
    assert [problem.partition(":")[0] for problem in refused["problems"]] == [
        "line 2",
        "line 2",
        "line 4",
        "line 4",
    ]
    assert "line 2" in refused["fields"]["file"]
    assert names(app) == {"head"}


def test_a_file_of_faults_is_not_answered_with_a_book(admin: Browser) -> None:
    many = "username\n" + "x@\n" * 250
    refused = assert_refused(send(admin, API, many), 400, "invalid_input")
    assert (len(refused["problems"]), refused["more"]) == (100, 150)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "name,mail\nanna,a@mail.test\n",
        "username\nan\0na\n",
        'username\n"anna\n',
        "username\nänne\n".encode("latin-1"),
    ],
    ids=["empty", "other columns", "NUL", "open quote", "latin-1"],
)
def test_what_is_no_such_table_is_refused(app: flask.Flask, admin: Browser, content: str | bytes) -> None:
    assert "file" in assert_refused(send(admin, API, content), 400, "invalid_input")["fields"]
    assert names(app) == {"head"}


def test_tables_as_spreadsheets_write_them_are_taken(app: flask.Flask, admin: Browser) -> None:
    assert send(admin, API, '\ufeffusername,email\r\n"anna",""\r\n').status_code == 200
    assert names(app) == {"head", "anna"}


def test_only_administrators_may(app: flask.Flask, admin: Browser, anna: Browser, client: Browser) -> None:
    assert_refused(send(client, API, GOOD), 401, "not_authenticated")
    assert_refused(send(anna, API, GOOD), 403, "forbidden")
    assert anna.page(PAGE).status_code == 403
    assert names(app) == {"head", "anna"}


def test_the_page_checks_first_and_stores_what_was_checked(app: flask.Flask, admin: Browser) -> None:
    assert "Check it" in admin.page(PAGE).text
    checked = send(admin, PAGE, GOOD, dry_run="1")
    assert "2 accounts could be created; nothing was stored yet." in checked.text
    assert names(app) == {"head"}
    carried = re.search(r'<textarea name="content"[^>]*>\n(.*?)</textarea>', checked.text, re.DOTALL)
    assert carried is not None
    done = admin.submit(PAGE, content=carried[1])
    assert (done.status_code, done.headers["Location"]) == (303, "/admin")
    assert names(app) == {"head", "Änne", "ben"}


def test_the_page_shows_each_fault_with_its_line(app: flask.Flask, admin: Browser) -> None:
    refused = send(admin, PAGE, BAD, dry_run="1")
    assert refused.status_code == 400
    assert "line 4: username: is the same as in line 3." in refused.text
    assert send(admin, PAGE, "x" * 20_000 + "\n", dry_run="1").status_code == 400
    assert names(app) == {"head"}


def test_a_file_that_is_longer_than_a_form_is_chosen_again(new_app: NewApp, sqlite_url: str) -> None:
    app = new_app(DATABASE_URL=sqlite_url, AEGIS_BODY_LIMIT="16384")
    admin = signed_in(app, "head", role="admin")
    enrol(admin)
    long = "username\n" + "".join(f"person{number:05d}\n" for number in range(1200))
    checked = send(admin, PAGE, long, dry_run="1")
    assert "choose it once more" in checked.text
    assert "<textarea" not in checked.text
    assert send(admin, PAGE, long).status_code == 303
    assert len(names(app)) == 1201
