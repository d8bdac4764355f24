"""Shapes of requests and answers of authenticator apps and recovery codes."""

from pydantic import Field

from aegis.web import Answer, Body


class OfferedSecret(Answer):
    """What an authenticator app needs: by hand, as an otpauth: address, and as a picture of it (SVG)."""

    secret: str
    otpauth_uri: str
    svg: str


class ConfirmAuthenticator(Body):
    """The code that the app shows now, and a name for people."""

    code: str = Field(min_length=1, max_length=40)
    name: str = Field(default="", max_length=60)


class RenameAuthenticator(Body):
    """The new name."""

    name: str = Field(min_length=1, max_length=60)


class ListedAuthenticator(Answer):
    """One of the own authenticators."""

    id: str
    name: str
    created_at: str
    last_used_at: str | None


class AuthenticatorList(Answer):
    """The own authenticators, the oldest first."""

    authenticators: list[ListedAuthenticator]


class AuthenticatorConfirmed(Answer):
    """A new authenticator; recovery codes come with the first one, and are shown this once."""

    message: str
    authenticator: ListedAuthenticator
    recovery_codes: list[str]


class RecoveryCodes(Answer):
    """A new set of recovery codes, shown this once."""

    message: str
    codes: list[str]


class RecoveryCodesLeft(Answer):
    """How many recovery codes are unused, and whether that is few."""

    left: int
    are_few: bool


class FactorChanged(Answer):
    """A sentence for a person."""

    message: str
