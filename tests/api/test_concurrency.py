"""Requests at the same moment: nothing is lost, nothing comes back to life (field lessons L1 and L2)."""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import pytest
from werkzeug.serving import make_server

from academy.courses import publishing
from academy.courses.model import CourseText, LessonText, SectionText
from tests.factories import (
    OTHER_PASSWORD,
    PASSWORD,
    Browser,
    add_account,
    at_once,
    copy_of,
    rows,
    signed_in,
)
from tests.fixtures import NewApp

LESSONS = tuple(LessonText(f"lesson-{number:02d}", f"Lesson {number}", "Words.\n") for number in range(20))
COURSE = CourseText("locks", "Locks", "All about locks.", "en", True, (SectionText("All", LESSONS),), ())


@pytest.fixture
def filed_app(new_app: NewApp, sqlite_url: str) -> flask.Flask:
    """Give an application on a file, which threads do not have to take in turns."""
    return new_app(DATABASE_URL=sqlite_url, AEGIS_DATABASE_TIMEOUT="10")


@pytest.fixture
def port(filed_app: flask.Flask) -> Iterator[int]:
    """Serve the application on a port, each request in a thread of its own."""
    server = make_server("127.0.0.1", 0, filed_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


class SlowRequest:
    """A request whose last byte is sent when the test says so."""

    def __init__(self, port: int, browser: Browser, path: str, body: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\nCookie: session={browser.session_cookie()}\r\n"
            f"X-CSRFToken: {browser.token()}\r\nConnection: close\r\n\r\n"
        )
        self._last = content[-1:]
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(head.encode() + content[:-1])

    def finish(self) -> http.client.HTTPResponse:
        """Send the last byte and return the answer."""
        self._socket.sendall(self._last)
        answer = http.client.HTTPResponse(self._socket)
        answer.begin()
        answer.read()
        self._socket.close()
        return answer


@pytest.fixture
def waiting_for_body(filed_app: flask.Flask) -> threading.Event:
    """Give an event that is set when a view with a body was reached, so after the session was read."""
    reached = threading.Event()
    for endpoint in ("change_profile", "change_password"):
        name = f"aegis_accounts.{endpoint}"
        view = filed_app.view_functions[name]
        filed_app.view_functions[name] = _announced(view, reached)
    name = "aegis_login.reauthenticate"
    filed_app.view_functions[name] = _announced(filed_app.view_functions[name], reached)
    return reached


def _announced(view: Callable[..., Any], reached: threading.Event) -> Callable[..., Any]:
    def announced(**arguments: Any) -> Any:
        reached.set()
        return view(**arguments)

    announced.__dict__.update(view.__dict__)
    return announced


@pytest.mark.control("ASVS-5.0-7.4.1", "ASVS-5.0-15.4.2", "NIST-63B4-5.1-1")
@pytest.mark.parametrize(
    "sent",
    [
        ("/api/profile", {"bio": "late"}),
        ("/api/profile/change-password", {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}),
        ("/api/reauthenticate", {"password": PASSWORD}),
    ],
)
@pytest.mark.parametrize("ended_by", ["logout", "revocation", "nothing"])
def test_a_request_in_flight_at_logout_revives_nothing(
    filed_app: flask.Flask,
    port: int,
    waiting_for_body: threading.Event,
    sent: tuple[str, dict[str, str]],
    ended_by: str,
) -> None:
    anna, other = signed_in(filed_app, "anna"), filed_app.test_client()
    other.sign_in("anna")
    slow = SlowRequest(port, anna, *sent)
    assert waiting_for_body.wait(20)
    old = copy_of(anna)
    if ended_by == "logout":
        assert anna.write("/api/logout").status_code == 200
    elif ended_by == "revocation":
        assert other.write("/api/sessions", method="DELETE").json["ended"] == 1
    answer = slow.finish()

    if ended_by == "nothing":
        assert answer.status == 200
        return
    cookie = answer.headers["Set-Cookie"]
    assert cookie is None or cookie.startswith("session=;")
    assert answer.status == (200 if sent[0] == "/api/profile" else 401)
    assert not old.is_signed_in()
    assert len(rows(filed_app, "sessions")) == 1
    assert other.is_signed_in()
    assert other.sign_in().status_code == 200  # the password is the one of before


def test_a_slow_reader_at_logout_does_not_bring_the_session_back(filed_app: flask.Flask, port: int) -> None:
    """Many ordinary requests around the moment of logout: afterwards the token is dead for good."""
    anna = signed_in(filed_app, "anna")
    headers = {"Cookie": f"session={anna.session_cookie()}"}
    stop = threading.Event()

    def keep_asking() -> set[int]:
        seen = set()
        while not stop.is_set():
            seen.add(fetch(port, "/api/profile", headers))
        return seen

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(keep_asking) for _ in range(4)]
        token = anna.token()
        assert fetch(port, "/api/logout", {**headers, "X-CSRFToken": token}, "POST") == 200
        after = [fetch(port, "/api/profile", headers) for _ in range(20)]
        stop.set()

    assert after == [401] * 20
    assert set().union(*(one.result() for one in asking)) <= {200, 401}
    assert rows(filed_app, "sessions") == []


def fetch(port: int, path: str, headers: dict[str, str], method: str = "GET") -> int:
    """Return the status of one request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


# Writes that do not know of each other (L2)


def test_parallel_writes_of_one_session_are_all_kept(filed_app: flask.Flask) -> None:
    with filed_app.app_context():
        publishing.publish(COURSE)
    anna = signed_in(filed_app, "anna")
    assert anna.write("/api/courses/locks/enrol").status_code == 200
    token = anna.token()
    headers = {"X-CSRFToken": token}

    def complete(lesson: str) -> int:
        body = {"lesson": lesson, "status": "completed"}
        return copy_of(anna).put("/api/courses/locks/progress", json=body, headers=headers).status_code

    def fetch_token() -> int:
        return copy_of(anna).get("/csrf-token").status_code

    def write_profile() -> int:
        return copy_of(anna).post("/api/profile", json={"bio": "Kept"}, headers=headers).status_code

    tasks: list[Callable[[], Any]] = [lambda lesson=item.slug: complete(lesson) for item in LESSONS]
    answers = at_once([*tasks, *[fetch_token] * 10, write_profile])

    assert answers == [200] * len(answers)
    assert anna.get("/api/courses/locks/progress").json["percent"] == 100
    assert anna.get("/api/profile").json["user"]["bio"] == "Kept"
    assert anna.is_signed_in()
    assert anna.post("/api/profile", json={"bio": "Again"}, headers=headers).status_code == 200


@pytest.mark.control("ASVS-5.0-15.4.2")
def test_one_name_registered_by_many_at_once_is_one_account(filed_app: flask.Flask) -> None:
    browsers = [filed_app.test_client() for _ in range(6)]
    tokens = [browser.token() for browser in browsers]

    def register(browser: Browser, token: str, name: str) -> int:
        body = {"username": name, "password": PASSWORD}
        return browser.post("/api/register", json=body, headers={"X-CSRFToken": token}).status_code

    names = ("anna", "Anna", "ANNA", "ａｎｎａ", "anna ", "aNNa")
    tasks: list[Callable[[], Any]] = [
        lambda arguments=each: register(*arguments) for each in zip(browsers, tokens, names, strict=True)
    ]
    assert sorted(at_once(tasks)) == [201] + [400] * 5
    assert len(rows(filed_app, "accounts")) == 1


def test_parallel_sign_ins_are_separate_sessions(filed_app: flask.Flask) -> None:
    add_account(filed_app, "anna")
    browsers = [filed_app.test_client() for _ in range(8)]
    answers = at_once([lambda browser=each: browser.sign_in("anna").status_code for each in browsers])

    assert answers == [200] * 8
    assert len(rows(filed_app, "sessions")) == 8
    assert all(browser.is_signed_in() for browser in browsers)


def test_a_form_sent_twice_at_once_leaves_one_session(filed_app: flask.Flask) -> None:
    add_account(filed_app, "anna")
    first = filed_app.test_client()
    token = first.token()
    browsers = [filed_app.test_client() for _ in range(4)]
    for browser in browsers:
        browser.set_cookie("visitor", first.get_cookie("visitor").value)
    form = {"username": "anna", "password": PASSWORD, "csrf_token": token}
    answers = at_once(
        [lambda browser=each: browser.submit("/login", **form).status_code for each in browsers]
    )

    assert answers == [303] * 4
    assert len(rows(filed_app, "sessions")) == 1
    assert [browser.is_signed_in() for browser in browsers].count(True) == 1
