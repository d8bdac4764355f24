"""Shapes of requests and answers of administering."""

from typing import Literal

from pydantic import Field

from aegis import clock
from aegis.accounts.service import Account
from aegis.audit import Seen
from aegis.login.schemas import ListedDevice
from aegis.sessions.schemas import ListedSession, RememberedBrowser, User
from aegis.web import Answer, Body

Role = Literal["learner", "teacher", "admin"]


class UserQuery(Body):
    """Which accounts to list: those whose name or address begins with `query`."""

    query: str = Field(default="", max_length=320)
    role: Role | None = None
    after: str | None = Field(default=None, max_length=300)


class RecordQuery(Body):
    """Which events to list."""

    account: str | None = Field(default=None, max_length=22)
    event: str | None = Field(default=None, max_length=40)
    address: str | None = Field(default=None, max_length=45)
    since: str | None = Field(default=None, max_length=40)
    until: str | None = Field(default=None, max_length=40)
    cursor: str | None = Field(default=None, max_length=200)


class SetRole(Body):
    """The role that an account gets."""

    role: Role


class AdminUser(User):
    """An account as administrators see it."""

    is_active: bool
    email_verified: bool
    pending_email: str | None
    created_at: str

    @classmethod
    def shown(cls, account: Account) -> "AdminUser":
        """Show an account."""
        return cls(
            id=account.id,
            username=account.username,
            display_name=account.display_name,
            email=account.email,
            role=account.role,
            is_active=account.is_active,
            email_verified=account.email_verified_at is not None,
            pending_email=account.pending_email,
            created_at=clock.as_text(account.created_at),
        )


class UserList(Answer):
    """Some accounts by name; `next` goes into `after` for the following ones."""

    users: list[AdminUser]
    next: str | None


class FactorReset(Answer):
    """That an account's second factors are to be taken away: who asked, when, and since when somebody else can do it."""

    asked_by: str
    asked_at: str
    due_at: str


class UserAnswer(Answer):
    """One account, its live sessions, its browsers and devices, its second factors, and whether those are to be taken away."""

    user: AdminUser
    sessions: list[ListedSession]
    remembered_browsers: list[RememberedBrowser]
    devices: list[ListedDevice]
    factors: list[str]
    factor_reset: FactorReset | None


class SessionQuery(Body):
    """Where a page of the list begins."""

    cursor: str | None = Field(default=None, max_length=60)


class LiveSession(Answer):
    """A live session and whose it is."""

    account_id: str
    username: str
    session: ListedSession


class LiveSessions(Answer):
    """Everybody's live sessions, the latest used first; `next` is the cursor of the page after this one."""

    sessions: list[LiveSession]
    next: str | None


class ImportQuery(Body):
    """Whether a file is only checked."""

    dry_run: bool = False


class ImportText(Body):
    """The file as text, where a page carries it from the check to the import, and whether it is only checked."""

    content: str = Field(default="", max_length=1_048_576)
    dry_run: bool = False


class Imported(Answer):
    """How many accounts were stored, or would be."""

    message: str
    count: int


class Event(Answer):
    """One event of the record."""

    time: str
    event: str
    account_id: str | None
    actor_id: str | None
    address: str
    request_id: str
    data: dict[str, str | int]

    @classmethod
    def of(cls, seen: Seen) -> "Event":
        """Show an event."""
        data = {name: value if isinstance(value, int) else str(value) for name, value in seen.data.items()}
        return cls(
            time=clock.as_text(seen.at),
            event=seen.event,
            account_id=seen.account_id,
            actor_id=seen.actor_id,
            address=seen.address,
            request_id=seen.request_id,
            data=data,
        )


class Record(Answer):
    """Events, the latest first; `next` is the cursor of the page after this one."""

    events: list[Event]
    next: str | None


class Done(Answer):
    """A sentence for a person."""

    message: str
