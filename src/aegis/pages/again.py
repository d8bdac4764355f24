"""A form met an ended session or an old token: sign in again and get back what was typed; nothing is lost.

What was typed travels in the page itself as signed text, so that it needs no storage and cannot be pointed at
another address. Passwords never travel.
"""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import flask
from flask.typing import ResponseReturnValue

from aegis import errors, state
from aegis.csrf import FIELD
from aegis.web import faults, wants_page

_PURPOSE = "resume"
_SECRET_WORDS = ("password", "code")
_OWN_FORMS = {
    "aegis_pages.login_post": "aegis/login.html",
    "aegis_pages.register_post": "aegis/register.html",
}
LONG_TEXT = 60
"""Characters from which a field is shown as a text area."""

_OWN_LABELS = {"bio": "About you", "email": "Your address"}

View = TypeVar("View", bound=Callable[..., Any])


class Typed(NamedTuple):
    """One field of the form that is to be finished."""

    name: str
    value: str
    label: str
    multiline: bool


def labels(**by_field: str) -> Callable[[View], View]:
    """Say how a form's fields are called on the page that shows it again; others go by their plain name."""

    def mark(view: View) -> View:
        view.field_labels = by_field  # type: ignore[attr-defined]
        return view

    return mark


def sign_in(error: errors.AegisError) -> ResponseReturnValue:
    """Lead a person to the sign-in page and back; programs get the plain refusal."""
    if not wants_page():
        return faults.answer(error)
    if not _is_post():
        return flask.redirect(flask.url_for("aegis_pages.login", next=_here()), 303)
    return _ask("aegis/login.html", error)


def confirm(error: errors.AegisError) -> ResponseReturnValue:
    """Lead a person to the confirmation of the password, or of a second factor, and back."""
    if not wants_page():
        return faults.answer(error)
    level = None if "password" in cast("Sequence[str]", error.extra["methods"]) else "2"
    if not _is_post():
        return flask.redirect(flask.url_for("aegis_pages.reauthenticate", next=_here(), level=level), 303)
    return _ask("aegis/reauthenticate.html", error, level=level)


def enrol(error: errors.AegisError) -> ResponseReturnValue:
    """Lead a person to adding a second factor and back."""
    if not wants_page():
        return faults.answer(error)
    back = None if _is_post() else _here()
    return flask.redirect(flask.url_for("aegis_pages.new_authenticator", next=back), 303)


def choose_password(error: errors.AegisError) -> ResponseReturnValue:
    """Lead a person to choosing another password."""
    if not wants_page():
        return faults.answer(error)
    return flask.redirect(flask.url_for("aegis_pages.new_password"), 303)


def verify(error: errors.AegisError) -> ResponseReturnValue:
    """Lead a person whose password was right to the code of the address; programs get the plain refusal."""
    return prove_address() if wants_page() else faults.answer(error)


def prove_address() -> ResponseReturnValue:
    """Lead to the code of the address, and then to where the person was going."""
    after = local_path(flask.request.form.get("next")) or None
    return flask.redirect(flask.url_for("aegis_pages.verify_email", next=after), 303)


def send(error: errors.AegisError) -> ResponseReturnValue:
    """Show a form with an outdated token once more, ready to be sent; another site's request gets no such offer."""
    is_own_form = flask.request.endpoint in _OWN_FORMS
    if not wants_page() or isinstance(error, errors.CrossSite) or (_holds_secret() and not is_own_form):
        return faults.answer(error)
    if is_own_form:
        template = _OWN_FORMS[str(flask.request.endpoint)]
        typed = {name: text for name, text in flask.request.form.items() if not _is_secret(name)}
        words = {
            "form": typed,
            "errors": {},
            "error": error.sentence,
            "next": local_path(typed.get("next")),
            "resume": typed.get("resume"),
            "password_min_length": state.current().settings.shortest_password("learner"),
        }
        return flask.render_template(template, **words), error.status
    return finish(_pack(), error.status)


def finish(resume: str, status: int = 200) -> ResponseReturnValue:
    """Show what was typed, ready to be sent. Text that is not ours leads home."""
    content = _unpack(resume)
    if content is None:
        return flask.redirect("/", 303)
    fields = list(_fields(content["fields"]))
    page = flask.render_template("aegis/resume.html", action=content["action"], fields=fields, status=status)
    return page, status


def local_path(text: str | None) -> str:
    """Return a path on this site, or nothing for whatever could lead elsewhere (ASVS 3.7.2)."""
    if not text or not text.startswith("/") or text.startswith(("//", "/\\")):
        return ""
    if any(character < "!" or character in '\\"<>' for character in text):
        return ""
    return text


def _ask(template: str, error: errors.AegisError, level: str | None = None) -> ResponseReturnValue:
    resume = None if _holds_secret() else _pack()
    back = "" if resume else local_path(flask.request.path)
    words: dict[str, Any] = {
        "form": {},
        "errors": {},
        "error": None if resume else error.sentence,
        "next": back,
        "resume": resume,
        "level": level,
    }
    return flask.render_template(template, **words), error.status


def _is_post() -> bool:
    return flask.request.method not in {"GET", "HEAD"}


def _here() -> str:
    query = flask.request.query_string.decode("ascii", "replace")
    return local_path(flask.request.path + (f"?{query}" if query else ""))


def _is_secret(name: str) -> bool:
    return any(word in name for word in _SECRET_WORDS)


def _holds_secret() -> bool:
    return any(_is_secret(name) for name in flask.request.form)


def _pack() -> str:
    form = flask.request.form.items(multi=True)
    fields = [[name, text, _label(name)] for name, text in form if name != FIELD]
    content = json.dumps({"action": flask.request.path, "fields": fields})
    return state.current().keyring.sign(_PURPOSE, base64.urlsafe_b64encode(content.encode()).decode())


def _label(name: str) -> str:
    view = flask.current_app.view_functions.get(flask.request.endpoint or "")
    known = {**_OWN_LABELS, **getattr(view, "field_labels", {})}
    return known.get(name) or name.replace("_", " ").capitalize()


def _unpack(resume: str) -> dict[str, Any] | None:
    payload = state.current().keyring.verify(_PURPOSE, resume)
    if payload is None:
        return None
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload))
    return content


def _fields(kept: list[list[str]]) -> Iterator[Typed]:
    for name, text, label in kept:
        yield Typed(name, text, label, len(text) > LONG_TEXT or "\n" in text)
