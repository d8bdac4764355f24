"""Spend before the secret is looked at, give back when the attempt was no failed guess.

So parallel guesses never exceed the limit, and those who know their password use nothing up, however many share an
address.
"""

import contextlib
import ipaddress
from collections.abc import Iterator
from typing import NamedTuple

from aegis import audit, clock, errors, state
from aegis.audit import Event
from aegis.settings import Limit
from aegis.throttle import store
from aegis.throttle.counters import Key
from aegis.tokens import Keyring
from aegis.web import Client


class Subject(NamedTuple):
    """One thing that is counted: an address, an account, a device, under its limit."""

    kind: str
    value: str
    limit: Limit


class Attempt:
    """One attempt that was let through."""

    def __init__(self) -> None:
        """Count as failed until told otherwise."""
        self.is_failure = True

    def succeed(self) -> None:
        """Give back what was spent."""
        self.is_failure = False


@contextlib.contextmanager
def attempt(
    action: str, subjects: list[Subject], client: Client, account_id: str | None = None
) -> Iterator[Attempt]:
    """Let one attempt through, or raise RateLimited with a true Retry-After before anything is computed.

    The attempt stays spent unless `succeed` is called, or the system could not judge it (503).
    """
    application = state.current()
    counters, now_ms = application.counters, clock.now() * 1000
    keys = [_key(action, subject, application.keyring) for subject in subjects]
    wait_ms, spent = counters.spend(keys, now_ms)
    if wait_ms:
        audit.record(Event.RATE_LIMITED, client, account_id=account_id, action=action, wait_s=wait_ms // 1000)
        raise _refusal(action, subjects, wait_ms)
    tried = Attempt()
    try:
        yield tried
    except (errors.Busy, errors.Unavailable):
        counters.give_back(spent)
        raise
    except BaseException:
        counters.keep(spent, now_ms)
        raise
    if tried.is_failure:
        counters.keep(spent, now_ms)
    else:
        counters.give_back(spent)


def _key(action: str, subject: Subject, keyring: Keyring) -> Key:
    """Name a bucket so that a dump of the counters tells neither who was attacked nor from where."""
    name = keyring.digest("throttle", f"{action}:{subject.kind}:{subject.value}")
    return Key(name, subject.limit.interval_ms, subject.limit.window_s * 1000)


def _refusal(action: str, subjects: list[Subject], wait_ms: int) -> errors.RateLimited:
    wait_s = max(1, -(-wait_ms // 1000))
    policies = ", ".join(
        f'"{action}-{one.kind}";q={one.limit.attempts};w={one.limit.window_s}' for one in subjects
    )
    headers = {
        "Retry-After": str(wait_s),
        "RateLimit": f'"{action}";r=0;t={wait_s}',
        "RateLimit-Policy": policies,
    }
    return errors.RateLimited(
        f"Too many attempts. Please wait {in_words(wait_s)}, then try again.", headers=headers
    )


def in_words(seconds: int) -> str:
    """Return a wait as people say it, rounded up."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    minutes = -(-seconds // 60)
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def network(address: str, ipv6_prefix: int) -> str:
    """Return what stands for an address in a counter: an IPv6 customer owns a whole prefix, so it is that."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, ipv6_prefix), strict=False))
    return str(parsed)


def purge(batch: int) -> int:
    """Delete up to `batch` counters that count nothing any more."""
    return store.purge(clock.now() * 1000, batch)
