"""Shapes of requests and answers of passkeys."""

from typing import Any

from pydantic import Field

from aegis.web import Answer, Body


class Ceremony(Answer):
    """What `navigator.credentials` takes, as JSON of WebAuthn level 3."""

    publicKey: dict[str, Any]  # noqa: N815 - the browser's name


class UsePasskey(Body):
    """What `navigator.credentials.get` returned, as its `toJSON` gives it."""

    credential: dict[str, Any]


class SignInWithPasskey(UsePasskey):
    """The same, and whether the browser is to stay signed in."""

    remember: bool = False


class AddPasskey(Body):
    """What `navigator.credentials.create` returned, as its `toJSON` gives it, and a name for people."""

    credential: dict[str, Any]
    name: str = Field(default="", max_length=60)


class RenamePasskey(Body):
    """The new name."""

    name: str = Field(min_length=1, max_length=60)


class ListedPasskey(Answer):
    """One of the own passkeys."""

    id: str
    name: str
    is_synced: bool
    created_at: str
    last_used_at: str | None


class PasskeyList(Answer):
    """The own passkeys, the oldest first."""

    passkeys: list[ListedPasskey]


class Done(Answer):
    """A sentence for a person."""

    message: str
