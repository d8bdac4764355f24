"""Signing in, read from top to bottom like the policy."""

import contextlib
from typing import Any, NamedTuple

from aegis import audit, errors, throttle, tokens
from aegis.accounts import service as accounts
from aegis.accounts import store
from aegis.audit import Event
from aegis.login import devices
from aegis.passkeys import service as passkeys
from aegis.passkeys.service import Answered
from aegis.sessions import Session
from aegis.sessions import service as sessions
from aegis.state import State
from aegis.throttle import Subject
from aegis.web import Client


class SignedIn(NamedTuple):
    """What the browser keeps: the session's token and the device's cookie."""

    token: str
    device: str


def with_password(  # noqa: PLR0913 - all that the browser came with
    application: State,
    name: str,
    password: str,
    client: Client,
    *,
    device: str | None = None,
    browser: str | None = None,
    replaces: str | None = None,
) -> SignedIn:
    """Sign in by user name or e-mail address.

    Raises InvalidCredentials for an unknown name, a wrong password and a deactivated account alike: one answer, and
    one time, as an unknown name costs the same computation on a hash that fits nobody. Raises RateLimited, before
    anything is computed, when too many attempts failed, and Busy, before anything is asked, in a flood.
    """
    application.hasher.gate.check()
    row = accounts.find_row(name)
    device_token = devices.token_of(device, application.keyring)
    subjects = _counted(application, name, row, device_token, client)
    try:
        with throttle.attempt("login", subjects, client, row.id if row is not None else None) as attempt:
            _check(application, row, password)
            attempt.succeed()
    except errors.InvalidCredentials:
        _record_failure(application, name, row, client)
        raise
    token = sessions.start(row.id, application.settings, client, browser=browser, replaces=replaces)
    return _signed_in(
        application, row.id, token, device_token, client, method="password", via=subjects[0].kind
    )


def with_passkey(  # noqa: PLR0913 - all that the browser came with
    application: State,
    answered: Answered,
    client: Client,
    *,
    device: str | None = None,
    browser: str | None = None,
    replaces: str | None = None,
) -> SignedIn:
    """Sign in with a passkey, without a name. Raises InvalidCredentials for whatever is wrong with it, or RateLimited."""
    network = throttle.network(client.address, application.settings.limit_ipv6_prefix)
    subject = Subject("address", network, application.settings.limit_login_address)
    try:
        with throttle.attempt("passkey", [subject], client) as attempt:
            account_id = passkeys.account_of(application, passkeys.SIGN_IN, browser_of(browser), answered)
            attempt.succeed()
        token = sessions.start(
            account_id,
            application.settings,
            client,
            method="passkey",
            level=sessions.FACTORS_LEVEL,
            browser=browser,
            replaces=replaces,
        )
    except errors.InvalidCredentials:
        audit.record(Event.LOGIN_FAILURE, client, reason="passkey")
        raise
    device_token = devices.token_of(device, application.keyring)
    return _signed_in(application, account_id, token, device_token, client, method="passkey", via="address")


def browser_of(seed: str | None) -> str:
    """Return what stands for a browser in its challenge."""
    return tokens.hash_token(seed or "").hex()


def _signed_in(  # noqa: PLR0913 - all that is told
    application: State,
    account_id: str,
    token: str,
    device_token: str | None,
    client: Client,
    *,
    method: str,
    via: str,
) -> SignedIn:
    """Know the device from now on, and record who signed in."""
    signed = SignedIn(token, devices.remember(account_id, device_token, client, application.keyring))
    session = sessions.find(token, application.database, application.settings)
    told = {"method": method, "via": via, "session": session.id if session else None}
    audit.record(Event.LOGIN_SUCCESS, client, account_id=account_id, **told)
    return signed


def _record_failure(application: State, name: str, row: Any, client: Client) -> None:
    """Note who was tried and why it failed; what was typed is told by a digest, as it may be a password."""
    if row is None:
        typed = application.keyring.digest("audit-name", accounts.folded(name))
        audit.record(Event.LOGIN_FAILURE, client, reason="unknown_account", name_digest=typed)
    else:
        reason = "wrong_password" if row.is_active else "deactivated"
        audit.record(Event.LOGIN_FAILURE, client, account_id=row.id, reason=reason)


def _counted(
    application: State, name: str, row: Any, device_token: str | None, client: Client
) -> list[Subject]:
    """Return what an attempt counts against: a known device its own budget, a stranger the account's and the address's.

    A name that nobody has counts like an account, and its devices are looked for as well, so that neither a refusal
    nor its time tells anything.
    """
    settings = application.settings
    account = row.id if row is not None else accounts.folded(name)
    if known := devices.find(account, device_token):
        return [Subject("device", known, settings.limit_login_device)]
    network = throttle.network(client.address, settings.limit_ipv6_prefix)
    return [
        Subject("pair", f"{network} {account}", settings.limit_login_pair),
        Subject("account", account, settings.limit_login_account),
        Subject("address", network, settings.limit_login_address),
    ]


def _check(application: State, row: Any, password: str) -> None:
    hasher = application.hasher
    if row is None:
        hasher.verify_nobody(password)
        raise errors.InvalidCredentials
    verdict = hasher.verify(row.password_hash, password)
    if not verdict.matches or not row.is_active:
        raise errors.InvalidCredentials
    if verdict.needs_upgrade:
        with contextlib.suppress(errors.Busy):  # the next sign-in upgrades it
            accounts.upgrade_hash(row, password, hasher)


def again(application: State, session: Session, token: str, password: str, client: Client) -> str:
    """Confirm the password of the signed-in account and return the session's new, fresh token.

    Raises InvalidCredentials for a wrong password, RateLimited after too many, NotSignedIn when the session ended
    in the meantime.
    """
    subject = Subject("account", session.account_id, application.settings.limit_confirm)
    row = store.find(session.account_id)
    with throttle.attempt("confirm", [subject], client, session.account_id) as attempt:
        if row is not None and application.hasher.verify(row.password_hash, password).matches:
            attempt.succeed()
    if attempt.is_failure:
        audit.record(Event.CONFIRM_FAILURE, client, account_id=session.account_id)
        raise errors.InvalidCredentials("The password is not right.")
    renewed = sessions.rotate(session, token)
    audit.record(Event.CONFIRMED, client, account_id=session.account_id, session=session.id)
    return renewed


def again_with_passkey(
    application: State, session: Session, token: str, answered: Answered, client: Client
) -> str:
    """Confirm who is there by a passkey of the signed-in account; return the session's new, fresh token.

    Raises InvalidCredentials for whatever is wrong with it, NotSignedIn when the session ended in the meantime.
    """
    subject = Subject("account", session.account_id, application.settings.limit_confirm)
    with throttle.attempt("confirm", [subject], client, session.account_id) as attempt:
        if passkeys.is_own(application, session, answered):
            attempt.succeed()
    if attempt.is_failure:
        audit.record(Event.CONFIRM_FAILURE, client, account_id=session.account_id, method="passkey")
        raise passkeys.Refused
    renewed = sessions.rotate(session, token, level=sessions.FACTORS_LEVEL)
    audit.record(Event.CONFIRMED, client, account_id=session.account_id, session=session.id, method="passkey")
    return renewed


def out(session: Session | None, token: str | None, client: Client) -> None:
    """End the session of a token, if there is one; the copy of its cookie is worthless in every process."""
    if token and sessions.revoke_token(token) and session is not None:
        audit.record(
            Event.SESSION_ENDED, client, account_id=session.account_id, session=session.id, reason="logout"
        )
