"""Shapes of answers about sessions and who holds them."""

from aegis.sessions.model import Account
from aegis.web import Answer


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
    """One of the own sessions."""

    id: str
    device: str
    address: str
    method: str
    started_at: str
    last_used_at: str
    expires_at: str
    is_current: bool


class SessionList(Answer):
    """The own sessions, the latest used first."""

    sessions: list[ListedSession]


class Ended(Answer):
    """How many sessions ended."""

    message: str
    ended: int
