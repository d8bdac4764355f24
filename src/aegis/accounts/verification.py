"""Proving an address: a code goes there, and comes back from the account or the browser that asked for it.

An address that is not proven is kept beside the account's own, as `pending_email`: it signs nobody in, wins nothing back, and
keeps nobody from proving that it is theirs. Whether an address is known already is told to its owner alone, by mail.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from aegis import audit, clock, db, errors, mail, proofs, state, throttle
from aegis.accounts import addresses, notices, store
from aegis.accounts.addresses import Address
from aegis.audit import Event
from aegis.mail import gate
from aegis.proofs import Holder, Proof
from aegis.proofs.service import VERIFY
from aegis.settings import OFF, REQUIRED
from aegis.state import State
from aegis.throttle import Subject
from aegis.web import Client

KEPT_S = 86_400
"""How long a browser can ask for another code after its last one."""


class Unverified(errors.EmailUnverified):
    """The refusal of a right password, with what names the browser to which the code is bound."""

    def __init__(self, browser: str) -> None:
        """Take the browser's name."""
        super().__init__()
        self.browser = browser


def can_prove(application: State) -> bool:
    """Tell whether an address can be proven here: mails are known to arrive."""
    return mail.is_on(application.settings) and gate.is_open()


def is_on(application: State) -> bool:
    """Tell whether each address is to be proven here: the setting says so, and mails are known to arrive."""
    return application.settings.email_verification != OFF and can_prove(application)


def is_required(application: State) -> bool:
    """Tell whether nobody signs in before the address is proven."""
    return application.settings.email_verification == REQUIRED and is_on(application)


def waiting(application: State, row: Any) -> str | None:
    """Return the address that waits for its code: one that is to be the account's, or, where each is proven, that it has."""
    if row.pending_email:
        return str(row.pending_email) if can_prove(application) else None
    is_asked = row.email and row.email_verified_at is None and is_on(application)
    return str(row.email) if is_asked else None


def shuts_out(application: State, row: Any) -> bool:
    """Tell whether an account has no proven address where it must have one.

    One without any address is not asked: only an operator makes such accounts where an address is required.
    """
    is_proven = row.email is not None and row.email_verified_at is not None
    return not is_proven and waiting(application, row) is not None and is_required(application)


def is_proven(row: Any, address: Address | None) -> bool:
    """Tell whether an address is the account's already, and proven."""
    is_same = address is not None and row.email_canonical == address.canonical
    return is_same and row.email_verified_at is not None


def needs_code(application: State, row: Any, address: Address) -> bool:
    """Tell whether an address is the account's only after a code that goes there: one that it does not have yet always is.

    A wrong letter so gives the account to nobody (OWASP Authentication Cheat Sheet, on changing a registered e-mail address).
    """
    is_new = row.email_canonical != address.canonical
    return can_prove(application) and (is_new or (is_on(application) and not is_proven(row, address)))


def begin(application: State, row: Any, address: Address, browser: str | None, client: Client) -> None:
    """Send a code to an address that is to be the account's. Raises RateLimited."""
    with (
        throttle.attempt("code", _limits(application, address.canonical, client, row.id), client, row.id),
        db.transaction(),
    ):
        if row.email_canonical != address.canonical:
            store.change(row.id, {"pending_email": address.display})
        send(row.id, row.username, address, browser)


@contextlib.contextmanager
def budget(application: State, address: Address, client: Client) -> Iterator[bool]:
    """Take one of the mails that may go to an address; tell whether there was one. For registering, which has its own limit."""
    mailbox = Subject("mailbox", address.canonical, application.settings.limit_code_mailbox)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(throttle.attempt("code", [mailbox], client))
            is_left = True
        except errors.RateLimited:
            is_left = False
        yield is_left


def send(
    account_id: str | None,
    username: str,
    address: Address,
    browser: str | bytes | None,
    *,
    is_quiet: bool = False,
) -> None:
    """Write the mail with the code to the outbox, in the running transaction.

    Somebody else's proven address gets a mail that says so; nobody's, and one that got enough mails (`is_quiet`), gets none. The same
    work is done, and a code that did not leave is known to nobody.
    """
    issued = proofs.issue(VERIFY, account_id, address.canonical, KEPT_S, browser)
    owner = store.find_by_email(address.canonical)
    is_silent = is_quiet or account_id is None
    if owner is not None and owner.email_verified_at is not None and account_id not in {None, owner.id}:
        mail.post("address_known", None if is_silent else owner.email, username=owner.username)
    else:
        to = None if is_silent else address.display
        minutes = state.current().settings.email_code_s // 60
        mail.post("verify", to, username=username, code=issued.code, minutes=minutes)


def send_unless_good(
    application: State, row: Any, browser: str, client: Client, *, is_known_browser: bool
) -> None:
    """Send a code to an account that proved its password and waits for its address, unless one is on its way.

    A program that keeps no cookies could not give one: it voids none that waits elsewhere.
    """
    address = addresses.parse(waiting(application, row) or "")
    holder = Holder(None, browser) if is_known_browser else Holder(row.id, None)
    proof = proofs.held(VERIFY, address.canonical, holder)
    if proof is not None and proofs.has_good_code(proof):
        return
    try:
        with (
            throttle.attempt("code", _limits(application, address.canonical, client, row.id), client, row.id),
            db.transaction(),
        ):
            send(row.id, row.username, address, browser)
    except errors.RateLimited:
        return


def resend(application: State, email: str, holder: Holder, client: Client) -> None:
    """Send another code, which replaces the one before, to whoever asked for that; nothing tells whether somebody did.

    Raises NotFound where no mail can prove an address, RateLimited after too many mails to one address or from one network.
    """
    _require(application)
    address = _parsed(email)
    row = _asker(application, address, holder)
    account_id = row.id if row else None
    limits = _limits(application, address.canonical, client, account_id)
    with throttle.attempt("code", limits, client), db.transaction():
        send(row.id if row else None, row.username if row else "", address, holder.browser)


def send_again(application: State, account_id: str, client: Client, actor_id: str) -> None:
    """Send another code for somebody who waits for one, on an administrator's word; it is good where the one before was.

    Raises Conflict when the account waits for none, RateLimited after too many mails to one address.
    """
    row = store.find(account_id)
    expected = waiting(application, row) if row is not None else None
    if row is None or not expected:
        raise errors.Conflict("This account waits for no code.")
    address = addresses.parse(expected)
    mailbox = Subject("mailbox", address.canonical, application.settings.limit_code_mailbox)
    with throttle.attempt("code", [mailbox], client, row.id), db.transaction():
        send(row.id, row.username, address, proofs.browser_of(VERIFY, row.id))
    audit.record(Event.CODE_SENT, client, account_id=row.id, actor_id=actor_id)


def expected(application: State, holder: Holder) -> str | None:
    """Return the address that waits for a code from this account or browser."""
    row = store.find(holder.account_id) if holder.account_id else None
    if row is None:
        proof = proofs.held(VERIFY, None, Holder(None, holder.browser))
        row = store.find(proof.account_id) if proof is not None and proof.account_id else None
    return waiting(application, row) if row is not None else None


def _asker(application: State, address: Address, holder: Holder) -> Any:
    """Return the account that waits for a code to this address, if this is who may ask for it."""
    proof = proofs.held(VERIFY, address.canonical, holder)
    account_id = proof.account_id if proof is not None else holder.account_id
    row = store.find(account_id) if account_id else None
    expected = waiting(application, row) if row is not None else None
    return row if expected and addresses.find(expected) == address.canonical else None


def confirm(application: State, email: str, code: str, holder: Holder, client: Client) -> str:
    """Take the code of an address: from now on it is the account's. Return the account's id.

    Raises InvalidInput when the code is not good any more, NotFound where no mail can prove an address, RateLimited.
    """
    _require(application)
    address = _parsed(email)
    network = throttle.network(client.address, application.settings.limit_ipv6_prefix)
    subject = Subject("address", network, application.settings.limit_code_address)
    with throttle.attempt("code", [subject], client) as attempt:
        proof = proofs.try_code(VERIFY, address.canonical, code, holder)
        if proof is not None:
            attempt.succeed()
    if proof is None or proof.account_id is None:
        raise _not_good()
    try:
        with db.transaction():
            _take(application, proof, client)
    except db.Duplicate:
        raise _not_good() from None
    audit.record(Event.ADDRESS_PROVEN, client, account_id=proof.account_id)
    return proof.account_id


def _take(application: State, proof: Proof, client: Client) -> None:
    """Make the proven address the account's, and tell the one before. Raises Duplicate when somebody else proved it first."""
    account_id = str(proof.account_id)
    store.lock(account_id)
    row = store.find(account_id)
    expected = waiting(application, row) if row is not None else None
    if row is None or not expected or addresses.find(expected) != proof.address or not proofs.use(proof):
        raise _not_good()
    store.release_address(proof.address, but=account_id, unproven_only=True)
    if row.email is not None and row.email_canonical != proof.address:
        notices.post(account_id, "The e-mail address of your account was changed", client, can_be_undone=True)
        proofs.forget(account_id)
    proven = {"email": expected, "email_canonical": proof.address, "email_verified_at": clock.now()}
    store.change(account_id, {**proven, "pending_email": None})


def _limits(application: State, canonical: str, client: Client, account_id: str | None) -> list[Subject]:
    """Return what a mail counts against: the mailbox, who had it sent, and the network."""
    settings = application.settings
    network = throttle.network(client.address, settings.limit_ipv6_prefix)
    return [
        Subject("mailbox", canonical, settings.limit_code_mailbox),
        Subject("account", account_id or f"nobody {canonical}", settings.limit_code_mailbox),
        Subject("address", network, settings.limit_code_address),
    ]


def _parsed(email: str) -> Address:
    try:
        return addresses.parse(email)
    except ValueError as refused:
        raise errors.InvalidInput(fields={"email": str(refused)}) from None


def _not_good() -> errors.InvalidInput:
    sentence = "This code is not right, or not good any more. Have another one sent."
    return errors.InvalidInput(fields={"code": sentence})


def _require(application: State) -> None:
    if not can_prove(application):
        raise errors.NotFound("No mail leaves here, so no address is confirmed by a code.")
