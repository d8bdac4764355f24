"""What is written, sent, tried again and given up.

A mail is claimed for `LEASE_S`, handed over, and deleted. Whoever dies in between leaves it to the next sender after
the lease, under the same Message-ID: if the relay had taken it already, that is the only case in which it goes twice.
"""

import json
import logging
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from aegis import clock, db, state, tally, tokens
from aegis.mail import messages, store
from aegis.mail.messages import Letter
from aegis.mail.outcome import NotSent
from aegis.mail.transports import Transport
from aegis.settings import Settings

logger = logging.getLogger(__name__)

LEASE_S = 180
"""How long one sender may hold a mail; longer than all steps of handing it over may take."""

MOST_ATTEMPTS = 16
FIRST_WAIT_S, LONGEST_WAIT_S = 30, 7200
"""Waits double from the first to the longest; with 16 attempts a mail is given up after about 16 hours."""

AT_ONCE = 10
LATE_S = 300
"""A mail that is due for so long has no sender."""

FAULT_LENGTH = 200
_SEALED_FOR = "outbox"


class Counts(NamedTuple):
    """The outbox in numbers: what waits, what of it nobody takes, what was given up, and since when the oldest waits."""

    waiting: int
    unclaimed: int
    dead: int
    oldest_s: int


def is_on(settings: Settings) -> bool:
    """Tell whether mails can leave at all (MAIL_URL); without, the flows that need them say that they are off."""
    return bool(settings.mail_url)


def post(template: str, to: str | None, **values: str | int) -> None:
    """Write a mail to the outbox in the running transaction; it leaves at once after the commit.

    `to` is an address as `accounts` stores it. For None the same work is done and a mail kept that goes to nobody, so
    that time does not tell whether there is an address. Does nothing while mail is off. Raises AssertionError outside of a
    transaction, ValueError for an impossible address, jinja2's errors for an unknown template or a missing value.
    """
    current = state.current()
    db.after_commit(current.sender.wake)
    if not is_on(current.settings):
        return
    now = clock.now()
    letter = Letter(_new_id(), now, template, messages.NOBODY if to is None else to, values)
    messages.compose(letter, current.settings)
    content = json.dumps({"to": letter.to, "values": values})
    sealed = current.keyring.seal(_SEALED_FOR, content, letter.id)
    store.add(
        {"id": letter.id, "template": template, "sealed": sealed, "next_try_at": now, "created_at": now}
    )


def post_once(occasion: str, mark: str, template: str, to: str, **values: str | int) -> None:
    """Post a mail that several processes are about to post; for each mark of an occasion the first one does."""
    try:
        with db.transaction():
            if store.claim_fact(occasion, mark):
                post(template, to, **values)
    except db.Duplicate:
        logger.debug("mail_posted_by_another_process")


def _new_id() -> str:
    """Return an id that sorts by time: mails leave, and lie in a folder, in the order in which they were written."""
    return f"{clock.microseconds():014x}{tokens.new_id()[:8]}"


def counts() -> Counts:
    """Count the outbox, in one query."""
    now = clock.now()
    found = store.totals(now - LATE_S)
    if found is None:
        raise AssertionError("an aggregate has a row")
    oldest_s = 0 if found.oldest_at is None else max(0, now - found.oldest_at)
    return Counts(int(found.waiting), int(found.unclaimed), int(found.dead), oldest_s)


def send_due(transport: Transport, is_over: Callable[[], bool]) -> None:
    """Send all mails whose time has come, one after the other, until there is none or `is_over` says so."""
    try:
        while not is_over() and (mail := _claimed()) is not None:
            if not _send(transport, mail):
                return
    finally:
        transport.close()


class Claimed(NamedTuple):
    """A row that is ours until then."""

    row: Any
    until: int
    attempts: int


def _claimed() -> Claimed | None:
    """Take the next mail, or return None when nothing is due; mails that others take meanwhile are passed over."""
    while found := store.due(clock.now(), AT_ONCE):
        for row in found:
            until = clock.now() + LEASE_S
            if store.claim(row, until):
                return Claimed(row, until, row.attempts + 1)
    return None


def _send(transport: Transport, mail: Claimed) -> bool:
    """Hand one mail over; tell whether the next one may be tried."""
    settings = state.current().settings
    try:
        letter = _opened(mail)
        message = messages.compose(letter, settings)
        if letter.to != messages.NOBODY:
            transport.send(message, messages.sender_address(settings), letter.to)
    except NotSent as failed:
        _settle(mail, failed)
        return not failed.ends_round
    except Exception as error:
        logger.exception("mail_failed")
        _settle(mail, NotSent(f"A fault of our own: {type(error).__name__}."))
        return True
    store.remove(mail.row.id)
    tally.add("mails", "sent")
    return True


def _opened(mail: Claimed) -> Letter:
    """Return what was posted."""
    if mail.attempts > MOST_ATTEMPTS:
        raise NotSent("Each sender ended before it was done with this mail.", is_final=True)
    row = mail.row
    content = state.current().keyring.unseal(_SEALED_FOR, row.sealed, row.id)
    if content is None:
        raise NotSent("Sealed with a key that is gone from SECRET_KEY_FALLBACKS.", is_final=True)
    held = json.loads(content)
    return Letter(row.id, row.created_at, row.template, held["to"], held["values"])


def _settle(mail: Claimed, failed: NotSent) -> None:
    """Keep a mail that was not taken for later, or give it up."""
    now, fault = clock.now(), str(messages.clean(failed.reason))[:FAULT_LENGTH]
    is_dead = failed.is_final or mail.attempts >= MOST_ATTEMPTS
    tally.add("mails", "dead" if is_dead else "postponed")
    logger.warning(
        "mail_given_up" if is_dead else "mail_postponed",
        extra={"aegis": {"mail": mail.row.id, "template": mail.row.template, "fault": fault}},
    )
    if is_dead:
        store.bury(mail.row.id, mail.until, now, fault)
    else:
        store.postpone(mail.row.id, mail.until, now + wait_s(mail.attempts), fault)


def wait_s(attempts: int) -> int:
    """Return how long to wait after so many attempts, spread so that mails of one outage do not come back as one."""
    wait: int = min(FIRST_WAIT_S * 2 ** (attempts - 1), LONGEST_WAIT_S)
    return round(wait * random.uniform(0.8, 1.2))  # noqa: S311 - only spreads load
