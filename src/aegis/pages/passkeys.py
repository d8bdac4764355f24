"""The forms that carry a browser's passkey: sign in, confirm, add, name and remove."""

import json
from typing import Any

import flask
from flask.typing import ResponseReturnValue
from pydantic import Field

from aegis import clock, csrf, errors, state
from aegis.login import views as login_views
from aegis.pages.views import BESIDE, blueprint, form_page, onward, security_page
from aegis.passkeys import service
from aegis.passkeys import views as passkeys_views
from aegis.passkeys.schemas import AddPasskey, RenamePasskey, SignInWithPasskey, UsePasskey
from aegis.sessions import ENROL_FACTOR, STEPS
from aegis.sessions.required import before, fresh_login_required, login_required, signed_in
from aegis.web import Body, client, read_form


class _Sent(Body):
    """A credential as a script put it into the form."""

    credential: str = Field(max_length=65_536)


class _SentToSignIn(_Sent):
    """The same, and whether the browser is to stay signed in."""

    remember: bool = False


class _SentNew(_Sent):
    """A new credential and its name."""

    name: str = Field(default="", max_length=60)


@blueprint.post("/login/passkey")
@csrf.for_visitors
def login_with_passkey() -> ResponseReturnValue:
    """Sign in with a passkey and go on."""
    try:
        typed = read_form(_SentToSignIn, drop=BESIDE)
        credential = _parsed(typed.credential)
        login_views.sign_in_with_passkey(SignInWithPasskey(credential=credential, remember=typed.remember))
    except (errors.InvalidInput, errors.InvalidCredentials, errors.RateLimited) as error:
        return form_page("aegis/login.html", _told(error))
    return onward()


@blueprint.post("/reauthenticate/passkey")
@before(*STEPS)
@login_required
def confirm_with_passkey() -> ResponseReturnValue:
    """Confirm by a passkey and go on with what was begun."""
    try:
        typed = read_form(_Sent, drop=BESIDE)
        login_views.confirm_with_passkey(UsePasskey(credential=_parsed(typed.credential)))
    except (errors.InvalidInput, errors.InvalidCredentials, errors.RateLimited) as error:
        return form_page("aegis/reauthenticate.html", _told(error))
    return onward()


@blueprint.post("/account/passkeys")
@before(ENROL_FACTOR)
@fresh_login_required
def add_passkey() -> ResponseReturnValue:
    """Add the passkey that the browser made."""
    try:
        typed = read_form(_SentNew)
        added = passkeys_views.add(AddPasskey(credential=_parsed(typed.credential), name=typed.name))
    except errors.InvalidInput as error:
        return security_page(_told(error))
    flask.flash(f"{added.name} can sign you in from now on.", "success")
    return _back()


@blueprint.post("/account/passkeys/<passkey_id>/name")
@login_required
def rename_passkey(passkey_id: str) -> ResponseReturnValue:
    """Name a passkey."""
    try:
        service.rename(signed_in().account_id, passkey_id, read_form(RenamePasskey).name)
    except errors.InvalidInput as error:
        return security_page(_told(error))
    flask.flash("The passkey has its new name.", "success")
    return _back()


@blueprint.post("/account/passkeys/<passkey_id>/remove")
@fresh_login_required
def remove_passkey(passkey_id: str) -> ResponseReturnValue:
    """Remove a passkey."""
    try:
        service.remove(state.current(), signed_in().account_id, passkey_id, client())
    except errors.Conflict as error:
        return security_page(error)
    flask.flash("The passkey was removed.", "success")
    return _back()


def own() -> list[dict[str, Any]]:
    """Return the own passkeys for a page."""
    return [
        {
            "id": item.id,
            "name": item.name,
            "is_synced": item.is_synced,
            "created_at": clock.as_datetime(item.created_at),
            "last_used_at": item.last_used_at and clock.as_datetime(item.last_used_at),
        }
        for item in service.list_of(signed_in().account_id)
    ]


def _back() -> ResponseReturnValue:
    return flask.redirect(flask.url_for("aegis_pages.security") + "#passkeys-heading", 303)


def _parsed(text: str) -> dict[str, Any]:
    try:
        credential = json.loads(text)
    except (ValueError, RecursionError):
        credential = None
    if not isinstance(credential, dict):
        raise errors.InvalidInput(fields={"credential": "The browser sent no passkey. Please try again."})
    return credential


def _told(error: errors.AegisError) -> errors.AegisError:
    """Tell what is wrong above the page, as the field is one that people do not see."""
    sentence = error.fields.get("credential")
    return errors.InvalidInput(sentence) if sentence else error
