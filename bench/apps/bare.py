"""One Flask route that answers JSON and asks nobody: the unit that everything else is measured in."""

import flask

app = flask.Flask(__name__)


@app.get("/")
def bare() -> flask.Response:
    """Answer as much as a check of the session does."""
    user = {"id": "1", "username": "ada", "display_name": "Ada", "email": None, "role": "learner"}
    return flask.jsonify(is_authenticated=True, user=user)
