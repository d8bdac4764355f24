"""The two questions of programs, answered ahead of Flask's dispatch with all checks of a session.

`GET /auth/check` is what nginx asks by `auth_request`; `GET /api/check_session` is what a page asks by itself. Flask's
dispatch costs several times what the answer does.
"""

import functools
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aegis import clock, errors
from aegis.sessions import service
from aegis.sessions.interface import token_in
from aegis.sessions.model import Session, use_interval_s
from aegis.sessions.schemas import CheckedSession, User, Visitor
from aegis.web import faults
from aegis.web.client import client_of

if TYPE_CHECKING:
    import flask

    from aegis.web.edge import FastPath, Headers

    Answer = tuple[str, Headers, bytes]

AUTH_CHECK = "/auth/check"
CHECK_SESSION = "/api/check_session"

_PRIVATE = [("Cache-Control", "no-store"), ("Vary", "Cookie")]
_VISITOR = Visitor().model_dump_json().encode()


def fast_paths(app: "flask.Flask") -> "dict[str, FastPath]":
    """Return the answerers of one application, by path."""
    application = app.extensions["aegis"]
    settings = application.settings
    name = settings.cookie_prefix + "session"
    interval_s = use_interval_s(settings)

    def note_late_use(environ: dict[str, Any], session: Session, token: str) -> None:
        with app.app_context():
            service.note_late_use(session, token, settings, client_of(environ))

    def find(environ: dict[str, Any]) -> Session | None:
        token = token_in(environ.get("HTTP_COOKIE", ""), name)
        on_late = functools.partial(note_late_use, environ)
        return service.find(token, application.database, settings, on_late) if token else None

    def check_session(environ: dict[str, Any]) -> "Answer":
        """Tell who is signed in, and until when. Asking is not use: a forgotten tab still times out."""
        session = find(environ)
        if session is None:
            return "401 Unauthorized", _PRIVATE, _VISITOR
        told = CheckedSession.model_construct(
            is_authenticated=True,
            user=User.of(session.account),
            expires_at=clock.as_text(session.expires_at(settings)),
            auth_level=session.auth_level,
        )
        return "200 OK", _PRIVATE, told.model_dump_json().encode()

    def auth_check(environ: dict[str, Any]) -> "Answer":
        """Name the account. Each question stands for a request to what nginx protects: it is use."""
        session = find(environ)
        if session is None or session.forced_step:
            raise errors.NotSignedIn
        if clock.now() - session.last_used_at >= interval_s:
            with app.app_context():
                service.note_use(session, settings)
        return "204 No Content", [("X-Aegis-User", header_text(session.username)), *_PRIVATE], b""

    return {CHECK_SESSION: _reading(check_session), AUTH_CHECK: _reading(auth_check)}


def _reading(answer: "Callable[[dict[str, Any]], Answer]") -> "FastPath":
    """Answer reads alone, and refusals in the one error format; other methods are Flask's to refuse."""

    def read(environ: dict[str, Any]) -> "Answer | None":
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return None
        try:
            return answer(environ)
        except errors.AegisError as error:
            content = faults.body(error, environ["aegis.request_id"]).encode()
            return f"{error.status} {error.code}", [*error.headers.items(), *_PRIVATE], content

    return read


def header_text(username: str) -> str:
    """Return the name as a header can carry it: other letters than ASCII are percent-encoded UTF-8."""
    return username if username.isascii() else urllib.parse.quote(username, safe="")
