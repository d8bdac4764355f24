"""Signing in, read from top to bottom like the policy."""

import contextlib
from typing import Any

from aegis import audit, db, errors, throttle, tokens
from aegis.accounts import notices, store
from aegis.accounts import service as accounts
from aegis.audit import Event
from aegis.login import devices, factors, machine, pending
from aegis.login.factors import Answer, Asked
from aegis.login.machine import Came, Proven, SignedIn
from aegis.passkeys import service as passkeys
from aegis.passkeys.service import Answered
from aegis.sessions import Session
from aegis.sessions import service as sessions
from aegis.state import State
from aegis.throttle import Subject
from aegis.web import Client

_ALONE = Came()


def with_password(
    application: State, name: str, password: str, client: Client, came: Came = _ALONE
) -> SignedIn:
    """Sign in by user name or e-mail address.

    Raises InvalidCredentials for an unknown name, a wrong password and a deactivated account alike: one answer, and
    one time, as an unknown name costs the same computation on a hash that fits nobody. Raises RateLimited, before
    anything is computed, when too many attempts failed, and Busy, before anything is asked, in a flood. Raises
    SecondFactorRequired when the password is right and not enough.
    """
    with application.hasher.gate.desk():
        row = accounts.find_row(name)
        device_token = devices.token_of(came.device, application.keyring)
        subjects = _counted(application, name, row, device_token, client)
        try:
            with throttle.attempt("login", subjects, client, row.id if row is not None else None) as attempt:
                _check(application, row, password)
                attempt.succeed()
        except errors.InvalidCredentials:
            _record_failure(application, name, row, client)
            raise
        proven = Proven(row.id, "password", sessions.PASSWORD_LEVEL, subjects[0].kind)
        return machine.go_on(application, proven, client, came)


def with_passkey(application: State, answered: Answered, client: Client, came: Came = _ALONE) -> SignedIn:
    """Sign in with a passkey, without a name. Raises InvalidCredentials for whatever is wrong with it, or RateLimited."""
    network = throttle.network(client.address, application.settings.limit_ipv6_prefix)
    subject = Subject("address", network, application.settings.limit_login_address)
    try:
        with throttle.attempt("passkey", [subject], client) as attempt:
            account_id = passkeys.account_of(
                application, passkeys.SIGN_IN, browser_of(came.browser), answered
            )
            attempt.succeed()
        proven = Proven(account_id, "passkey", sessions.FACTORS_LEVEL, "address")
        return machine.go_on(application, proven, client, came)
    except errors.InvalidCredentials:
        audit.record(Event.LOGIN_FAILURE, client, reason="passkey")
        raise


def with_factor(
    application: State, factor: str, answer: Answer, client: Client, came: Came = _ALONE
) -> SignedIn:
    """Give the second factor of a sign-in whose password was right.

    Raises InvalidCredentials for a wrong or used answer, SignInExpired when the sign-in is over, RateLimited when too
    many answers of the account failed, in whichever sign-in.
    """
    waiting = pending.find(came.pending, came.browser)
    if waiting is None or came.pending is None:
        raise errors.SignInExpired
    subject = _counted_factor(application, waiting.account_id, came.device)
    asked = Asked(application, waiting.account_id, client, passkeys.SIGN_IN, browser_of(came.browser))
    with throttle.attempt("second-factor", [subject], client, waiting.account_id) as attempt:
        if not pending.choose(came.pending, factor):
            raise errors.SignInExpired
        if _is_good(asked, factor, answer) and pending.finish(came.pending, factor):
            attempt.succeed()
    if attempt.is_failure:
        told = {"reason": "second_factor", "method": factor}
        audit.record(Event.LOGIN_FAILURE, client, account_id=waiting.account_id, **told)
        if waiting.is_untried and subject.kind == "account":
            _warn(waiting.account_id, client)
        raise WrongFactor
    proven = Proven(waiting.account_id, factor, sessions.FACTORS_LEVEL, subject.kind)
    return machine.go_on(application, proven, client, came._replace(stays=waiting.stays))


def _warn(account_id: str, client: Client) -> None:
    """Tell the owner that a stranger's device knew the password; a known device is the owner who mistyped a code."""
    with db.transaction():
        what = "Somebody who knew your password tried to sign in and failed at the second factor"
        notices.post(account_id, what, client)


class WrongFactor(errors.InvalidCredentials):
    """One answer for whatever is wrong with a second factor."""

    sentence = "This is not right, or was used before. Please wait for the next code and try again."


def _is_good(asked: Asked, factor: str, answer: Answer) -> bool:
    known = factors.FACTORS.get(factor)
    return known is not None and known.verify(asked, answer)


def _counted_factor(application: State, account_id: str, device: str | None) -> Subject:
    """Return what an answer counts against: who knows the password cannot lock the owner's known devices out."""
    limit = application.settings.limit_second_factor
    known = devices.find(account_id, devices.token_of(device, application.keyring))
    return Subject("device", known, limit) if known else Subject("account", account_id, limit)


def waiting_for(came: Came) -> tuple[str, ...]:
    """Return the second factors that a begun sign-in may go on with. Raises SignInExpired when there is none."""
    waiting = pending.find(came.pending, came.browser)
    row = store.find(waiting.account_id) if waiting else None
    if row is None:
        raise errors.SignInExpired
    return factors.of(row.id, row.role).names


def browser_of(seed: str | None) -> str:
    """Return what stands for a browser in its challenge."""
    return tokens.hash_token(seed or "").hex()


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
    renewed = sessions.rotate(session, token, level=max(session.auth_level, sessions.PASSWORD_LEVEL))
    audit.record(Event.CONFIRMED, client, account_id=session.account_id, session=session.id)
    return renewed


def again_with_factor(  # noqa: PLR0913 - the session, and what was given
    application: State, session: Session, token: str, client: Client, *, factor: str, answer: Answer
) -> str:
    """Confirm who is there by a second factor; return the session's new, fresh token. Its level is 2 then.

    Raises InvalidCredentials for a wrong or used answer, RateLimited after too many, NotSignedIn when the session ended
    in the meantime, ReauthenticationRequired for a code where nothing else was proven: then it would be one factor.
    """
    known = factors.of(session.account_id, session.role)
    if session.auth_level < sessions.PASSWORD_LEVEL and factor not in known.alone:
        raise errors.ReauthenticationRequired(extra={"methods": sessions.ways_to_confirm(session, known)})
    subject = Subject("account", session.account_id, application.settings.limit_second_factor)
    asked = Asked(application, session.account_id, client, passkeys.CONFIRM, session.id)
    with throttle.attempt("second-factor", [subject], client, session.account_id) as attempt:
        if _is_good(asked, factor, answer):
            attempt.succeed()
    if attempt.is_failure:
        audit.record(Event.CONFIRM_FAILURE, client, account_id=session.account_id, method=factor)
        raise passkeys.Refused if answer.passkey else WrongFactor
    renewed = sessions.rotate(session, token, level=sessions.FACTORS_LEVEL)
    told = {"session": session.id, "method": factor}
    audit.record(Event.CONFIRMED, client, account_id=session.account_id, **told)
    return renewed


def out(session: Session | None, token: str | None, kept: str | None, client: Client) -> None:
    """End the session of a token, if there is one, and what keeps the browser signed in; copies are worthless in every process."""
    if token and sessions.revoke_token(token) and session is not None:
        audit.record(
            Event.SESSION_ENDED, client, account_id=session.account_id, session=session.id, reason="logout"
        )
    if kept:
        machine.forget(kept)
