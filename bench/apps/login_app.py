"""A plain Flask-Login application as its documentation shows it: the user is read by the ORM on each request."""

import os

import flask
import flask_login
from sqlalchemy import orm

from bench.apps.users import User, engine

app = flask.Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]
session = orm.scoped_session(orm.sessionmaker(engine(os.environ["DATABASE_URL"])))
manager = flask_login.LoginManager(app)


@manager.user_loader
def load(user_id: str) -> User | None:
    """Read the user that the signed cookie names."""
    return session.get(User, int(user_id))


@app.teardown_appcontext
def end(_: BaseException | None) -> None:
    """Give the connection back."""
    session.remove()


@app.post("/login")
def login() -> tuple[str, int]:
    """Sign the first user in; a password is not what is measured."""
    flask_login.login_user(session.get_one(User, 1))
    return "", 204


@app.get("/check")
@flask_login.login_required
def check() -> flask.Response:
    """Tell who is signed in."""
    user = flask_login.current_user
    shown = {name: getattr(user, name) for name in ("id", "username", "display_name", "email", "role")}
    return flask.jsonify(is_authenticated=True, user=shown)
