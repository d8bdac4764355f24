"""Adapter for an app that already uses Flask-Login: its decorators and `current_user` stay, its sessions get a record.

Flask-Login keeps the signed-in user's id in `flask.session["_user_id"]`, a cookie that nobody can revoke. Here that
one key lives in the session record instead: it appears when the cookie's token is alive, and writing or removing it
starts or ends a session. The foreign user id stands behind an account of ours named `external:<id>`, a name that
nobody can register, so that listing, limits and revocation work as for any other.
"""

from typing import Any

import flask
from flask.sessions import SecureCookieSession

from aegis import sessions, state
from aegis.accounts import external
from aegis.sessions import service
from aegis.sessions.interface import VisitorCookie, go_on_with, write_cookie
from aegis.web import client

_USER_ID = "_user_id"
_REMEMBER = "_remember"
"""Flask-Login's order to itself; "clear" ignores its remember cookie, which would outlive every revocation."""


class AdoptedSessions(VisitorCookie):
    """Flask's session in which Flask-Login's user id is not the client's word but the record's."""

    def open_session(self, app: flask.Flask, request: flask.Request) -> SecureCookieSession | None:
        """Fill in the user of the live session; whatever the cookie says of a user is ignored."""
        opened = super().open_session(app, request)
        if opened is not None and hasattr(app, "login_manager"):
            dict.pop(opened, _USER_ID, None)
            if app.config.get("REMEMBER_COOKIE_NAME", "remember_token") in request.cookies:
                dict.__setitem__(opened, _REMEMBER, "clear")
            found = _external_user()
            if found is not None:
                dict.__setitem__(opened, _USER_ID, found)
        return opened

    def save_session(self, app: flask.Flask, session: Any, response: flask.Response) -> None:
        """Start or end the record where Flask-Login signed somebody in or out; keep the id out of the cookie."""
        if hasattr(app, "login_manager"):
            wanted = dict.pop(session, _USER_ID, None)
            if wanted != _external_user():
                _follow(response, wanted)
        super().save_session(app, session, response)


def _external_user() -> str | None:
    session = sessions.current()
    return external.user_id(session.username) if session is not None else None


def _follow(response: flask.Response, wanted: str | None) -> None:
    token = sessions.presented_token()
    if wanted is None:
        if token:
            service.revoke_token(token)
        go_on_with(None)
        write_cookie(response, None)
        return
    settings = state.current().settings
    new = service.start(
        external.account_id(str(wanted)), settings, client(), method="flask-login", replaces=token
    )
    go_on_with(new)
    write_cookie(response, new)
