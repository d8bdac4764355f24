"""`GET /auth/check` for nginx `auth_request`: all checks of a session, answered ahead of Flask's dispatch."""

import functools
import urllib.parse
from typing import TYPE_CHECKING, Any

from aegis import clock, errors
from aegis.sessions import service
from aegis.sessions.interface import token_in
from aegis.sessions.model import Session, use_interval_s
from aegis.web import faults
from aegis.web.client import client_of

if TYPE_CHECKING:
    import flask

    from aegis.web.edge import FastPath, Headers

PATH = "/auth/check"
_PRIVATE = [("Cache-Control", "no-store"), ("Vary", "Cookie")]


def fast_path(app: "flask.Flask") -> "FastPath":
    """Return the answerer for one application. Each question stands for a request to what nginx protects: it is use."""
    application = app.extensions["aegis"]
    settings = application.settings
    name = settings.cookie_prefix + "session"
    interval_s = use_interval_s(settings)

    def note_late_use(environ: dict[str, Any], session: Session, token: str) -> None:
        with app.app_context():
            service.note_late_use(session, token, settings, client_of(environ))

    def answer(environ: dict[str, Any]) -> "tuple[str, Headers, bytes] | None":
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return None
        token = token_in(environ.get("HTTP_COOKIE", ""), name)
        try:
            on_late = functools.partial(note_late_use, environ)
            session = service.find(token, application.database, settings, on_late) if token else None
            if session is None:
                return _refusal(errors.NotSignedIn(), environ)
            if clock.now() - session.last_used_at >= interval_s:
                with app.app_context():
                    service.note_use(session, settings)
        except errors.AegisError as error:
            return _refusal(error, environ)
        return "204 No Content", [("X-Aegis-User", header_text(session.username)), *_PRIVATE], b""

    return answer


def _refusal(error: errors.AegisError, environ: dict[str, Any]) -> "tuple[str, Headers, bytes]":
    content = faults.body(error, environ["aegis.request_id"]).encode()
    return f"{error.status} {error.code}", [*error.headers.items(), *_PRIVATE], content


def header_text(username: str) -> str:
    """Return the name as a header can carry it: other letters than ASCII are percent-encoded UTF-8."""
    return username if username.isascii() else urllib.parse.quote(username, safe="")
