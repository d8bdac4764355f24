"""Adapter for an app that already uses Flask-Login: its decorators and `current_user` stay, its sessions get a record.

Flask-Login keeps the signed-in user's id in `flask.session["_user_id"]`, a cookie that nobody can revoke. Here that
one key lives in the session record instead: it appears when the cookie's token is alive, and writing or removing it
starts or ends a session. The foreign user id stands behind an account of ours named `external:<id>`, a name that
nobody can register, so that listing, limits and revocation work as for any other.
"""

from typing import Any

import flask
from flask.sessions import SecureCookieSession

from aegis import errors, sessions, state
from aegis.accounts import external
from aegis.sessions import service
from aegis.sessions.interface import VisitorCookie, go_on_with, write_cookie
from aegis.web import client, faults

_USER_ID = "_user_id"
_REMEMBER = "_remember"
"""Flask-Login's order to itself; "clear" ignores its remember cookie, which would outlive every revocation."""


class AdoptedSession(SecureCookieSession):
    """Flask's session in which the user id is not the client's word but the record's, read when somebody asks for it."""

    is_adopted = False

    def adopt(self) -> None:
        """Fill in the user of the live session, once; a view that never asks costs no query and stays cacheable."""
        if not self.is_adopted:
            self.is_adopted = True
            found = _external_user()
            if found is not None:
                dict.__setitem__(self, _USER_ID, found)

    def __contains__(self, key: object) -> bool:
        self._adopt_for(key)
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        self._adopt_for(key)
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._adopt_for(key)
        super().__setitem__(key, value)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, as dict does."""
        self._adopt_for(key)
        return super().get(key, default)

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a value and return it, as dict does."""
        self._adopt_for(key)
        return super().pop(key, *default)

    def _adopt_for(self, key: object) -> None:
        if key == _USER_ID:
            self.adopt()


class AdoptedSessions(VisitorCookie):
    """Keeps Flask-Login's user id out of the cookie and starts or ends the record where it changes."""

    def open_session(self, app: flask.Flask, request: flask.Request) -> SecureCookieSession | None:
        """Ignore whatever the cookie says of a user."""
        opened = super().open_session(app, request)
        if opened is None or not hasattr(app, "login_manager"):
            return opened
        kept = {key: value for key, value in opened.items() if key != _USER_ID}
        if app.config.get("REMEMBER_COOKIE_NAME", "remember_token") in request.cookies:
            kept[_REMEMBER] = "clear"
        return AdoptedSession(kept)

    def save_session(self, app: flask.Flask, session: Any, response: flask.Response) -> None:
        """Start or end the record where Flask-Login signed somebody in or out; keep the id out of the cookie."""
        if isinstance(session, AdoptedSession) and session.is_adopted:
            wanted = dict.pop(session, _USER_ID, None)
            if wanted != _external_user():
                _follow(response, wanted)
        super().save_session(app, session, response)


def _external_user() -> str | None:
    session = sessions.current()
    if session is None or session.forced_step:
        return None
    return external.user_id(session.username)


def _follow(response: flask.Response, wanted: str | None) -> None:
    token, new = sessions.presented_token(), None
    try:
        if wanted is not None:
            new = _start(str(wanted), token)
        elif token:
            service.revoke_token(token)
    except errors.AegisError as refusal:
        _refuse(response, refusal)
        return
    go_on_with(new)
    write_cookie(response, new)


def _start(user_id: str, replaces: str | None) -> str:
    account_id, settings = external.account_id(user_id), state.current().settings
    return service.start(account_id, settings, client(), method="flask-login", replaces=replaces)


def _refuse(response: flask.Response, refusal: errors.AegisError) -> None:
    """Turn the view's answer into the refusal: it says "welcome", but there is no session to back it."""
    answer = faults.answer(refusal)
    response.set_data(answer.get_data())
    response.status = answer.status
    response.headers.clear()
    response.headers.extend(answer.headers)
