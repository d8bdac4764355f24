"""Courses, progress and notes on the three databases, races included."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from academy import create_app, migrate, schema
from academy.courses import folder, publishing, service
from academy.courses.model import CourseText, Image, LessonText, SectionText
from aegis import db, errors
from tests.factories import at_once, dispose

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200_000)
LESSONS = tuple(LessonText(f"lesson-{number:02d}", f"Lesson {number}", "Text 🔑\n") for number in range(20))
COURSE = CourseText(
    slug="locks",
    title="Locks",
    summary="All about locks.",
    language="en",
    is_published=True,
    sections=(SectionText("First", LESSONS[:5]), SectionText("Second", LESSONS[5:])),
    images=(Image("door.png", "image/png", PNG),),
)


@pytest.fixture
def app(migrated_url: str) -> Iterator[flask.Flask]:
    """Give an application with a migrated database, two accounts and a course, and stay in its context."""
    app = create_app(
        environ={"FLASK_ENV": "testing", "DATABASE_URL": migrated_url, "AEGIS_DATABASE_TIMEOUT": "10"}
    )
    with app.app_context():
        for name in ("anna", "ben"):
            add_account(name)
        publishing.publish(COURSE)
        yield app
    dispose(app)


def add_account(name: str) -> None:
    """Store an account whose id is its name."""
    values = {
        "id": name,
        "username": name,
        "username_canonical": name,
        "password_hash": "",
        "role": "learner",
        "is_active": True,
        "display_name": "",
        "bio": "",
        "created_at": 0,
        "password_changed_at": 0,
    }
    db.change(sa.insert(schema.metadata.tables["accounts"]).values(**values))


def count(table: sa.Table) -> int:
    """Return the number of rows."""
    found = db.row(sa.select(sa.func.count()).select_from(table))
    assert found is not None
    return int(found[0])


def changed(**values: Any) -> CourseText:
    """Return the course with other values."""
    return CourseText(**{**{name: getattr(COURSE, name) for name in COURSE.__dataclass_fields__}, **values})


@pytest.mark.usefixtures("app")
def test_a_published_course_reads_as_it_was_written() -> None:
    assert publishing.written("locks") == COURSE
    course = service.get("locks")
    assert [section.title for section in course.sections] == ["First", "Second"]
    assert [lesson.slug for lesson in course.lessons] == [lesson.slug for lesson in LESSONS]
    assert service.markdown(course.lessons[0]) == "Text 🔑\n"
    assert bytes(service.get_file("locks", "door.png").content) == PNG
    [entry] = service.catalogue()
    assert (entry.slug, entry.lesson_count, entry.minutes) == ("locks", 20, 20)


@pytest.mark.usefixtures("app")
def test_publishing_the_same_again_changes_nothing() -> None:
    before = service.get("locks")
    assert publishing.publish(COURSE) == "unchanged"
    assert publishing.publish(COURSE, replace=True) == "unchanged"
    assert service.get("locks") == before


@pytest.mark.usefixtures("app")
def test_another_course_of_the_slug_needs_the_word_replace() -> None:
    other = changed(title="Other")
    with pytest.raises(errors.Conflict):
        publishing.publish(other)
    assert service.get("locks").title == "Locks"
    assert publishing.publish(other, replace=True) == "replaced"
    assert service.get("locks").title == "Other"


@pytest.mark.usefixtures("app")
def test_replacing_keeps_progress_in_lessons_that_stay() -> None:
    course = service.get("locks")
    service.enrol("anna", course)
    for slug in ("lesson-00", "lesson-01", "lesson-19"):
        service.set_progress("anna", course, slug, "completed")
    stays = LessonText("lesson-01", "Renamed", "New text\n")
    new = LessonText("new", "New", "n\n")
    publishing.publish(
        changed(sections=(SectionText("Only", (new, LESSONS[19], stays)),), images=()), replace=True
    )
    course = service.get("locks")
    assert [lesson.title for lesson in course.lessons] == ["New", "Lesson 19", "Renamed"]
    progress = service.progress("anna", course)
    assert progress.completed == ("lesson-19", "lesson-01")
    assert (progress.percent, progress.next_lesson, progress.is_enrolled) == (66, "new", True)
    assert (count(schema.lessons), count(schema.sections), count(schema.course_files)) == (3, 1, 0)
    assert count(schema.lesson_progress) == 2


@pytest.mark.usefixtures("app")
def test_a_course_that_cannot_be_stored_whole_is_not_stored() -> None:
    twice = changed(slug="twice", images=(COURSE.images[0], COURSE.images[0]))
    with pytest.raises(db.Duplicate):
        publishing.publish(twice)
    with pytest.raises(errors.NotFound):
        publishing.written("twice")
    assert count(schema.lessons) == 20


def test_of_two_who_publish_the_same_slug_one_wins(app: flask.Flask) -> None:
    new = [changed(slug="race", title=f"Title {number}") for number in range(4)]
    results = at_once([lambda course=course: publishing.publish(course) for course in new], app)
    assert results.count("added") == 1
    assert all(isinstance(result, errors.Conflict) for result in results if result != "added")
    assert len(publishing.written("race").lessons) == 20


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    "slug", ["", "LOCKS", "locks ", "lock\0s", "lockś", "x" * 500, "../locks", "'; --", "\ud800"]
)
def test_what_is_no_slug_is_not_there(slug: str) -> None:
    with pytest.raises(errors.NotFound):
        service.get(slug)
    with pytest.raises(errors.NotFound):
        service.get_file(slug, "door.png")
    assert service.get("locks").slug == "locks"


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("name", ["", "DOOR.png", "door.png\0", "\ud800", "dóor.png", "door.png "])
def test_what_is_no_file_is_not_there(name: str) -> None:
    with pytest.raises(errors.NotFound):
        service.get_file("locks", name)


@pytest.mark.usefixtures("app")
def test_a_course_that_is_not_published_is_not_there() -> None:
    publishing.publish(changed(is_published=False), replace=True)
    assert service.catalogue() == []
    for read in (lambda: service.get("locks"), lambda: service.get_file("locks", "door.png")):
        with pytest.raises(errors.NotFound):
            read()
    assert publishing.listed() == [("locks", "Locks", 20, False)]


@pytest.mark.usefixtures("app")
def test_enrolling_twice_is_enrolling_once_and_leaving_keeps_progress() -> None:
    course = service.get("locks")
    with pytest.raises(errors.Forbidden):
        service.set_progress("anna", course, "lesson-00", "completed")
    assert [service.enrol("anna", course), service.enrol("anna", course)] == [True, False]
    service.set_progress("anna", course, "lesson-00", "completed")
    assert [service.leave("anna", course), service.leave("anna", course)] == [True, False]
    left = service.progress("anna", course)
    assert (left.is_enrolled, left.completed) == (False, ("lesson-00",))
    assert service.progress_by_slug("anna") == {}
    service.enrol("anna", course)
    assert service.progress("anna", course).percent == 5


@pytest.mark.usefixtures("app")
def test_progress_is_each_account_s_own_and_says_where_to_go_on() -> None:
    course = service.get("locks")
    for name in ("anna", "ben"):
        service.enrol(name, course)
    assert service.progress("anna", course).next_lesson == "lesson-00"
    service.set_progress("anna", course, "lesson-00", "completed")
    assert service.progress("anna", course).next_lesson == "lesson-01"
    service.set_progress("anna", course, "lesson-07", "in_progress")
    found = service.progress("anna", course)
    assert (found.next_lesson, found.next_title, found.percent) == ("lesson-07", "Lesson 7", 5)
    assert found == service.progress_by_slug("anna")["locks"]
    assert service.progress("ben", course).completed == ()
    for lesson in LESSONS:
        service.set_progress("anna", course, lesson.slug, "completed")
    done = service.progress("anna", course)
    assert (done.percent, done.next_lesson) == (100, None)
    service.set_progress("anna", course, "lesson-03", "not_started")
    assert service.progress("anna", course).percent == 95


@pytest.mark.usefixtures("app")
def test_an_unknown_lesson_changes_nothing() -> None:
    course = service.get("locks")
    service.enrol("anna", course)
    with pytest.raises(errors.InvalidInput) as refused:
        service.set_progress("anna", course, "lesson-99", "completed")
    assert "lesson" in refused.value.fields
    assert count(schema.lesson_progress) == 0


def test_twenty_parallel_changes_all_survive(app: flask.Flask) -> None:
    course = service.get("locks")
    service.enrol("anna", course)
    tasks = [
        lambda slug=lesson.slug, status=status: service.set_progress("anna", course, slug, status)
        for lesson, status in zip(LESSONS, ["completed", "in_progress"] * 10, strict=True)
    ]
    refused = [result for result in at_once(tasks, app) if isinstance(result, Exception)]
    assert refused == []
    assert list(service.progress("anna", course).statuses.values()) == ["completed", "in_progress"] * 10


def test_parallel_changes_of_one_lesson_leave_one_row(app: flask.Flask) -> None:
    course = service.get("locks")
    service.enrol("anna", course)
    tasks = [lambda: service.set_progress("anna", course, "lesson-00", "completed")] * 10
    refused = [result for result in at_once(tasks, app) if isinstance(result, Exception)]
    assert refused == []
    assert count(schema.lesson_progress) == 1


def test_parallel_enrolments_are_one(app: flask.Flask) -> None:
    course = service.get("locks")
    results = at_once([lambda: service.enrol("anna", course)] * 10, app)
    assert sorted(results) == [False] * 9 + [True]
    assert count(schema.enrolments) == 1


@pytest.mark.usefixtures("app")
def test_a_note_is_stored_by_version() -> None:
    course = service.get("locks")
    assert service.note("anna", course) == ("", 0, None)
    first = service.save_note("anna", course, "one 🔑", 0)
    assert (first.content, first.version) == ("one 🔑", 1)
    second = service.save_note("anna", course, "x" * service.NOTE_MAXIMUM, 1)
    assert (len(second.content), second.version) == (service.NOTE_MAXIMUM, 2)
    for outdated in (0, 1, 3):
        with pytest.raises(errors.Conflict) as refused:
            service.save_note("anna", course, "lost", outdated)
        assert refused.value.extra["note"] == {
            "content": second.content,
            "version": 2,
            "updated_at": refused.value.extra["note"]["updated_at"],
        }
    assert service.save_note("anna", course, "any", None).version == 3
    assert service.save_note("ben", course, "mine", None).version == 1
    assert service.note("anna", course).content == "any"


@pytest.mark.parametrize("version", [0, 1])
def test_of_parallel_changes_of_one_version_one_is_stored(app: flask.Flask, version: int) -> None:
    course = service.get("locks")
    if version:
        service.save_note("anna", course, "first", 0)
    tasks = [
        lambda text=f"text {number}": service.save_note("anna", course, text, version) for number in range(10)
    ]
    results = at_once(tasks, app)
    [won] = [result for result in results if isinstance(result, service.Note)]
    lost = [result for result in results if isinstance(result, service.NoteConflict)]
    assert len(lost) == 9
    assert won == service.note("anna", course)
    assert {refusal.stored for refusal in lost} == {won}


def test_parallel_overwrites_each_count(app: flask.Flask) -> None:
    course = service.get("locks")
    results = at_once([lambda: service.save_note("anna", course, "same", None)] * 10, app)
    assert sorted(note.version for note in results) == list(range(1, 11))


@pytest.mark.usefixtures("app")
def test_what_belongs_to_an_account_goes_with_it() -> None:
    course = service.get("locks")
    for name in ("anna", "ben"):
        service.enrol(name, course)
        service.set_progress(name, course, "lesson-00", "completed")
        service.save_note(name, course, "note", None)
    accounts = schema.metadata.tables["accounts"]
    db.change(sa.delete(accounts).where(accounts.c.id == "anna"))
    assert [count(table) for table in (schema.enrolments, schema.lesson_progress, schema.notes)] == [1, 1, 1]


def test_an_empty_platform_gets_its_first_course_once(database_url: str, tmp_path: Path) -> None:
    app = create_app(environ={"FLASK_ENV": "testing", "DATABASE_URL": database_url})
    migrate.upgrade(app.extensions["aegis"].database)
    folder.write(COURSE, tmp_path / "course")
    with app.app_context():
        publishing.publish_first(tmp_path / "course")
        assert [entry.slug for entry in service.catalogue()] == ["locks"]
        publishing.publish(changed(title="Changed by a teacher"), replace=True)
        publishing.publish_first(tmp_path / "course")
        assert service.get("locks").title == "Changed by a teacher"
    app.extensions["aegis"].database.engine.dispose()
