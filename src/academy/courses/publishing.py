"""Put a written course into the database, and take it out again."""

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from academy.courses import folder, store
from academy.courses.model import CourseText, Image, LessonText, SectionText
from aegis import clock, db, errors, tokens

Outcome = Literal["added", "replaced", "unchanged"]


def publish(course: CourseText, *, replace: bool = False) -> Outcome:
    """Store the course under its slug, whole or not at all; the same course again changes nothing.

    Replacing keeps each lesson by its slug, and with it what learners have done. Raises Conflict when another
    course of that slug exists and `replace` was not asked for.
    """
    digest, now = course.digest(), clock.now()
    values = {
        "title": course.title,
        "summary": course.summary,
        "language": course.language,
        "is_published": course.is_published,
        "source_hash": digest,
        "updated_at": now,
    }
    stored = store.find_course(course.slug)
    if stored is not None and stored.source_hash == digest:
        return "unchanged"
    if stored is not None and not replace:
        raise errors.Conflict(f"The course {course.slug} exists already, with other contents.")
    with db.transaction():
        if stored is not None:
            store.change_course(stored.id, values)
            _store_contents(stored.id, course)
            return "replaced"
        course_id = tokens.new_id()
        if not store.add_course({"id": course_id, "slug": course.slug, "created_at": now, **values}):
            raise errors.Conflict(f"The course {course.slug} was added by somebody else just now.")
        _store_contents(course_id, course)
        return "added"


def _store_contents(course_id: str, course: CourseText) -> None:
    section_ids = []
    position = 0
    for number, section in enumerate(course.sections):
        section_ids.append(tokens.new_id())
        store.add_section(
            {"id": section_ids[-1], "course_id": course_id, "position": number, "title": section.title}
        )
        for lesson in section.lessons:
            store.put_lesson(_lesson_values(lesson, course_id, section_ids[-1], position))
            position += 1
    store.remove_lessons_except(course_id, [lesson.slug for lesson in course.lessons])
    store.remove_sections_except(course_id, section_ids)
    store.replace_files(course_id, [_file_values(image) for image in course.images])


def _lesson_values(lesson: LessonText, course_id: str, section_id: str, position: int) -> dict[str, object]:
    return {
        "id": tokens.new_id(),
        "course_id": course_id,
        "section_id": section_id,
        "slug": lesson.slug,
        "title": lesson.title,
        "position": position,
        "minutes": lesson.minutes,
        "markdown": lesson.markdown,
    }


def _file_values(image: Image) -> dict[str, object]:
    content_hash = hashlib.sha256(image.content).digest()
    return {
        "name": image.name,
        "media_type": image.media_type,
        "content": image.content,
        "content_hash": content_hash,
    }


def publish_first(path: Path) -> None:
    """Store the course of a folder if there is none at all, so that a newcomer finds something to look at."""
    if not store.has_courses():
        with contextlib.suppress(errors.Conflict):  # another process was first
            publish(folder.read(path))


def written(slug: str) -> CourseText:
    """Return a course, published or not, as it was written. Raises NotFound."""
    row = store.find_course(slug)
    if row is None:
        raise errors.NotFound(f"There is no course {slug}.")
    lessons: dict[str, list[LessonText]] = {}
    for found in store.list_lessons(row.id):
        text = LessonText(found.slug, found.title, store.find_markdown(found.id))
        lessons.setdefault(found.section_id, []).append(text)
    return CourseText(
        slug=row.slug,
        title=row.title,
        summary=row.summary,
        language=row.language,
        is_published=bool(row.is_published),
        sections=tuple(
            SectionText(part.title, tuple(lessons[part.id])) for part in store.list_sections(row.id)
        ),
        images=tuple(
            Image(file.name, file.media_type, bytes(file.content)) for file in store.list_files(row.id)
        ),
    )


def listed() -> Sequence[tuple[str, str, int, bool]]:
    """Return slug, title, number of lessons and whether it is published, of all courses."""
    rows = store.list_courses(only_published=False)
    return [(row.slug, row.title, row.lesson_count, bool(row.is_published)) for row in rows]
