"""Shapes of requests and answers of signing in."""

from typing import Any

from pydantic import Field

from aegis.accounts.schemas import PASSWORD_FIELD_MAXIMUM
from aegis.sessions.model import PASSWORD
from aegis.sessions.schemas import User
from aegis.web import Answer, Body


class Login(Body):
    """A user name or e-mail address, the password, and whether the browser is to stay signed in."""

    username: str = Field(min_length=1, max_length=320)
    password: str = Field(min_length=1, max_length=PASSWORD_FIELD_MAXIMUM)
    remember: bool = False


class SecondFactor(Body):
    """One of the methods of the refusal `mfa_required`, and its code; a passkey gives its `credential` in place of it."""

    method: str = Field(min_length=1, max_length=16)
    code: str | None = Field(default=None, min_length=1, max_length=64)
    credential: dict[str, Any] | None = None


class Reauthenticate(Body):
    """The password of the signed-in account, or one of its second factors as in `SecondFactor`."""

    method: str = Field(default=PASSWORD, min_length=1, max_length=16)
    password: str | None = Field(default=None, min_length=1, max_length=PASSWORD_FIELD_MAXIMUM)
    code: str | None = Field(default=None, min_length=1, max_length=64)
    credential: dict[str, Any] | None = None


class SignedIn(Answer):
    """The account that is signed in now."""

    message: str
    user: User


class ListedDevice(Answer):
    """A device that signed in before."""

    id: str
    device: str
    first_seen_at: str
    last_seen_at: str
    is_current: bool


class DeviceList(Answer):
    """The own known devices, the latest seen first."""

    devices: list[ListedDevice]


class Message(Answer):
    """A sentence for a person."""

    message: str


class CsrfToken(Answer):
    """A token for the X-CSRFToken header or the form field csrf_token."""

    csrf_token: str
