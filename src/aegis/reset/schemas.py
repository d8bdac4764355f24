"""Shapes of requests and answers of the password reset."""

from pydantic import Field

from aegis.accounts.schemas import PASSWORD_FIELD_MAXIMUM
from aegis.web import Answer, Body


class Forgot(Body):
    """The address of the account."""

    email: str = Field(min_length=1, max_length=320)


class Reset(Body):
    """The token of the mail's link, or the address and the code of the mail, and the new password."""

    token: str | None = Field(default=None, max_length=100)
    email: str | None = Field(default=None, max_length=320)
    code: str | None = Field(default=None, max_length=40)
    new_password: str = Field(min_length=1, max_length=PASSWORD_FIELD_MAXIMUM)


class Undo(Body):
    """The token of the link in a notice."""

    token: str = Field(min_length=1, max_length=100)


class Undone(Answer):
    """A sentence for a person, and the token with which a new password is set at /api/password/reset."""

    message: str
    reset_token: str


class Done(Answer):
    """A sentence for a person."""

    message: str
