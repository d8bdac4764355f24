"""What tests make: applications, accounts, and people with a browser or script of their own."""

import re
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from typing import Any

import flask
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from academy import create_app
from aegis import db, state
from aegis.accounts import service as accounts
from aegis.errors import AegisError
from aegis.schema import metadata
from config import TestingConfig
from tests import quick

PASSWORD = "correct horse battery staple 7"
OTHER_PASSWORD = "seven purple boats under one bridge"
_UPLOADS = tempfile.TemporaryDirectory(prefix="aegis-tests-uploads-")
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class Browser(FlaskClient):
    """A cookie jar of its own, and what a page's script does: fetch a form token and send it along."""

    username = ""
    recovery_codes: tuple[str, ...] = ()

    def open(self, *args: Any, **named: Any) -> TestResponse:
        """Send a request and read the answer to its end, as files would stay open otherwise."""
        named.setdefault("buffered", True)
        return super().open(*args, **named)

    def page(self, path: str, **named: Any) -> TestResponse:
        """Read as a browser does."""
        return self.get(path, headers={"Accept": "text/html"}, **named)

    def token(self) -> str:
        """Return a token for the next write."""
        return str(self.get("/csrf-token").json["csrf_token"])

    def write(
        self,
        path: str,
        json: Any = None,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        **named: Any,
    ) -> TestResponse:
        """Write as a script does; an empty body stays empty."""
        sent = {"X-CSRFToken": self.token(), **(headers or {})}
        body = {} if json is None else {"json": json}
        return self.open(path, method=method, headers=sent, **body, **named)

    def submit(self, path: str, **fields: Any) -> TestResponse:
        """Send a form as a browser does."""
        fields.setdefault("csrf_token", self.token())
        return self.post(path, data=fields, headers={"Accept": "text/html"})

    def sign_in(self, username: str = "", password: str = PASSWORD) -> TestResponse:
        """Sign in as a script does, without a form token."""
        self.username = username or self.username
        return self.post("/api/login", json={"username": self.username, "password": password})

    def session_cookie(self) -> str | None:
        """Return the token that the jar holds."""
        name = self.application.extensions["aegis"].settings.cookie_prefix + "session"
        found = self.get_cookie(name)
        return found.value if found else None

    def is_signed_in(self) -> bool:
        """Ask the server."""
        answer = self.get("/api/check_session")
        assert answer.status_code == (200 if answer.json["is_authenticated"] else 401), answer.text
        return bool(answer.json["is_authenticated"])


def make_app(config: object = TestingConfig, **environ: str) -> flask.Flask:
    """Return the platform under these settings; on in-memory SQLite unless DATABASE_URL says otherwise."""
    app = create_app(config, environ={"AEGIS_UPLOADS": _UPLOADS.name, **environ})
    app.test_client_class = Browser
    database = app.extensions["aegis"].database
    if database.is_embedded:
        quick.migrate_once(database)
    return app


def dispose(app: flask.Flask) -> None:
    """Close what the application holds open."""
    app.extensions["aegis"].database.engine.dispose()


def copy_of(browser: Browser, app: flask.Flask | None = None) -> Browser:
    """Return another client that holds a copy of the session cookie, perhaps at another process."""
    other = (app or browser.application).test_client()
    name = browser.application.extensions["aegis"].settings.cookie_prefix + "session"
    other.set_cookie(name, str(browser.session_cookie()))
    return other


def add_account(app: flask.Flask, username: str, password: str = PASSWORD, **named: Any) -> str:
    """Store an account as the operator would and return its id."""
    with app.app_context():
        current = state.current()
        account = accounts.register(
            username,
            password,
            named.pop("email", None),
            current.settings,
            current.hasher,
            by_operator=True,
            **named,
        )
        return account.id


def signed_in(app: flask.Flask, username: str, **named: Any) -> Browser:
    """Return somebody with a new account and a session."""
    add_account(app, username, **named)
    browser = app.test_client()
    assert browser.sign_in(username).status_code == 200
    return browser


def change_address(browser: Browser, email: str) -> None:
    """Give the signed-in account a new address, and the code that went there."""
    asked = browser.write("/api/profile/change-email", {"email": email})
    assert asked.status_code == 200, asked.text
    mail = browser.application.extensions["aegis"].sender.transport.messages[-1]
    assert mail["To"] == email
    code = re.search(r"Code: (\d+)", mail.get_body(("plain",)).get_content())
    assert code is not None
    proven = browser.write("/api/verify-email", {"email": email, "code": code[1]})
    assert proven.status_code == 200, proven.text


def rows(app: flask.Flask, table: str) -> list[dict[str, Any]]:
    """Return everything a table holds."""
    with app.app_context():
        return [row._asdict() for row in db.rows(sa.select(metadata.tables[table]))]


def change(app: flask.Flask, table: str, **values: Any) -> None:
    """Change all rows of a table behind the application's back."""
    with app.app_context():
        db.change(sa.update(metadata.tables[table]).values(**values))


def wipe(app: flask.Flask) -> None:
    """Empty all tables."""
    with app.app_context(), db.transaction():
        for table in reversed(metadata.sorted_tables):
            db.change(sa.delete(table))


def set_cookies(answer: TestResponse) -> dict[str, dict[str, Any]]:
    """Return the cookies an answer sets: value and attributes by name, attribute names in lower case."""
    found = {}
    for line in answer.headers.getlist("Set-Cookie"):
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        parts = (attribute.partition("=") for attribute in attributes)
        found[name] = {"value": value, **{key.lower(): text or True for key, _, text in parts}}
    return found


def at_once(tasks: Sequence[Callable[[], Any]], app: flask.Flask | None = None) -> list[Any]:
    """Run the tasks in threads that start together; with an application each in a context where a refusal is a result."""
    gate = threading.Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> Any:
        if app is None:
            gate.wait(30)
            return task()
        with app.app_context():
            gate.wait(30)
            try:
                return task()
            except AegisError as refusal:
                return refusal

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def assert_refused(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Check the one error shape and return it."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/json"
    body: dict[str, Any] = answer.json
    assert set(body) >= {"error", "code", "request_id"}, body
    assert body["code"] == code, body
    assert isinstance(body["error"], str)
    assert body["error"]
    assert body["request_id"] == answer.headers["X-Request-ID"]
    return body


class Form(dict[str, str]):
    """The fields of a form as the page holds them; `action` is where it goes."""

    action = ""


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._text: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form())
            self.found[-1].action = known.get("action", "")
        elif self.found and known.get("name") and tag == "input":
            self.found[-1][known["name"]] = known.get("value", "")
        elif self.found and known.get("name") and tag == "textarea":
            self._text = known["name"]
            self.found[-1][self._text] = ""

    def handle_data(self, data: str) -> None:
        if self._text:
            self.found[-1][self._text] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._text:
            # The parser of HTML drops one line break after the opening tag (HTML section 13.1.2.5).
            self.found[-1][self._text] = self.found[-1][self._text].removeprefix("\n")
            self._text = None


def forms(answer: TestResponse) -> list[Form]:
    """Return the forms of a page."""
    parser = _Forms()
    parser.feed(answer.text.replace("\r\n", "\n"))
    return parser.found


def form_to(answer: TestResponse, action: str) -> Form:
    """Return the form that is sent to this address."""
    [found] = [form for form in forms(answer) if form.action == action]
    return found


_GOOD = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE"
JUNK_TOKENS = (
    "",
    "x",
    _GOOD[:-1],
    _GOOD + "A",
    _GOOD * 100,
    _GOOD * 1000,
    f'"{_GOOD}"',
    "%" + _GOOD[1:],
    "\\" + _GOOD[1:],
    "é" + _GOOD[1:],
    "\x01" + _GOOD[1:],
    _GOOD[:20] + " " + _GOOD[21:],
    "undefined",
    "null",
    "' OR 1=1 --" + _GOOD[11:],
    "../" * 14 + "x",
    "=" * 43,
)
"""What might stand in a session cookie and is no token of ours."""
