"""The pages on which an account is won back.

The token of the mail's link leaves the address at once for the visitor's signed cookie, so that neither the history nor a
Referer nor a log of a later request holds it. Opening the link changes nothing (field lesson: mail scanners open it first).
"""

import flask
from flask.typing import ResponseReturnValue

from aegis import csrf, errors, state
from aegis.pages.views import BESIDE, blueprint, form_page
from aegis.reset import service, undo
from aegis.reset import views as reset_views
from aegis.reset.schemas import Forgot, Reset
from aegis.web import client, read_form

_TOKEN, _UNDO_TOKEN = "reset", "undo"
"""Keys of the visitor's cookie."""


@blueprint.get("/forgot-password")
def forgot_password() -> ResponseReturnValue:
    """Show the form that asks for the address, or say whom to ask where mail is off."""
    return form_page("aegis/forgot_password.html", is_on=service.is_on(state.current()))


@blueprint.post("/forgot-password", endpoint="forgot_password_post")
@csrf.for_visitors
def forgot_password_post() -> ResponseReturnValue:
    """Send the mail, and say the same whether or not there is an account."""
    try:
        service.ask(state.current(), read_form(Forgot, drop=BESIDE).email, client())
    except (errors.InvalidInput, errors.NotFound, errors.RateLimited) as error:
        return form_page("aegis/forgot_password.html", error, is_on=service.is_on(state.current()))
    flask.session.pop(_TOKEN, None)
    flask.flash(reset_views.SENT, "success")
    return flask.redirect(flask.url_for("aegis_pages.reset_password"), 303)


@blueprint.get("/reset-password")
def reset_password() -> ResponseReturnValue:
    """Take the token out of the address, then show the form: for the password alone, or with address and code."""
    token = flask.request.args.get("token")
    if token is not None:
        return _keep(_TOKEN, token, "aegis_pages.reset_password")
    return form_page("aegis/reset_password.html", has_token=_TOKEN in flask.session)


@blueprint.post("/reset-password", endpoint="reset_password_post")
@csrf.for_visitors
def reset_password_post() -> ResponseReturnValue:
    """Set the new password and lead to the sign-in; nobody is signed in by it."""
    token = flask.session.get(_TOKEN)
    try:
        typed = read_form(Reset, drop=BESIDE | {"username"})
        reset_views.set_password(typed.model_copy(update={"token": token}) if token else typed)
    except (errors.InvalidInput, errors.NotFound, errors.RateLimited, errors.Busy) as error:
        if isinstance(error, errors.InvalidInput) and "token" in error.fields:
            flask.session.pop(_TOKEN, None)
            return form_page("aegis/reset_password.html", _told(error), has_token=False)
        return form_page("aegis/reset_password.html", error, has_token=token is not None)
    flask.session.pop(_TOKEN, None)
    flask.flash(reset_views.CHANGED, "success")
    return flask.redirect(flask.url_for("aegis_pages.login"), 303)


@blueprint.get("/account/undo")
def undo_change() -> ResponseReturnValue:
    """Take the token out of the address, then ask whether to go on: opening the link changes nothing."""
    token = flask.request.args.get("token")
    if token is not None:
        return _keep(_UNDO_TOKEN, token, "aegis_pages.undo_change")
    return form_page("aegis/undo.html", has_token=_UNDO_TOKEN in flask.session)


@blueprint.post("/account/undo", endpoint="undo_change_post")
@csrf.for_visitors
def undo_change_post() -> ResponseReturnValue:
    """Take the change back, and lead to the new password."""
    try:
        reset_token = undo.undo(state.current(), flask.session.get(_UNDO_TOKEN, ""), client())
    except errors.InvalidInput as error:
        flask.session.pop(_UNDO_TOKEN, None)
        return form_page("aegis/undo.html", _told(error), has_token=False)
    except errors.Busy as error:
        return form_page("aegis/undo.html", error, has_token=True)
    flask.session.pop(_UNDO_TOKEN, None)
    flask.session[_TOKEN] = reset_token
    flask.flash(reset_views.UNDONE, "success")
    return flask.redirect(flask.url_for("aegis_pages.reset_password"), 303)


def _keep(name: str, token: str, endpoint: str) -> ResponseReturnValue:
    """Keep the token of a link in the visitor's cookie, and show the page under an address without it."""
    flask.session[name] = token[:100]
    answer = flask.make_response(flask.redirect(flask.url_for(endpoint), 303))
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _told(error: errors.AegisError) -> errors.AegisError:
    """Tell what is wrong with a link above the form, as the token is no field that people see."""
    return errors.InvalidInput(error.fields["token"])
