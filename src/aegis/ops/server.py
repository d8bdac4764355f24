"""The servers behind `aegis serve`: werkzeug's for development, granian for production."""

import errno
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import flask
import werkzeug.serving

from aegis import errors
from aegis.ops import entry

STOP_WITHIN_S = 30
"""How long requests in flight may take to finish after SIGTERM."""

CONNECTIONS = 256
"""Open connections of one process, idle ones included; more wait in the system's queue."""

BACKLOG = 1024

Tls = tuple[Path, Path]
"""Certificate and private key."""


class CannotServe(errors.AegisError):
    """The server cannot be started as asked; the sentence names the remedy."""


class Place(NamedTuple):
    """Where to serve, and in production with how many hands."""

    address: str
    port: int
    workers: int = 1
    threads: int = 1
    tls: Tls | None = None


class _Handler(werkzeug.serving.WSGIRequestHandler):
    """Answers as werkzeug's own, without telling its version."""

    def version_string(self) -> str:
        return "aegis"


def develop(app: flask.Flask, place: Place) -> None:
    """Serve one person in development until interrupted: threads, no debugger, no reloader."""
    listener = _listen(place)
    _look_at_database(app)
    server = werkzeug.serving.make_server(
        place.address, place.port, app, threaded=True, request_handler=_Handler, fd=listener.fileno()
    )
    shown = "localhost" if place.address in {"127.0.0.1", "::1"} else place.address
    entry.say(f"Serving on http://{shown}:{listener.getsockname()[1]} (development). Press Ctrl-C to stop.")
    with listener:
        server.serve_forever()


def produce(make_app: Callable[[], flask.Flask], app: flask.Flask, place: Place) -> None:
    """Serve with granian until SIGTERM; a worker that dies is replaced.

    `app` is the application of this process, made to see that it can be made and whether the database fits; each
    worker makes its own by `make_app`. Raises CannotServe.
    """
    from granian import constants  # noqa: PLC0415 - 60 ms and a Rust library that development does not need
    from granian.server import Server  # noqa: PLC0415 - as above

    if place.tls:
        _check_certificate(place.tls)
    _listen(place).close()
    _look_at_database(app)
    app.extensions["aegis"].database.engine.dispose()
    server = Server(
        "aegis",
        address=place.address,
        port=place.port,
        interface=constants.Interfaces.WSGI,
        workers=place.workers,
        blocking_threads=place.threads,
        backlog=BACKLOG,
        backpressure=CONNECTIONS,
        websockets=False,
        ssl_cert=place.tls[0] if place.tls else None,
        ssl_key=place.tls[1] if place.tls else None,
        ssl_protocol_min=constants.SSLProtocols.tls12,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_WITHIN_S,
    )
    scheme = "https" if place.tls else "http"
    hands = f"{place.workers} workers of {place.threads} threads"
    entry.say(f"Serving on {scheme}://{place.address}:{place.port} ({hands}). SIGTERM stops it.")
    server.serve(target_loader=make_app, wrap_loader=False)


def _listen(place: Place) -> socket.socket:
    """Return a listening socket. Raises CannotServe where somebody else has the port, as granian would share it."""
    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    try:
        return socket.create_server((place.address, place.port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotServe(
                f"Port {place.port} is in use: stop the other program or choose another one with --port."
            ) from None
        raise CannotServe(f"Cannot listen at {place.address} port {place.port}: {error.strerror}.") from None


def _check_certificate(tls: Tls) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*tls)
    except (OSError, ssl.SSLError) as error:
        reason = error.reason if isinstance(error, ssl.SSLError) and error.reason else error.strerror
        raise CannotServe(f"--tls-cert and --tls-key cannot be used together: {reason}.") from None


def _look_at_database(app: flask.Flask) -> None:
    """Bring an embedded database up to date, and refuse an outdated server database.

    A server database that does not answer is no reason to stay away: requests get 503 until it is back.
    """
    application = app.extensions["aegis"]
    try:
        is_current = application.is_current(application.database)
    except errors.Unavailable:
        entry.say("WARNING: the database does not answer; requests are answered 503 until it does.")
        return
    if not is_current:
        raise CannotServe(
            "The database lacks steps of this release: run `flask --app app db upgrade`, then start again."
        )
