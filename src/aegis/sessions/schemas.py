"""Shapes of answers about sessions and who holds them."""

from aegis import clock, state
from aegis.sessions.model import Account
from aegis.sessions.remembrance import Remembered
from aegis.sessions.service import Listed
from aegis.web import Answer, device


class User(Answer):
    """An account as its owner sees it."""

    id: str
    username: str
    display_name: str
    email: str | None
    role: str

    @classmethod
    def of(cls, account: Account) -> "User":
        """Show a signed-in account."""
        return cls.model_construct(**account._asdict())


class CheckedSession(Answer):
    """A live session."""

    is_authenticated: bool
    user: User
    expires_at: str
    auth_level: int


class Visitor(Answer):
    """No live session."""

    is_authenticated: bool = False


class ListedSession(Answer):
    """One live session of an account."""

    id: str
    device: str
    address: str
    place: str
    method: str
    started_at: str
    last_used_at: str
    expires_at: str
    is_current: bool

    @classmethod
    def of(cls, item: Listed, own_id: str) -> "ListedSession":
        """Show a session; `own_id` is that of the request's."""
        return cls(
            id=item.id,
            device=device.describe(item.user_agent),
            address=item.address,
            place=state.current().places.of(item.address).name,
            method=item.method,
            started_at=clock.as_text(item.started_at),
            last_used_at=clock.as_text(item.last_used_at),
            expires_at=clock.as_text(item.expires_at),
            is_current=item.id == own_id,
        )


class SessionList(Answer):
    """The own sessions, the latest used first."""

    sessions: list[ListedSession]


class Ended(Answer):
    """How many sessions ended."""

    message: str
    ended: int


class RememberedBrowser(Answer):
    """A browser that stays signed in."""

    id: str
    device: str
    address: str
    place: str
    created_at: str
    used_at: str
    expires_at: str
    is_current: bool

    @classmethod
    def of(cls, item: Remembered, current: str | None) -> "RememberedBrowser":
        """Show a browser; `current` is the one of the request's session."""
        return cls(
            id=item.id,
            device=device.describe(item.user_agent),
            address=item.address,
            place=state.current().places.of(item.address).name,
            created_at=clock.as_text(item.created_at),
            used_at=clock.as_text(item.used_at),
            expires_at=clock.as_text(item.expires_at),
            is_current=item.id == current,
        )


class RememberedBrowsers(Answer):
    """The own browsers that stay signed in."""

    browsers: list[RememberedBrowser]
