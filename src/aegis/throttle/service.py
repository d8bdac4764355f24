"""Spend before the secret is looked at, give back when the attempt was no failed guess.

So parallel guesses never exceed the limit, and those who know their password use nothing up, however many share an
address.
"""

import contextlib
import ipaddress
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aegis import audit, clock, errors, state
from aegis.audit import Event
from aegis.settings import Limit
from aegis.state import State
from aegis.throttle import store
from aegis.throttle.counters import Key, Spent
from aegis.tokens import Keyring
from aegis.web import Client

JUDGED_WITHIN_S = 5.0
"""How long an attempt waits for others that hold the budget."""

_LOCKS = frozenset({"login-account", "login-device", "login-pair"})
"""Policies that shut one account; `login-address` shuts a place."""


class Subject(NamedTuple):
    """One thing that is counted: an address, an account, a device, under its limit."""

    kind: str
    value: str
    limit: Limit


class Attempt:
    """One attempt that was let through. It counts as a failure until told otherwise."""

    def __init__(self) -> None:
        """Count as failed."""
        self.is_failure = True
        self.is_success = False

    def succeed(self) -> None:
        """Give back what was spent, and forgive the failures that the first subject still holds."""
        self.is_failure, self.is_success = False, True

    def undo(self) -> None:
        """Give back what was spent: nothing was learnt, so nothing counts."""
        self.is_failure = False


@contextlib.contextmanager
def attempt(
    action: str, subjects: Sequence[Subject], client: Client, account_id: str | None = None
) -> Iterator[Attempt]:
    """Let one attempt through, or raise RateLimited with a true Retry-After before anything is computed.

    The attempt stays spent unless `succeed` or `undo` is called, or the system could not judge it (503). `subjects`
    start with the narrowest: a success forgives what that one failed before (NIST 800-63B-4 section 3.2.2), in all.
    """
    application = state.current()
    counters = application.counters
    spent = _spend(application, [_key(action, subject, application.keyring) for subject in subjects])
    if any(spent.waits_ms):
        refusal = _refusal(action, subjects, spent.waits_ms)
        event = Event.LOGIN_LIMITED if refusal.policy in _LOCKS else Event.RATE_LIMITED
        audit.record(event, client, account_id=account_id, limit=refusal.policy, wait_s=refusal.wait_s)
        raise refusal
    tried = Attempt()
    try:
        yield tried
    except (errors.Busy, errors.Unavailable):
        tried.undo()
        raise
    finally:
        try:
            if tried.is_failure:
                counters.keep(spent, clock.now() * 1000)
            else:
                counters.give_back(spent, clock.now() * 1000, forgive=tried.is_success)
        finally:
            counters.in_flight.end(key.name for key in spent.keys)


def _spend(application: State, keys: Sequence[Key]) -> Spent:
    """Spend, or wait for attempts that hold the budget and may give it back, or be refused.

    Who waits takes a place in the queue of the password hashes, so that waiting cannot use up the server's threads.
    """
    counters, until = application.counters, clock.monotonic() + JUDGED_WITHIN_S
    while True:
        with counters.in_flight.my_turn():
            judged_before = counters.in_flight.of(key.name for key in keys)
            spent = counters.spend(keys, clock.now() * 1000)
            if not any(spent.waits_ms):
                counters.in_flight.begin(key.name for key in keys)
                return spent
            full = [key.name for key, wait_ms in zip(keys, spent.waits_ms, strict=True) if wait_ms]
            judged_now = counters.in_flight.of(full)
        if not judged_now:
            # Those who held it may have been judged while we asked, and have given it back.
            if judged_before.keys() & set(full) and clock.monotonic() < until:
                continue
            return spent
        with application.hasher.gate.aside():
            if not counters.in_flight.wait_for_less(judged_now, until - clock.monotonic()):
                return spent


def _key(action: str, subject: Subject, keyring: Keyring) -> Key:
    """Name a bucket so that a dump of the counters tells neither who was attacked nor from where."""
    name = keyring.digest("throttle", f"{action}:{subject.kind}:{subject.value}")
    return Key(name, subject.limit.interval_ms, subject.limit.window_s * 1000)


class _Refusal(errors.RateLimited):
    """A refusal that knows which policy refused longest."""

    def __init__(self, policy: str, wait_s: int, policies: str) -> None:
        self.policy, self.wait_s = policy, wait_s
        headers = {
            "Retry-After": str(wait_s),
            "RateLimit": f'"{policy}";r=0;t={wait_s}',
            "RateLimit-Policy": policies,
        }
        sentence = f"Too many attempts. Please wait {in_words(wait_s)}, then try again."
        super().__init__(sentence, headers=headers)


def _refusal(action: str, subjects: Sequence[Subject], waits_ms: Sequence[int]) -> _Refusal:
    """Return the refusal with the longest wait: only after that one the next attempt is judged."""
    longest = max(waits_ms)
    names = [f"{action}-{subject.kind}" for subject in subjects]
    policies = ", ".join(
        f'"{name}";q={subject.limit.attempts};w={subject.limit.window_s}'
        for name, subject in zip(names, subjects, strict=True)
    )
    return _Refusal(names[waits_ms.index(longest)], max(1, -(-longest // 1000)), policies)


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
