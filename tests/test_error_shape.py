"""Every error leaves in one shape, whatever caused it.

For programs: `{"error": sentence, "code": word, "request_id": id}`, with `fields` where input was wrong, under a 4xx or
5xx status and `application/json`. For a browser that waits for a page: the same as a page. Never a traceback, never
what the client sent, never HTML to a program.
"""

import json
import logging
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import flask
import pytest
import sqlalchemy as sa
import werkzeug.exceptions
from werkzeug.serving import make_server

from aegis import db, errors
from tests.factories import (
    OTHER_PASSWORD,
    PASSWORD,
    Browser,
    assert_refused,
    change,
    dispose,
    make_app,
    rows,
    signed_in,
    wipe,
)
from tests.properties import HealthCheck, given, settings, st

DEEP = 100_000


def post(browser: Browser, data: bytes | str, path: str = "/api/profile", **headers: str) -> flask.Response:
    """Send raw JSON."""
    sent = {"X-CSRFToken": browser.token(), "Content-Type": "application/json", **headers}
    return browser.post(path, data=data, headers=sent)


# What werkzeug refuses


@pytest.mark.parametrize(
    "path", ["/nothing-here", "/api/nothing-here", "/api/profile/", "/static/aegis/no.css"]
)
def test_404(client: Browser, path: str) -> None:
    assert_refused(client.get(path), 404, "not_found")


@pytest.mark.control("ASVS-5.0-4.1.4", "ASVS-5.0-13.4.4")
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "ABC"])
def test_405_names_the_methods_that_work(anna: Browser, method: str) -> None:
    refused = anna.write("/api/login", {}, method=method)

    assert_refused(refused, 405, "method_not_allowed")
    assert refused.headers["Allow"] == "OPTIONS, POST"


@pytest.mark.control("ASVS-5.0-4.1.4")
def test_every_route_answers_its_own_methods_alone(app: flask.Flask, anna: Browser) -> None:
    by_path: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<string\(length=(\d+)\):\w+>", lambda found: "x" * int(found[1]), rule.rule)
        by_path.setdefault(path.replace("<", "x").replace(">", "x"), set()).update(rule.methods)
    for path, methods in by_path.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - methods:
            refused = anna.write(path, {}, method=method)
            assert refused.status_code == 405, (method, path)
            assert set(refused.headers["Allow"].split(", ")) == methods, (method, path)


@pytest.mark.control("ASVS-5.0-5.2.1", "CS-PWSTORE-3")
@pytest.mark.parametrize("path", ["/api/profile", "/api/login", "/api/register", "/profile", "/login"])
def test_413(app: flask.Flask, anna: Browser, path: str) -> None:
    limit = app.extensions["aegis"].settings.body_limit
    if path.startswith("/api"):
        body = b'{"bio": "' + b"x" * limit + b'"}'
        assert_refused(post(anna, body, path), 413, "too_large")
        assert post(anna, body[: limit - 100] + b'"}', path).status_code == 400
    else:
        assert_refused(anna.post(path, data={"bio": "x" * limit}), 413, "too_large")
        part = b'--x\r\nContent-Disposition: form-data; name="bio"\r\n\r\n' + b"x" * limit + b"\r\n--x--\r\n"
        multipart = "multipart/form-data; boundary=x"
        assert_refused(anna.post(path, data=part, content_type=multipart), 413, "too_large")


@pytest.mark.parametrize("path", ["/profile", "/login", "/profile/avatar", "/api/profile/avatar"])
@pytest.mark.parametrize("name", ["", "; filename=x"])
def test_a_part_of_a_form_without_a_name_is_refused(anna: Browser, path: str, name: str) -> None:
    part = f"--x\r\nContent-Disposition: form-data{name}\r\n\r\n1\r\n--x--\r\n".encode()
    headers = {"X-CSRFToken": anna.token()}
    refused = anna.post(path, data=part, content_type="multipart/form-data; boundary=x", headers=headers)
    assert_refused(refused, 400, "bad_request")


def test_413_for_a_form_of_too_many_parts(anna: Browser) -> None:
    many = {f"field{number}": "x" for number in range(2000)}
    refused = anna.post("/profile", data=many, content_type="multipart/form-data")

    assert_refused(refused, 413, "too_large")


def test_415(anna: Browser) -> None:
    refused = post(anna, "bio=x", **{"Content-Type": "application/x-www-form-urlencoded"})
    assert_refused(refused, 415, "unsupported_media_type")


def test_415_for_a_compressed_body(anna: Browser) -> None:
    refused = post(anna, b"\x1f\x8b", **{"Content-Encoding": "gzip"})
    assert_refused(refused, 415, "unsupported_media_type")


STATUSES = [
    status
    for status, kind in werkzeug.exceptions.default_exceptions.items()
    if status >= 400 and kind is not werkzeug.exceptions.RequestedRangeNotSatisfiable
]


@pytest.fixture(scope="module")
def raising_app() -> Iterator[flask.Flask]:
    """Give an application with views that fail in every way."""
    app = make_app()

    @app.get("/abort/<int:status>")
    def abort(status: int) -> None:
        flask.abort(status)

    @app.get("/abort-with-answer")
    def abort_with_answer() -> None:
        flask.abort(flask.Response("wait", 429, {"Retry-After": "7"}))

    @app.get("/refuse/<name>")
    def refuse(name: str) -> None:
        raise getattr(errors, name)

    @app.get("/crash/<kind>")
    def crash(kind: str) -> None:
        if kind == "database":
            db.rows(sa.text("SELECT secret_column FROM no_such_table"))
        raise {"value": ValueError, "key": KeyError, "recursion": RecursionError, "memory": MemoryError}[
            kind
        ]("secret detail")

    @app.get("/api/crash")
    def crash_in_api() -> None:
        raise RuntimeError("secret detail")

    yield app
    dispose(app)


@pytest.mark.parametrize("status", STATUSES)
def test_every_http_error_of_werkzeug(raising_app: flask.Flask, status: int) -> None:
    answer = raising_app.test_client().get(f"/abort/{status}")

    code = assert_refused(answer, status, answer.json["code"])["code"]
    assert code.replace("_", "").isalnum()
    page = raising_app.test_client().page(f"/abort/{status}")
    assert page.status_code == status
    assert page.mimetype == "text/html"


REFUSALS = [
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.AegisError) and name != "AegisError"
]


@pytest.mark.parametrize("name", REFUSALS)
def test_every_refusal_of_ours(raising_app: flask.Flask, name: str) -> None:
    kind = getattr(errors, name)
    answer = raising_app.test_client().get(f"/refuse/{name}")

    assert assert_refused(answer, kind.status, kind.code)["error"] == kind.sentence
    if kind.status == 503:
        assert int(answer.headers["Retry-After"]) > 0


def test_an_answer_that_a_view_aborts_with_is_sent_as_it_is(raising_app: flask.Flask) -> None:
    answer = raising_app.test_client().get("/abort-with-answer")

    assert (answer.status_code, answer.data, answer.headers["Retry-After"]) == (429, b"wait", "7")


# What cannot be read


NOT_JSON = {
    "nothing": b"",
    "blank": b" ",
    "cut": b'{"bio": "x"',
    "no quotes": b"{bio: 1}",
    "single quotes": b"{'bio': 'x'}",
    "comment": b'{"bio": "x"} // y',
    "two": b'{"bio": "x"}{"bio": "y"}',
    "trailing comma": b'{"bio": "x",}',
    "form": b"bio=x",
    "nan": b'{"bio": NaN}',
    "infinity": b'{"bio": -Infinity}',
    "control character": b'{"bio": "a\x01b"}',
    "line break in text": b'{"bio": "a\nb"}',
    "latin-1": '{"bio": "é"}'.encode("latin-1"),
    "utf-16": '{"bio": "x"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"bio": "x"}',
    "overlong": b'{"bio": "\xc0\xaf"}',
    "surrogate bytes": b'{"bio": "\xed\xa0\x80"}',
    "huge number": b'{"bio": ' + b"9" * 5000 + b"}",
    "deep list": b'{"bio": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep object": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep and open": b"[" * DEEP,
    "rather deep": b'{"bio": ' + b"[" * 9 + b"]" * 9 + b"}",
}
NO_OBJECT = [b"null", b"true", b"12", b'"text"', b"[]", b'[{"bio": "x"}]', b"-0", b"1e5"]


@pytest.mark.control("ASVS-5.0-2.2.1", "ASVS-5.0-1.5.1")
@pytest.mark.parametrize("data", NOT_JSON.values(), ids=NOT_JSON)
@pytest.mark.parametrize("path", ["/api/profile", "/api/login"])
def test_what_is_no_json_is_a_bad_request(app: flask.Flask, anna: Browser, path: str, data: bytes) -> None:
    body = assert_refused(post(anna, data, path), 400, "bad_request")

    assert "fields" not in body
    assert rows(app, "accounts")[0]["bio"] == ""


@pytest.mark.control("ASVS-5.0-15.3.5")
@pytest.mark.parametrize("data", NO_OBJECT)
@pytest.mark.parametrize("path", ["/api/profile", "/api/login", "/api/register"])
def test_what_is_no_object_is_a_bad_request(client: Browser, anna: Browser, path: str, data: bytes) -> None:
    for browser in (client, anna) if path != "/api/profile" else (anna,):
        assert_refused(post(browser, data, path), 400, "bad_request")


WRONG_TEXT = {
    "nul": r'"a\u0000b"',
    "half a pair": r'"\ud800"',
    "the other half": r'"x\udc00y"',
    "number": "12",
    "float": "1.5",
    "too large to be a number": "1e999",
    "true": "true",
    "list": '["x"]',
    "object": '{"$gt": ""}',
    "list of nul": r'["\u0000"]',
}


@pytest.mark.control("ASVS-5.0-15.3.5", "ASVS-5.0-2.2.1", "ASVS-5.0-1.3.3")
@pytest.mark.parametrize("value", WRONG_TEXT.values(), ids=WRONG_TEXT)
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/login", {"username": "anna", "password": PASSWORD}, "username"),
        ("/api/login", {"username": "anna", "password": PASSWORD}, "password"),
        ("/api/register", {"username": "carol", "password": OTHER_PASSWORD}, "email"),
        ("/api/profile", {}, "bio"),
        ("/api/profile/change-password", {"current_password": PASSWORD, "new_password": "x"}, "new_password"),
        ("/api/reauthenticate", {}, "password"),
    ],
)
def test_what_is_no_storable_text_is_named_by_its_field(
    anna: Browser, path: str, body: dict[str, str], field: str, value: str
) -> None:
    sent = json.dumps({**body, field: "@"}).replace('"@"', value)
    refused = assert_refused(post(anna, sent, path), 400, "invalid_input")

    assert field in refused["fields"]
    assert value.strip('"') not in refused["fields"][field]


def test_a_pair_of_surrogates_is_a_character(anna: Browser) -> None:
    answer = post(anna, r'{"bio": "\ud83d\udd11"}')

    assert answer.json["user"]["bio"] == "🔑"


@pytest.mark.control("ASVS-5.0-15.3.7")
@pytest.mark.parametrize(
    "twice", ['"bio": "x", "bio": "y"', '"bio": "x", "b\\u0069o": "y"', '"bio": "x", "bio": "x"']
)
def test_a_field_that_comes_twice_is_refused(app: flask.Flask, anna: Browser, twice: str) -> None:
    refused = assert_refused(post(anna, "{" + twice + "}"), 400, "invalid_input")

    assert set(refused["fields"]) == {"bio"}
    assert rows(app, "accounts")[0]["bio"] == ""
    nested = assert_refused(post(anna, '{"x": [{"a": 1, "a": 2}]}'), 400, "invalid_input")
    assert set(nested["fields"]) == {"a"}


@pytest.mark.control("ASVS-5.0-15.3.7")
def test_a_form_field_that_comes_twice_is_refused(app: flask.Flask, anna: Browser) -> None:
    page = anna.submit("/profile", bio=["x", "y"])
    assert page.status_code == 400
    assert rows(app, "accounts")[0]["bio"] == ""

    assert anna.submit("/profile", bio="x").status_code == 303


@pytest.mark.control("ASVS-5.0-1.2.1", "ASVS-5.0-15.3.6")
@pytest.mark.parametrize(
    "name", ["<script>", "a\u0000", "\\r\\nX: y", "é" * 100, "__proto__", "constructor", "\ud800", ""]
)
def test_a_field_that_nobody_knows_is_named_harmlessly(anna: Browser, name: str) -> None:
    sent = json.dumps({name: "x"})
    refused = assert_refused(post(anna, sent), 400, "invalid_input")

    [shown] = refused["fields"]
    assert shown
    assert shown.isascii()
    assert not set(shown) & set("<>\"'&\x00\r\n")
    assert len(shown) <= 40


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    )
)
def test_no_json_is_an_error_of_ours(anna: Browser, value: Any) -> None:
    token = anna.token()
    headers = {"X-CSRFToken": token, "Content-Type": "application/json"}
    for body in (value, {"username": value, "password": value}, {"bio": value}):
        for path in ("/api/login", "/api/profile"):
            answer = anna.post(path, data=json.dumps(body), headers=headers)
            assert answer.status_code in {200, 400, 401, 429}, answer.text
            if answer.status_code == 400:
                assert_refused(answer, 400, answer.json["code"])


# What breaks on our side


@pytest.mark.control("ASVS-5.0-16.5.1", "ASVS-5.0-16.5.4", "ASVS-5.0-13.4.2", "ASVS-5.0-13.4.6")
@pytest.mark.parametrize(
    "path", ["/crash/value", "/crash/key", "/crash/recursion", "/crash/memory", "/api/crash"]
)
def test_a_crash_tells_the_client_nothing_and_the_log_everything(
    raising_app: flask.Flask, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    answer = raising_app.test_client().get(path)

    body = assert_refused(answer, 500, "server_error")
    for inside in ("secret", "Traceback", ".py"):
        assert inside not in answer.text
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info
    assert record.aegis["request_id"] == body["request_id"]
    page = raising_app.test_client().page(path)
    assert page.status_code == 500
    assert "secret" not in page.text
    assert page.mimetype == ("application/json" if path.startswith("/api") else "text/html")


@pytest.mark.control("ASVS-5.0-16.5.1", "ASVS-5.0-16.5.4")
def test_an_error_of_the_database_shows_no_sql(raising_app: flask.Flask) -> None:
    answer = raising_app.test_client().get("/crash/database")

    assert answer.status_code >= 500
    assert_refused(answer, answer.status_code, answer.json["code"])
    assert "secret_column" not in answer.text
    assert "no_such_table" not in answer.text


# Who gets which


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html", "text/html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("text/html;q=0.9, application/json;q=0.8", "text/html"),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("application/json, text/html;q=0.5", "application/json"),
        ("image/png", "application/json"),
        ("*/*", "application/json"),
        ("text/*", "application/json"),
        ("TEXT/HTML, */*;q=0.1", "text/html"),
        ("text/html;q=0", "application/json"),
        ("nonsense", "application/json"),
        ("", "application/json"),
        (None, "application/json"),
    ],
)
def test_a_page_only_for_whom_waits_for_one(client: Browser, accept: str | None, kind: str) -> None:
    headers = {} if accept is None else {"Accept": accept}
    assert client.get("/nothing-here", headers=headers).mimetype == kind
    assert client.get("/api/nothing-here", headers=headers).mimetype == "application/json"


@pytest.mark.parametrize("path", ["/api/profile", "/auth/check", "/csrf-token", "/openapi.json", "/health/x"])
def test_program_addresses_never_answer_with_a_page(client: Browser, path: str) -> None:
    answer = client.open(
        path, method="GET" if path in {"/api/profile", "/auth/check", "/health/x"} else "PUT"
    )

    assert answer.status_code >= 400
    assert client.page("/api/profile").mimetype == "application/json"
    assert answer.mimetype == "application/json"


@pytest.mark.control("ASVS-5.0-1.2.1")
def test_an_error_page_escapes_what_was_asked_for(client: Browser) -> None:
    for path in ("/<script>alert(1)</script>", "/?next=<script>", "/courses/<svg onload=x>"):
        assert "<script>alert" not in client.page(path).text
        assert "<svg onload" not in client.page(path).text


# The request id


def test_each_request_has_an_id_of_its_own(client: Browser) -> None:
    ids = {client.get("/api/profile").json["request_id"] for _ in range(50)}
    assert len(ids) == 50
    assert all(len(id_) == 16 for id_ in ids)


def test_a_client_cannot_choose_the_id(client: Browser) -> None:
    answer = client.get("/api/profile", headers={"X-Request-ID": "chosen"})
    assert answer.headers.getlist("X-Request-ID") == [answer.json["request_id"]]
    assert answer.json["request_id"] != "chosen"


# Real bytes on a real connection


@pytest.fixture
def port(app: flask.Flask) -> Iterator[int]:
    """Serve the application."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def exchange(port: int, head: str, body: bytes = b"") -> tuple[int, dict[str, Any]]:
    """Send raw bytes, close our half, and return status and body of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    headers, _, content = answer.partition(b"\r\n\r\n")
    return int(headers.split()[1]), json.loads(content)


LOGIN = "POST /api/login HTTP/1.1\nHost: localhost\nContent-Type: application/json"


def test_a_body_that_ends_too_early_is_a_bad_request(port: int) -> None:
    status, body = exchange(port, f"{LOGIN}\nContent-Length: 500", b'{"username": "anna"')

    assert (status, body["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "length", ["", "\nContent-Length: 0", "\nContent-Length: -5", "\nContent-Length: many"]
)
def test_a_body_of_unknown_length_is_a_bad_request(port: int, length: str) -> None:
    status, body = exchange(port, LOGIN + length)

    assert (status, body["code"]) == (400, "bad_request")


def test_a_chunked_body_is_read_to_its_end(app: flask.Flask, port: int) -> None:
    body = json.dumps({"username": "nobody", "password": PASSWORD}).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:])) + b"0\r\n\r\n"
    status, answer = exchange(port, f"{LOGIN}\nTransfer-Encoding: chunked", chunks)

    assert (status, answer["code"]) == (401, "invalid_credentials")


@pytest.mark.parametrize(
    "line",
    [
        "/%00",
        "/api/%ff%fe",
        "/courses/%00",
        "/courses/%ed%a0%80",
        "/login?next=%00",
        "/?x=%ff",
        "/..%2f..%2fetc",
    ],
)
def test_bytes_that_are_no_text_in_the_address_do_no_harm(port: int, line: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"GET {line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert int(answer.split()[1]) in {200, 303, 308, 400, 404}


# The declared operations, one after the other (L21)

CORPUS: list[Any] = [
    "a\u0000b",
    "\ud800",
    12,
    -1,
    1.5,
    2**70,
    True,
    None,
    [],
    ["x"],
    {},
    {"$gt": ""},
    "",
    " ",
    "x" * 5000,
    "é" * 300,
    "' OR 1=1 --",
    "../../etc/passwd",
    "%s%n{0}",
    "\u202e",
    [[[[[[[[[[[["deep"]]]]]]]]]]]],
]


@pytest.mark.control("ASVS-5.0-2.2.1", "ASVS-5.0-15.3.5", "ASVS-5.0-1.2.4", "ASVS-5.0-16.5.1")
def test_no_declared_operation_answers_hostile_values_with_a_failure_of_ours(
    app: flask.Flask, client: Browser
) -> None:
    document = client.get("/openapi.json").json
    anna = signed_in(app, "anna")
    tried = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for body in hostile_bodies(operation, document["components"]["schemas"]):
                target = path
                for parameter in operation["parameters"]:
                    target = target.replace("{" + parameter["name"] + "}", "%00%27" if tried % 2 else "x")
                answer = anna.write(target, body, method=method.upper())
                tried += 1
                if target == "/health/ready" and answer.status_code == 503:
                    continue
                assert answer.status_code < 500, (method, target, body, answer.text)
                if answer.status_code >= 400 and path != "/api/check_session":
                    assert_refused(answer, answer.status_code, answer.json["code"])
                change(app, "accounts", is_active=True)
                if anna.session_cookie() is None or answer.status_code in {401, 429}:
                    wipe(app)
                    anna = signed_in(app, "anna")
    assert tried > 150


def hostile_bodies(operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[Any]:
    """Yield bodies in which one field after the other is wrong in every way."""
    if "application/json" not in operation.get("requestBody", {}).get("content", ()):
        yield from (None, {}, [])
        return
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    names = list(schemas[reference.rpartition("/")[2]]["properties"])
    yield from ([], {}, "text", {"unknown": 1})
    for name in names:
        for value in CORPUS:
            yield {**dict.fromkeys(names, "x"), name: value}


def test_a_declared_answer_is_what_is_answered(app: flask.Flask, client: Browser) -> None:
    """Each refusal met here is in the document under its status."""
    anna = signed_in(app, "anna")
    document = client.get("/openapi.json").json
    for path, method, body in (
        ("/api/login", "post", {"username": "anna", "password": "wrong"}),
        ("/api/login", "post", {}),
        ("/api/register", "post", {"username": "anna", "password": PASSWORD}),
        ("/api/profile", "get", None),
        ("/api/profile/change-password", "post", {"current_password": "x", "new_password": "y"}),
        ("/api/sessions", "get", None),
        ("/api/check_session", "get", None),
    ):
        declared = document["paths"][path][method]["responses"]
        for browser in (client, anna):
            assert str(browser.write(path, body, method=method.upper()).status_code) in declared
