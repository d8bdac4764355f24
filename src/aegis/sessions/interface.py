"""Flask's seam: which token a request carries, the session it stands for, and the cookies that answer it.

Three cookies. `session` carries the opaque token of a signed-in session and nothing else. `visitor` is Flask's own
signed cookie, `flask.session`: what somebody needs before or beside signing in (the seed of form tokens, flashed
messages); it is set only when something is stored in it. `remember` is there where somebody asked to stay signed in,
and starts the next session when the one before is over.
"""

import re
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

import flask
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from aegis import clock, state
from aegis.sessions import service
from aegis.sessions.model import Session, use_interval_s
from aegis.web import client

_SESSION = "aegis.session"
_TOKEN = "aegis.token"  # noqa: S105 - a key of the WSGI environment
_TOKEN_TEXT = re.compile(r"[A-Za-z0-9_-]{43}")
_REMEMBRANCE_TEXT = re.compile(r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}")
_SEED = "seed"

View = TypeVar("View", bound=Callable[..., Any])


def token_in(cookie_header: str, name: str, form: re.Pattern[str] = _TOKEN_TEXT) -> str | None:
    """Return the one well-formed token of that name in a Cookie header.

    Another path, port or host can plant a cookie of the same name beside ours, and no order is promised (RFC 6265
    section 4.2.2). Two different tokens would mean choosing a user by chance, so they are none.
    """
    if name not in cookie_header:
        return None
    found = set()
    for pair in cookie_header.split(";"):
        key, _, value = pair.partition("=")
        if key.strip() == name and form.fullmatch(value.strip()):
            found.add(value.strip())
    return found.pop() if len(found) == 1 else None


def cookie_name() -> str:
    """Return the session cookie's name: `__Host-session` where cookies are Secure, else `session`."""
    return state.current().settings.cookie_prefix + "session"


def presented_token() -> str | None:
    """Return the token that the request came with, or got in the meantime."""
    environ = flask.request.environ
    if _TOKEN not in environ:
        environ[_TOKEN] = token_in(environ.get("HTTP_COOKIE", ""), cookie_name())
    token: str | None = environ[_TOKEN]
    return token


def current() -> Session | None:
    """Return the request's live session, read once a request, or None for a visitor.

    Asking is noted, so that the answer is kept out of every cache.
    """
    environ = flask.request.environ
    if _SESSION in environ:
        known: Session | None = environ[_SESSION]
        return known
    token = presented_token()
    application = state.current()
    session = (
        service.find(token, application.database, application.settings, _note_late_use) if token else None
    )
    if session is None:
        session = _resumed()
    elif _is_due(session):
        service.note_use(session, application.settings)
    environ[_SESSION] = session
    return session


def _resumed() -> Session | None:
    """Go on in a browser that stayed signed in: start a session of the lowest level, and answer with both cookies."""
    application, kept = state.current(), presented_remembrance()
    if not kept or not application.settings.remember_s or _is_passive():
        return None
    resumed = application.resume(kept, client())
    if resumed is None:
        return None
    remember(resumed.remembrance, resumed.lasts_s)
    if resumed.token is None:
        return None
    give_cookie(resumed.token)
    return service.find(resumed.token, application.database, application.settings)


def presented_remembrance() -> str | None:
    """Return what the request came with to stay signed in."""
    header = flask.request.environ.get("HTTP_COOKIE", "")
    return token_in(header, _remembrance_name(), _REMEMBRANCE_TEXT)


def _remembrance_name() -> str:
    return state.current().settings.cookie_prefix + "remember"


def _note_late_use(session: Session, token: str) -> None:
    service.note_late_use(session, token, state.current().settings, client())


def _is_due(session: Session) -> bool:
    settings = state.current().settings
    if clock.now() - session.last_used_at < use_interval_s(settings):
        return False
    return not _is_passive()


def _is_passive() -> bool:
    view = flask.current_app.view_functions.get(flask.request.endpoint or "")
    return getattr(view, "is_passive", False)


def was_asked(environ: dict[str, Any]) -> bool:
    """Tell whether the answer depends on who is asking."""
    return _SESSION in environ or _TOKEN in environ


def passive(view: View) -> View:
    """Mark a view whose requests are no use of the session: what a page asks by itself must not keep it alive."""
    view.is_passive = True  # type: ignore[attr-defined]
    return view


def give_cookie(token: str) -> None:
    """Answer this request with the session cookie, and go on under the new session."""
    go_on_with(token)
    flask.after_this_request(lambda response: write_cookie(response, token))


def forget_cookie() -> None:
    """Answer this request with the cookie's deletion, and go on as a visitor."""
    go_on_with(None)
    flask.after_this_request(lambda response: write_cookie(response, None))


def remember(remembrance: str | None, lasts_s: int = 0) -> None:
    """Answer this request with the cookie that keeps a browser signed in, or with its deletion."""
    settings = state.current().settings

    def write(response: flask.Response) -> flask.Response:
        response.set_cookie(
            _remembrance_name(),
            remembrance or "",
            max_age=lasts_s if remembrance else 0,
            path="/",
            secure=settings.session_cookie_secure,
            httponly=True,
            samesite=settings.session_cookie_samesite,
        )
        return response

    flask.after_this_request(write)


def go_on_with(token: str | None) -> None:
    """Let the rest of this request see the session of another token."""
    environ = flask.request.environ
    environ[_TOKEN] = token
    environ.pop(_SESSION, None)


def write_cookie(response: flask.Response, token: str | None) -> flask.Response:
    """Set the session cookie, or delete it under exactly the attributes it was set with (RFC 6265bis section 5.7)."""
    settings = state.current().settings
    response.set_cookie(
        cookie_name(),
        token or "",
        max_age=None if token else 0,
        path="/",
        secure=settings.session_cookie_secure,
        httponly=settings.session_cookie_httponly,
        samesite=settings.session_cookie_samesite,
    )
    return response


def visitor_seed(*, create: bool) -> str | None:
    """Return the random value that names this browser among visitors; make one if asked to."""
    seed = flask.session.get(_SEED)
    if seed is None and create:
        seed = flask.session[_SEED] = secrets.token_urlsafe(16)
    return seed if isinstance(seed, str) else None


def keep_visitor_seed(seed: str) -> None:
    """Name this browser among visitors, if it has no name yet: what was begun is bound to it."""
    flask.session.setdefault(_SEED, seed)


class VisitorCookie(SecureCookieSessionInterface):
    """Flask's signed cookie under a name of its own, without work for requests that carry none."""

    def open_session(self, app: flask.Flask, request: flask.Request) -> SecureCookieSession | None:
        """Skip deriving keys where there is nothing to verify."""
        if self.get_cookie_name(app) not in request.environ.get("HTTP_COOKIE", ""):
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: flask.Flask, session: Any, response: flask.Response) -> None:
        """Write only what changed: no cookie is renewed by reading."""
        if session.modified:
            super().save_session(app, session, response)
        elif session.accessed:
            response.vary.add("Cookie")

    def get_cookie_name(self, app: flask.Flask) -> str:
        """Name it apart from the session cookie."""
        prefix: str = app.extensions["aegis"].settings.cookie_prefix
        return prefix + "visitor"

    def get_cookie_path(self, app: flask.Flask) -> str:
        """Serve the whole host, as the __Host- prefix demands."""
        return "/"

    def get_cookie_domain(self, app: flask.Flask) -> str | None:
        """Never share with other hosts."""
        return None
