"""The forms of second factors: give one at sign-in, add, name and remove authenticators, renew recovery codes."""

from typing import Any

import flask
from flask.typing import ResponseReturnValue

from aegis import clock, csrf, errors, sessions, state
from aegis.login import service as login
from aegis.login import views as login_views
from aegis.login.factors import RecoveryCode
from aegis.login.schemas import SecondFactor
from aegis.mfa import recovery, service
from aegis.mfa import views as mfa_views
from aegis.mfa.schemas import ConfirmAuthenticator, RenameAuthenticator
from aegis.pages.again import local_path
from aegis.pages.views import BESIDE, blueprint, form_page, onward, security_page
from aegis.sessions import ENROL_FACTOR
from aegis.sessions import service as session_service
from aegis.sessions.required import (
    before,
    fresh_login_required,
    login_required,
    second_factor_required,
    signed_in,
)
from aegis.sessions.service import FACTORS_LEVEL
from aegis.web import client, read_form


@blueprint.get("/login/second-factor")
def second_factor() -> ResponseReturnValue:
    """Ask for the second factor of a sign-in whose password was right."""
    try:
        return ask_factor()
    except errors.SignInExpired:
        return flask.redirect(
            flask.url_for("aegis_pages.login", next=local_path(flask.request.args.get("next"))), 303
        )


@blueprint.post("/login/second-factor", endpoint="second_factor_post")
@csrf.for_visitors
def second_factor_post() -> ResponseReturnValue:
    """Give the second factor and go on."""
    try:
        typed = read_form(SecondFactor, drop=BESIDE)
        login_views.sign_in_with_factor(typed)
    except errors.SignInExpired as error:
        return form_page("aegis/login.html", error, form={})
    except (errors.InvalidInput, errors.InvalidCredentials, errors.RateLimited) as error:
        return ask_factor(error)
    if typed.method == RecoveryCode.name:
        session = sessions.current()
        left = recovery.left(state.current(), session.account_id) if session else 0
        flask.flash(f"You used a recovery code up. {left} {'is' if left == 1 else 'are'} left.")
    return onward()


def ask_factor(error: errors.AegisError | None = None) -> ResponseReturnValue:
    """Show the form of the second factor. Raises SignInExpired when no sign-in waits for one."""
    ways = login.waiting_for(login_views.came())
    return form_page("aegis/second_factor.html", error, ways=ways)


def ways_to_confirm(level: str | None) -> tuple[str, ...]:
    """Return what the signed-in account may confirm with; where a second factor is needed, a password will not do."""
    own = signed_in()
    known = state.current().factors(own.account_id, own.role)
    return session_service.ways_to_confirm(own, known, to_two=level == str(FACTORS_LEVEL))


@blueprint.get("/account/second-factor")
@before(ENROL_FACTOR)
@login_required
def new_authenticator() -> ResponseReturnValue:
    """Show how to add an authenticator: what it is, or the picture of the secret that waits."""
    return _new_authenticator()


@blueprint.post("/account/second-factor/begin")
@before(ENROL_FACTOR)
@fresh_login_required
def begin_authenticator() -> ResponseReturnValue:
    """Make a secret and show it."""
    try:
        service.begin(state.current(), signed_in())
    except errors.Conflict as error:
        return security_page(error)
    after = local_path(flask.request.form.get("next")) or None
    return flask.redirect(flask.url_for("aegis_pages.new_authenticator", next=after), 303)


@blueprint.post("/account/second-factor", endpoint="confirm_authenticator")
@before(ENROL_FACTOR)
@fresh_login_required
def confirm_authenticator() -> ResponseReturnValue:
    """Let the authenticator count, and show the first recovery codes."""
    try:
        confirmed = mfa_views.confirm_with(read_form(ConfirmAuthenticator, drop=BESIDE))
    except (errors.InvalidInput, errors.Conflict) as error:
        return _new_authenticator(error)
    flask.flash(
        f"{confirmed.authenticator.name} was added. Signing in asks for its code from now on.", "success"
    )
    return _codes_page(confirmed.codes) if confirmed.codes else onward()


def _new_authenticator(error: errors.AegisError | None = None) -> ResponseReturnValue:
    own = signed_in()
    is_fresh = own.is_fresh(clock.now(), state.current().settings)
    offer = service.offered(state.current(), own) if is_fresh else None
    return form_page("aegis/new_authenticator.html", error, offer=offer, must=own.forced_step == ENROL_FACTOR)


def _codes_page(codes: list[str]) -> ResponseReturnValue:
    lines = [
        f"Recovery codes of {signed_in().username} at {state.current().settings.site_name}",
        "",
        *codes,
        "",
    ]
    return form_page("aegis/recovery_codes.html", codes=codes, as_text="\r\n".join(lines))


@blueprint.post("/account/authenticators/<authenticator_id>/name")
@login_required
def rename_authenticator(authenticator_id: str) -> ResponseReturnValue:
    """Name an authenticator."""
    try:
        service.rename(signed_in().account_id, authenticator_id, read_form(RenameAuthenticator).name)
    except errors.InvalidInput as error:
        return security_page(error)
    flask.flash("The authenticator has its new name.", "success")
    return _back()


@blueprint.post("/account/authenticators/<authenticator_id>/remove")
@fresh_login_required
@second_factor_required
def remove_authenticator(authenticator_id: str) -> ResponseReturnValue:
    """Remove an authenticator."""
    try:
        service.remove(state.current(), signed_in().account_id, authenticator_id, client())
    except errors.Conflict as error:
        return security_page(error)
    flask.flash("The authenticator was removed.", "success")
    return _back()


@blueprint.post("/account/recovery-codes")
@fresh_login_required
@second_factor_required
def renew_recovery_codes() -> ResponseReturnValue:
    """Make a new set of recovery codes and show it once."""
    return _codes_page(recovery.renew(state.current(), signed_in(), client()))


def own() -> list[dict[str, Any]]:
    """Return the own authenticators for a page."""
    return [
        {
            "id": item.id,
            "name": item.name,
            "created_at": clock.as_datetime(item.created_at),
            "last_used_at": item.last_used_at and clock.as_datetime(item.last_used_at),
        }
        for item in service.list_of(signed_in().account_id)
    ]


def codes_left() -> dict[str, Any]:
    """Return how many recovery codes are left, for a page."""
    left = recovery.left(state.current(), signed_in().account_id)
    return {"count": left, "are_few": left <= recovery.FEW}


def _back() -> ResponseReturnValue:
    return flask.redirect(flask.url_for("aegis_pages.security") + "#factors-heading", 303)
