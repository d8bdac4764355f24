"""What a session is, once its record was read."""

from typing import NamedTuple

from aegis.settings import Settings

ENROL_FACTOR = "enrol_factor"
"""The step before everything else of an account that must have a second factor and has none."""

CHANGE_PASSWORD = "change_password"  # noqa: S105 - a step's name
"""The step before everything else of an account whose password somebody else chose."""

STEPS = (ENROL_FACTOR, CHANGE_PASSWORD)
"""The steps that a session can be forced to take first."""


PASSWORD = "password"  # noqa: S105 - a method's name


class Factors(NamedTuple):
    """The second factors that an account has, by name, those that are two in one, and whether signing in asks for one."""

    names: tuple[str, ...]
    alone: tuple[str, ...]
    are_asked: bool


class Resumed(NamedTuple):
    """What a browser that stayed signed in keeps from now on: a session's token and its next remembrance, or nothing."""

    token: str | None = None
    remembrance: str | None = None
    lasts_s: int = 0


class Account(NamedTuple):
    """The signed-in account as it is now, not as it was at sign-in."""

    id: str
    username: str
    display_name: str
    email: str | None
    role: str

    @property
    def name(self) -> str:
        """What to call the person."""
        return self.display_name or self.username


class Session(NamedTuple):
    """A live session with its account: the columns of the one query, in its order."""

    id: str
    account_id: str
    started_at: int
    authenticated_at: int
    last_used_at: int
    auth_level: int
    method: str
    username: str
    display_name: str
    email: str | None
    role: str
    is_active: int
    forced_step: str | None

    @property
    def account(self) -> Account:
        """The account this session belongs to."""
        return Account(self.account_id, self.username, self.display_name, self.email, self.role)

    def expires_at(self, settings: Settings) -> int:
        """Return when the session ends if it is not used any more: the nearer of idle and overall timeout."""
        return min(self.last_used_at + settings.session_idle_s, self.started_at + settings.session_overall_s)

    def is_fresh(self, now: int, settings: Settings) -> bool:
        """Whether the person proved who they are recently enough for a sensitive action."""
        return now < self.authenticated_at + settings.session_fresh_s


def use_interval_s(settings: Settings) -> int:
    """Return how exact "last used" is: at most one write a minute, and finer for short idle timeouts."""
    return min(60, settings.session_idle_s // 4)
