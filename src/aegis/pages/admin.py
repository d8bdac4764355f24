"""The pages of administrators: the same views as the JSON ones, in forms."""

from collections.abc import Callable
from urllib.parse import quote_plus

import flask
from flask.typing import ResponseReturnValue

from aegis import errors, state
from aegis.accounts import service as accounts
from aegis.accounts import verification
from aegis.admin import service
from aegis.admin import views as admin_views
from aegis.admin.schemas import AdminUser, ImportText, RecordQuery, SessionQuery, SetRole, UserQuery
from aegis.pages.views import BESIDE, blueprint, form_page
from aegis.sessions.required import admin_required, signed_in
from aegis.web import client, read_form, read_query, read_upload, takes_upload

ROOM_BESIDE = 4096
"""Bytes of a form beside the text that it carries."""


@blueprint.get("/admin")
@admin_required
def admin() -> ResponseReturnValue:
    """List and search accounts."""
    asked = read_query(UserQuery)
    page = service.search(asked.query, asked.role, asked.after)
    users = [AdminUser.shown(account) for account in page.accounts]
    return flask.render_template("aegis/admin.html", users=users, next=page.next, asked=asked)


@blueprint.get("/admin/users/<account_id>")
@admin_required
def admin_user(account_id: str) -> ResponseReturnValue:
    """Show one account and what can be done with it."""
    shown = admin_views.shown(account_id)
    return flask.render_template(
        "aegis/admin_user.html",
        shown=shown,
        own_id=signed_in().account_id,
        waits_for=verification.waiting(state.current(), accounts.get(account_id)),
    )


@blueprint.get("/admin/sessions")
@admin_required
def admin_sessions() -> ResponseReturnValue:
    """Show everybody's live sessions."""
    found = admin_views.found_sessions(read_query(SessionQuery))
    return flask.render_template("aegis/admin_sessions.html", found=found)


@blueprint.get("/admin/import")
@admin_required
def admin_import() -> ResponseReturnValue:
    """Show the form for a file of accounts."""
    return form_page("aegis/admin_import.html")


@blueprint.post("/admin/import", endpoint="admin_import_post")
@takes_upload
@admin_required
def admin_import_post() -> ResponseReturnValue:
    """Check a file of accounts, or store what was checked."""
    try:
        content, is_dry_run = _file_of_accounts()
        done = admin_views.imported(content, is_dry_run=is_dry_run)
    except errors.InvalidInput as error:
        return form_page("aegis/admin_import.html", error, problems=error.extra)
    if is_dry_run:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        fits = len(quote_plus(text)) < state.current().settings.body_limit - ROOM_BESIDE
        return form_page("aegis/admin_import.html", checked=done.message, content=text if fits else "")
    flask.flash(done.message, "success")
    return flask.redirect(flask.url_for("aegis_pages.admin"), 303)


def _file_of_accounts() -> tuple[bytes | str, bool]:
    """Return what the form holds, and whether it is only to be checked: a file, or its text from the check before."""
    if flask.request.mimetype == "multipart/form-data":
        upload = read_upload(admin_views.FILE, drop=BESIDE | {"dry_run"})
        if upload is None:
            raise errors.InvalidInput(fields={admin_views.FILE: "Please choose a file."})
        return upload.content, flask.request.form.get("dry_run") == "1"
    typed = read_form(ImportText)
    return typed.content, typed.dry_run


@blueprint.get("/admin/audit")
@admin_required
def admin_audit() -> ResponseReturnValue:
    """Search the record."""
    asked = read_query(RecordQuery)
    return flask.render_template("aegis/admin_audit.html", found=admin_views.found_events(asked), asked=asked)


@blueprint.post("/admin/users/<account_id>/role")
@admin_required
def admin_set_role(account_id: str) -> ResponseReturnValue:
    """Give another role."""
    role = read_form(SetRole).role
    return _done(
        account_id, lambda: service.set_role(signed_in(), account_id, role, client()), "The role was changed."
    )


@blueprint.post("/admin/users/<account_id>/sessions/<session_id>/end")
@admin_required
def admin_end_session(account_id: str, session_id: str) -> ResponseReturnValue:
    """End one session."""
    return _done(
        account_id,
        lambda: service.end_session(signed_in(), account_id, session_id, client()),
        "The session has ended.",
    )


@blueprint.post("/admin/users/<account_id>/remembered/<remembrance_id>/end")
@admin_required
def admin_end_remembrance(account_id: str, remembrance_id: str) -> ResponseReturnValue:
    """Let a browser not stay signed in any more."""
    return _done(
        account_id,
        lambda: service.end_remembrance(signed_in(), account_id, remembrance_id, client()),
        "That browser does not stay signed in any more.",
    )


@blueprint.post("/admin/users/<account_id>/devices/<device_id>/forget")
@admin_required
def admin_forget_device(account_id: str, device_id: str) -> ResponseReturnValue:
    """Make a device a stranger."""
    return _done(
        account_id,
        lambda: service.forget_device(signed_in(), account_id, device_id, client()),
        "The device is forgotten.",
    )


@blueprint.post("/admin/users/<account_id>/<act>")
@admin_required
def admin_act(account_id: str, act: str) -> ResponseReturnValue:
    """Do one of the things that need no more than a button."""
    if act not in _ACTS:
        raise errors.NotFound
    doing, said = _ACTS[act]
    return _done(account_id, lambda: doing(signed_in(), account_id, client()), said)


_ACTS = {
    "deactivate": (service.deactivate, "The account is deactivated, and its sessions have ended."),
    "activate": (service.activate, "The account is active again."),
    "revoke-sessions": (service.revoke_sessions, "All sessions of the account have ended."),
    "resend-code": (service.send_code, "Another code is on its way."),
    "reset-mfa": (service.reset_factors, ""),
    "keep-mfa": (service.keep_factors, "The second factors stay."),
}


def _done(account_id: str, act: Callable[[], object], said: str) -> ResponseReturnValue:
    """Do it and show the account again, with what was done; a refusal is told above it."""
    try:
        done = act()
        flask.flash(said or str(done), "success")
    except (errors.Conflict, errors.RateLimited) as refused:
        flask.flash(refused.sentence, "error")
    return flask.redirect(flask.url_for("aegis_pages.admin_user", account_id=account_id), 303)
