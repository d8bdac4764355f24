"""The pages of administrators: the same views as the JSON ones, in forms."""

from collections.abc import Callable

import flask
from flask.typing import ResponseReturnValue

from aegis import errors
from aegis.admin import service
from aegis.admin import views as admin_views
from aegis.admin.schemas import AdminUser, RecordQuery, SetRole, UserQuery
from aegis.pages.views import blueprint
from aegis.sessions.required import admin_required, signed_in
from aegis.web import client, read_form, read_query


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
    own_id = signed_in().account_id
    return flask.render_template("aegis/admin_user.html", shown=shown, own_id=own_id)


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
    "reset-mfa": (service.reset_factors, "The second factors were removed."),
}


def _done(account_id: str, act: Callable[[], object], said: str) -> ResponseReturnValue:
    """Do it and show the account again; a refusal is told above it."""
    try:
        act()
        flask.flash(said, "success")
    except errors.Conflict as refused:
        flask.flash(refused.sentence, "error")
    return flask.redirect(flask.url_for("aegis_pages.admin_user", account_id=account_id), 303)
