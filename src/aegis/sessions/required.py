"""Guards for views, under the names that Flask people know. What they refuse, `aegis.web` words."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from werkzeug.local import LocalProxy

from aegis import audit, clock, sessions, state
from aegis.audit import Event
from aegis.errors import Forbidden, NotSignedIn, ReauthenticationRequired
from aegis.sessions import Account, Session
from aegis.web import client

P = ParamSpec("P")
R = TypeVar("R")

ROLES = ("learner", "teacher", "admin")
"""Each role may do what the ones before it may."""

current_account: Account | None = cast("Account | None", LocalProxy(lambda: _account()))  # noqa: PLW0108 - defined below
"""The signed-in account of this request; falsy for a visitor."""


def _account() -> Account | None:
    session = sessions.current()
    return session.account if session else None


def signed_in() -> Session:
    """Return the request's session. Raises NotSignedIn for a visitor."""
    session = sessions.current()
    if session is None:
        raise NotSignedIn
    return session


def login_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let only signed-in accounts in; others get 401, or the sign-in page and then the way back."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        signed_in()
        return view(*args, **kwargs)

    return _marked(guarded, (NotSignedIn,))


def fresh_login_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let only accounts in that signed in or confirmed their password within AEGIS_SESSION_FRESH_LIFETIME."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if not signed_in().is_fresh(clock.now(), state.current().settings):
            raise ReauthenticationRequired(extra={"methods": ["password"]})
        return view(*args, **kwargs)

    return _marked(guarded, (NotSignedIn, ReauthenticationRequired))


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
