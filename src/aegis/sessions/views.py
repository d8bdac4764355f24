"""HTTP of the session that a request carries: is there one, and whose."""

import flask

from aegis import clock, errors, sessions, state
from aegis.sessions import check
from aegis.sessions.schemas import CheckedSession, User, Visitor
from aegis.web import operation

blueprint = flask.Blueprint("aegis_sessions", __name__)


@blueprint.get("/api/check_session")
@sessions.passive
@operation(answers={200: CheckedSession, 401: Visitor})
def check_session() -> tuple[CheckedSession | Visitor, int]:
    """Tell whether somebody is signed in, and until when. Asking is not use: a forgotten tab still times out."""
    session = sessions.current()
    if session is None:
        return Visitor(), 401
    ends = clock.as_text(session.expires_at(state.current().settings))
    user = User.of(session.account)
    return CheckedSession.model_construct(
        is_authenticated=True, user=user, expires_at=ends, auth_level=session.auth_level
    ), 200


@blueprint.get(check.PATH)
@operation(answers={204: None}, errors=(errors.NotSignedIn,))
def auth_check() -> flask.Response:
    """Answer nginx's auth_request: 204 with X-Aegis-User, or 401."""
    raise AssertionError("answered by sessions.check ahead of Flask")
