"""What programs ask about the whole: is it ready, whom to tell of a fault, where passwords are changed."""

import datetime
from typing import Literal
from urllib.parse import urlsplit

import flask

from aegis import clock, errors, state
from aegis.ops import readiness
from aegis.web import Answer, operation

blueprint = flask.Blueprint("aegis_ops", __name__)


class Health(Answer):
    """The process answers."""

    status: Literal["healthy"]


class Readiness(Answer):
    """Whether each part that requests need is there."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, str]


@blueprint.get("/health")
@operation(answers={200: Health})
def health() -> Health:
    """Tell that the process lives. Answered ahead of everything else under any Host; touches nothing."""
    raise AssertionError("answered by web.edge ahead of Flask")


@blueprint.get("/health/ready")
@operation(answers={200: Readiness, 503: Readiness})
def ready() -> tuple[Readiness, int]:
    """Tell whether database and migrations are there; how Redis and the mails are is told as well, and stops no traffic."""
    checks = readiness.checks()
    is_ready = all(checks[part] == readiness.OK for part in readiness.NEEDED)
    return Readiness(status="ready" if is_ready else "not_ready", checks=checks), 200 if is_ready else 503


@blueprint.get("/.well-known/security.txt")
def security_txt() -> flask.Response:
    """Tell researchers where to report faults (RFC 9116): as set, or the host's mailbox for it (RFC 2142 section 4)."""
    settings = state.current().settings
    host = urlsplit(settings.public_url).hostname
    contact = settings.security_contact or (f"mailto:security@{host}" if host else "")
    if not contact:
        raise errors.NotFound
    expires = clock.as_datetime(clock.now()) + datetime.timedelta(days=180)
    lines = [
        f"Contact: {contact}",
        f"Expires: {expires:%Y-%m-%dT00:00:00Z}",
        "Preferred-Languages: en",
    ]
    if settings.public_url:
        lines.append(f"Canonical: {settings.public_url}/.well-known/security.txt")
    return flask.Response("\n".join(lines) + "\n", mimetype="text/plain")


@blueprint.get("/.well-known/change-password")
def change_password() -> flask.Response:
    """Lead password managers to the page (W3C change-password URL)."""
    return flask.make_response(flask.redirect("/account/security", 302))
