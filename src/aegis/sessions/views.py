"""The two questions of programs as operations; `sessions.check` answers them ahead of Flask."""

import flask

from aegis import errors
from aegis.sessions import check
from aegis.sessions.schemas import CheckedSession, Visitor
from aegis.web import operation

blueprint = flask.Blueprint("aegis_sessions", __name__)


@blueprint.get(check.CHECK_SESSION)
@operation(answers={200: CheckedSession, 401: Visitor})
def check_session() -> CheckedSession:
    """Tell whether somebody is signed in, and until when. Asking is not use: a forgotten tab still times out."""
    raise AssertionError("answered by sessions.check ahead of Flask")


@blueprint.get(check.AUTH_CHECK)
@operation(answers={204: None}, errors=(errors.NotSignedIn,))
def auth_check() -> flask.Response:
    """Answer nginx's auth_request: 204 with X-Aegis-User, or 401."""
    raise AssertionError("answered by sessions.check ahead of Flask")
