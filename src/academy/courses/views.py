"""HTTP of courses and learning. What is public is the same for everybody, so it never asks who is asking."""

import hashlib

import flask

from academy.courses import service
from academy.courses.schemas import (
    Catalogue,
    CatalogueEntry,
    CourseAnswer,
    Enrolment,
    LessonEntry,
    NoteAnswer,
    ProgressAnswer,
    SaveNote,
    SectionEntry,
    SetProgress,
)
from aegis import clock, errors
from aegis.sessions.required import login_required, signed_in
from aegis.web import Answer, operation

blueprint = flask.Blueprint("academy_courses", __name__, url_prefix="/api")

PUBLIC = "public, max-age=60"


@blueprint.get("/content")
@operation(answers={200: Catalogue, 304: None})
def content() -> flask.Response:
    """List the published courses."""
    return _cached(Catalogue(content=[_entry(item) for item in service.catalogue()]))


@blueprint.get("/courses/<slug>")
@operation(answers={200: CourseAnswer, 304: None}, errors=(errors.NotFound,))
def course(slug: str) -> flask.Response:
    """Return one course with its sections and lessons."""
    return _cached(_shown(service.get(slug)))


@blueprint.post("/courses/<slug>/enrol")
@login_required
@operation(answers={200: Enrolment}, errors=(errors.NotFound,))
def enrol(slug: str) -> Enrolment:
    """Enrol in a course; once is enough, and again does no harm."""
    found = service.get(slug)
    service.enrol(signed_in().account_id, found)
    return Enrolment(message=f"You are enrolled in {found.title}.", course=slug, is_enrolled=True)


@blueprint.delete("/courses/<slug>/enrol")
@login_required
@operation(answers={200: Enrolment}, errors=(errors.NotFound,))
def leave(slug: str) -> Enrolment:
    """Leave a course; progress and note are kept for a return."""
    found = service.get(slug)
    service.leave(signed_in().account_id, found)
    return Enrolment(message=f"You have left {found.title}.", course=slug, is_enrolled=False)


@blueprint.get("/courses/<slug>/progress")
@login_required
@operation(answers={200: ProgressAnswer}, errors=(errors.NotFound,))
def progress(slug: str) -> ProgressAnswer:
    """Return the own progress and where to go on."""
    return _progress(slug, service.progress(signed_in().account_id, service.get(slug)))


@blueprint.put("/courses/<slug>/progress")
@login_required
@operation(body=SetProgress, answers={200: ProgressAnswer}, errors=(errors.NotFound, errors.Forbidden))
def set_progress(slug: str, body: SetProgress) -> ProgressAnswer:
    """Store the status of one lesson; other lessons keep theirs. It needs an enrolment."""
    done = service.set_progress(signed_in().account_id, service.get(slug), body.lesson, body.status)
    return _progress(slug, done)


@blueprint.get("/courses/<slug>/note")
@login_required
@operation(answers={200: NoteAnswer}, errors=(errors.NotFound,))
def note(slug: str) -> NoteAnswer:
    """Return the own note on a course; it needs no enrolment."""
    return _note(service.note(signed_in().account_id, service.get(slug)))


@blueprint.put("/courses/<slug>/note")
@login_required
@operation(body=SaveNote, answers={200: NoteAnswer}, errors=(errors.NotFound, errors.Conflict))
def save_note(slug: str, body: SaveNote) -> NoteAnswer:
    """Store the own note if `version` is still the stored one; 409 gives the stored one as `note`."""
    found = service.get(slug)
    return _note(service.save_note(signed_in().account_id, found, body.content, body.version))


def _cached(answer: Answer) -> flask.Response:
    """Let caches keep a public answer for a minute and ask by its hash afterwards."""
    text = answer.model_dump_json()
    response = flask.Response(text, mimetype="application/json")
    response.headers["Cache-Control"] = PUBLIC
    response.set_etag(hashlib.sha256(text.encode()).hexdigest()[:32])
    response.make_conditional(flask.request)
    return response


def _entry(item: service.Entry) -> CatalogueEntry:
    return CatalogueEntry(
        uid=item.id,
        type="course",
        title=item.title,
        slug=item.slug,
        summary=item.summary,
        language=item.language,
        url=flask.url_for("academy_pages.course", slug=item.slug),
        lesson_count=item.lesson_count,
        minutes=item.minutes,
        updated_at=clock.as_text(item.updated_at),
    )


def _shown(found: service.Course) -> CourseAnswer:
    return CourseAnswer(
        uid=found.id,
        slug=found.slug,
        title=found.title,
        summary=found.summary,
        language=found.language,
        url=flask.url_for("academy_pages.course", slug=found.slug),
        lesson_count=found.lesson_count,
        updated_at=clock.as_text(found.updated_at),
        sections=[_section(found.slug, section) for section in found.sections],
    )


def _section(slug: str, section: service.Section) -> SectionEntry:
    lessons = [
        LessonEntry(
            slug=lesson.slug,
            title=lesson.title,
            minutes=lesson.minutes,
            url=flask.url_for("academy_pages.lesson", slug=slug, lesson=lesson.slug),
        )
        for lesson in section.lessons
    ]
    return SectionEntry(title=section.title, lessons=lessons)


def _progress(slug: str, found: service.Progress) -> ProgressAnswer:
    return ProgressAnswer(
        course=slug,
        is_enrolled=found.is_enrolled,
        percent=found.percent,
        completed=list(found.completed),
        lessons=found.statuses,
        next_lesson=found.next_lesson,
    )


def _note(found: service.Note) -> NoteAnswer:
    updated_at = clock.as_text(found.updated_at) if found.updated_at else None
    return NoteAnswer(content=found.content, version=found.version, updated_at=updated_at)
