"""Sign-in as a machine, for JSON and pages alike: a first factor, perhaps a second one, perhaps a forced step, a session.

`service` judges each proof and calls `go_on` with what was proven; what comes next is decided here alone.
"""

from typing import NamedTuple

from aegis import audit, errors, tokens
from aegis.accounts import leaving, verification
from aegis.accounts import store as accounts
from aegis.accounts.factors import forced_step
from aegis.audit import Event
from aegis.login import devices, factors, pending
from aegis.sessions import service as sessions
from aegis.state import State
from aegis.web import Client


class Came(NamedTuple):
    """What the browser brought along: cookies, none of which proves anything by itself."""

    device: str | None = None
    browser: str | None = None
    replaces: str | None = None
    pending: str | None = None


class Proven(NamedTuple):
    """Who it is, how that was proven, and which budget of attempts it was judged under."""

    account_id: str
    method: str
    level: int
    via: str


class SignedIn(NamedTuple):
    """What the browser keeps: the session's token and the device's cookie."""

    token: str
    device: str


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
        pending.begin(row.id, proven.method, came.browser, known.names)
    if verification.shuts_out(application, row):
        browser = came.browser or tokens.new_id()
        is_known = came.browser is not None
        verification.send_unless_good(application, row, browser, client, is_known_browser=is_known)
        audit.record(Event.LOGIN_FAILURE, client, account_id=row.id, reason="email_unverified")
        raise verification.Unverified(browser)
    leaving.withdraw(row.id, client)
    token = sessions.start(
        row.id,
        application.settings,
        client,
        method=proven.method,
        level=proven.level,
        forced_step=forced_step(application, row, known.names),
        browser=came.browser,
        replaces=came.replaces,
    )
    device_token = devices.token_of(came.device, application.keyring)
    signed = SignedIn(token, devices.remember(row.id, device_token, client, application.keyring))
    session = sessions.find(token, application.database, application.settings)
    told = {"method": proven.method, "via": proven.via, "session": session.id if session else None}
    audit.record(Event.LOGIN_SUCCESS, client, account_id=row.id, **told)
    return signed
