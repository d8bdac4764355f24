"""HTTP of the own data: take a copy along, or leave."""

import flask

from aegis import clock, sessions, state
from aegis.accounts import leaving
from aegis.errors import Conflict, RateLimited
from aegis.privacy import service
from aegis.privacy.schemas import Leaving
from aegis.sessions.required import fresh_login_required, signed_in
from aegis.web import client, operation

blueprint = flask.Blueprint("aegis_privacy", __name__, url_prefix="/api/account")


@blueprint.get("/export")
@fresh_login_required
@operation(answers={200: "application/zip"}, errors=(RateLimited,))
def export() -> flask.Response:
    """Return all own data as a ZIP."""
    response = flask.Response(
        service.archive(state.current(), signed_in(), client()), mimetype="application/zip"
    )
    response.headers["Content-Disposition"] = 'attachment; filename="my-data.zip"'
    return response


@blueprint.delete("")
@fresh_login_required
@operation(answers={200: Leaving}, errors=(Conflict,))
def leave() -> Leaving:
    """Have the own account erased after some days; signing in before keeps it. All sessions end."""
    erased_at = leave_now()
    return Leaving(
        message=f"Your account will be erased on {erased_at}. Sign in before to keep it.", erased_at=erased_at
    )


def leave_now() -> str:
    """Ask for the erasure and forget the session; JSON and page views share it."""
    erase_at = leaving.ask(state.current(), signed_in().account_id, client())
    sessions.forget_cookie()
    return clock.as_text(erase_at)
