"""Ready account pages, from sign-in to sessions, that a host restyles by its own `aegis/base.html`.

They work without JavaScript and call the same services as the JSON views; neither owns rules.
"""

import datetime

import flask
from markupsafe import Markup

from aegis import clock, csrf, errors, state
from aegis.pages import (  # noqa: F401 - some only add routes
    admin,
    again,
    factors,
    passkeys,
    privacy,
    reset,
    verify,
    views,
)
from aegis.passkeys import service as passkeys_service
from aegis.sessions import required

DAY_S = 86_400


def register(app: flask.Flask) -> None:
    """Add the pages, what their templates use, and the way back to a form that met an ended session."""
    app.register_blueprint(views.blueprint)
    app.jinja_env.globals["csrf_token"] = csrf.token
    app.jinja_env.globals["current_account"] = required.current_account
    app.jinja_env.globals["site_name"] = state_of(app).settings.site_name
    app.jinja_env.globals["stays_days"] = _span(state_of(app).settings.remember_s)
    app.jinja_env.globals["passkeys_on"] = passkeys_service.is_on(state_of(app))
    app.jinja_env.globals["own_passkeys"] = passkeys.own
    app.jinja_env.globals["own_authenticators"] = factors.own
    app.jinja_env.globals["codes_left"] = factors.codes_left
    app.jinja_env.globals["ways_to_confirm"] = factors.ways_to_confirm
    app.jinja_env.filters["datetime"] = _datetime
    app.register_error_handler(errors.NotSignedIn, again.sign_in)
    app.register_error_handler(errors.ReauthenticationRequired, again.confirm)
    app.register_error_handler(errors.EnrolmentRequired, again.enrol)
    app.register_error_handler(errors.PasswordChangeRequired, again.choose_password)
    app.register_error_handler(errors.EmailUnverified, again.verify)
    app.register_error_handler(errors.CsrfFailed, again.send)


def state_of(app: flask.Flask) -> state.State:
    """Return the state of an application outside of its requests."""
    found: state.State = app.extensions["aegis"]
    return found


def _span(seconds: int) -> str:
    """Say a time span in days, or in hours where it is short; an empty one is empty."""
    size, unit = (DAY_S, "day") if seconds >= 2 * DAY_S else (3600, "hour")
    count = -(-seconds // size)
    return f"{count} {unit}{'' if count == 1 else 's'}" if count else ""


def _datetime(value: datetime.datetime | int | str) -> Markup:
    """Show a time to people; the machine-readable form stands beside it."""
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value)
    moment = clock.as_datetime(value) if isinstance(value, int) else value
    return Markup('<time datetime="{}">{}</time>').format(
        moment.isoformat(), f"{moment:%-d %B %Y, %H:%M} UTC"
    )
