"""Sign-ins beyond the queue are sent away ahead of Flask: in a flood they are many, and everybody else waits behind each."""

from typing import TYPE_CHECKING, Any

from aegis import errors
from aegis.web import faults

if TYPE_CHECKING:
    import flask

    from aegis.web.edge import FastPath, Headers

LOGIN = "/api/login"


def fast_paths(app: "flask.Flask") -> "dict[str, FastPath]":
    """Return what refuses sign-ins of programs while no place is free; with a place, Flask answers."""
    application = app.extensions["aegis"]

    def send_away(environ: dict[str, Any]) -> "tuple[str, Headers, bytes] | None":
        if environ["REQUEST_METHOD"] != "POST":
            return None
        try:
            application.hasher.gate.check()
        except errors.Busy as error:
            content = faults.body(error, environ["aegis.request_id"]).encode()
            return (
                f"{error.status} {error.code}",
                [*error.headers.items(), ("Cache-Control", "no-store")],
                content,
            )
        return None

    return {LOGIN: send_away}
