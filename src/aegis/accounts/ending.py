"""Ending what an account has open, by its owner or by somebody who may: with a record, and a notice where all ends."""

from aegis import audit, db, errors
from aegis.accounts import notices
from aegis.audit import Event
from aegis.sessions import remembrance
from aegis.sessions import service as sessions
from aegis.web import OPERATOR, Client


def revoke_sessions(
    account_id: str, client: Client = OPERATOR, actor_id: str | None = None, *, but: str | None = None
) -> int:
    """End all sessions of the account, or all but one, and return how many ended."""
    with db.transaction():
        ended = sessions.revoke_all(account_id, but=but)
        if ended:
            what = "Your other sessions were ended" if but else "Your sessions were ended"
            notices.post(account_id, what, client, actor_id=actor_id, is_critical=False)
    audit.record(
        Event.SESSIONS_REVOKED, client, account_id=account_id, actor_id=actor_id, sessions_ended=ended
    )
    return ended


def end_session(account_id: str, session_id: str, client: Client, actor_id: str | None = None) -> None:
    """End one session of the account. Raises NotFound for any other id."""
    sessions.revoke(account_id, session_id)
    told = {"session": session_id, "reason": "revoked"}
    audit.record(Event.SESSION_ENDED, client, account_id=account_id, actor_id=actor_id, **told)


def end_remembrance(
    account_id: str, remembrance_id: str, client: Client, actor_id: str | None = None
) -> None:
    """Let a browser not stay signed in any more, and end what it opened. Raises NotFound for any other id."""
    if not remembrance.end(account_id, remembrance_id):
        raise errors.NotFound("There is no such browser.")
    told = {"remembrance": remembrance_id}
    audit.record(Event.REMEMBRANCE_ENDED, client, account_id=account_id, actor_id=actor_id, **told)
