"""Each event of the record, caused as it happens in life: a row and a log line, joined by the request, without a secret."""

import dataclasses
import io
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import flask
import pytest
from click.testing import CliRunner
from werkzeug.test import TestResponse

from academy.cli import main
from aegis import audit
from aegis.audit import Event
from aegis.ops import heads, housekeeping, logs
from aegis.schema import metadata
from aegis.settings import abuse
from aegis.web import OPERATOR
from tests.codes import App, enrol, give
from tests.factories import OTHER_PASSWORD, PASSWORD, TOKEN, Browser, add_account, rows
from tests.fixtures import Clock, NewApp

HOSTILE = 'x\r\n{"event":"forged"}\x1b[31m\u202e'
"""What somebody types who wants to write a line of the log."""

HOSTILE_AGENT = 'x\t"}{"event":"forged"}\u202e'

WRONG = "not the right one, and a secret too"


class Scene:
    """A platform with people, a command line, and everything that left it as a log line."""

    def __init__(self, app: flask.Flask, clock: Clock) -> None:
        self.app, self.clock, self._lines = app, clock, io.StringIO()
        self.listen()
        self.request_ids: set[str] = set()
        self.secrets: set[str] = {PASSWORD, OTHER_PASSWORD, WRONG}
        app.after_request(self._note)
        add_account(app, "head", role="admin")
        add_account(app, "anna", email="anna@mail.test")
        self.anna = self.sign_in("anna")
        self.head = self.sign_in("head")
        self._authenticator = enrol(self.head)

    def _note(self, response: flask.Response) -> flask.Response:
        """Keep what joins answers with the record, and each secret that left in one."""
        self.request_ids.add(flask.request.environ["aegis.request_id"])
        for line in response.headers.getlist("Set-Cookie"):
            value = line.partition("=")[2].partition(";")[0]
            self.secrets.update(TOKEN.findall(value), {value} - {""})
        if response.is_json:
            body = response.get_json()
            codes = [*body.get("recovery_codes", ()), *body.get("codes", ())]
            named = [body.get(name) for name in ("csrf_token", "secret")]
            self.secrets.update(text for text in (*codes, *named) if text)
        return response

    def visitor(self) -> Browser:
        browser: Browser = self.app.test_client()
        browser.environ_base |= {"HTTP_USER_AGENT": HOSTILE_AGENT, "HTTP_X_REQUEST_ID": HOSTILE_AGENT}
        return browser

    def sign_in(self, name: str) -> Browser:
        browser = self.visitor()
        assert browser.sign_in(name).status_code == 200
        return browser

    def id_of(self, name: str) -> str:
        return str(next(row["id"] for row in rows(self.app, "accounts") if row["username"] == name))

    def administer(self, name: str, act: str, body: Any = None) -> None:
        done = self.head.write(f"/api/admin/users/{self.id_of(name)}/{act}", body)
        assert done.status_code == 200, done.text

    def second_factor(self, browser: Browser) -> App:
        app = enrol(browser)
        self.secrets.update({app.secret, *browser.recovery_codes})
        return app

    def command(self, *words: str, text: str = "") -> str:
        done = CliRunner().invoke(main, words, input=text)
        self.listen()  # the command line took the loggers
        assert done.exit_code == 0, done.output
        return done.output

    def mails(self) -> list[str]:
        """Return the texts of all mails so far."""
        messages = self.app.extensions["aegis"].sender.transport.messages
        return [str(message.get_body(("plain",)).get_content()) for message in messages]

    def listen(self) -> None:
        """Take the log as a serving process in production writes it."""
        handler = logging.StreamHandler(self._lines)
        handler.setFormatter(logs.JsonLines())
        for name in logs.NAMES:
            logger = logging.getLogger(name)
            logger.handlers[:], logger.propagate = [handler], False
            logger.setLevel(logging.INFO)

    def log(self) -> list[dict[str, Any]]:
        """Return the log; each line is one JSON object, or this fails."""
        return [json.loads(line) for line in self._lines.getvalue().splitlines()]

    def everything(self) -> str:
        """Return the log and all that the database holds, as text."""
        stored = [row for table in metadata.tables for row in rows(self.app, table)]
        return "\n".join(map(str, [*self.log(), *stored]))


@pytest.fixture
def scene(
    new_app: NewApp,
    sqlite_url: str,
    clock: Clock,
    own_loggers: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    """Give the platform with anna and an administrator."""
    monkeypatch.setenv("FLASK_ENV", "testing")
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    return Scene(
        new_app(
            DATABASE_URL=sqlite_url, AEGIS_EMAIL_VERIFICATION="optional", AEGIS_REMEMBER_LIFETIME="1209600"
        ),
        clock,
    )


Act = Callable[[Scene], object]
ACTS: dict[Event, Act] = {}


def causes(event: Event) -> Callable[[Act], Act]:
    """Name the event that a function causes."""

    def keep(act: Act) -> Act:
        ACTS[event] = act
        return act

    return keep


ACTS |= {
    Event.LOGIN_SUCCESS: lambda scene: scene.sign_in("anna"),
    Event.LOGIN_FAILURE: lambda scene: scene.visitor().sign_in(HOSTILE, WRONG),
    Event.CONFIRMED: lambda scene: scene.anna.write("/api/reauthenticate", {"password": PASSWORD}),
    Event.CONFIRM_FAILURE: lambda scene: scene.anna.write("/api/reauthenticate", {"password": WRONG}),
    Event.PASSWORD_CHANGED: lambda scene: change_password(scene, PASSWORD),
    Event.PASSWORD_CHANGE_FAILURE: lambda scene: change_password(scene, WRONG),
    Event.PASSWORD_EXPIRED: lambda scene: scene.command("user", "expire-password", "anna"),
    Event.PASSWORD_RESET_ASKED: lambda scene: scene.visitor().write(
        "/api/password/forgot", {"email": "anna@mail.test"}
    ),
    Event.CSRF_REFUSED: lambda scene: scene.anna.post("/api/profile", json={"bio": HOSTILE}),
    Event.INPUT_REJECTED: lambda scene: scene.anna.write("/api/profile", {HOSTILE: HOSTILE}),
    Event.FORBIDDEN: lambda scene: scene.anna.get("/api/admin/users"),
    Event.ROLE_CHANGED: lambda scene: scene.administer("anna", "role", {"role": "teacher"}),
    Event.RECORD_READ: lambda scene: scene.head.get("/api/admin/audit"),
    Event.SESSION_ENDED: lambda scene: scene.anna.write("/api/logout"),
    Event.SESSIONS_REVOKED: lambda scene: scene.administer("anna", "revoke-sessions"),
    Event.ACCOUNT_CREATED: lambda scene: register(scene, "eve"),
    Event.ACCOUNT_UPDATED: lambda scene: scene.anna.write("/api/profile", {"bio": "new"}),
    Event.ACCOUNT_DEACTIVATED: lambda scene: scene.administer("anna", "deactivate"),
    Event.FACTOR_ADDED: lambda scene: scene.second_factor(scene.anna),
    Event.STARTED: lambda scene: within(scene, housekeeping.note_start),
    Event.CHAIN_OPENED: lambda scene: None,  # the first event opened one
    Event.HEAD: lambda scene: within(scene, heads.send),
}


def within(scene: Scene, act: Callable[[], object]) -> None:
    with scene.app.app_context():
        act()


def change_password(scene: Scene, current: str) -> TestResponse:
    body = {"current_password": current, "new_password": OTHER_PASSWORD}
    return scene.anna.write("/api/profile/change-password", body)


def register(scene: Scene, name: str) -> TestResponse:
    return scene.visitor().write("/api/register", {"username": name, "password": PASSWORD})


@causes(Event.LOGIN_LIMITED)
def _(scene: Scene) -> None:
    stranger = scene.visitor()
    for _number in range(abuse.Abuse.limit_login_pair.attempts + 1):
        stranger.sign_in("anna", WRONG)


@causes(Event.RATE_LIMITED)
def _(scene: Scene) -> None:
    for number in range(abuse.Abuse.limit_register_address.attempts + 1):
        register(scene, f"person{number}")


def stay(scene: Scene) -> Browser:
    browser = scene.visitor()
    body = {"username": "anna", "password": PASSWORD, "remember": True}
    assert browser.post("/api/login", json=body).status_code == 200
    return browser


@causes(Event.SESSION_RESUMED)
def _(scene: Scene) -> None:
    browser = stay(scene)
    browser.delete_cookie("session")
    assert browser.get("/api/profile").status_code == 200


@causes(Event.REMEMBRANCE_ENDED)
def _(scene: Scene) -> None:
    browser = stay(scene)
    [own] = browser.get("/api/remembered-browsers").json["browsers"]
    ended = browser.write(f"/api/remembered-browsers/{own['id']}", method="DELETE")
    assert ended.status_code == 200


@causes(Event.REMEMBRANCE_COPIED)
def _(scene: Scene) -> None:
    browser = stay(scene)
    copy = browser.get_cookie("remember")
    assert copy is not None
    browser.delete_cookie("session")
    browser.get("/api/profile")
    thief = scene.visitor()
    thief.environ_base |= {"REMOTE_ADDR": "203.0.113.9"}
    thief.set_cookie("remember", copy.value)
    assert thief.get("/api/profile").status_code == 401


@causes(Event.FACTOR_ASKED)
def _(scene: Scene) -> None:
    scene.second_factor(scene.anna)
    scene.visitor().sign_in("anna")


@causes(Event.RECOVERY_CODE_USED)
def _(scene: Scene) -> None:
    scene.second_factor(scene.anna)
    other = scene.visitor()
    other.sign_in("anna")
    assert give(other, scene.anna.recovery_codes[0], "recovery_code").status_code == 200


@causes(Event.BREAK_GLASS_MADE)
def break_glass(scene: Scene) -> str:
    code = re.search(r"code of head: (\S+)", scene.command("user", "break-glass", "head"))
    assert code is not None
    scene.secrets.add(code[1])
    return code[1]


@causes(Event.BREAK_GLASS_USED)
def _(scene: Scene) -> None:
    code = break_glass(scene)
    other = scene.visitor()
    other.sign_in("head")
    assert give(other, code, "recovery_code").status_code == 200


@causes(Event.PASSWORD_RESET_LINK)
def _(scene: Scene) -> None:
    scene.secrets.update(TOKEN.findall(scene.command("user", "reset-password", "anna")))


@causes(Event.SESSION_EXPIRED)
def _(scene: Scene) -> None:
    scene.clock.advance(86_400)
    within(scene, housekeeping.purge)


@causes(Event.SESSION_LATE_USE)
def _(scene: Scene) -> None:
    scene.clock.advance(3601)
    assert scene.anna.get("/api/profile").status_code == 401


@causes(Event.ACCOUNT_ACTIVATED)
def _(scene: Scene) -> None:
    scene.administer("anna", "deactivate")
    scene.administer("anna", "activate")


@causes(Event.ACCOUNTS_IMPORTED)
def _(scene: Scene) -> None:
    scene.command("user", "import", "-", text="username,email\nfritz,fritz@mail.test\n")


@causes(Event.ACCOUNTS_EXPORTED)
def _(scene: Scene) -> None:
    scene.command("user", "export")


@causes(Event.FACTOR_REMOVED)
def _(scene: Scene) -> None:
    scene.second_factor(scene.anna)
    [held] = scene.anna.get("/api/mfa/totp").json["authenticators"]
    assert scene.anna.write(f"/api/mfa/totp/{held['id']}", method="DELETE").status_code == 200


@causes(Event.FACTORS_RESET)
def _(scene: Scene) -> None:
    scene.second_factor(scene.anna)
    scene.administer("anna", "reset-mfa")


def ask_for_reset(scene: Scene) -> None:
    """Ask as it is with AEGIS_MFA_RESET_DELAY."""
    application = scene.app.extensions["aegis"]
    settings = dataclasses.replace(application.settings, mfa_reset_delay_s=86_400)
    application.configured = dataclasses.replace(application.configured, settings=settings)
    scene.second_factor(scene.anna)
    scene.administer("anna", "reset-mfa")


@causes(Event.FACTORS_RESET_ASKED)
def _(scene: Scene) -> None:
    ask_for_reset(scene)


@causes(Event.FACTORS_RESET_WITHDRAWN)
def _(scene: Scene) -> None:
    ask_for_reset(scene)
    path = f"/api/admin/users/{scene.id_of('anna')}/reset-mfa"
    assert scene.head.write(path, method="DELETE").status_code == 200


@causes(Event.RECOVERY_CODES_RENEWED)
def _(scene: Scene) -> None:
    scene.second_factor(scene.anna)
    assert scene.anna.write("/api/mfa/recovery-codes").status_code == 200


@causes(Event.CODE_SENT)
def _(scene: Scene) -> None:
    scene.anna.write("/api/profile/change-email", {"email": "new@mail.test"})
    scene.administer("anna", "resend-code")
    scene.secrets.update(re.findall(r"Code: (\d+)", "".join(scene.mails())))


@causes(Event.ADDRESS_PROVEN)
def _(scene: Scene) -> None:
    changed = scene.anna.write("/api/profile/change-email", {"email": "new@mail.test"})
    assert changed.status_code == 200
    code = re.search(r"Code: (\d+)", scene.mails()[-1])
    assert code is not None
    proven = scene.anna.write("/api/verify-email", {"email": "new@mail.test", "code": code[1]})
    assert proven.status_code == 200
    scene.secrets.add(code[1])


@causes(Event.CHANGE_UNDONE)
def _(scene: Scene) -> None:
    change_password(scene, PASSWORD)
    [token] = TOKEN.findall(scene.mails()[-1])
    undone = scene.visitor().write("/api/account/undo", {"token": token})
    assert undone.status_code == 200, undone.text
    scene.secrets.update({token, undone.json["reset_token"]})


@causes(Event.DATA_EXPORTED)
def _(scene: Scene) -> None:
    assert scene.anna.get("/api/account/export").status_code == 200


@causes(Event.DELETION_ASKED)
def leave(scene: Scene) -> None:
    assert scene.anna.write("/api/account", method="DELETE").status_code == 200


@causes(Event.DELETION_WITHDRAWN)
def _(scene: Scene) -> None:
    leave(scene)
    scene.sign_in("anna")


@causes(Event.ACCOUNT_DELETED)
def _(scene: Scene) -> None:
    leave(scene)
    scene.clock.advance(7 * 86_400)
    within(scene, housekeeping.purge)


@causes(Event.DEVICE_FORGOTTEN)
def _(scene: Scene) -> None:
    [device] = scene.anna.get("/api/devices").json["devices"]
    assert scene.anna.write(f"/api/devices/{device['id']}", method="DELETE").status_code == 200


WITHOUT_REQUEST = {
    Event.HEAD,
    Event.STARTED,
    Event.CHAIN_OPENED,
    Event.SESSION_EXPIRED,
    Event.PASSWORD_EXPIRED,
    Event.PASSWORD_RESET_LINK,
    Event.BREAK_GLASS_MADE,
    Event.ACCOUNTS_IMPORTED,
    Event.ACCOUNTS_EXPORTED,
    Event.ACCOUNT_DELETED,
}
"""What the platform does by itself, or the operator on the command line."""


def assert_joined(told: list[dict[str, Any]], row: dict[str, Any], scene: Scene) -> None:
    [line] = [line for line in told if (line["chain"], line["number"]) == (row["chain"], row["number"])]
    for name in ("request_id", "account_id", "actor_id", "address", "mac"):
        assert line[name] == row[name], name
    for name, value in json.loads(row["data"]).items():
        assert line[name] == value, name
    assert row["request_id"] in scene.request_ids


@pytest.mark.control(
    "ASVS-5.0-16.2.1",
    "ASVS-5.0-16.2.4",
    "ASVS-5.0-16.2.5",
    "ASVS-5.0-16.3.3",
    "ASVS-5.0-16.4.1",
    "CS-LOG-1",
    "ASVS-5.0-16.3.1",
    "ASVS-5.0-16.2.2",
)
@pytest.mark.parametrize("event", Event)
def test_each_event_is_a_row_and_a_line_of_the_request_that_caused_it(scene: Scene, event: Event) -> None:
    ACTS[event](scene)

    told = [line for line in scene.log() if line["event"] == event]
    written = [row for row in rows(scene.app, "audit") if row["event"] == event]
    assert told or event in WITHOUT_REQUEST  # the command line logs to the terminal of whoever types
    assert written or event == Event.HEAD
    if event in WITHOUT_REQUEST:
        assert {row["request_id"] for row in written} <= {""}
    else:
        assert_joined(told, written[-1], scene)

    everything = scene.everything()
    assert scene.id_of("head") in everything
    assert len(scene.secrets) > 10
    assert [secret for secret in scene.secrets if secret in everything] == []
    assert "forged" not in {line["event"] for line in scene.log()}


def test_a_secret_that_was_written_would_be_found(scene: Scene) -> None:
    secret = scene.anna.session_cookie()
    assert secret in scene.secrets
    assert secret not in scene.everything()
    with scene.app.app_context():
        audit.record(Event.LOGIN_SUCCESS, OPERATOR, note=secret)
    assert secret in scene.everything()
