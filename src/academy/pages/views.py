"""HTTP of the course pages."""

from typing import Any

import flask
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from academy.courses import render, service
from academy.courses.schemas import SaveNote, SetProgress
from aegis import errors
from aegis.csrf import FIELD
from aegis.pages.again import labels, local_path
from aegis.sessions.required import find_signed_in, login_required, signed_in
from aegis.web import read_form

blueprint = flask.Blueprint(
    "academy_pages", __name__, static_folder="static", static_url_path="/static/academy"
)

FILE_POLICY = "default-src 'none'; sandbox"
"""Whatever a course's file may hold, opened by itself it runs nothing."""

_BESIDE = frozenset({FIELD, "next"})


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """Show the catalogue, and learners the way back to where they were."""
    session = find_signed_in()
    progress = service.progress_by_slug(session.account_id) if session else {}
    return flask.render_template("academy/home.html", courses=service.catalogue(), progress_by_slug=progress)


@blueprint.get("/courses/<slug>")
def course(slug: str) -> ResponseReturnValue:
    """Show what is in a course, and the own progress and note."""
    return _course_page(service.get(slug))


@blueprint.get("/courses/<slug>/lessons/<lesson>")
def lesson(slug: str, lesson: str) -> ResponseReturnValue:
    """Show a lesson; reading needs no account."""
    found = service.get(slug)
    chosen = found.lesson(lesson)
    files_url = flask.url_for(".file", slug=slug, name="")
    words = {
        "slug": chosen.slug,
        "title": chosen.title,
        "minutes": chosen.minutes,
        "html": Markup(render.to_html(service.markdown(chosen), files_url)),  # noqa: S704 - passed the allow-list
    }
    before, after = found.neighbours(lesson)
    return flask.render_template(
        "academy/lesson.html",
        course=found,
        lesson=words,
        previous=before,
        next=after,
        progress=_own_progress(found),
    )


@blueprint.post("/courses/<slug>/enrol")
@login_required
def enrol(slug: str) -> ResponseReturnValue:
    """Enrol and go back to the page that offered it."""
    found = service.get(slug)
    if service.enrol(signed_in().account_id, found):
        flask.flash(f"You are enrolled in {found.title}.", "success")
    return _back(flask.url_for(".course", slug=slug))


@blueprint.post("/courses/<slug>/leave")
@login_required
def leave(slug: str) -> ResponseReturnValue:
    """End the enrolment."""
    found = service.get(slug)
    if service.leave(signed_in().account_id, found):
        flask.flash(
            f"You have left {found.title}. What you had completed is kept, should you return.", "success"
        )
    return flask.redirect(flask.url_for(".course", slug=slug), 303)


@blueprint.post("/courses/<slug>/progress")
@login_required
def set_progress(slug: str) -> ResponseReturnValue:
    """Store the status of one lesson and go on."""
    form = read_form(SetProgress, drop=_BESIDE)
    service.set_progress(signed_in().account_id, service.get(slug), form.lesson, form.status)
    return _back(flask.url_for(".lesson", slug=slug, lesson=form.lesson))


@blueprint.post("/courses/<slug>/note")
@labels(content="Your note")
@login_required
def save_note(slug: str) -> ResponseReturnValue:
    """Store the own note; what cannot be stored is shown again, beside what is stored."""
    found = service.get(slug)
    try:
        form = read_form(SaveNote)
        service.save_note(signed_in().account_id, found, form.content, form.version)
    except service.NoteConflict as error:
        return _course_page(found, note_error=error.sentence, note=error.stored), error.status
    except errors.InvalidInput as error:
        return _course_page(found, note_error=error.fields.get("content", error.sentence)), error.status
    flask.flash("Your note was saved.", "success")
    return flask.redirect(flask.url_for(".course", slug=slug, _anchor="note"), 303)


@blueprint.get("/courses/<slug>/files/<name>")
def file(slug: str, name: str) -> ResponseReturnValue:
    """Send a picture under the type that was found in it, never the one a client or a name claims."""
    found = service.get_file(slug, name)
    response = flask.Response(found.content, mimetype=found.media_type)
    response.headers["Cache-Control"] = "public, max-age=300"
    response.headers["Content-Security-Policy"] = FILE_POLICY
    response.set_etag(found.content_hash.hex())
    return response.make_conditional(flask.request)


def _course_page(found: service.Course, **words: Any) -> str:
    session = find_signed_in()
    if session is not None:
        words.setdefault("note", service.note(session.account_id, found))
        words.setdefault("note_draft", flask.request.form.get("content"))
    return flask.render_template("academy/course.html", course=found, progress=_own_progress(found), **words)


def _own_progress(found: service.Course) -> service.Progress | None:
    session = find_signed_in()
    return service.progress(session.account_id, found) if session else None


def _back(otherwise: str) -> ResponseReturnValue:
    return flask.redirect(local_path(flask.request.form.get("next")) or otherwise, 303)
