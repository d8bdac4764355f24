"""HTTP of the password reset. The answers are the same whether or not there is an account."""

import flask

from aegis import csrf, errors, state
from aegis.reset import service, undo
from aegis.reset.schemas import Done, Forgot, Reset, Undo, Undone
from aegis.web import client, operation

undoing = flask.Blueprint("aegis_undo", __name__, url_prefix="/api/account")
blueprint = flask.Blueprint("aegis_reset", __name__, url_prefix="/api/password")

SENT = "If there is an account with this address, a mail with a link and a code is on its way."
UNDONE = "The change was taken back, and everything that was signed in has ended. Please choose a new password now."
CHANGED = "Your password was changed, and all sessions have ended. Sign in with the new one."


@blueprint.post("/forgot")
@csrf.for_visitors
@operation(body=Forgot, answers={200: Done}, errors=(errors.NotFound, errors.RateLimited))
def forgot(body: Forgot) -> Done:
    """Ask for a new password: a link and a code go to the address, if an account has it."""
    service.ask(state.current(), body.email, client())
    return Done(message=SENT)


@blueprint.post("/reset")
@csrf.for_visitors
@operation(body=Reset, answers={200: Done}, errors=(errors.NotFound, errors.RateLimited, errors.Busy))
def reset(body: Reset) -> Done:
    """Set a new password by the token of a mail, or by its code. It signs nobody in."""
    set_password(body)
    return Done(message=CHANGED)


@undoing.post("/undo")
@csrf.for_visitors
@operation(body=Undo, answers={200: Undone}, errors=(errors.Busy,))
def undo_change(body: Undo) -> Undone:
    """Take back a changed password or address by the token of the notice: everything ends, and a new password has to be set."""
    token = undo.undo(state.current(), body.token, client())
    return Undone(message=UNDONE, reset_token=token)


def set_password(typed: Reset) -> None:
    """Set a new password; JSON and page views share it. Raises InvalidInput."""
    if typed.token:
        service.by_token(state.current(), typed.token, typed.new_password, client())
    elif typed.email and typed.code:
        service.by_code(state.current(), typed.email, typed.code, typed.new_password, client())
    else:
        raise errors.InvalidInput(
            fields={"token": "Send the token of the mail, or its code and the address."}
        )
