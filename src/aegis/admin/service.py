"""The rules of administering: each act is recorded with who did it, and one administrator always stays."""

from typing import NamedTuple

from aegis import audit, errors
from aegis.accounts import service as accounts
from aegis.accounts.service import Account
from aegis.admin import store
from aegis.audit import Event, Seen
from aegis.login import factors
from aegis.sessions import Session
from aegis.sessions import service as sessions
from aegis.sessions.service import Listed
from aegis.settings import Settings
from aegis.web import Client

PAGE = 50


class Page(NamedTuple):
    """Some accounts, and behind which name the next ones come."""

    accounts: list[Account]
    next: str | None


def search(text: str, role: str | None, after: str | None) -> Page:
    """Return accounts whose name or address begins with a text in any spelling, by name."""
    rows = store.search(accounts.folded(text) if text else "", role, after or "", PAGE + 1)
    found = [Account.of(row) for row in rows[:PAGE]]
    return Page(found, rows[PAGE - 1].username_canonical if len(rows) > PAGE else None)


def sessions_of(account_id: str, settings: Settings) -> list[Listed]:
    """Return the live sessions of an account."""
    return sessions.list_of(accounts.get(account_id).id, settings)


def set_role(own: Session, account_id: str, role: str, client: Client) -> None:
    """Give another role. Raises InvalidInput, NotFound, or Conflict for the last administrator."""
    accounts.set_role(accounts.get(account_id).id, role, client, own.account_id)


def deactivate(own: Session, account_id: str, client: Client) -> None:
    """Shut an account out. Raises NotFound, or Conflict for the last administrator."""
    accounts.deactivate(accounts.get(account_id).id, client, own.account_id)


def activate(own: Session, account_id: str, client: Client) -> None:
    """Let an account in again. Raises NotFound."""
    accounts.activate(accounts.get(account_id).id, client, own.account_id)


def revoke_sessions(own: Session, account_id: str, client: Client) -> int:
    """End all sessions of an account and return how many ended. Raises NotFound."""
    return accounts.revoke_sessions(accounts.get(account_id).id, client, own.account_id)


def end_session(own: Session, account_id: str, session_id: str, client: Client) -> None:
    """End one session of an account. Raises NotFound for an account or a session that is not there."""
    accounts.end_session(accounts.get(account_id).id, session_id, client, own.account_id)


def reset_factors(own: Session, account_id: str, client: Client) -> int:
    """Take all second factors from somebody else and return how many. Raises NotFound, or Conflict for oneself."""
    account = accounts.get(account_id)
    if account.id == own.account_id:
        raise errors.Conflict(
            "Your own second factors are on your security page; another administrator may reset them."
        )
    return factors.reset(account.id, client, own.account_id)


def record(  # noqa: PLR0913 - each is a column to search by
    own: Session,
    client: Client,
    *,
    cursor: str | None,
    account_id: str | None,
    event: str | None,
    address: str | None,
    since: int | None,
    until: int | None,
) -> tuple[list[Seen], str | None]:
    """Return a page of the record, the latest first, and the next page's cursor; reading is recorded as well."""
    conditions = {"account_id": account_id, "address": address, "since": since, "until": until}
    found = audit.page(cursor, PAGE, events=[event] if event else None, **conditions)
    if cursor is None:
        given = {"event": event, **conditions}
        filters = ",".join(name for name, value in given.items() if value is not None)
        audit.record(
            Event.RECORD_READ, client, account_id=own.account_id, what="record", filters=filters or None
        )
    return found
