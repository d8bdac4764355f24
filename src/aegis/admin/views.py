"""HTTP of administering: each view needs the role, a second factor and a fresh sign-in."""

import flask

from aegis import clock, errors, state
from aegis.accounts import service as accounts
from aegis.admin import service
from aegis.admin.schemas import (
    AdminUser,
    Done,
    Event,
    FactorReset,
    Imported,
    ImportQuery,
    LiveSession,
    LiveSessions,
    Record,
    RecordQuery,
    SessionQuery,
    SetRole,
    UserAnswer,
    UserList,
    UserQuery,
)
from aegis.login import devices
from aegis.login import views as login_views
from aegis.sessions import remembrance
from aegis.sessions.required import admin_required, signed_in
from aegis.sessions.schemas import ListedSession, RememberedBrowser
from aegis.web import client, operation, read_query, read_upload, takes_upload

blueprint = flask.Blueprint("aegis_admin", __name__, url_prefix="/api/admin")

_USERS = {
    "query": "What name or address begins with.",
    "role": "Only this role.",
    "after": "`next` of the page before.",
}
_SESSIONS = {"cursor": "`next` of the page before."}
FILE = "file"
"""The field in which a file comes."""

_EVENTS = {
    "account": "Only events of this account.",
    "event": "Only events of this name.",
    "address": "Only events from this address.",
    "since": "Not before: 2026-11-25, 2026-11-25T08:00:00Z, 24h or 7d.",
    "until": "Not after: the same; a date ends with its last second.",
    "cursor": "`next` of the page before.",
}


@blueprint.get("/users")
@admin_required
@operation(answers={200: UserList}, errors=(errors.InvalidInput,), query=_USERS)
def list_users() -> UserList:
    """List accounts by name."""
    asked = read_query(UserQuery)
    page = service.search(asked.query, asked.role, asked.after)
    return UserList(users=[AdminUser.shown(account) for account in page.accounts], next=page.next)


@blueprint.get("/users/<account_id>")
@admin_required
@operation(answers={200: UserAnswer}, errors=(errors.NotFound,))
def show_user(account_id: str) -> UserAnswer:
    """Show one account: its live sessions, browsers and devices, and its second factors."""
    return shown(account_id)


def shown(account_id: str) -> UserAnswer:
    """Return one account; JSON and page views share it."""
    account = accounts.get(account_id)
    live = service.sessions_of(account.id, state.current().settings)
    listed = [ListedSession.of(item, signed_in().id) for item in live]
    names = state.current().factors(account.id, account.role).names
    asked = service.asked_reset(account.id)
    reset = asked and FactorReset(
        asked_by=asked.by, asked_at=clock.as_text(asked.at), due_at=clock.as_text(asked.due_at)
    )
    return UserAnswer(
        user=AdminUser.shown(account),
        sessions=listed,
        remembered_browsers=[RememberedBrowser.of(item, None) for item in remembrance.list_of(account.id)],
        devices=[login_views.listed(item, None) for item in devices.list_of(account.id)],
        factors=list(names),
        factor_reset=reset,
    )


@blueprint.post("/users/<account_id>/role")
@admin_required
@operation(body=SetRole, answers={200: Done}, errors=(errors.NotFound, errors.Conflict))
def set_role(account_id: str, body: SetRole) -> Done:
    """Give another role; the account's sessions end."""
    service.set_role(signed_in(), account_id, body.role, client())
    return Done(message="The account has its new role, and its sessions have ended.")


@blueprint.post("/users/<account_id>/deactivate")
@admin_required
@operation(answers={200: Done}, errors=(errors.NotFound, errors.Conflict))
def deactivate(account_id: str) -> Done:
    """Shut an account out; its sessions end."""
    service.deactivate(signed_in(), account_id, client())
    return Done(message="The account is deactivated, and its sessions have ended.")


@blueprint.post("/users/<account_id>/activate")
@admin_required
@operation(answers={200: Done}, errors=(errors.NotFound,))
def activate(account_id: str) -> Done:
    """Let an account in again."""
    service.activate(signed_in(), account_id, client())
    return Done(message="The account is active again.")


@blueprint.post("/users/<account_id>/revoke-sessions")
@admin_required
@operation(answers={200: Done}, errors=(errors.NotFound,))
def revoke_sessions(account_id: str) -> Done:
    """End all sessions of an account."""
    ended = service.revoke_sessions(signed_in(), account_id, client())
    return Done(message=f"{ended} {'session has' if ended == 1 else 'sessions have'} ended.")


@blueprint.delete("/users/<account_id>/sessions/<session_id>")
@admin_required
@operation(answers={200: Done}, errors=(errors.NotFound,))
def end_session(account_id: str, session_id: str) -> Done:
    """End one session of an account, in every process at once."""
    service.end_session(signed_in(), account_id, session_id, client())
    return Done(message="The session has ended.")


@blueprint.delete("/users/<account_id>/remembered-browsers/<remembrance_id>")
@admin_required
@operation(answers={200: Done}, errors=(errors.NotFound,))
def end_remembrance(account_id: str, remembrance_id: str) -> Done:
    """Let a browser of an account not stay signed in any more, and end the sessions that it opened."""
    service.end_remembrance(signed_in(), account_id, remembrance_id, client())
    return Done(message="That browser does not stay signed in any more.")


@blueprint.delete("/users/<account_id>/devices/<device_id>")
@admin_required
@operation(answers={200: Done}, errors=(errors.NotFound,))
def forget_device(account_id: str, device_id: str) -> Done:
    """Make a device of an account a stranger; its sessions go on."""
    service.forget_device(signed_in(), account_id, device_id, client())
    return Done(message="The device is forgotten.")


@blueprint.post("/users/<account_id>/reset-mfa")
@admin_required
@operation(answers={200: Done}, errors=(errors.NotFound, errors.Conflict))
def reset_mfa(account_id: str) -> Done:
    """Take all second factors from an account; its sessions end, and its owner is told by mail.

    Where AEGIS_MFA_RESET_DELAY is set, the first administrator asks for it, and another one repeats the call when it is due.
    """
    return Done(message=service.reset_factors(signed_in(), account_id, client()))


@blueprint.delete("/users/<account_id>/reset-mfa")
@admin_required
@operation(answers={200: Done}, errors=(errors.NotFound, errors.Conflict))
def keep_mfa(account_id: str) -> Done:
    """Withdraw that an account's second factors are to be taken away."""
    service.keep_factors(signed_in(), account_id, client())
    return Done(message="The second factors stay.")


@blueprint.post("/users/<account_id>/resend-code")
@admin_required
@operation(answers={200: Done}, errors=(errors.NotFound, errors.Conflict, errors.RateLimited))
def resend_code(account_id: str) -> Done:
    """Send another code to the address that an account has yet to prove."""
    service.send_code(signed_in(), account_id, client())
    return Done(message="Another code is on its way.")


@blueprint.post("/import")
@takes_upload
@admin_required
@operation(
    file=FILE,
    answers={200: Imported},
    errors=(errors.InvalidInput,),
    query={"dry_run": "1: check the file and store nothing."},
)
def import_users() -> Imported:
    """Create the accounts of a CSV file, all or none; a refusal names each faulty line in `problems`."""
    upload = read_upload(FILE)
    return imported(upload.content if upload else b"", is_dry_run=read_query(ImportQuery).dry_run)


def imported(content: bytes | str, *, is_dry_run: bool) -> Imported:
    """Store the accounts of a file, or check it; JSON and page views share it."""
    count = service.import_accounts(signed_in(), content, client(), is_dry_run=is_dry_run)
    accounts_word = "account" if count == 1 else "accounts"
    said = "could be created; nothing was stored yet" if is_dry_run else "created"
    verb = "" if is_dry_run else ("was " if count == 1 else "were ")
    return Imported(message=f"{count} {accounts_word} {verb}{said}.", count=count)


@blueprint.get("/sessions")
@admin_required
@operation(answers={200: LiveSessions}, errors=(errors.InvalidInput,), query=_SESSIONS)
def list_sessions() -> LiveSessions:
    """List everybody's live sessions, the latest used first."""
    return found_sessions(read_query(SessionQuery))


def found_sessions(asked: SessionQuery) -> LiveSessions:
    """Return a page of live sessions; JSON and page views share it."""
    own = signed_in()
    found, following = service.all_sessions(own, state.current().settings, asked.cursor, client())
    shown = [
        LiveSession(
            account_id=item.account_id,
            username=item.username,
            session=ListedSession.of(item.session, own.id),
        )
        for item in found
    ]
    return LiveSessions(sessions=shown, next=following)


@blueprint.get("/audit")
@admin_required
@operation(answers={200: Record}, errors=(errors.InvalidInput,), query=_EVENTS)
def list_events() -> Record:
    """List security events, the latest first."""
    return found_events(read_query(RecordQuery))


def found_events(asked: RecordQuery) -> Record:
    """Return a page of the record; JSON and page views share it."""
    found, following = service.record(
        signed_in(),
        client(),
        cursor=asked.cursor,
        account_id=asked.account,
        event=asked.event,
        address=asked.address,
        since=_time("since", asked.since),
        until=_time("until", asked.until),
    )
    return Record(events=[Event.of(seen) for seen in found], next=following)


def _time(field: str, text: str | None) -> int | None:
    try:
        return clock.from_text(text, is_end=field == "until") if text else None
    except ValueError as fault:
        raise errors.InvalidInput(fields={field: f"This {fault}."}) from None
