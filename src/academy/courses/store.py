"""Queries on courses and on what learners do with them."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from academy.schema import course_files, courses, enrolments, lesson_progress, lessons, notes, sections
from aegis import db, state


def list_courses(*, only_published: bool) -> Sequence[sa.Row[Any]]:
    """Return the courses by title, each with the number of its lessons and the minutes they take."""
    statement = (
        sa.select(
            *(column for column in courses.c),
            sa.func.count(lessons.c.id).label("lesson_count"),
            sa.func.coalesce(sa.func.sum(lessons.c.minutes), 0).label("minutes"),
        )
        .outerjoin(lessons, lessons.c.course_id == courses.c.id)
        .group_by(courses.c.id)
        .order_by(courses.c.title, courses.c.slug)
    )
    return db.rows(statement.where(courses.c.is_published) if only_published else statement)


def find_course(slug: str) -> sa.Row[Any] | None:
    """Return a course, published or not, or None."""
    return db.row(sa.select(courses).where(courses.c.slug == slug))


def has_courses() -> bool:
    """Tell whether there is any course."""
    return db.row(sa.select(courses.c.id).limit(1)) is not None


def list_sections(course_id: str) -> Sequence[sa.Row[Any]]:
    """Return the sections in order."""
    return db.rows(sa.select(sections).where(sections.c.course_id == course_id).order_by(sections.c.position))


def list_lessons(course_id: str) -> Sequence[sa.Row[Any]]:
    """Return the lessons in order, without their text."""
    columns = (column for column in lessons.c if column.name != "markdown")
    return db.rows(sa.select(*columns).where(lessons.c.course_id == course_id).order_by(lessons.c.position))


def find_markdown(lesson_id: str) -> str:
    """Return a lesson's text; an empty one when it is gone in the meantime."""
    found = db.row(sa.select(lessons.c.markdown).where(lessons.c.id == lesson_id))
    return found.markdown if found else ""


def find_file(course_id: str, name: str) -> sa.Row[Any] | None:
    """Return a file of a course with its content, or None."""
    return db.row(
        sa.select(course_files).where(course_files.c.course_id == course_id, course_files.c.name == name)
    )


def list_files(course_id: str) -> Sequence[sa.Row[Any]]:
    """Return all files of a course with their content."""
    return db.rows(
        sa.select(course_files).where(course_files.c.course_id == course_id).order_by(course_files.c.name)
    )


def add_course(values: Mapping[str, Any]) -> bool:
    """Insert a course; False when its slug is taken."""
    return db.add_if_absent(courses, values)


def change_course(course_id: str, values: Mapping[str, Any]) -> int:
    """Change a course; further changes of it wait for the end of this transaction."""
    return db.change(sa.update(courses).where(courses.c.id == course_id).values(**values))


def add_section(values: Mapping[str, Any]) -> None:
    """Insert a section."""
    db.change(sa.insert(sections).values(**values))


def remove_sections_except(course_id: str, kept: Sequence[str]) -> None:
    """Delete the course's other sections and what is still in them."""
    others = sa.and_(sections.c.course_id == course_id, sections.c.id.not_in(kept))
    db.change(sa.delete(sections).where(others))


def put_lesson(values: Mapping[str, Any]) -> None:
    """Insert a lesson, or change the one of the same course and slug; its id, and so all progress, stays."""
    changed = {name: value for name, value in values.items() if name not in {"id", "course_id", "slug"}}
    upsert(lessons, values, keys=("course_id", "slug"), changed=changed)


def remove_lessons_except(course_id: str, kept: Sequence[str]) -> None:
    """Delete the course's other lessons, by slug, with all progress in them."""
    others = sa.and_(lessons.c.course_id == course_id, lessons.c.slug.not_in(kept))
    db.change(sa.delete(lessons).where(others))


def replace_files(course_id: str, files: Sequence[Mapping[str, Any]]) -> None:
    """Put these files in the place of all that the course has."""
    db.change(sa.delete(course_files).where(course_files.c.course_id == course_id))
    for values in files:
        db.change(sa.insert(course_files).values(course_id=course_id, **values))


def add_enrolment(account_id: str, course_id: str, now: int) -> bool:
    """Enrol the account; False when it already was."""
    return db.add_if_absent(
        enrolments, {"account_id": account_id, "course_id": course_id, "enrolled_at": now}
    )


def remove_enrolment(account_id: str, course_id: str) -> bool:
    """End the enrolment; False when there was none."""
    own = sa.and_(enrolments.c.account_id == account_id, enrolments.c.course_id == course_id)
    return db.change(sa.delete(enrolments).where(own)) == 1


def find_enrolment(account_id: str, course_id: str) -> sa.Row[Any] | None:
    """Return the enrolment, or None."""
    own = sa.and_(enrolments.c.account_id == account_id, enrolments.c.course_id == course_id)
    return db.row(sa.select(enrolments).where(own))


def list_statuses(account_id: str, course_id: str) -> Sequence[sa.Row[Any]]:
    """Return slug, status and time of the lessons of one course that the account has touched."""
    statement = (
        sa.select(lessons.c.slug, lesson_progress.c.status, lesson_progress.c.updated_at)
        .join(lessons, lessons.c.id == lesson_progress.c.lesson_id)
        .where(lesson_progress.c.account_id == account_id, lessons.c.course_id == course_id)
    )
    return db.rows(statement)


def list_enrolled_lessons(account_id: str) -> Sequence[sa.Row[Any]]:
    """Return all lessons of all courses the account is enrolled in, with its status in each, in one query."""
    own = sa.and_(lesson_progress.c.lesson_id == lessons.c.id, lesson_progress.c.account_id == account_id)
    statement = (
        sa.select(
            courses.c.slug.label("course"),
            lessons.c.slug,
            lessons.c.title,
            lesson_progress.c.status,
            lesson_progress.c.updated_at,
        )
        .select_from(enrolments)
        .join(courses, courses.c.id == enrolments.c.course_id)
        .join(lessons, lessons.c.course_id == courses.c.id)
        .outerjoin(lesson_progress, own)
        .where(enrolments.c.account_id == account_id, courses.c.is_published)
        .order_by(courses.c.slug, lessons.c.position)
    )
    return db.rows(statement)


def put_status(account_id: str, lesson_id: str, status: str, now: int) -> None:
    """Store the account's status in one lesson by one statement: parallel requests cannot undo each other."""
    changed = {"status": status, "updated_at": now}
    values = {"account_id": account_id, "lesson_id": lesson_id, **changed}
    upsert(lesson_progress, values, keys=("account_id", "lesson_id"), changed=changed)


def find_note(account_id: str, course_id: str) -> sa.Row[Any] | None:
    """Return the account's note on a course, or None."""
    return db.row(sa.select(notes).where(notes.c.account_id == account_id, notes.c.course_id == course_id))


def add_note(account_id: str, course_id: str, text: str, now: int) -> bool:
    """Store a first note; False when there is one."""
    values = {
        "account_id": account_id,
        "course_id": course_id,
        "content": text,
        "version": 1,
        "updated_at": now,
    }
    return db.add_if_absent(notes, values)


def change_note(account_id: str, course_id: str, text: str, now: int, version: int) -> bool:
    """Store the next version; False when the stored one is not `version`, or is missing."""
    same = sa.and_(
        notes.c.account_id == account_id, notes.c.course_id == course_id, notes.c.version == version
    )
    values = {"content": text, "version": version + 1, "updated_at": now}
    return db.change(sa.update(notes).where(same).values(**values)) == 1


def put_note(account_id: str, course_id: str, text: str, now: int) -> None:
    """Store the note whatever was there."""
    changed = {"content": text, "version": notes.c.version + 1, "updated_at": now}
    values = {**changed, "account_id": account_id, "course_id": course_id, "version": 1}
    upsert(notes, values, keys=("account_id", "course_id"), changed=changed)


def upsert(
    table: sa.Table, values: Mapping[str, Any], *, keys: Sequence[str], changed: Mapping[str, Any]
) -> None:
    """Insert a row, or make changes in the one with the same keys, in one statement."""
    if state.current().database.url.get_backend_name() == "mysql":
        db.change(mysql.insert(table).values(**values).on_duplicate_key_update(dict(changed)))
    elif state.current().database.is_embedded:
        statement = sqlite.insert(table).values(**values)
        db.change(statement.on_conflict_do_update(index_elements=keys, set_=changed))
    else:
        other = postgresql.insert(table).values(**values)
        db.change(other.on_conflict_do_update(index_elements=keys, set_=changed))


def list_enrolments(account_id: str) -> Sequence[sa.Row[Any]]:
    """Return the courses of an account."""
    joined = enrolments.join(courses, courses.c.id == enrolments.c.course_id)
    chosen = sa.select(courses.c.slug, enrolments.c.enrolled_at).select_from(joined)
    return db.rows(chosen.where(enrolments.c.account_id == account_id).order_by(courses.c.slug))


def list_all_progress(account_id: str) -> Sequence[sa.Row[Any]]:
    """Return the progress of an account in all courses."""
    joined = lesson_progress.join(lessons, lessons.c.id == lesson_progress.c.lesson_id).join(
        courses, courses.c.id == lessons.c.course_id
    )
    columns = (
        courses.c.slug.label("course"),
        lessons.c.slug.label("lesson"),
        lesson_progress.c.status,
        lesson_progress.c.updated_at,
    )
    chosen = sa.select(*columns).select_from(joined).where(lesson_progress.c.account_id == account_id)
    return db.rows(chosen.order_by(courses.c.slug, lessons.c.position))


def list_notes(account_id: str) -> Sequence[sa.Row[Any]]:
    """Return the notes of an account."""
    joined = notes.join(courses, courses.c.id == notes.c.course_id)
    chosen = sa.select(courses.c.slug, notes.c.content, notes.c.updated_at).select_from(joined)
    return db.rows(chosen.where(notes.c.account_id == account_id).order_by(courses.c.slug))
