"""HTTP of the own sessions: is there one, which ones, end them."""

import flask

from aegis import clock, errors, sessions, state
from aegis.sessions import check, service
from aegis.sessions.required import login_required, signed_in
from aegis.sessions.schemas import CheckedSession, Ended, ListedSession, SessionList, User, Visitor
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


@blueprint.get("/api/sessions")
@login_required
@operation(answers={200: SessionList})
def list_sessions() -> SessionList:
    """List the own live sessions with device, address and last use."""
    own = signed_in()
    listed = service.list_of(own.account_id, state.current().settings)
    return SessionList(sessions=[_shown(item, own.id) for item in listed])


@blueprint.delete("/api/sessions/<session_id>")
@login_required
@operation(answers={200: Ended}, errors=(errors.NotFound,))
def end_session(session_id: str) -> Ended:
    """End one of the own sessions, in every process at once."""
    own = signed_in()
    service.revoke(own.account_id, session_id)
    if session_id == own.id:
        sessions.forget_cookie()
    return Ended(message="The session has ended.", ended=1)


@blueprint.delete("/api/sessions")
@login_required
@operation(answers={200: Ended})
def end_other_sessions() -> Ended:
    """End all own sessions but this one."""
    own = signed_in()
    ended = service.revoke_all(own.account_id, but=own.id)
    return Ended(message="All other sessions have ended.", ended=ended)


def _shown(item: service.Listed, own_id: str) -> ListedSession:
    return ListedSession(
        id=item.id,
        device=item.user_agent,
        address=item.address,
        method=item.method,
        started_at=clock.as_text(item.started_at),
        last_used_at=clock.as_text(item.last_used_at),
        expires_at=clock.as_text(item.expires_at),
        is_current=item.id == own_id,
    )
