"""The list that the checks of this room are declared in."""

import flask

from aegis.ops.findings import Checklist
from aegis.state import State

CHECKLIST = Checklist[flask.Flask]()
check = CHECKLIST.check


def state_of(app: flask.Flask) -> State:
    """Return what the application holds."""
    held: State = app.extensions["aegis"]
    return held
