"""Guards for views, under the names that Flask people know. What they refuse, `aegis.web` words."""

import functools
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar, cast

import flask
from werkzeug.local import LocalProxy

from aegis import audit, clock, sessions, state
from aegis.audit import Event
from aegis.errors import (
    AegisError,
    EnrolmentRequired,
    Forbidden,
    NotSignedIn,
    PasswordChangeRequired,
    ReauthenticationRequired,
)
from aegis.sessions import Account, Session, service
from aegis.sessions.model import CHANGE_PASSWORD, ENROL_FACTOR
from aegis.settings import ROLES
from aegis.web import client

P = ParamSpec("P")
R = TypeVar("R")

current_account: Account | None = cast("Account | None", LocalProxy(lambda: _account()))  # noqa: PLW0108 - defined below
"""The signed-in account of this request; falsy for a visitor."""


def _account() -> Account | None:
    session = sessions.current()
    return session.account if session else None


def before(*steps: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Open a view to sessions that must take one of these steps before anything else; others are shut to them."""

    def mark(view: Callable[P, R]) -> Callable[P, R]:
        view.before_steps = steps  # type: ignore[attr-defined]
        return view

    return mark


_REFUSALS: Mapping[str, type[AegisError]] = {
    ENROL_FACTOR: EnrolmentRequired,
    CHANGE_PASSWORD: PasswordChangeRequired,
}


def signed_in() -> Session:
    """Return the request's session.

    Raises NotSignedIn for a visitor, and what a session must do first where it is good for that alone.
    """
    session = sessions.current()
    if session is None:
        raise NotSignedIn
    if session.forced_step:
        view = flask.current_app.view_functions.get(flask.request.endpoint or "")
        if session.forced_step not in getattr(view, "before_steps", ()):
            raise _REFUSALS[session.forced_step]
    return session


def find_signed_in() -> Session | None:
    """Return the request's session, or None for a visitor and for a session that is good for one step alone."""
    session = sessions.current()
    return session if session is not None and not session.forced_step else None


def login_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let only signed-in accounts in; others get 401, or the sign-in page and then the way back."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        signed_in()
        return view(*args, **kwargs)

    return _marked(guarded, (NotSignedIn,))


def fresh_login_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let only accounts in that signed in or confirmed who they are within AEGIS_SESSION_FRESH_LIFETIME.

    One that has an authenticator must have used it in this session: a session from before it is not strong enough.
    """

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        _demand_fresh(signed_in())
        return view(*args, **kwargs)

    return _marked(guarded, (NotSignedIn, ReauthenticationRequired))


def second_factor_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let only sessions in that used a second factor; whoever has none is led to adding one."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        _demand_factor(signed_in())
        return view(*args, **kwargs)

    return _marked(guarded, (NotSignedIn, ReauthenticationRequired, EnrolmentRequired))


def admin_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let only administrators in, with a second factor and a fresh sign-in: the guard of whatever administers."""
    return role_required("admin")(second_factor_required(fresh_login_required(view)))


def _demand_fresh(session: Session) -> None:
    application = state.current()
    is_fresh = session.is_fresh(clock.now(), application.settings)
    if is_fresh and session.auth_level >= service.FACTORS_LEVEL:
        return
    factors = application.factors(session.account_id, session.role)
    if not is_fresh or factors.are_asked:
        raise ReauthenticationRequired(extra={"methods": service.ways_to_confirm(session, factors)})


def _demand_factor(session: Session) -> None:
    if session.auth_level >= service.FACTORS_LEVEL:
        return
    factors = state.current().factors(session.account_id, session.role)
    if session.auth_level >= service.PASSWORD_LEVEL and not factors.names:
        raise EnrolmentRequired
    methods = service.ways_to_confirm(session, factors, to_two=True)
    raise ReauthenticationRequired(extra={"methods": methods})


def role_required(role: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only accounts in that have at least this role now: learner, teacher or admin."""
    allowed = ROLES[ROLES.index(role) :]

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            session = signed_in()
            if session.role not in allowed:
                audit.record(Event.FORBIDDEN, client(), account_id=session.account_id, needs=role)
                raise Forbidden
            return view(*args, **kwargs)

        return _marked(guarded, (NotSignedIn, Forbidden))

    return decorate


def _marked(view: Callable[P, R], errors: tuple[type[Exception], ...]) -> Callable[P, R]:
    view.guard_errors = (*getattr(view, "guard_errors", ()), *errors)  # type: ignore[attr-defined]
    return view
