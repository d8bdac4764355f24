"""Shapes of requests and answers about courses and learning."""

from pydantic import Field

from academy.courses.service import NOTE_MAXIMUM, Status
from aegis.web import Answer, Body


class CatalogueEntry(Answer):
    """One thing of the public catalogue."""

    uid: str
    type: str
    title: str
    slug: str
    summary: str
    language: str
    url: str
    lesson_count: int
    minutes: int
    updated_at: str


class Catalogue(Answer):
    """The public catalogue."""

    content: list[CatalogueEntry]


class LessonEntry(Answer):
    """A lesson in a table of contents."""

    slug: str
    title: str
    minutes: int
    url: str


class SectionEntry(Answer):
    """Lessons under a common title."""

    title: str
    lessons: list[LessonEntry]


class CourseAnswer(Answer):
    """A course with its table of contents."""

    uid: str
    slug: str
    title: str
    summary: str
    language: str
    url: str
    lesson_count: int
    updated_at: str
    sections: list[SectionEntry]


class Enrolment(Answer):
    """Whether the account is enrolled now."""

    message: str
    course: str
    is_enrolled: bool


class SetProgress(Body):
    """What was done with one lesson, by its slug."""

    lesson: str = Field(min_length=1, max_length=64)
    status: Status


class ProgressAnswer(Answer):
    """How far the account is; `lessons` gives the status of each by its slug."""

    course: str
    is_enrolled: bool
    percent: int
    completed: list[str]
    lessons: dict[str, Status]
    next_lesson: str | None


class SaveNote(Body):
    """A note, and the version it was made from; without one it overwrites whatever is stored."""

    content: str = Field(max_length=NOTE_MAXIMUM)
    version: int | None = Field(default=None, ge=0, le=2**31 - 2)


class NoteAnswer(Answer):
    """The own note; version 0 means that none was stored yet."""

    content: str
    version: int
    updated_at: str | None
