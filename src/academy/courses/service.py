"""The rules of learning: who may see which course, what progress means, which of two notes counts."""

import dataclasses
from typing import Any, Literal, NamedTuple

from academy.courses import store
from academy.courses.model import is_file_name, is_slug
from aegis import clock, db, errors

Status = Literal["not_started", "in_progress", "completed"]
NOTE_MAXIMUM = 20_000


class Entry(NamedTuple):
    """A course in the catalogue."""

    id: str
    slug: str
    title: str
    summary: str
    language: str
    lesson_count: int
    minutes: int
    updated_at: int


@dataclasses.dataclass(frozen=True)
class Lesson:
    """A lesson of a course, without its text."""

    id: str
    slug: str
    title: str
    minutes: int


@dataclasses.dataclass(frozen=True)
class Section:
    """Lessons under a common title."""

    title: str
    lessons: tuple[Lesson, ...]


@dataclasses.dataclass(frozen=True)
class Course:
    """A published course with its table of contents."""

    id: str
    slug: str
    title: str
    summary: str
    language: str
    updated_at: int
    source_hash: bytes
    sections: tuple[Section, ...]

    @property
    def lessons(self) -> list[Lesson]:
        """All lessons in order."""
        return [lesson for section in self.sections for lesson in section.lessons]

    @property
    def lesson_count(self) -> int:
        """How many lessons there are."""
        return len(self.lessons)

    def lesson(self, slug: str) -> Lesson:
        """Return one lesson. Raises NotFound."""
        for lesson in self.lessons:
            if lesson.slug == slug:
                return lesson
        raise errors.NotFound("This course has no such lesson.")

    def neighbours(self, slug: str) -> tuple[Lesson | None, Lesson | None]:
        """Return the lessons before and after one."""
        everything = self.lessons
        place = [lesson.slug for lesson in everything].index(slug)
        before = everything[place - 1] if place else None
        return before, everything[place + 1] if place + 1 < len(everything) else None


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far one account is in one course; `statuses` names every lesson in order."""

    is_enrolled: bool
    percent: int
    completed: tuple[str, ...]
    statuses: dict[str, Status]
    next_lesson: str | None
    next_title: str | None


class Note(NamedTuple):
    """An account's note on a course; version 0 means that none was stored yet."""

    content: str
    version: int
    updated_at: int | None


def catalogue() -> list[Entry]:
    """Return the published courses by title."""
    rows = store.list_courses(only_published=True)
    return [
        Entry(**{field: getattr(row, field) for field in Entry._fields})._replace(minutes=int(row.minutes))
        for row in rows
    ]


def get(slug: str) -> Course:
    """Return a published course. Raises NotFound, also for what cannot be a slug."""
    row = store.find_course(slug) if is_slug(slug) else None
    if row is None or not row.is_published:
        raise errors.NotFound("There is no such course.")
    lessons: dict[str, list[Lesson]] = {}
    for found in store.list_lessons(row.id):
        lessons.setdefault(found.section_id, []).append(
            Lesson(found.id, found.slug, found.title, found.minutes)
        )
    sections = tuple(
        Section(part.title, tuple(lessons.get(part.id, ()))) for part in store.list_sections(row.id)
    )
    return Course(
        row.id, row.slug, row.title, row.summary, row.language, row.updated_at, row.source_hash, sections
    )


def markdown(lesson: Lesson) -> str:
    """Return the text of a lesson."""
    return store.find_markdown(lesson.id)


def get_file(slug: str, name: str) -> Any:
    """Return a file of a published course: media_type, content_hash, content. Raises NotFound."""
    course = store.find_course(slug) if is_slug(slug) else None
    found = None
    if course is not None and course.is_published and is_file_name(name):
        found = store.find_file(course.id, name)
    if found is None:
        raise errors.NotFound("There is no such file.")
    return found


def enrol(account_id: str, course: Course) -> bool:
    """Enrol the account; False when it already was. What it had completed earlier counts again."""
    return store.add_enrolment(account_id, course.id, clock.now())


def leave(account_id: str, course: Course) -> bool:
    """End the enrolment; False when there was none. Progress and note are kept for a return."""
    return store.remove_enrolment(account_id, course.id)


def progress(account_id: str, course: Course) -> Progress:
    """Return how far the account is."""
    touched = {row.slug: (row.status, row.updated_at) for row in store.list_statuses(account_id, course.id)}
    is_enrolled = store.find_enrolment(account_id, course.id) is not None
    titles = {lesson.slug: lesson.title for lesson in course.lessons}
    return _progress(titles, touched, is_enrolled=is_enrolled)


def progress_by_slug(account_id: str) -> dict[str, Progress]:
    """Return the progress in every course that the account is enrolled in, by the course's slug."""
    titles: dict[str, dict[str, str]] = {}
    touched: dict[str, dict[str, tuple[Status, int]]] = {}
    for row in store.list_enrolled_lessons(account_id):
        titles.setdefault(row.course, {})[row.slug] = row.title
        if row.status is not None:
            touched.setdefault(row.course, {})[row.slug] = (row.status, row.updated_at)
    return {slug: _progress(titles[slug], touched.get(slug, {}), is_enrolled=True) for slug in titles}


def _progress(
    titles: dict[str, str], touched: dict[str, tuple[Status, int]], *, is_enrolled: bool
) -> Progress:
    statuses: dict[str, Status] = {
        slug: touched[slug][0] if slug in touched else "not_started" for slug in titles
    }
    completed = tuple(slug for slug, status in statuses.items() if status == "completed")
    percent = 100 * len(completed) // len(titles) if titles else 0
    following = _next_lesson(statuses, touched)
    return Progress(
        is_enrolled, percent, completed, statuses, following, titles[following] if following else None
    )


def _next_lesson(statuses: dict[str, Status], touched: dict[str, tuple[Status, int]]) -> str | None:
    """Choose the lesson begun last, else the first that is not completed."""
    begun = [slug for slug, status in statuses.items() if status == "in_progress"]
    if begun:
        return max(begun, key=lambda slug: touched[slug][1])
    return next((slug for slug, status in statuses.items() if status != "completed"), None)


def set_progress(account_id: str, course: Course, lesson_slug: str, status: Status) -> Progress:
    """Store the status in one lesson. Raises Forbidden before enrolling, InvalidInput for an unknown lesson."""
    if store.find_enrolment(account_id, course.id) is None:
        raise errors.Forbidden("Enrol in this course first; then it remembers how far you are.")
    found = next((lesson for lesson in course.lessons if lesson.slug == lesson_slug), None)
    if found is None:
        raise errors.InvalidInput(fields={"lesson": "This course has no such lesson."})
    store.put_status(account_id, found.id, status, clock.now())
    return progress(account_id, course)


def personal(account_id: str) -> dict[str, Any]:
    """Return what the platform keeps of a person: courses, progress and notes."""
    return {
        "courses": [
            {"course": row.slug, "enrolled_at": clock.as_text(row.enrolled_at)}
            for row in store.list_enrolments(account_id)
        ],
        "progress": [
            {
                "course": row.course,
                "lesson": row.lesson,
                "status": row.status,
                "updated_at": clock.as_text(row.updated_at),
            }
            for row in store.list_all_progress(account_id)
        ],
        "notes": [
            {"course": row.slug, "content": row.content, "updated_at": clock.as_text(row.updated_at)}
            for row in store.list_notes(account_id)
        ],
    }


def note(account_id: str, course: Course) -> Note:
    """Return the account's own note; it needs no enrolment."""
    row = store.find_note(account_id, course.id)
    return Note(row.content, row.version, row.updated_at) if row is not None else Note("", 0, None)


def save_note(account_id: str, course: Course, content: str, version: int | None) -> Note:
    """Store the note if the stored one is still `version`, the one that was changed; None overwrites any.

    Raises NoteConflict, which carries what is stored.
    """
    with db.transaction():
        if not _store_note(account_id, course.id, content, version):
            raise NoteConflict(note(account_id, course))
        return note(account_id, course)


def _store_note(account_id: str, course_id: str, content: str, version: int | None) -> bool:
    now = clock.now()
    if version is None:
        store.put_note(account_id, course_id, content, now)
        return True
    if version == 0:
        return store.add_note(account_id, course_id, content, now)
    return store.change_note(account_id, course_id, content, now, version)


class NoteConflict(errors.Conflict):
    """Another tab or device saved the note in the meantime."""

    sentence = "Your note was changed in the meantime, in another tab or on another device."

    def __init__(self, stored: Note) -> None:
        """Take what is stored, so that nobody has to ask again."""
        self.stored = stored
        updated_at = clock.as_text(stored.updated_at) if stored.updated_at else None
        super().__init__(
            extra={"note": {"content": stored.content, "version": stored.version, "updated_at": updated_at}}
        )
