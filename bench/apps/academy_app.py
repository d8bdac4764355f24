"""The course platform as production runs it, and a view as an application writes it."""

import flask

from academy import create_app
from aegis import current_account, login_required
from config import ProductionConfig

app = create_app(ProductionConfig)


@app.get("/an-ordinary-view")
@login_required
def view() -> flask.Response:
    """Say whose session it is."""
    return flask.jsonify(is_authenticated=True, username=current_account.username)
