"""Courses through HTTP: the public catalogue, and each account's own enrolment, progress and note."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from academy import create_app
from academy.courses import publishing
from academy.courses.model import CourseText, Image, LessonText, SectionText
from tests.factories import form_to

PASSWORD = "correct horse battery staple 7"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)
LESSONS = tuple(
    LessonText(f"lesson-{number:02d}", f"Lesson {number}", f"Words {number}. ![A door](images/door.png)\n")
    for number in range(20)
)
COURSE = CourseText(
    slug="locks",
    title="Locks",
    summary="All about locks.",
    language="en",
    is_published=True,
    sections=(SectionText("First", LESSONS[:5]), SectionText("Second", LESSONS[5:])),
    images=(Image("door.png", "image/png", PNG),),
)
HIDDEN = CourseText("hidden", "Hidden", "Not yet.", "en", False, (SectionText("S", LESSONS[:1]),), ())


class Person:
    """Somebody with a browser or script of their own: a cookie jar, and the token that writes need."""

    def __init__(self, app: flask.Flask, name: str | None = None) -> None:
        """Register and sign in under `name`, or stay a visitor."""
        self.client: FlaskClient = app.test_client()
        if name:
            account = {"username": name, "password": PASSWORD}
            assert self.send("POST", "/api/register", account).status_code == 201
            assert self.send("POST", "/api/login", account).status_code == 200

    def get(self, path: str, **headers: str) -> TestResponse:
        """Read."""
        return self.client.get(path, headers=headers)

    def page(self, path: str) -> TestResponse:
        """Read as a browser does."""
        return self.client.get(path, headers={"Accept": "text/html"})

    def token(self) -> str:
        """Return a token for the next write."""
        return str(self.client.get("/csrf-token").json["csrf_token"])  # type: ignore[index]

    def send(self, method: str, path: str, body: Any = None) -> TestResponse:
        """Write as a script does."""
        return self.client.open(path, method=method, json=body, headers={"X-CSRFToken": self.token()})

    def post(self, path: str, **fields: str) -> TestResponse:
        """Send a form as a browser does."""
        return self.client.post(
            path, data={**fields, "csrf_token": self.token()}, headers={"Accept": "text/html"}
        )


def platform(url: str) -> flask.Flask:
    """Return an application with courses on a migrated database."""
    app = create_app(environ={"FLASK_ENV": "testing", "DATABASE_URL": url, "AEGIS_DATABASE_TIMEOUT": "10"})
    with app.app_context():
        publishing.publish(COURSE)
        publishing.publish(HIDDEN)
    return app


@pytest.fixture
def app(migrated_database: Callable[[str], str]) -> Iterator[flask.Flask]:
    """Give the platform on SQLite."""
    app = platform(migrated_database("sqlite"))
    yield app
    app.extensions["aegis"].database.engine.dispose()


@pytest.fixture
def app_anywhere(migrated_url: str) -> Iterator[flask.Flask]:
    """Give the platform on each database."""
    app = platform(migrated_url)
    yield app
    app.extensions["aegis"].database.engine.dispose()


def assert_error(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Check the one error shape and return it."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json  # type: ignore[assignment]
    assert body["code"] == code
    assert body["error"]
    assert body["request_id"]
    return body


# The public catalogue


def test_the_catalogue_lists_published_courses_for_everybody(app: flask.Flask) -> None:
    answer = Person(app).get("/api/content")
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    [entry] = answer.json["content"]  # type: ignore[index]
    assert entry["uid"]
    assert entry["updated_at"].endswith("Z")
    assert {**entry, "uid": "", "updated_at": ""} == {
        "uid": "",
        "type": "course",
        "title": "Locks",
        "slug": "locks",
        "summary": "All about locks.",
        "language": "en",
        "url": "/courses/locks",
        "lesson_count": 20,
        "minutes": 20,
        "updated_at": "",
    }


@pytest.mark.parametrize("path", ["/api/content", "/api/courses/locks"])
def test_public_answers_are_the_same_for_all_and_may_be_cached(app: flask.Flask, path: str) -> None:
    anna, visitor = Person(app, "anna"), Person(app)
    hers, theirs = anna.get(path), visitor.get(path)
    assert hers.data == theirs.data
    for answer in (hers, theirs):
        assert answer.headers["Cache-Control"] == "public, max-age=60"
        assert "Set-Cookie" not in answer.headers
        assert "Vary" not in answer.headers
    etag = theirs.headers["ETag"]
    assert not etag.startswith("W/")
    again = visitor.get(path, **{"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    assert visitor.get(path, **{"If-None-Match": '"other"'}).status_code == 200


def test_the_tag_changes_with_the_course(app: flask.Flask) -> None:
    visitor = Person(app)
    before = visitor.get("/api/content").headers["ETag"]
    with app.app_context():
        publishing.publish(CourseText(**{**vars(COURSE), "title": "Doors"}), replace=True)
    assert visitor.get("/api/content", **{"If-None-Match": before}).status_code == 200


def test_a_course_shows_its_sections_and_lessons(app: flask.Flask) -> None:
    course: Any = Person(app).get("/api/courses/locks").json
    assert [section["title"] for section in course["sections"]] == ["First", "Second"]
    assert course["sections"][1]["lessons"][0] == {
        "slug": "lesson-05",
        "title": "Lesson 5",
        "minutes": 1,
        "url": "/courses/locks/lessons/lesson-05",
    }
    assert course["lesson_count"] == 20


@pytest.mark.parametrize(
    "slug",
    ["none", "hidden", "LOCKS", "%ff%fe", "a'b", "%F0%9F%94%91", "x" * 3000, "..%2Flocks"],
)
def test_a_course_that_is_not_there_is_404_everywhere(app_anywhere: flask.Flask, slug: str) -> None:
    anna = Person(app_anywhere, "anna")
    for path in ("", "/progress", "/note"):
        assert_error(anna.get(f"/api/courses/{slug}{path}"), 404, "not_found")
    assert_error(anna.send("POST", f"/api/courses/{slug}/enrol"), 404, "not_found")
    assert_error(anna.send("DELETE", f"/api/courses/{slug}/enrol"), 404, "not_found")
    body = {"lesson": "lesson-00", "status": "completed"}
    assert_error(anna.send("PUT", f"/api/courses/{slug}/progress", body), 404, "not_found")
    assert_error(anna.send("PUT", f"/api/courses/{slug}/note", {"content": "x"}), 404, "not_found")
    for path in (f"/courses/{slug}", f"/courses/{slug}/lessons/lesson-00", f"/courses/{slug}/files/door.png"):
        assert anna.page(path).status_code == 404
    assert anna.get("/api/courses/locks/progress").status_code == 200


# Enrolment and progress


@pytest.mark.control("ASVS-5.0-8.2.1")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "enrol", None),
        ("DELETE", "enrol", None),
        ("GET", "progress", None),
        ("PUT", "progress", {"lesson": "lesson-00", "status": "completed"}),
        ("GET", "note", None),
        ("PUT", "note", {"content": "x"}),
    ],
)
def test_learning_needs_an_account(app: flask.Flask, method: str, path: str, body: Any) -> None:
    assert_error(Person(app).send(method, f"/api/courses/locks/{path}", body), 401, "not_authenticated")
    anna = Person(app, "anna")
    assert anna.send("POST", "/api/courses/locks/enrol").status_code == 200
    answer = anna.send(method, f"/api/courses/locks/{path}", body)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.control("ASVS-5.0-3.5.1")
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "enrol"), ("DELETE", "enrol"), ("PUT", "progress"), ("PUT", "note")]
)
def test_a_write_without_a_token_changes_nothing(app: flask.Flask, method: str, path: str) -> None:
    anna = Person(app, "anna")
    anna.send("POST", "/api/courses/locks/enrol")
    body = {"lesson": "lesson-00", "status": "completed"} if path == "progress" else {"content": "x"}
    before = [anna.get(f"/api/courses/locks/{part}").json for part in ("progress", "note")]
    address = f"/api/courses/locks/{path}"
    assert_error(anna.client.open(address, method=method, json=body), 400, "csrf_failed")
    assert [anna.get(f"/api/courses/locks/{part}").json for part in ("progress", "note")] == before
    assert anna.send(method, address, None if path == "enrol" else body).status_code == 200


def test_enrolling_and_leaving_may_be_repeated(app: flask.Flask) -> None:
    anna = Person(app, "anna")
    for _ in range(2):
        answer = anna.send("POST", "/api/courses/locks/enrol")
        assert (answer.status_code, answer.json["is_enrolled"]) == (200, True)  # type: ignore[index]
    assert anna.get("/api/courses/locks/progress").json["is_enrolled"] is True  # type: ignore[index]
    for _ in range(2):
        answer = anna.send("DELETE", "/api/courses/locks/enrol")
        assert (answer.status_code, answer.json["is_enrolled"]) == (200, False)  # type: ignore[index]
    assert anna.get("/api/courses/locks/progress").json["is_enrolled"] is False  # type: ignore[index]


def test_progress_is_told_whole_after_each_change(app: flask.Flask) -> None:
    anna = Person(app, "anna")
    path = "/api/courses/locks/progress"
    change = {"lesson": "lesson-00", "status": "completed"}
    assert "Enrol" in assert_error(anna.send("PUT", path, change), 403, "forbidden")["error"]
    anna.send("POST", "/api/courses/locks/enrol")
    answer = anna.send("PUT", path, change)
    assert answer.status_code == 200
    assert answer.json == anna.get(path).json
    statuses = {lesson.slug: "not_started" for lesson in LESSONS} | {"lesson-00": "completed"}
    assert answer.json == {
        "course": "locks",
        "is_enrolled": True,
        "percent": 5,
        "completed": ["lesson-00"],
        "lessons": statuses,
        "next_lesson": "lesson-01",
    }


@pytest.mark.control("ASVS-5.0-8.2.2")
def test_what_one_account_does_another_does_not_see(app: flask.Flask) -> None:
    anna, ben = Person(app, "anna"), Person(app, "ben")
    for person in (anna, ben):
        person.send("POST", "/api/courses/locks/enrol")
    anna.send("PUT", "/api/courses/locks/progress", {"lesson": "lesson-00", "status": "completed"})
    anna.send("PUT", "/api/courses/locks/note", {"content": "Anna's secret"})
    assert anna.get("/api/courses/locks/progress").json["percent"] == 5  # type: ignore[index]
    assert ben.get("/api/courses/locks/progress").json["percent"] == 0  # type: ignore[index]
    assert ben.get("/api/courses/locks/note").json == {"content": "", "version": 0, "updated_at": None}
    for path in ("/", "/courses/locks", "/courses/locks/lessons/lesson-00"):
        assert "Anna's secret" not in ben.page(path).text
    assert "Anna&#39;s secret" in anna.page("/courses/locks").text


@pytest.mark.control("ASVS-5.0-15.4.2")
def test_twenty_parallel_changes_all_survive_beside_other_requests(app_anywhere: flask.Flask) -> None:
    """Field lesson: two requests at once must not undo each other's change."""
    anna = Person(app_anywhere, "anna")
    anna.send("POST", "/api/courses/locks/enrol")
    cookie, token = anna.client.get_cookie("session"), anna.token()
    assert cookie is not None
    gate = threading.Barrier(41)

    def alone(method: str, path: str, body: Any) -> int:
        client = app_anywhere.test_client()
        client.set_cookie("session", cookie.value)
        gate.wait(60)
        return client.open(path, method=method, json=body, headers={"X-CSRFToken": token}).status_code

    work: list[tuple[str, str, Any]] = [
        ("PUT", "/api/courses/locks/progress", {"lesson": lesson.slug, "status": "completed"})
        for lesson in LESSONS
    ]
    work += [("GET", "/csrf-token", None)] * 20 + [("POST", "/api/profile", {"display_name": "Anna A."})]
    with ThreadPoolExecutor(len(work)) as pool:
        assert list(pool.map(lambda item: alone(*item), work)) == [200] * 41
    progress: Any = anna.get("/api/courses/locks/progress").json
    assert (progress["percent"], len(progress["completed"]), progress["next_lesson"]) == (100, 20, None)
    assert anna.get("/api/profile").json["user"]["display_name"] == "Anna A."  # type: ignore[index]
    assert anna.client.post("/api/logout", headers={"X-CSRFToken": token}).status_code == 200


# The note


def test_a_note_is_stored_under_optimistic_locking(app_anywhere: flask.Flask) -> None:
    anna, path = Person(app_anywhere, "anna"), "/api/courses/locks/note"
    first = anna.send("PUT", path, {"content": "one 🔑", "version": 0})
    assert (first.status_code, first.json["version"]) == (200, 1)  # type: ignore[index]
    assert anna.get(path).json == first.json
    second: Any = anna.send("PUT", path, {"content": "two", "version": 1}).json
    assert second["version"] == 2
    refused = assert_error(
        anna.send("PUT", path, {"content": "from an old tab", "version": 1}), 409, "conflict"
    )
    assert refused["note"] == second
    assert anna.get(path).json == second
    assert anna.send("PUT", path, {"content": "any"}).json["version"] == 3  # type: ignore[index]


@pytest.mark.control("ASVS-5.0-2.2.1")
@pytest.mark.parametrize(
    ("part", "body", "field"),
    [
        ("note", {"content": "x" * 20_001}, "content"),
        ("note", {"content": "a\0b"}, "content"),
        ("note", {"content": "\ud800"}, "content"),
        ("note", {"content": 7}, "content"),
        ("note", {}, "content"),
        ("note", {"content": "x", "version": "1"}, "version"),
        ("note", {"content": "x", "version": -1}, "version"),
        ("note", {"content": "x", "version": 2**31}, "version"),
        ("note", {"content": "x", "version": True}, "version"),
        ("note", {"content": "x", "more": 1}, "more"),
        ("progress", {"lesson": "lesson-00", "status": "done"}, "status"),
        ("progress", {"lesson": "lesson-00"}, "status"),
        ("progress", {"lesson": "lesson-99", "status": "completed"}, "lesson"),
        ("progress", {"lesson": "a\0b", "status": "completed"}, "lesson"),
        ("progress", {"lesson": {"$ne": ""}, "status": "completed"}, "lesson"),
        ("progress", {"lesson": "x" * 65, "status": "completed"}, "lesson"),
    ],
)
def test_a_body_of_another_shape_is_refused_by_field(
    app: flask.Flask, part: str, body: Any, field: str
) -> None:
    anna, path = Person(app, "anna"), f"/api/courses/locks/{part}"
    anna.send("POST", "/api/courses/locks/enrol")
    before = anna.get(path).json
    assert field in assert_error(anna.send("PUT", path, body), 400, "invalid_input")["fields"]
    assert anna.get(path).json == before
    good = {"note": {"content": "x" * 20_000}, "progress": {"lesson": "lesson-00", "status": "completed"}}[
        part
    ]
    assert anna.send("PUT", path, good).status_code == 200


@pytest.mark.parametrize("body", ['"text"', "[]", "null", "12", "{", ""])
def test_a_body_that_is_no_object_is_refused(app: flask.Flask, body: str) -> None:
    anna = Person(app, "anna")
    headers = {"X-CSRFToken": anna.token(), "Content-Type": "application/json"}
    answer = anna.client.put("/api/courses/locks/note", data=body, headers=headers)
    assert_error(answer, 400, "bad_request")


# The pages


def test_a_visitor_reads_everything_and_is_shown_the_way_in(app: flask.Flask) -> None:
    visitor = Person(app)
    assert "All about locks." in visitor.page("/").text
    course = visitor.page("/courses/locks")
    assert "/login?next=/courses/locks" in course.text
    lesson = visitor.page("/courses/locks/lessons/lesson-05")
    assert "Words 5." in lesson.text
    assert 'src="/courses/locks/files/door.png"' in lesson.text
    for href in ("lesson-04", "lesson-06"):
        assert f'href="/courses/locks/lessons/{href}"' in lesson.text
    for answer in (course, lesson):
        assert "Set-Cookie" not in answer.headers
        assert "Hidden" not in answer.text
    assert visitor.page("/courses/locks/lessons/lesson-99").status_code == 404


@pytest.mark.control("ASVS-5.0-14.3.2")
@pytest.mark.parametrize("path", ["/", "/courses/locks", "/courses/locks/lessons/lesson-00"])
def test_what_an_account_sees_is_kept_out_of_caches(app: flask.Flask, path: str) -> None:
    for person in (Person(app, "anna"), Person(app)):
        headers = person.page(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert "Cookie" in headers["Vary"]


def test_a_learner_goes_through_a_course_by_its_pages(app: flask.Flask) -> None:
    anna = Person(app, "anna")
    enrolled = anna.post("/courses/locks/enrol", next="/courses/locks/lessons/lesson-00")
    assert (enrolled.status_code, enrolled.location) == (303, "/courses/locks/lessons/lesson-00")
    assert "You are enrolled in Locks." in anna.page("/courses/locks").text
    done = anna.post(
        "/courses/locks/progress",
        lesson="lesson-00",
        status="completed",
        next="/courses/locks/lessons/lesson-01",
    )
    assert (done.status_code, done.location) == (303, "/courses/locks/lessons/lesson-01")
    assert anna.get("/api/courses/locks/progress").json["completed"] == ["lesson-00"]  # type: ignore[index]
    home = anna.page("/").text
    assert "Lesson 1" in home
    assert "5 %" in home
    left = anna.post("/courses/locks/leave")
    assert (left.status_code, left.location) == (303, "/courses/locks")
    assert anna.get("/api/courses/locks/progress").json["is_enrolled"] is False  # type: ignore[index]


@pytest.mark.control("ASVS-5.0-3.7.2")
@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", ""]
)
def test_the_way_on_never_leads_to_another_site(app: flask.Flask, target: str) -> None:
    answer = Person(app, "anna").post("/courses/locks/enrol", next=target)
    assert (answer.status_code, answer.location) == (303, "/courses/locks")


def test_progress_without_enrolment_is_refused_on_a_page(app: flask.Flask) -> None:
    anna = Person(app, "anna")
    answer = anna.post("/courses/locks/progress", lesson="lesson-00", status="completed")
    assert answer.status_code == 403
    assert answer.content_type.startswith("text/html")
    assert "Enrol in this course first" in answer.text


def test_a_note_is_saved_by_its_form(app: flask.Flask) -> None:
    anna = Person(app, "anna")
    answer = anna.post("/courses/locks/note", content="two\r\nlines <b>", version="0")
    assert (answer.status_code, answer.location) == (303, "/courses/locks#note")
    assert anna.get("/api/courses/locks/note").json["content"] == "two\nlines <b>"  # type: ignore[index]
    page = anna.page("/courses/locks").text
    assert "Your note was saved." in page
    assert "two\nlines &lt;b&gt;</textarea>" in page


def test_a_conflict_shows_both_texts_and_the_next_submit_settles_it(app: flask.Flask) -> None:
    anna = Person(app, "anna")
    anna.post("/courses/locks/note", content="from the phone", version="0")
    conflict = anna.post("/courses/locks/note", content="from the desk", version="0")
    assert conflict.status_code == 409
    assert "from the phone" in conflict.text
    assert "from the desk</textarea>" in conflict.text
    assert 'name="version" value="1"' in conflict.text
    assert anna.get("/api/courses/locks/note").json["content"] == "from the phone"  # type: ignore[index]
    assert anna.post("/courses/locks/note", content="both", version="1").status_code == 303
    assert anna.get("/api/courses/locks/note").json["content"] == "both"  # type: ignore[index]


@pytest.mark.parametrize(
    "fields", [{"content": "x" * 20_001, "version": "0"}, {"content": "kept", "version": "x"}]
)
def test_what_cannot_be_stored_is_shown_again(app: flask.Flask, fields: dict[str, str]) -> None:
    anna = Person(app, "anna")
    answer = anna.post("/courses/locks/note", **fields)
    assert answer.status_code == 400
    assert f"{fields['content']}</textarea>" in answer.text
    assert anna.get("/api/courses/locks/note").json["version"] == 0  # type: ignore[index]


def test_a_form_that_met_an_ended_session_gives_back_what_was_typed(app: flask.Flask) -> None:
    """Field lesson: nothing that was typed is lost, and nothing is stored before signing in again."""
    anna = Person(app, "anna")
    token, typed = anna.token(), "an hour of writing " * 100
    other = app.test_client()
    cookie = anna.client.get_cookie("session")
    assert cookie is not None
    other.set_cookie("session", cookie.value)
    assert other.post("/api/logout", headers={"X-CSRFToken": token}).status_code == 200
    form = {"content": typed, "version": "0", "csrf_token": token}
    refused = anna.client.post("/courses/locks/note", data=form, headers={"Accept": "text/html"})
    assert refused.status_code == 401
    fields = form_to(refused, "/login")
    account = {"username": "anna", "password": PASSWORD}
    signed_in = anna.client.post("/login", data={**fields, **account}, headers={"Accept": "text/html"})
    assert signed_in.status_code == 200
    assert typed in signed_in.text
    assert anna.get("/api/courses/locks/note").json["version"] == 0  # type: ignore[index]
    again = {**dict(hidden_fields(signed_in.text)), "content": typed, "version": "0"}
    stored = anna.client.post("/courses/locks/note", data=again, headers={"Accept": "text/html"})
    assert stored.status_code == 303
    assert anna.get("/api/courses/locks/note").json["content"] == typed  # type: ignore[index]


def hidden_fields(page: str) -> Iterator[tuple[str, str]]:
    """Return names and values of the hidden fields of a page's last form."""

    class Fields(HTMLParser):
        found: list[tuple[str, str]]

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            if tag == "form":
                self.found = []
            if tag == "input" and given.get("type") == "hidden":
                self.found.append((given["name"] or "", given.get("value") or ""))

    parser = Fields()
    parser.feed(page)
    yield from parser.found


# Files


@pytest.mark.control("ASVS-5.0-3.2.1", "ASVS-5.0-5.3.1")
def test_a_picture_has_a_fixed_type_and_runs_nothing(app: flask.Flask) -> None:
    answer = Person(app).get("/courses/locks/files/door.png", Accept="text/html")
    assert (answer.status_code, answer.data, answer.content_type) == (200, PNG, "image/png")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in answer.headers
    again = Person(app).get("/courses/locks/files/door.png", **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("name", ["none.png", "DOOR.png", "..%2F..%2Fetc%2Fpasswd", "%ff", "%F0%9F%94%91"])
def test_a_file_that_is_not_there_is_404(app_anywhere: flask.Flask, name: str) -> None:
    visitor: Callable[[str], TestResponse] = Person(app_anywhere).get
    assert visitor(f"/courses/locks/files/{name}").status_code == 404
    assert visitor("/courses/locks/files/door.png").status_code == 200
