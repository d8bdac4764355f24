"""HTTP of the account pages: each form calls the same service as the JSON view of the same name."""

from typing import Any

import flask
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from aegis import clock, csrf, errors, sessions, state
from aegis.accounts import ending, schemas, verification
from aegis.accounts import service as accounts
from aegis.accounts import views as accounts_views
from aegis.login import devices
from aegis.login import views as login_views
from aegis.login.schemas import Login, Reauthenticate
from aegis.pages import again
from aegis.pages.again import finish, local_path
from aegis.sessions import CHANGE_PASSWORD, STEPS
from aegis.sessions import service as session_service
from aegis.sessions.required import before, fresh_login_required, login_required, signed_in
from aegis.web import client, device, faults, read_form, read_query, read_upload, takes_upload

blueprint = flask.Blueprint(
    "aegis_pages",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static/aegis",
)

LATELY = 8
"""Lines of recent activity beside sessions and devices."""

BESIDE = frozenset({csrf.FIELD, "next", "resume", "level"})
"""What forms carry beside their fields."""


def form_page(template: str, error: errors.AegisError | None = None, **words: Any) -> ResponseReturnValue:
    """Show a form with what was typed, passwords excepted, and what is wrong with it."""
    request = flask.request
    given = request.form if request.method == "POST" else request.args
    typed = {name: text for name, text in request.form.items() if "password" not in name and name != "code"}
    known = {
        "form": typed,
        "errors": error.fields if error else {},
        "error": None if error is None or error.fields else error.sentence,
        "next": local_path(given.get("next")),
        "resume": request.form.get("resume"),
        "level": given.get("level"),
        "password_min_length": _shortest_password(),
    }
    response = flask.make_response(
        flask.render_template(template, **{**known, **words}), error.status if error else 200
    )
    if error:
        response.headers.update(error.headers)
    return response


def _shortest_password() -> int:
    """Return how long a new password of the person before the page must be; who registers becomes a learner."""
    session = sessions.current()
    return state.current().settings.shortest_password(session.role if session else "learner")


def onward() -> ResponseReturnValue:
    """Go on where the person was: the form that was interrupted, the page asked for, or home."""
    resume = flask.request.form.get("resume")
    if resume:
        return finish(resume)
    return flask.redirect(local_path(flask.request.form.get("next")) or "/", 303)


@blueprint.get("/login")
def login() -> ResponseReturnValue:
    """Show the sign-in form."""
    if sessions.current() is not None:
        return flask.redirect(local_path(flask.request.args.get("next")) or "/", 303)
    return form_page("aegis/login.html")


@blueprint.post("/login", endpoint="login_post")
@csrf.for_visitors
def login_post() -> ResponseReturnValue:
    """Sign in and go on."""
    try:
        typed = read_form(Login, drop=BESIDE)
        login_views.sign_in(typed)
    except errors.SecondFactorRequired as refusal:
        return _ask_factor(refusal)
    except (errors.InvalidInput, errors.InvalidCredentials, errors.Busy, errors.RateLimited) as error:
        return form_page("aegis/login.html", error)
    return onward()


def _ask_factor(refusal: errors.SecondFactorRequired) -> ResponseReturnValue:
    """Lead to the second factor; what was typed before cannot go into an address, so then the page is shown here."""
    if flask.request.form.get("resume"):
        return form_page("aegis/second_factor.html", ways=refusal.extra["methods"])
    after = local_path(flask.request.form.get("next")) or None
    return flask.redirect(flask.url_for("aegis_pages.second_factor", next=after), 303)


@blueprint.get("/register")
def register() -> ResponseReturnValue:
    """Show the registration form."""
    return _registration()


@blueprint.post("/register", endpoint="register_post")
@csrf.for_visitors
def register_post() -> ResponseReturnValue:
    """Create the account and sign in with it."""
    try:
        typed = read_form(schemas.Register, drop=BESIDE)
        account = accounts_views.sign_up(typed)
        login_views.sign_in(Login(username=typed.username, password=typed.password))
    except (errors.InvalidInput, errors.Busy, errors.RateLimited) as error:
        return _registration(error)
    flask.flash("Welcome. Your account was created and you are signed in.", "success")
    return again.prove_address() if account.pending_email else onward()


def _registration(error: errors.AegisError | None = None) -> ResponseReturnValue:
    is_required = verification.is_required(state.current())
    return form_page("aegis/register.html", error, email_is_required=is_required)


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    """End the session and say so."""
    login_views.sign_out()
    page = flask.make_response(flask.render_template("aegis/logged_out.html"))
    return login_views.with_clear_site_data(page)


@blueprint.get("/reauthenticate")
@before(*STEPS)
@login_required
def reauthenticate() -> ResponseReturnValue:
    """Ask for the password or a second factor once more."""
    return form_page("aegis/reauthenticate.html")


@blueprint.post("/reauthenticate", endpoint="reauthenticate_post")
@before(*STEPS)
@login_required
def reauthenticate_post() -> ResponseReturnValue:
    """Confirm and go on with what was begun."""
    try:
        login_views.confirm(read_form(Reauthenticate, drop=BESIDE))
    except (errors.InvalidInput, errors.InvalidCredentials, errors.Busy, errors.RateLimited) as error:
        return form_page("aegis/reauthenticate.html", error)
    return onward()


@blueprint.get("/profile")
@login_required
def profile() -> ResponseReturnValue:
    """Show the own profile."""
    return _profile()


@blueprint.post("/profile", endpoint="profile_post")
@login_required
def profile_post() -> ResponseReturnValue:
    """Save the own profile."""
    own = signed_in()
    try:
        typed = read_form(schemas.ChangeProfile)
        accounts.change_profile(own.account_id, client(), display_name=typed.display_name, bio=typed.bio)
    except errors.InvalidInput as error:
        return _profile(error)
    flask.flash("Your profile was saved.", "success")
    return flask.redirect(flask.url_for("aegis_pages.profile"), 303)


@blueprint.post("/profile/avatar")
@takes_upload
@login_required
def change_avatar() -> ResponseReturnValue:
    """Save the own picture."""
    try:
        upload = read_upload(accounts_views.AVATAR, drop=BESIDE)
        accounts.change_avatar(state.current(), signed_in(), client(), upload)
    except (errors.InvalidInput, errors.Busy, errors.RateLimited, errors.Unavailable) as error:
        return _profile(error)
    except errors.UnsupportedMediaType:  # a form that was sent again after signing in carries no file
        return _profile(
            errors.InvalidInput(fields={accounts_views.AVATAR: "Please choose the picture again."})
        )
    flask.flash("Your picture was saved.", "success")
    return flask.redirect(flask.url_for("aegis_pages.profile"), 303)


@blueprint.post("/profile/avatar/remove")
@login_required
def remove_avatar() -> ResponseReturnValue:
    """Remove the own picture."""
    accounts.remove_avatar(state.current(), signed_in(), client())
    flask.flash("Your picture was removed.", "success")
    return flask.redirect(flask.url_for("aegis_pages.profile"), 303)


@blueprint.errorhandler(RequestEntityTooLarge)
def too_large(_: RequestEntityTooLarge) -> ResponseReturnValue:
    """Keep the profile where the picture is longer than anything that is read; other pages get the plain refusal."""
    if flask.request.endpoint != "aegis_pages.change_avatar" or sessions.current() is None:
        return faults.answer(errors.TooLarge())
    flask.request.form = ImmutableMultiDict()  # what was typed is not read
    most = state.current().settings.input_upload
    sentence = f"The file must have at most {most / 1_048_576:g} MiB."
    page = flask.make_response(_profile(errors.InvalidInput(fields={accounts_views.AVATAR: sentence})))
    page.status_code = errors.TooLarge.status
    return page


@blueprint.post("/profile/notices")
@login_required
def change_notices() -> ResponseReturnValue:
    """Save which mails the person wants."""
    wanted = read_form(schemas.ChangeProfile).notices
    accounts.change_profile(signed_in().account_id, client(), notices_wanted=wanted)
    flask.flash("Your choice was saved.", "success")
    return flask.redirect(flask.url_for("aegis_pages.profile"), 303)


@blueprint.post("/profile/email")
@fresh_login_required
def change_email() -> ResponseReturnValue:
    """Save the own e-mail address; needs a fresh sign-in, as the address can win the account back."""
    try:
        account = accounts_views.new_address(read_form(schemas.ChangeEmail).email)
    except (errors.InvalidInput, errors.Conflict, errors.RateLimited) as error:
        return _profile(error)
    if verification.waiting(state.current(), account):
        return flask.redirect(flask.url_for("aegis_pages.verify_email", next="/profile"), 303)
    flask.flash("Your e-mail address was saved.", "success")
    return flask.redirect(flask.url_for("aegis_pages.profile"), 303)


@blueprint.get("/account/security")
@login_required
def security() -> ResponseReturnValue:
    """Show the own sessions, the known devices and the password form."""
    return security_page()


@blueprint.get("/account/password")
@before(CHANGE_PASSWORD)
@login_required
def new_password() -> ResponseReturnValue:
    """Show the form of the password alone."""
    return form_page("aegis/new_password.html")


@blueprint.post("/account/password")
@before(CHANGE_PASSWORD)
@login_required
def change_password() -> ResponseReturnValue:
    """Change the password; all other sessions end."""
    is_forced = signed_in().forced_step is not None
    try:
        accounts_views.renew_password(read_form(schemas.ChangePassword))
    except (errors.InvalidInput, errors.Busy, errors.RateLimited) as error:
        return form_page("aegis/new_password.html", error) if is_forced else security_page(error)
    flask.flash("Your password was changed. All other sessions have ended.", "success")
    return flask.redirect(flask.url_for("aegis_pages.security"), 303)


@blueprint.post("/account/sessions/<session_id>/end")
@login_required
def end_session(session_id: str) -> ResponseReturnValue:
    """End one of the own sessions."""
    own = signed_in()
    ending.end_session(own.account_id, session_id, client())
    if session_id == own.id:
        return logout()
    flask.flash("The session has ended.", "success")
    return flask.redirect(flask.url_for("aegis_pages.security"), 303)


@blueprint.post("/account/sessions/end-others")
@login_required
def end_other_sessions() -> ResponseReturnValue:
    """End all own sessions but this one."""
    own = signed_in()
    ended = ending.revoke_sessions(own.account_id, client(), but=own.id)
    flask.flash(f"{ended} other {'session has' if ended == 1 else 'sessions have'} ended.", "success")
    return flask.redirect(flask.url_for("aegis_pages.security"), 303)


@blueprint.post("/account/remembered/<remembrance_id>/end")
@login_required
def end_remembrance(remembrance_id: str) -> ResponseReturnValue:
    """Let a browser not stay signed in any more."""
    accounts_views.forget_browser(remembrance_id)
    if sessions.current() is None:
        return flask.redirect(flask.url_for("aegis_pages.login"), 303)
    flask.flash("That browser does not stay signed in any more.", "success")
    return flask.redirect(flask.url_for("aegis_pages.security"), 303)


@blueprint.post("/account/devices/<device_id>/forget")
@login_required
def forget_device(device_id: str) -> ResponseReturnValue:
    """Make one of the own devices a stranger."""
    devices.forget(signed_in().account_id, device_id, client())
    flask.flash("The device is forgotten.", "success")
    return flask.redirect(flask.url_for("aegis_pages.security"), 303)


@blueprint.get("/account/activity")
@login_required
def activity() -> ResponseReturnValue:
    """Show all that happened to the own account, page by page."""
    page = accounts_views.own_activity(read_query(schemas.ActivityQuery).cursor)
    return flask.render_template("aegis/activity.html", happened=page.activity, next=page.next)


def security_page(error: errors.AegisError | None = None) -> ResponseReturnValue:
    """Show the page on which an account is kept safe, with what is wrong."""
    happened = accounts_views.own_activity(limit=LATELY).activity
    words = {
        "sessions": _own_sessions(),
        "remembered": accounts_views.own_remembered(),
        "devices": _own_devices(),
        "happened": happened,
    }
    return form_page("aegis/security.html", error, **words)


def _own_devices() -> list[dict[str, Any]]:
    current = login_views.current_device()
    return [
        {
            "id": item.id,
            "device": device.describe(item.user_agent),
            "first_seen_at": clock.as_datetime(item.first_seen_at),
            "last_seen_at": clock.as_datetime(item.last_seen_at),
            "is_current": item.id == current,
        }
        for item in devices.list_of(signed_in().account_id)
    ]


def _profile(error: errors.AegisError | None = None) -> ResponseReturnValue:
    account = accounts.get(signed_in().account_id)
    stored = {"display_name": account.display_name, "email": account.email or "", "bio": account.bio}
    settings = state.current().settings
    return form_page(
        "aegis/profile.html",
        error,
        form={**stored, **flask.request.form},
        account=account,
        waits_for=verification.waiting(state.current(), account),
        email_is_required=verification.is_required(state.current()),
        avatar_url=accounts_views.avatar_url(account.avatar),
        avatar_mib=f"{settings.input_upload / 1_048_576:g}",
        avatar_side=settings.input_image_side,
    )


_METHODS = {
    "password": "password",
    "totp": "password and authenticator",
    "recovery_code": "password and recovery code",
    "passkey": "passkey",
    "remembrance": "staying signed in",
}


def _own_sessions() -> list[dict[str, Any]]:
    own = signed_in()
    return [
        {
            "id": item.id,
            "device": device.describe(item.user_agent),
            "address": item.address,
            "place": state.current().places.of(item.address).name,
            "method": _METHODS.get(item.method, ""),
            "started_at": clock.as_datetime(item.started_at),
            "last_used_at": clock.as_datetime(item.last_used_at),
            "is_current": item.id == own.id,
        }
        for item in session_service.list_of(own.account_id, state.current().settings)
    ]
