"""Leaving: an account is erased some days after its owner asked for it, unless they sign in before.

What stays is the record of security events under the account's random id, which names nobody any more.
"""

import contextlib

from aegis import audit, clock, db
from aegis.accounts import notices, standing, store
from aegis.audit import Event
from aegis.sessions import service as sessions
from aegis.state import State
from aegis.uploads import StorageAway
from aegis.web import Client
from aegis.web.client import HOUSEKEEPING


def ask(application: State, account_id: str, client: Client) -> int:
    """End all sessions and note when the account is to be erased; return that time.

    Raises Conflict for the last administrator.
    """
    erase_at = clock.now() + application.settings.deletion_grace_s
    with db.transaction():
        standing.keep_an_admin(account_id)
        store.change(account_id, {"erase_at": erase_at})
        sessions.revoke_all(account_id)
        until = f"{clock.as_datetime(erase_at):%-d %B %Y, %H:%M} UTC"
        notices.post(account_id, f"Your account will be erased on {until}, unless you sign in before", client)
    audit.record(Event.DELETION_ASKED, client, account_id=account_id)
    return erase_at


def withdraw(account_id: str, client: Client) -> None:
    """Keep an account whose owner signed in again."""
    if store.stay(account_id):
        audit.record(Event.DELETION_WITHDRAWN, client, account_id=account_id)


def erase_due(application: State, batch: int) -> int:
    """Erase up to `batch` accounts whose time has come, with all that hangs on them, and return how many."""
    gone = 0
    for row in store.list_leaving(clock.now(), batch):
        if not store.erase(row.id, clock.now()):
            continue  # the owner signed in at the last moment
        gone += 1
        if row.avatar:
            with contextlib.suppress(StorageAway):  # under its random name nobody knows whose it was
                application.uploads.remove(row.avatar)
        audit.record(Event.ACCOUNT_DELETED, HOUSEKEEPING, account_id=row.id)
    return gone
