"""The page on which an address is confirmed by the code that went there.

It knows what it waits for from the account, or from the browser that asked. When that was confirmed in another tab, opening
this one again leads on; with scripts it looks for itself.
"""

import flask
from flask.typing import ResponseReturnValue

from aegis import csrf, errors, sessions, state
from aegis.accounts import verification
from aegis.accounts import views as accounts_views
from aegis.accounts.schemas import ResendCode, VerifyEmail
from aegis.pages.again import local_path
from aegis.pages.views import BESIDE, blueprint, form_page
from aegis.web import client, read_form


@blueprint.get("/verify-email")
def verify_email() -> ResponseReturnValue:
    """Show the form for the code, or go on when nothing waits for one."""
    email = verification.expected(state.current(), accounts_views.holder())
    return _page(email) if email else _onward()


@blueprint.post("/verify-email", endpoint="verify_email_post")
@csrf.for_visitors
def verify_email_post() -> ResponseReturnValue:
    """Confirm the address and go on."""
    try:
        typed = read_form(VerifyEmail, drop=BESIDE)
        verification.confirm(state.current(), typed.email, typed.code, accounts_views.holder(), client())
    except (errors.InvalidInput, errors.NotFound, errors.RateLimited) as error:
        return _page(flask.request.form.get("email", ""), error)
    is_signed_in = sessions.current() is not None
    flask.flash(
        f"Your e-mail address is confirmed.{'' if is_signed_in else ' You can sign in now.'}", "success"
    )
    return _onward()


@blueprint.post("/verify-email/resend")
@csrf.for_visitors
def resend_code() -> ResponseReturnValue:
    """Send another code."""
    try:
        typed = read_form(ResendCode, drop=BESIDE)
        verification.resend(state.current(), typed.email, accounts_views.holder(), client())
    except (errors.InvalidInput, errors.NotFound, errors.RateLimited) as error:
        return _page(flask.request.form.get("email", ""), error)
    flask.flash(accounts_views.RESENT, "success")
    return flask.redirect(flask.url_for("aegis_pages.verify_email", next=_next()), 303)


def _page(email: str, error: errors.AegisError | None = None) -> ResponseReturnValue:
    required = verification.is_required(state.current())
    settings = state.current().settings
    return form_page(
        "aegis/verify_email.html",
        error,
        email=email,
        may_wait=sessions.current() is not None and not required,
        minutes=settings.email_code_s // 60,
        digits=settings.email_code_digits,
    )


def _onward() -> ResponseReturnValue:
    if sessions.current() is None:
        return flask.redirect(flask.url_for("aegis_pages.login", next=_next()), 303)
    return flask.redirect(_next() or "/", 303)


def _next() -> str | None:
    given = flask.request.form if flask.request.method == "POST" else flask.request.args
    return local_path(given.get("next")) or None
