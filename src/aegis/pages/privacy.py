"""The pages of the own data."""

import flask
from flask.typing import ResponseReturnValue

from aegis import errors, state
from aegis.pages.views import blueprint, form_page
from aegis.privacy import views as privacy_views
from aegis.sessions.required import fresh_login_required

DAY_S = 86_400


@blueprint.get("/account/data")
@fresh_login_required
def own_data() -> ResponseReturnValue:
    """Show what can be taken along, and how to leave."""
    return _page()


@blueprint.post("/account/delete")
@fresh_login_required
def leave() -> ResponseReturnValue:
    """Have the account erased."""
    try:
        erased_at = privacy_views.leave_now()
    except errors.Conflict as error:
        return _page(error)
    flask.flash(f"Your account will be erased on {erased_at}. Sign in before to keep it.", "success")
    return flask.redirect(flask.url_for("aegis_pages.login"), 303)


def _page(error: errors.AegisError | None = None) -> ResponseReturnValue:
    return form_page("aegis/own_data.html", error, days=state.current().settings.deletion_grace_s // DAY_S)
