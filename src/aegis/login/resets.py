"""Taking all second factors from somebody who lost them: at once, or by two administrators who act a time apart.

Where AEGIS_MFA_RESET_DELAY is set, one asks, the owner is told, and another one carries it out when the time has passed. Whoever signs
in with a second factor in the meantime has lost nothing: that withdraws it.
"""

from typing import NamedTuple

from aegis import audit, clock, db, errors
from aegis.accounts import notices
from aegis.audit import Event
from aegis.login import store
from aegis.mfa import service as authenticators
from aegis.passkeys import service as passkeys
from aegis.sessions import service as sessions
from aegis.state import State
from aegis.web import OPERATOR, Client

KEPT_S = 7 * 86_400
"""How long it can be carried out once the time has passed; later, nobody remembers who was asking."""

AT_THE_MACHINE = "operator"
"""Who asked, where it was the command line."""


class Asked(NamedTuple):
    """Who asked (an account's id, or the operator), when, and since when somebody else can carry it out."""

    by: str
    at: int
    due_at: int


def take_away(
    application: State, account_id: str, client: Client = OPERATOR, actor_id: str | None = None
) -> int | None:
    """Take all second factors from an account and return how many there were; or only ask for it, and return None.

    For somebody who proved who they are in another way. Their sessions end. An administrator's emergency code stays. Raises Conflict
    where the same one asked before, or too little time has passed.
    """
    if not application.settings.mfa_reset_delay_s:
        with db.transaction():
            told = _remove(account_id, client, actor_id)
    else:
        asked, own = find(application, account_id), actor_id or AT_THE_MACHINE
        if asked is None:
            _ask(application, account_id, own, client, actor_id)
            return None
        _check(asked, own)
        with db.transaction():
            if not store.remove_reset(account_id, asked.at):
                raise errors.Conflict("This was withdrawn or carried out at this moment.")
            told = {**_remove(account_id, client, actor_id), "asked_by": asked.by}
    audit.record(Event.FACTORS_RESET, client, account_id=account_id, actor_id=actor_id, **told)
    return int(told["removed"])


def find(application: State, account_id: str) -> Asked | None:
    """Return what was asked for and can still be carried out."""
    row = store.find_reset(account_id)
    if row is None:
        return None
    due_at = row.asked_at + application.settings.mfa_reset_delay_s
    return Asked(row.asked_by, row.asked_at, due_at) if clock.now() < due_at + KEPT_S else None


def withdraw(account_id: str, client: Client, actor_id: str | None = None) -> bool:
    """Forget that it was asked for; tell whether it was."""
    is_gone = store.remove_reset(account_id)
    if is_gone:
        audit.record(Event.FACTORS_RESET_WITHDRAWN, client, account_id=account_id, actor_id=actor_id)
    return is_gone


def _ask(application: State, account_id: str, own: str, client: Client, actor_id: str | None) -> None:
    now = clock.now()
    stale_before = now - application.settings.mfa_reset_delay_s - KEPT_S
    what = "Your second factors are about to be removed. If you did not ask for it, sign in with one of them: that stops it"
    try:
        with db.transaction():
            store.remove_stale_reset(account_id, stale_before)
            store.add_reset({"account_id": account_id, "asked_by": own, "asked_at": now})
            notices.post(account_id, what, client, actor_id=actor_id)
    except db.Duplicate:
        raise errors.Conflict("Somebody else asked for this at the same moment.") from None
    audit.record(Event.FACTORS_RESET_ASKED, client, account_id=account_id, actor_id=actor_id)


def _check(asked: Asked, own: str) -> None:
    when = f"{clock.as_datetime(asked.due_at):%-d %B %Y, %H:%M} UTC"
    if asked.by == own:
        raise errors.Conflict(f"You asked for this already. Somebody else can carry it out, from {when} on.")
    if clock.now() < asked.due_at:
        raise errors.Conflict(f"This was asked for. It can be carried out from {when} on.")


def _remove(account_id: str, client: Client, actor_id: str | None) -> dict[str, str | int]:
    removed = authenticators.remove_all(account_id) + passkeys.remove_all(account_id)
    ended = sessions.revoke_all(account_id)
    notices.post(account_id, "All second factors of your account were removed", client, actor_id=actor_id)
    return {"removed": removed, "sessions_ended": ended}
