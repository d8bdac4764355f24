"""A sign-in between password and second factor: no session, opens nothing, and is over after ten minutes.

Its token rides in a cookie of its own. It is good in the browser that began it, for the factor that was chosen last, and
for a few attempts; each step is one conditional write.
"""

from typing import NamedTuple, NoReturn

from aegis import clock, errors, tokens
from aegis.login import store

LASTS_S = 600
"""Ten minutes."""

ATTEMPTS = 5
"""Codes that one sign-in may try; the throttle counts all sign-ins of the account together."""


class Pending(NamedTuple):
    """A sign-in that waits for its second factor."""

    account_id: str
    method: str
    is_untried: bool
    stays: bool


class SecondFactorRequired(errors.SecondFactorRequired):
    """The refusal of a password alone, with the token of the sign-in that may go on, and what names its browser."""

    def __init__(self, token: str, browser: str, methods: tuple[str, ...]) -> None:
        """Take what the cookies keep, and tell which factors will do."""
        super().__init__(extra={"methods": methods})
        self.token, self.browser = token, browser


def begin(
    account_id: str, method: str, browser: str | None, methods: tuple[str, ...], *, stays: bool
) -> NoReturn:
    """Note that the first factor was right, and refuse with what goes on. A browser that has no name gets one."""
    token, browser = tokens.new_token(), browser or tokens.new_id()
    store.add_pending(
        {
            "token_hash": tokens.hash_token(token),
            "account_id": account_id,
            "browser_hash": tokens.hash_token(browser),
            "method": method,
            "attempts_left": ATTEMPTS,
            "expires_at": clock.now() + LASTS_S,
            "stays": stays,
        }
    )
    raise SecondFactorRequired(token, browser, methods)


def find(token: str | None, browser: str | None) -> Pending | None:
    """Return the sign-in of a token, if this browser began it and it may go on."""
    row = store.find_pending(tokens.hash_token(token)) if token else None
    if row is None or row.attempts_left <= 0 or clock.now() >= row.expires_at:
        return None
    if not tokens.equal(row.browser_hash, tokens.hash_token(browser or "")):
        return None
    return Pending(row.account_id, row.method, row.attempts_left == ATTEMPTS, bool(row.stays))


def choose(token: str, factor: str) -> bool:
    """Spend an attempt on a factor, which is the chosen one from now on; False when none is left."""
    return store.spend_attempt(tokens.hash_token(token), factor)


def finish(token: str, factor: str) -> bool:
    """Use the sign-in up; False when it is over, or another factor was chosen meanwhile."""
    return store.remove_pending(tokens.hash_token(token), factor)


def purge(batch: int) -> int:
    """Delete up to `batch` sign-ins that are over."""
    return store.remove_pending_before(clock.now(), batch)
