"""The pages on which an account is won back.

The token of the mail's link leaves the address at once for the visitor's signed cookie, so that neither the history nor a
Referer nor a log of a later request holds it. Opening the link changes nothing (field lesson: mail scanners open it first).
"""

import flask
from flask.typing import ResponseReturnValue

from aegis import csrf, errors, state
from aegis.pages.views import BESIDE, blueprint, form_page
from aegis.reset import service
from aegis.reset import views as reset_views
from aegis.reset.schemas import Forgot, Reset
from aegis.web import client, read_form

_TOKEN = "reset"  # noqa: S105 - a key of the visitor cookie


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
        flask.session[_TOKEN] = token[:100]
        answer = flask.make_response(flask.redirect(flask.url_for("aegis_pages.reset_password"), 303))
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer
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


def _told(error: errors.AegisError) -> errors.AegisError:
    """Tell what is wrong with a link above the form, as the token is no field that people see."""
    return errors.InvalidInput(error.fields["token"])
