"""The rules of the password reset.

Nothing tells whether an account exists, a reset signs nobody in, and after it nothing that was known before is good:
no session, no device, no other link. The second factor stays, and is asked at the next sign-in.
"""

from urllib.parse import urlencode

from aegis import audit, db, errors, mail, proofs, throttle
from aegis.accounts import addresses, notices
from aegis.accounts import service as accounts
from aegis.audit import Event
from aegis.login import devices
from aegis.mail import gate
from aegis.proofs import Proof
from aegis.proofs.service import RESET
from aegis.sessions import service as sessions
from aegis.state import State
from aegis.throttle import Subject
from aegis.web import OPERATOR, Client

LIFETIME_S = 1800
"""Half an hour: long enough for a slow mailbox (OWASP Forgot Password Cheat Sheet: short-lived)."""


def is_on(application: State) -> bool:
    """Tell whether passwords can be reset by mail: mails are known to arrive, and links have an address to stand on."""
    settings = application.settings
    return mail.is_on(settings) and bool(settings.public_url) and gate.is_open()


def ask(application: State, email: str, client: Client) -> None:
    """Send a link and a code to the account of an address, if there is one; nothing tells whether there is.

    Raises NotFound where resets are off, RateLimited after too many requests for one address or from one network.
    """
    _require(application)
    settings = application.settings
    canonical = addresses.find(email) or accounts.folded(email)
    network = throttle.network(client.address, settings.limit_ipv6_prefix)
    subjects = [
        Subject("mailbox", canonical, settings.limit_reset_mailbox),
        Subject("address", network, settings.limit_reset_address),
    ]
    with throttle.attempt("reset", subjects, client):
        account = accounts.find(email) if "@" in email else None
        known = account if account is not None and account.is_active and account.email else None
        with db.transaction():
            issued = proofs.issue(RESET, known.id if known else None, canonical, LIFETIME_S)
            link = f"{settings.public_url}/reset-password?{urlencode({'token': issued.token})}"
            told = {"username": known.username if known else "", "link": link, "code": issued.code}
            to = known.email if known else None
            mail.post("reset", to, minutes=LIFETIME_S // 60, **told)
        account_id = known.id if known else None
        audit.record(Event.PASSWORD_RESET_ASKED, client, account_id=account_id)


def print_link(application: State, account_id: str) -> str:
    """Return a one-time link for the operator to hand over, where there is no mail."""
    with db.transaction():
        issued = proofs.issue(RESET, account_id, f"operator:{account_id}", LIFETIME_S)
    audit.record(Event.PASSWORD_RESET_LINK, OPERATOR, account_id=account_id)
    return f"{application.settings.public_url}/reset-password?{urlencode({'token': issued.token})}"


def by_token(application: State, token: str, password: str, client: Client) -> None:
    """Set a new password by the token of a link.

    Raises InvalidInput when the token is not good any more, or the password is too weak: then the token stays good.
    """
    proof = proofs.find(RESET, token)
    if proof is None:
        raise _not_good(
            "token", "This link was used, is too old, or was replaced by a later one. Ask for a new one."
        )
    _set(application, proof, password, client, "token")


def by_code(application: State, email: str, code: str, password: str, client: Client) -> None:
    """Set a new password by the address and the code of a mail. Raises as `by_token`, and RateLimited."""
    _require(application)
    settings = application.settings
    network = throttle.network(client.address, settings.limit_ipv6_prefix)
    with throttle.attempt(
        "reset-code", [Subject("address", network, settings.limit_reset_address)], client
    ) as attempt:
        proof = proofs.try_code(RESET, addresses.find(email) or accounts.folded(email), code)
        if proof is not None:
            attempt.succeed()
    if proof is None:
        raise _not_good("code", "This code is not right, or not good any more. Ask for a new one.")
    _set(application, proof, password, client, "code")


def _set(application: State, proof: Proof, password: str, client: Client, field: str) -> None:
    """Change the password, and end whatever was known before, in one transaction."""
    account = accounts.get(proof.account_id) if proof.account_id else None
    if account is None or not account.is_active:
        raise _not_good(field, "This is not good any more. Ask for a new one.")
    accounts.judge_password(application.settings, account, password, "new_password")
    password_hash = application.hasher.hash(password)
    with db.transaction():
        if not proofs.use(proof):
            raise _not_good(field, "This was used already. Ask for a new one.")
        proofs.forget(account.id)
        accounts.set_password(account.id, password_hash)
        ended = sessions.revoke_all(account.id)
        devices.forget_all(account.id)
        what = "Your password was changed by a mail that you asked for"
        notices.post(account.id, what, client, can_be_undone=True)
    audit.record(Event.PASSWORD_CHANGED, client, account_id=account.id, sessions_ended=ended, reason="reset")


def _not_good(field: str, sentence: str) -> errors.InvalidInput:
    return errors.InvalidInput(fields={field: sentence})


def _require(application: State) -> None:
    if not is_on(application):
        raise errors.NotFound(
            "Passwords cannot be reset by mail here. Ask the people who run this site for a link."
        )
