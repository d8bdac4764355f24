"""Shapes of requests and answers about the own account. Rules of content are in the service; sizes are here."""

from typing import Literal

from pydantic import Field

from aegis import clock
from aegis.audit import Seen, sentences
from aegis.sessions.schemas import User
from aegis.web import Answer, Body

PASSWORD_FIELD_MAXIMUM = 1024
"""Characters read of a password field; AEGIS_PASSWORD_MAXIMUM decides within it."""


class Register(Body):
    """A new account."""

    username: str = Field(min_length=1, max_length=100)
    password: str = Field(min_length=1, max_length=PASSWORD_FIELD_MAXIMUM)
    email: str | None = Field(default=None, max_length=320)


class ChangeProfile(Body):
    """What the owner tells of themselves; what is left out stays."""

    display_name: str | None = Field(default=None, max_length=80)
    bio: str | None = Field(default=None, max_length=1000)
    notices: Literal["all", "critical"] | None = None


class VerifyEmail(Body):
    """An address, and the code that went there; blanks in it do not count."""

    email: str = Field(min_length=1, max_length=320)
    code: str = Field(min_length=1, max_length=40)


class ResendCode(Body):
    """The address to which another code is to go."""

    email: str = Field(min_length=1, max_length=320)


class Done(Answer):
    """A sentence for a person."""

    message: str


class ChangePassword(Body):
    """The password in use and the next one."""

    current_password: str = Field(min_length=1, max_length=PASSWORD_FIELD_MAXIMUM)
    new_password: str = Field(min_length=1, max_length=PASSWORD_FIELD_MAXIMUM)


class ChangeEmail(Body):
    """The new address; empty removes it."""

    email: str = Field(max_length=320)


class Profile(User):
    """The whole own account; `pending_email` becomes `email` with the code that went there."""

    email_verified: bool
    pending_email: str | None
    notices: Literal["all", "critical"]
    bio: str
    avatar_url: str | None
    created_at: str


class ProfileAnswer(Answer):
    """The own account."""

    user: Profile


class Changed(Answer):
    """The own account after a change."""

    message: str
    user: Profile


class Registered(Answer):
    """The new account."""

    message: str
    user: User


class ActivityQuery(Body):
    """Where a page of the own activity begins."""

    cursor: str | None = Field(default=None, max_length=200)


class Happened(Answer):
    """One thing that happened to the own account."""

    time: str
    event: str
    sentence: str
    address: str

    @classmethod
    def of(cls, seen: Seen) -> "Happened":
        """Tell the owner of an event."""
        address = "" if sentences.is_by_others(seen) else seen.address
        return cls(
            time=clock.as_text(seen.at),
            event=seen.event,
            sentence=sentences.for_owner(seen),
            address=address,
        )


class Activity(Answer):
    """What happened lately, the latest first; `next` is the cursor of the page after this one."""

    activity: list[Happened]
    next: str | None
