"""Refuse writes that another site makes a browser send: Fetch Metadata, Origin and Referer first, then a token.

Tokens are signed text, so none is stored and each of several open tabs keeps its own. A token made in a session is
good for that session. It outlives the session in one case, so that nobody loses a long text (the session timed out
while the form was open): it is then good for the same account's next session, as long as its own session is over.
A visitor's token is bound to the browser's signed visitor cookie and worthless after signing in.
"""

import secrets
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import flask

from aegis import audit, clock, sessions, state
from aegis.audit import Event
from aegis.errors import CrossSite, CsrfFailed
from aegis.sessions import service
from aegis.tokens import equal, hash_token
from aegis.web import client

HEADER = "X-CSRFToken"
FIELD = "csrf_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
OUTLIVES_SESSION_S = 86_400

_PURPOSE = "csrf"
_OF_SESSION = "s"
_OF_VISITOR = "v"

View = TypeVar("View", bound=Callable[..., Any])


def exempt(*, reason: str) -> Callable[[View], View]:
    """Let a view's writes through without any check; the reason must say why that is safe."""

    def mark(view: View) -> View:
        view.csrf_exempt = reason  # type: ignore[attr-defined]
        return view

    return mark


def for_visitors(view: View) -> View:
    """Mark a form that visitors send (sign in, register): their tokens count, even from a second tab or click."""
    view.csrf_for_visitors = True  # type: ignore[attr-defined]
    return view


def scripts_need_no_token(view: View) -> View:
    """Mark a JSON view that a client which is no browser may call without a token.

    A browser always names itself on a write (Origin, Sec-Fetch-Site or Referer) and then needs the token too.
    """
    view.csrf_spares_scripts = True  # type: ignore[attr-defined]
    return view


def token() -> str:
    """Return a fresh token for the current visitor or session; a visitor's first one sets the visitor cookie."""
    session = sessions.current()
    nonce, now = secrets.token_urlsafe(6), clock.now()
    if session is not None:
        payload = f"{_OF_SESSION}~{session.id}~{session.account_id}~{now}~{nonce}"
    else:
        seed = sessions.visitor_seed(create=True) or ""
        payload = f"{_OF_VISITOR}~{hash_token(seed).hex()[:32]}~~{now}~{nonce}"
    return state.current().keyring.sign(_PURPOSE, payload)


def check() -> None:
    """Refuse the current request unless it is a read or proves that our own page or script sent it.

    Raises CrossSite or CsrfFailed, and records it.
    """
    try:
        _check()
    except CsrfFailed as refusal:
        kind = "cross_site" if isinstance(refusal, CrossSite) else "token"
        audit.record(Event.CSRF_REFUSED, client(), reason=kind, endpoint=flask.request.endpoint)
        raise


def _check() -> None:
    request = flask.request
    if request.method in SAFE_METHODS or request.endpoint is None:
        return
    view = flask.current_app.view_functions[request.endpoint]
    if hasattr(view, "csrf_exempt"):
        return
    _check_sender()
    if hasattr(view, "csrf_spares_scripts") and not _is_browser():
        return
    given = request.headers.get(HEADER) or _form_token()
    if not given or not _is_valid(given, is_for_visitors=hasattr(view, "csrf_for_visitors")):
        raise CsrfFailed


def _form_token() -> str:
    kind = flask.request.mimetype
    if kind not in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return ""
    return flask.request.form.get(FIELD, "")


def _is_browser() -> bool:
    headers = flask.request.headers
    return any(name in headers for name in ("Origin", "Sec-Fetch-Site", "Referer"))


def _check_sender() -> None:
    """Judge what the browser says of the sending page; nothing said means no browser of today."""
    headers = flask.request.headers
    if headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise CrossSite
    origin = headers.get("Origin")
    if origin is not None:
        if not _is_own(origin):
            raise CrossSite
    elif "Referer" in headers and "Sec-Fetch-Site" not in headers and not _is_own(headers["Referer"]):
        raise CrossSite


def _is_own(address: str) -> bool:
    """Tell whether the address is of this site: AEGIS_URL where it is set, else the host that was asked.

    Without AEGIS_URL the scheme is not compared, as TLS may end at a proxy that we were told nothing of.
    """
    configured = state.current().configured
    try:
        parts = urlsplit(address)
        own = urlsplit(configured.settings.public_url)
        if configured.is_set("public_url") and own.netloc:
            return (parts.scheme, parts.hostname, _port(parts)) == (own.scheme, own.hostname, _port(own))
        return (
            bool(parts.netloc) and parts.netloc.lower() == flask.request.environ.get("HTTP_HOST", "").lower()
        )
    except ValueError:
        return False


def _port(parts: Any) -> int | None:
    port: int | None = parts.port
    return port or {"http": 80, "https": 443}.get(parts.scheme)


def _is_valid(given: str, *, is_for_visitors: bool) -> bool:
    application = state.current()
    payload = application.keyring.verify(_PURPOSE, given)
    if payload is None or payload.count("~") != 4:  # noqa: PLR2004 - the five parts that `token` joins
        return False
    kind, bound_to, account_id, made_at, _ = payload.split("~")
    session = sessions.current()
    if kind == _OF_VISITOR:
        return (session is None or is_for_visitors) and _is_of_this_browser(bound_to)
    if session is None:
        return not is_for_visitors
    if session.id == bound_to:
        return True
    is_recent = clock.now() - int(made_at) < OUTLIVES_SESSION_S
    return (
        session.account_id == account_id
        and is_recent
        and not service.is_alive(bound_to, application.settings)
    )


def _is_of_this_browser(seed_hash: str) -> bool:
    seed = sessions.visitor_seed(create=False)
    return seed is not None and equal(hash_token(seed).hex()[:32], seed_hash)
