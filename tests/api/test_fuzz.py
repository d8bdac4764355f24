"""Hostile input at every door: each route of the OpenAPI document and each form, field by field, signed in and not.

Whatever is sent, the answer is a refusal in the one error shape, or a success because the value was harmless text of
the declared type. It is never a failure of ours, repeats nothing that was sent, and a refusal stores nothing.
"""

import gzip
import json
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import flask
import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from academy.courses import publishing
from academy.courses.model import CourseText, LessonText, SectionText
from aegis.schema import metadata
from tests.factories import (
    OTHER_PASSWORD,
    PASSWORD,
    Browser,
    Form,
    add_account,
    dispose,
    forms,
    make_app,
    wipe,
)
from tests.properties import HealthCheck, given, settings

CANARY = "zqx7"
"""Stands in all hostile text, so that an answer that repeats it is noticed."""

ACTIVE = ("<script>alert", "<img src=x", "<svg", "onerror=alert(1)>", "{{49}}", "zqx749")

COURSE = CourseText(
    "locks",
    "Locks",
    "All about locks.",
    "en",
    True,
    (SectionText("All", (LessonText("one", "One", "Words.\n"), LessonText("two", "Two", "Words.\n"))),),
    (),
)
PATHS = {"slug": "locks", "lesson": "one"}
VALID: dict[str, Any] = {
    "username": "anna",
    "password": PASSWORD,
    "email": "new@mail.test",
    "display_name": "Anna",
    "bio": "Words",
    "current_password": PASSWORD,
    "new_password": OTHER_PASSWORD,
    "lesson": "one",
    "status": "completed",
    "content": "A note",
    "version": None,
    "remember": False,
}
ROOMY = dict.fromkeys(
    (
        "AEGIS_LIMIT_LOGIN_ACCOUNT",
        "AEGIS_LIMIT_LOGIN_DEVICE",
        "AEGIS_LIMIT_LOGIN_PAIR",
        "AEGIS_LIMIT_LOGIN_ADDRESS",
        "AEGIS_LIMIT_CONFIRM",
        "AEGIS_LIMIT_SECOND_FACTOR",
        "AEGIS_LIMIT_REGISTER_ADDRESS",
        "AEGIS_LIMIT_RESET_ADDRESS",
        "AEGIS_LIMIT_RESET_MAILBOX",
        "AEGIS_LIMIT_UPLOAD_ACCOUNT",
        "AEGIS_LIMIT_EXPORT_ACCOUNT",
        "AEGIS_LIMIT_CODE_MAILBOX",
        "AEGIS_LIMIT_CODE_ADDRESS",
    ),
    "100000/1s",
)
"""Refused attempts would hide what the fields behind them do."""

TEXTS = (
    "",
    " ",
    f"a\0{CANARY}",
    f"\ud800{CANARY}",
    f"{CANARY}\udfff",
    f"\u202e{CANARY}\u202c",
    f"\u2066{CANARY}",
    f"\u200b{CANARY}\u200d\ufeff",
    f"{CANARY}\r\nX-Injected: 1\r\n\r\n<script>alert(1)</script>",
    f"\n.\n{CANARY}",
    f"{CANARY}' OR '1'='1' -- ",
    f'{CANARY}"; DROP TABLE accounts; --',
    f"{CANARY}`sleep 5`$(sleep 5);|&",
    f"{CANARY}{{{{7*7}}}}${{7*7}}<%=7*7%>#{{7*7}}",
    f"{CANARY}{{0.__class__}}%s%n%(x)s",
    f"<script>alert(1)</script>{CANARY}",
    f"\"'><img src=x onerror=alert(1)>{CANARY}",
    f"</textarea></title><svg onload=alert(1)>{CANARY}",
    f"../../../../etc/passwd\0{CANARY}",
    f"..\\..\\{CANARY}",
    f"javascript:alert(1)//{CANARY}",
    f"//evil.test/{CANARY}",
    f"\\\\evil.test/{CANARY}",
    f"__proto__{CANARY}",
    f"\x1b[31m{CANARY}\x07\x7f\x85",
    f"\u2028{CANARY}\u2029",
    f"e\u0301\u0301\u0301{CANARY}",
    CANARY * 3000,
    "\ufdfa" * 120,
    "\U0001f4a5" * 400,
    "ß" * 90,
    "İ" * 90,
    "x" * 100_000,
    "9" * 400,
    "-1",
    "1e999",
    "NaN",
    "true",
    f"a@b@{CANARY}",
    f"{CANARY}@[127.0.0.1]",
    f"{'a' * 64}@{'b.' * 120}test",
    f"(){CANARY}{{ :;}};",
    f"{CANARY}*)(uid=*))(|(uid=*",
    f"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;{CANARY}</x>",
)
PAGE_TEXTS = tuple(text for text in TEXTS if re.search("[<>\"'&{}\0\r\n\ud800-\udfff]|//|^.?$|.{9999}", text))
"""Those that a page could take for more than text; the other ones meet the same schemas as JSON."""

VALUES = (
    *TEXTS,
    True,
    False,
    0,
    -1,
    1.5,
    10**18,
    2**63,
    10**400,
    1e308,
    [],
    {},
    ["x"],
    {"$gt": ""},
    [[[[1]]]],
    None,
)

RECORDS = {"audit", "counters"}
"""What a refusal does write: that it happened."""

VISITOR = {"is_authenticated": False}

_TYPES = {"string": str, "integer": int, "boolean": bool, "null": type(None), "number": float}


def document() -> dict[str, Any]:
    """Return the description of the whole platform."""
    app = make_app()
    found: dict[str, Any] = app.test_client().get("/openapi.json").json
    dispose(app)
    return found


DOCUMENT = document()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
WITH_BODY = [label for label, operation in OPERATIONS.items() if "requestBody" in operation]
JSON_BODY = [
    label for label in WITH_BODY if "application/json" in OPERATIONS[label]["requestBody"]["content"]
]


def properties(label: str) -> dict[str, Any]:
    """Return the fields of an operation's JSON body."""
    reference = OPERATIONS[label]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    found: dict[str, Any] = DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
    return found


LASTS_S = 30
"""After a minute, using a session would note when it was used last."""


class World:
    """The platform with anna, and somebody who sends to it; a success is undone, so that each request meets the same."""

    def __init__(self, app: flask.Flask) -> None:
        self.app = app
        self._engine = app.extensions["aegis"].database.engine
        self._written: set[str] = set()
        self._begun: dict[bool, tuple[float, dict[str, Any], dict[Any, Any], dict[str, str]]] = {}
        sa.event.listen(self._engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found = re.match(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)", statement)
        if found and found[1] not in RECORDS:
            self._written.add(found[1])

    def begin(self, *, signed_in: bool) -> None:
        """Start anew, as anna or as a visitor; soon afterwards by putting the rows back."""
        self.browser: Browser = self.app.test_client()
        begun = self._begun.get(signed_in)
        if begun is not None and time.monotonic() < begun[0] + LASTS_S:
            _, self._kept, cookies, self.headers = begun
            self._cookies = dict(cookies)
            self.browser._cookies = dict(cookies)
            self._undo()
            return
        wipe(self.app)
        add_account(self.app, "anna")
        with self.app.app_context():
            publishing.publish(COURSE)
        if signed_in:
            assert self.browser.sign_in("anna").status_code == 200
            assert self.browser.write("/api/courses/locks/enrol").status_code == 200
        self.headers = {"X-CSRFToken": self.browser.token()}
        self._cookies = dict(self.browser._cookies)
        self._kept = self._tables()
        self._written.clear()
        self._begun[signed_in] = (time.monotonic(), self._kept, dict(self._cookies), self.headers)

    def _tables(self) -> dict[str, Any]:
        tables = [table for table in metadata.sorted_tables if table.name not in RECORDS]
        with self._engine.connect() as connection:
            return {table.name: connection.execute(sa.select(table)).mappings().all() for table in tables}

    def _undo(self) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            for table in reversed(metadata.sorted_tables):
                if table.name not in RECORDS:
                    connection.execute(sa.delete(table))
            for table in metadata.sorted_tables:
                if self._kept.get(table.name):
                    connection.execute(sa.insert(table), [dict(row) for row in self._kept[table.name]])
            connection.exec_driver_sql("COMMIT")
        self._written.clear()

    def send(self, label: str, path: str, **named: Any) -> TestResponse:
        """Send a request as a script does, and hold the answer to what holds for all."""
        headers = {**self.headers, **named.pop("headers", {})}
        answer = self.browser.open(path, method=label.partition(" ")[0], headers=headers, **named)
        self.judge(answer)
        return answer

    def judge(self, answer: TestResponse) -> None:
        """Hold an answer to what holds for all of them."""
        assert answer.status_code < 500, answer.text
        assert "X-Injected" not in answer.headers
        assert b"Traceback" not in answer.data
        if answer.status_code >= 400 and answer.mimetype != "text/html" and answer.json != VISITOR:
            assert answer.mimetype == "application/json"
            assert set(answer.json) >= {"error", "code", "request_id"}
            assert CANARY not in answer.text
        self.settle(answer.status_code)

    def settle(self, status: int) -> None:
        """See that a refusal stored nothing, and take back what a success stored."""
        if self._written:
            if status >= 400:
                assert self._tables() == self._kept, f"a refusal stored something: {self._written}"
                self._written.clear()
            else:
                self._undo()
        self.browser._cookies = dict(self._cookies)

    def end(self) -> None:
        """Compare once more, whatever the statements looked like."""
        assert self._tables() == self._kept


@pytest.fixture(scope="module")
def platform() -> Iterator[World]:
    """Give the platform, which each test begins anew."""
    app = make_app(**ROOMY, AEGIS_EMAIL_VERIFICATION="optional")
    yield World(app)
    dispose(app)


@pytest.fixture(params=[True, False], ids=["signed-in", "visitor"])
def world(platform: World, request: pytest.FixtureRequest) -> Iterator[World]:
    """Give the platform to anna, then to a visitor."""
    platform.begin(signed_in=request.param)
    yield platform
    platform.end()


def filled(path: str, **values: str) -> str:
    """Return a path with its parameters, valid ones unless told otherwise."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], PATHS.get(found[1], "x")), path)


def has_type(value: Any, schema: dict[str, Any]) -> bool:
    """Tell whether a value is of a type that the document declares."""
    kinds = [schema, *schema.get("anyOf", [])]
    return any(type(value) is _TYPES.get(kind.get("type", "")) for kind in kinds)


def is_storable(value: Any) -> bool:
    return not isinstance(value, str) or not re.search("[\0\ud800-\udfff]", value)


@pytest.mark.parametrize("label", JSON_BODY)
def test_what_is_valid_is_taken(platform: World, label: str) -> None:
    """The positive control of all that follows: the same request with good values is no refusal of its input."""
    platform.begin(signed_in=label not in {"POST /api/login", "POST /api/register"})
    values = {**VALID, "username": "carla"} if label == "POST /api/register" else VALID
    known = {name: values[name] for name in properties(label) if name in values}
    answer = platform.send(label, filled(label.partition(" ")[2]), json=known)

    if set(known) == set(properties(label)):
        assert answer.status_code in {200, 201}, answer.text
    else:
        assert answer.status_code < 500


@pytest.mark.control(
    "ASVS-5.0-1.2.4",
    "ASVS-5.0-1.3.3",
    "ASVS-5.0-15.3.5",
    "ASVS-5.0-2.2.1",
    "ASVS-5.0-2.2.2",
    "ASVS-5.0-16.5.1",
)
@pytest.mark.parametrize(
    ("label", "field"), [(label, field) for label in JSON_BODY for field in (*properties(label), "__proto__")]
)
def test_no_value_of_any_field_is_a_failure_of_ours(world: World, label: str, field: str) -> None:
    path = filled(label.partition(" ")[2])
    fields = properties(label)
    good = {name: VALID.get(name, "x") for name in fields}
    for value in VALUES:
        answer = world.send(
            label, path, data=json.dumps({**good, field: value}), content_type="application/json"
        )
        if answer.status_code < 400:
            assert has_type(value, fields[field]), f"{value!r} was taken"
            assert is_storable(value), f"{value!r} was taken"


def raw_bodies(field: str) -> Iterator[tuple[bytes, dict[str, str]]]:
    """Yield bodies that are wrong as a whole, with their headers."""
    good = json.dumps({field: CANARY})
    for text in (
        "",
        "null",
        "[]",
        "12",
        f'"{CANARY}"',
        "{",
        f"{{{CANARY}}}",
        "NaN",
        good + good,
        f"[{good}]",
    ):
        yield text.encode(), {}
    for value in (
        "NaN",
        "-Infinity",
        "1e400",
        "9" * 5000,
        "[" * 100_000,
        '{"a":' * 5000,
        f'"{CANARY}\\ud800"',
        "'x'",
    ):
        yield f'{{"{field}": {value}}}'.encode(), {}
    yield f'{{"{field}": "{CANARY}", "{field}": "x"}}'.encode(), {}
    yield json.dumps({f"f{number}": 1 for number in range(5000)}).encode(), {}
    yield f'{{"<script>alert(1)</script>": 1, "\\u0000": "{CANARY}"}}'.encode(), {}
    yield b'{"a": "' + b"x" * 1_100_000 + b'"}', {}
    yield b"\xff\xfe\x00\xd8" + good.encode(), {}
    yield good.encode("utf-16"), {}
    yield good.encode("utf-8-sig"), {}
    yield b'{"a": "\xe9\xc0\xaf"}', {}
    for charset in ("utf-16", "iso-8859-1", "utf-7", "x" * 200, "idna", "unicode_escape"):
        yield good.encode(), {"Content-Type": f"application/json; charset={charset}"}
    for kind in ("text/plain", "text/html", "application/xml", "application/x-www-form-urlencoded", "x", ""):
        yield good.encode(), {"Content-Type": kind}
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=b"):
        yield (
            f'--b\r\nContent-Disposition: form-data; name="{CANARY}"\r\n\r\n'.encode(),
            {"Content-Type": kind},
        )
    yield b"--b\r\n" * 3000, {"Content-Type": "multipart/form-data; boundary=b"}
    yield b"&".join([b"a=1"] * 50_000), {"Content-Type": "application/x-www-form-urlencoded"}
    yield b"%ff%fe=%00&%=%&=&a", {"Content-Type": "application/x-www-form-urlencoded"}
    bomb = gzip.compress(b"0" * 5_000_000)
    for encoding in ("gzip", "GZIP", "deflate", "br", "gzip, gzip", CANARY):
        yield bomb, {"Content-Encoding": encoding}
    yield bomb, {}


@pytest.mark.control("ASVS-5.0-5.2.3", "ASVS-5.0-4.1.1", "ASVS-5.0-1.5.1", "ASVS-5.0-15.3.7")
@pytest.mark.parametrize("label", WITH_BODY)
def test_no_body_is_a_failure_of_ours(world: World, label: str) -> None:
    path = filled(label.partition(" ")[2])
    for body, headers in raw_bodies(next(iter(properties(label))) if label in JSON_BODY else "avatar"):
        answer = world.send(label, path, data=body, headers={"Content-Type": "application/json", **headers})
        assert answer.status_code >= 400, (body[:80], headers)


ODD_PATHS = (
    *(quote(text, safe="", errors="surrogatepass") for text in TEXTS if text and len(text) < 3000),
    "..",
    "%2e%2e%2f",
    "%252e%252e%252f",
    "%c0%ae%c0%ae",
    "%ff%fe",
    "%00",
    "%",
    "%zz",
    "a;b=c",
    "x" * 5000,
)


@pytest.mark.control("ASVS-5.0-1.1.1", "ASVS-5.0-1.3.3", "ASVS-5.0-5.3.2")
@pytest.mark.parametrize("label", [label for label in OPERATIONS if "{" in label])
def test_no_path_is_a_failure_of_ours(world: World, label: str) -> None:
    path = label.partition(" ")[2]
    body = {"json": {name: VALID.get(name, "x") for name in properties(label)}} if label in JSON_BODY else {}
    for name in re.findall(r"\{(\w+)\}", path):
        for value in ODD_PATHS:
            answer = world.send(label, filled(path, **{name: value}), **body)
            assert answer.status_code in {308, *range(400, 500)}, value


HEADERS = ("Accept", "Cookie", "If-None-Match", "Range", "Origin", "X-Forwarded-For", "User-Agent")


@pytest.mark.control("ASVS-5.0-1.1.1", "ASVS-5.0-15.3.7")
@pytest.mark.parametrize("label", [label for label in OPERATIONS if label not in WITH_BODY])
def test_no_query_is_a_failure_of_ours(world: World, label: str) -> None:
    path = filled(label.partition(" ")[2])
    declared = [item["name"] for item in OPERATIONS[label]["parameters"] if item["in"] == "query"]
    for name in (*declared, "x"):
        for value in ODD_PATHS if name in declared else ODD_PATHS[::4]:  # one place refuses the others
            world.send(label, f"{path}?{name}={value}&{name}=2&{value}")


@pytest.mark.control("ASVS-5.0-1.1.1", "ASVS-5.0-15.3.7")
@pytest.mark.parametrize(
    "label", ["GET /api/check_session", "GET /auth/check", "GET /api/content", "GET /api/sessions"]
)
def test_no_header_is_a_failure_of_ours(world: World, label: str) -> None:
    """Headers are read ahead of the views, so one of each kind of answer stands for all."""
    for value in TEXTS:
        text = value.encode("utf-8", "replace").decode("latin-1").replace("\r", "").replace("\n", "")[:8000]
        for header in HEADERS:
            world.send(label, label.partition(" ")[2], headers={header: text})


# Forms of the pages


PAGES = (
    "/login",
    "/register",
    "/forgot-password",
    "/reset-password",
    "/reauthenticate",
    "/profile",
    "/account/security",
    "/account/data",
    "/courses/locks",
    "/courses/locks/lessons/one",
)


GOES_ON = {
    "/login",
    "/login/second-factor",
    "/register",
    "/reauthenticate",
    "/verify-email",
    "/account/second-factor",
}
"""Pages that lead to where somebody was going; the others look at no such address."""


def found_forms(world: World) -> dict[str, Form]:
    """Return the forms that anna or the visitor can reach, by the address that they are sent to."""
    return {form.action: form for path in PAGES for form in forms(world.browser.page(path)) if form.action}


def test_all_forms_are_found(platform: World) -> None:
    """What follows is only as good as this list."""
    app, seen = platform.app, set()
    for signed_in in (True, False):
        platform.begin(signed_in=signed_in)
        adapter = app.url_map.bind("localhost")
        seen |= {adapter.match(action, method="POST")[0] for action in found_forms(platform)}
    views = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "POST" in rule.methods and not hasattr(app.view_functions[rule.endpoint], "operation")
    }
    only_sometimes = {
        "aegis_pages.remove_avatar",
        "academy_pages.enrol",
        "aegis_pages.end_session",
        "aegis_pages.end_other_sessions",
        "aegis_pages.confirm_with_passkey",
        "aegis_pages.rename_passkey",
        "aegis_pages.remove_passkey",
        "aegis_pages.admin_set_role",
        "aegis_pages.admin_act",
        "aegis_pages.admin_import_post",
        "aegis_pages.end_remembrance",
        "aegis_pages.admin_end_session",
        "aegis_pages.admin_end_remembrance",
        "aegis_pages.admin_forget_device",
        "aegis_pages.second_factor_post",
        "aegis_pages.verify_email_post",
        "aegis_pages.resend_code",
        "aegis_pages.undo_change_post",
        "aegis_pages.confirm_authenticator",
        "aegis_pages.rename_authenticator",
        "aegis_pages.remove_authenticator",
        "aegis_pages.renew_recovery_codes",
    }
    assert views - seen <= only_sometimes


@pytest.mark.control(
    "ASVS-5.0-1.2.1",
    "ASVS-5.0-1.3.7",
    "ASVS-5.0-1.3.10",
    "ASVS-5.0-2.2.1",
    "ASVS-5.0-3.7.2",
    "ASVS-5.0-16.5.1",
)
@pytest.mark.parametrize("page", PAGES)
def test_no_form_is_a_failure_of_ours_or_repeats_what_runs(world: World, page: str) -> None:
    for form in forms(world.browser.page(page)):
        if not form.action or form.action == "/logout":
            continue
        good = {name: str(VALID.get(name) or text) for name, text in form.items()}
        goes_on = {"next", "resume"} & form.keys()
        for field in (*form, "next", "resume", CANARY):
            # what the form does not carry, and the token that all share, is read in one place for all forms
            is_own = field != "csrf_token" and (field in form or goes_on)
            for value in PAGE_TEXTS if is_own else TEXTS[::8]:
                submit(world, form.action, {**good, "csrf_token": world.headers["X-CSRFToken"], field: value})


def submit(world: World, action: str, fields: dict[str, str]) -> None:
    """Send a form as a browser does and look at the page that comes back."""
    body = "&".join(
        f"{quote(name, safe='')}={quote(text, safe='', errors='surrogatepass')}"
        for name, text in fields.items()
    )
    answer = world.browser.post(
        action,
        data=body,
        content_type="application/x-www-form-urlencoded",
        headers={"Accept": "text/html"},
    )
    if answer.status_code in {301, 302, 303, 307, 308}:
        location = answer.headers["Location"]
        assert re.match(r"/(?![/\\])", location), location
        assert CANARY not in location or "next=" not in location
    for active in ACTIVE:
        assert active not in answer.text.replace("/static/", ""), active
    world.judge(answer)


@pytest.mark.control("ASVS-5.0-1.1.1", "ASVS-5.0-1.2.2", "ASVS-5.0-5.3.2")
def test_no_address_of_a_page_is_a_failure_of_ours(world: World) -> None:
    rules = {
        rule.rule
        for rule in world.app.url_map.iter_rules()
        if "GET" in rule.methods
        and not hasattr(world.app.view_functions[rule.endpoint], "operation")
        and not rule.rule.startswith("/api/")
    }
    assert len(rules) > 10
    for rule in sorted(rules):
        path = re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", rule)
        odd = [
            filled(path, **{name: value}) for name in re.findall(r"\{(\w+)\}", path) for value in ODD_PATHS
        ]
        onwards = ODD_PATHS if rule in GOES_ON else ODD_PATHS[::8]
        for address in (*odd, *(f"{filled(path)}?next={value}" for value in onwards)):
            answer = world.browser.page(address)
            assert re.match(r"(http://localhost)?/(?![/\\])|$", answer.headers.get("Location", ""))
            for active in ACTIVE:
                assert active not in answer.text, address
            world.judge(answer)


# schemathesis reads the document on its own and sends what it says, and what it does not


@pytest.fixture(scope="module")
def schema(platform: World) -> Any:
    """Give the document as schemathesis understands it."""
    import schemathesis  # noqa: PLC0415 - two seconds that only who runs these tests should wait

    return schemathesis.openapi.from_wsgi("/openapi.json", app=platform.app)


@pytest.mark.control("ASVS-5.0-2.2.1", "ASVS-5.0-16.5.1")
@pytest.mark.parametrize(
    ("label", "mode"),
    [*((label, "positive") for label in OPERATIONS), *((label, "negative") for label in WITH_BODY)],
)
def test_the_document_says_what_the_platform_does(world: World, schema: Any, label: str, mode: str) -> None:
    from schemathesis import GenerationMode, checks  # noqa: PLC0415 - as in the fixture
    from schemathesis.specs.openapi import checks as of_openapi  # noqa: PLC0415 - as in the fixture

    held = [
        checks.not_a_server_error,
        of_openapi.response_schema_conformance,
        of_openapi.content_type_conformance,
        of_openapi.status_code_conformance,
    ]
    method, _, path = label.partition(" ")
    strategy = schema[path][method].as_strategy(generation_mode=GenerationMode(mode))

    @settings(
        max_examples=6,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(case: Any) -> None:
        name = world.app.config["SESSION_COOKIE_NAME"]
        token = world.browser.session_cookie()
        answer = case.call(headers=world.headers, cookies={name: token} if token else None)
        if answer.status_code == 405:  # a made-up id spelt the address of another operation
            assert path.endswith("}"), answer.text
            return
        case.validate_response(answer, checks=held)
        world.settle(answer.status_code)

    run()
