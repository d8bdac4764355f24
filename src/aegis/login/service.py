"""Signing in, read from top to bottom like the policy."""

from aegis import errors
from aegis.accounts import service as accounts
from aegis.accounts import store
from aegis.passwords import Hasher
from aegis.sessions import Session
from aegis.sessions import service as sessions
from aegis.settings import Settings
from aegis.web import Client


def with_password(
    name: str,
    password: str,
    client: Client,
    settings: Settings,
    hasher: Hasher,
    *,
    browser: str | None = None,
    replaces: str | None = None,
) -> str:
    """Sign in by user name or e-mail address and return the new session's token.

    Raises InvalidCredentials for an unknown name, a wrong password and a deactivated account alike: one answer, and
    one time, as an unknown name costs the same computation on a hash that fits nobody.
    """
    row = accounts.find_row(name)
    if row is None:
        hasher.verify_nobody(password)
        raise errors.InvalidCredentials
    verdict = hasher.verify(row.password_hash, password)
    if not verdict.matches or not row.is_active:
        raise errors.InvalidCredentials
    if verdict.needs_upgrade:
        accounts.upgrade_hash(row, password, hasher)
    return sessions.start(row.id, settings, client, browser=browser, replaces=replaces)


def again(session: Session, token: str, password: str, hasher: Hasher) -> str:
    """Confirm the password of the signed-in account and return the session's new, fresh token.

    Raises InvalidCredentials for a wrong password, NotSignedIn when the session ended in the meantime.
    """
    row = store.find(session.account_id)
    if row is None or not hasher.verify(row.password_hash, password).matches:
        raise errors.InvalidCredentials("The password is not right.")
    return sessions.rotate(session, token)


def out(token: str | None) -> None:
    """End the session of a token, if there is one; the copy of its cookie is worthless in every process."""
    if token:
        sessions.revoke_token(token)
