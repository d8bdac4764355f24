"""What one application holds while it runs: settings, keys, database. Nothing here is global."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import flask

from aegis.settings import Configured, Settings

if TYPE_CHECKING:
    from aegis.audit import Audit
    from aegis.db import Database
    from aegis.mail import Sender
    from aegis.passwords import Hasher
    from aegis.sessions import Factors, Resumed
    from aegis.throttle import Counters
    from aegis.tokens import Keyring
    from aegis.uploads import Uploads
    from aegis.web import Client
    from aegis.web.places import Places


@dataclasses.dataclass
class State:
    """The parts of one application, made by `Aegis.init_app`."""

    configured: Configured
    keyring: "Keyring"
    database: "Database"
    hasher: "Hasher"
    counters: "Counters"
    audit: "Audit"
    uploads: "Uploads"
    sender: "Sender"
    places: "Places"
    factors: "Callable[[str, str], Factors]"
    """The second factors of an account, by its id and role; the room of signing in knows them all."""
    resume: "Callable[[str, Client], Resumed | None]"
    """Go on in a browser that stayed signed in, by what it keeps; None where it has gone on already."""
    personal: "Callable[[str], Mapping[str, Any]]"
    """What the host application keeps of a person, by account id, under the names of its files."""
    is_current: "Callable[[Database], bool]"
    """Whether the schema is the one that this release expects; the host application knows, as migrations are its own."""

    @property
    def settings(self) -> Settings:
        """The values the application runs with."""
        return self.configured.settings


def current() -> State:
    """Return the state of the application that handles this request or command."""
    return cast("State", flask.current_app.extensions["aegis"])
