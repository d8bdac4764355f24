"""Sign-in as a machine, for JSON and pages alike: a first factor, perhaps a second one, perhaps a forced step, a session.

`service` judges each proof and calls `go_on` with what was proven; what comes next is decided here alone.
"""

from typing import NamedTuple

from aegis import audit, clock, db, errors, state, tokens
from aegis.accounts import leaving, notices, verification
from aegis.accounts import store as accounts
from aegis.accounts.factors import forced_step
from aegis.audit import Event
from aegis.login import devices, factors, pending, resets
from aegis.sessions import Resumed, remembrance
from aegis.sessions import service as sessions
from aegis.sessions.remembrance import Copied, Renewed, Worthless
from aegis.state import State
from aegis.web import Client


class Came(NamedTuple):
    """What the browser brought along: cookies, none of which proves anything by itself, and whether it is to stay signed in."""

    device: str | None = None
    browser: str | None = None
    replaces: str | None = None
    pending: str | None = None
    remembrance: str | None = None
    stays: bool = False


class Proven(NamedTuple):
    """Who it is, how that was proven, and which budget of attempts it was judged under."""

    account_id: str
    method: str
    level: int
    via: str


class SignedIn(NamedTuple):
    """What the browser keeps: the session's token, the device's cookie, and what it stays signed in by."""

    token: str
    device: str
    remembrance: Renewed | None


def go_on(application: State, proven: Proven, client: Client, came: Came) -> SignedIn:
    """Take the next step: ask for a second factor, or start the session, perhaps for a forced step alone.

    Raises SecondFactorRequired with the token of what goes on, EmailUnverified where the address has to be proven first,
    InvalidCredentials when the account was deactivated in the meantime.
    """
    row = accounts.find(proven.account_id)
    if row is None:
        raise errors.InvalidCredentials
    known = factors.of(row.id, row.role)
    if known.are_asked and proven.level < sessions.FACTORS_LEVEL:
        audit.record(Event.FACTOR_ASKED, client, account_id=row.id, method=proven.method)
        pending.begin(row.id, proven.method, came.browser, known.names, stays=came.stays)
    if verification.shuts_out(application, row):
        browser = came.browser or tokens.new_id()
        is_known = came.browser is not None
        verification.send_unless_good(application, row, browser, client, is_known_browser=is_known)
        audit.record(Event.LOGIN_FAILURE, client, account_id=row.id, reason="email_unverified")
        raise verification.Unverified(browser)
    leaving.withdraw(row.id, client)
    if proven.level >= sessions.FACTORS_LEVEL and application.settings.mfa_reset_delay_s:
        resets.withdraw(row.id, client)
    stays = tokens.new_id() if came.stays else None
    with db.transaction():
        token = sessions.start(
            row.id,
            application.settings,
            client,
            method=proven.method,
            level=proven.level,
            forced_step=forced_step(application, row, known.names),
            browser=came.browser,
            replaces=came.replaces,
            remembrance_id=stays,
        )
        kept = remembrance.begin(row.id, stays, application.settings, client) if stays else None
    if came.remembrance:
        forget(came.remembrance)
    device_token = devices.token_of(came.device, application.keyring)
    device = devices.remember(row.id, device_token, client, application.keyring)
    signed = SignedIn(token, device, kept)
    session = sessions.find(token, application.database, application.settings)
    told = {
        "method": proven.method,
        "via": proven.via,
        "session": session.id if session else None,
        "remembrance": stays,
    }
    audit.record(Event.LOGIN_SUCCESS, client, account_id=row.id, **told)
    return signed


def resume(cookie: str, client: Client) -> Resumed | None:
    """Go on in a browser that stayed signed in: a session of the lowest level, which must step up for anything sensitive.

    What the browser keeps is good once. A copy that was used before ends all that came of it, and the owner is told. A browser that
    sends it twice, as it opened two tabs or an answer was lost, gets no second session, and None where it has gone on already.
    """
    application = state.current()
    try:
        with db.transaction():
            kept = remembrance.renew(cookie, client, application.keyring)
            if kept is None:
                return None
            token = _start_remembered(application, kept, client) if kept.is_first else None
    except Copied as copied:
        _end_copied(copied, client)
        return Resumed()
    except (Worthless, errors.InvalidCredentials):
        return Resumed()
    if kept.is_first:
        audit.record(Event.SESSION_RESUMED, client, account_id=kept.account_id, remembrance=kept.id)
    return Resumed(token, kept.cookie, kept.expires_at - clock.now())


def _start_remembered(application: State, kept: Renewed, client: Client) -> str:
    row = accounts.find(kept.account_id)
    if row is None or verification.shuts_out(application, row):
        raise Worthless
    return sessions.start(
        row.id,
        application.settings,
        client,
        method="remembrance",
        level=sessions.REMEMBERED_LEVEL,
        forced_step=forced_step(application, row, factors.of(row.id, row.role).names),
        remembrance_id=kept.id,
    )


def _end_copied(copied: Copied, client: Client) -> None:
    what = "What keeps a browser signed in was used twice, so somebody has a copy of it. All that it opened has ended"
    with db.transaction():
        if not remembrance.end(copied.account_id, copied.id):
            return
        notices.post(copied.account_id, what, client)
    told = {"remembrance": copied.id}
    audit.record(Event.REMEMBRANCE_COPIED, client, account_id=copied.account_id, **told)


def forget(cookie: str) -> None:
    """Forget the browser that keeps this, and end what it opened: it signed in anew, or out."""
    found = remembrance.find(cookie)
    if found is not None:
        remembrance.end(*found)
