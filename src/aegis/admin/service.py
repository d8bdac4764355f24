"""The rules of administering: each act is recorded with who did it, and one administrator always stays."""

import io
from typing import NamedTuple

from aegis import audit, errors, state
from aegis.accounts import ending, standing, verification
from aegis.accounts import service as accounts
from aegis.accounts.service import Account
from aegis.admin import accounts_csv, store
from aegis.audit import Event, Seen
from aegis.login import devices, resets
from aegis.sessions import Session
from aegis.sessions import service as sessions
from aegis.sessions.service import Listed
from aegis.settings import Settings
from aegis.web import Client

PAGE = 50
MOST_PROBLEMS = 100
"""Faults of a file that one answer names."""

MOST_DIGITS = 18
"""More than any time has, and less than any database's number."""


class LiveSession(NamedTuple):
    """A live session and whose it is."""

    account_id: str
    username: str
    session: Listed


class AskedReset(NamedTuple):
    """Who asked to take second factors away, when, and since when somebody else can do it."""

    by: str
    at: int
    due_at: int


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


def all_sessions(
    own: Session, settings: Settings, cursor: str | None, client: Client
) -> tuple[list[LiveSession], str | None]:
    """Return a page of everybody's live sessions, the latest used first, and the next page's cursor; reading is recorded.

    Raises InvalidInput for a cursor that is none.
    """
    rows = store.list_sessions(*sessions.horizon(settings), _place(cursor), PAGE + 1)
    found = [LiveSession(row.account_id, row.username, Listed.of(row, settings)) for row in rows[:PAGE]]
    last = found[-1].session if len(rows) > PAGE else None
    if cursor is None:
        audit.record(Event.RECORD_READ, client, account_id=own.account_id, what="sessions")
    return found, f"{last.last_used_at}~{last.id}" if last else None


def _place(cursor: str | None) -> tuple[int, str] | None:
    if cursor is None:
        return None
    used_at, _, session_id = cursor.partition("~")
    if not (used_at.isascii() and used_at.isdigit() and len(used_at) <= MOST_DIGITS and session_id):
        raise errors.InvalidInput(fields={"cursor": "This is no place in the list."})
    return int(used_at), session_id


def send_code(own: Session, account_id: str, client: Client) -> None:
    """Send another code to the address that an account has yet to prove. Raises NotFound, Conflict or RateLimited."""
    account = accounts.get(account_id)
    verification.send_again(state.current(), account.id, client, own.account_id)


def import_accounts(own: Session, content: bytes | str, client: Client, *, is_dry_run: bool) -> int:
    """Store the accounts of a CSV file, all or none, and return how many; or tell only how many there would be.

    Raises InvalidInput with each fault and its line.
    """
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        file = io.StringIO(text, newline="")
        return accounts_csv.load(file, is_dry_run=is_dry_run, client=client, actor_id=own.account_id)
    except UnicodeDecodeError:
        problems = ["This is not text in UTF-8. Save the table as CSV UTF-8."]
    except accounts_csv.Refused as refused:
        problems = refused.problems
    told = {"problems": problems[:MOST_PROBLEMS], "more": max(0, len(problems) - MOST_PROBLEMS)}
    raise errors.InvalidInput("Nothing was stored.", fields={"file": problems[0]}, extra=told)


def set_role(own: Session, account_id: str, role: str, client: Client) -> None:
    """Give another role. Raises InvalidInput, NotFound, or Conflict for the last administrator."""
    standing.set_role(accounts.get(account_id).id, role, client, own.account_id)


def deactivate(own: Session, account_id: str, client: Client) -> None:
    """Shut an account out. Raises NotFound, or Conflict for the last administrator."""
    standing.deactivate(accounts.get(account_id).id, client, own.account_id)


def activate(own: Session, account_id: str, client: Client) -> None:
    """Let an account in again. Raises NotFound."""
    standing.activate(accounts.get(account_id).id, client, own.account_id)


def revoke_sessions(own: Session, account_id: str, client: Client) -> int:
    """End all sessions of an account and return how many ended. Raises NotFound."""
    return ending.revoke_sessions(accounts.get(account_id).id, client, own.account_id)


def end_session(own: Session, account_id: str, session_id: str, client: Client) -> None:
    """End one session of an account. Raises NotFound for an account or a session that is not there."""
    ending.end_session(accounts.get(account_id).id, session_id, client, own.account_id)


def end_remembrance(own: Session, account_id: str, remembrance_id: str, client: Client) -> None:
    """Let a browser of an account not stay signed in any more. Raises NotFound for an account or a browser that is not there."""
    ending.end_remembrance(accounts.get(account_id).id, remembrance_id, client, own.account_id)


def forget_device(own: Session, account_id: str, device_id: str, client: Client) -> None:
    """Make a device of an account a stranger. Raises NotFound for an account or a device that is not there."""
    devices.forget(accounts.get(account_id).id, device_id, client, own.account_id)


def reset_factors(own: Session, account_id: str, client: Client) -> str:
    """Take all second factors from somebody else, or ask for it where it takes two; return what was done.

    Raises NotFound, or Conflict for oneself, who asked already, and as long as it is too early.
    """
    account = accounts.get(account_id)
    if account.id == own.account_id:
        raise errors.Conflict(
            "Your own second factors are on your security page; another administrator may reset them."
        )
    removed = resets.take_away(state.current(), account.id, client, own.account_id)
    if removed is None:
        return "This was asked for, and the owner is told. Another administrator has to carry it out, later."
    return f"{removed} second {'factor was' if removed == 1 else 'factors were'} removed."


def keep_factors(own: Session, account_id: str, client: Client) -> None:
    """Withdraw that somebody's second factors are to be taken away. Raises NotFound, or Conflict when that is not asked for."""
    if not resets.withdraw(accounts.get(account_id).id, client, own.account_id):
        raise errors.Conflict("Nobody asked for this.")


def asked_reset(account_id: str) -> AskedReset | None:
    """Return who asked to take an account's second factors away, by name, and when somebody else can do it."""
    asked = resets.find(state.current(), account_id)
    if asked is None:
        return None
    try:
        name = accounts.get(asked.by).username
    except errors.NotFound:
        name = asked.by
    return AskedReset(name, asked.at, asked.due_at)


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
