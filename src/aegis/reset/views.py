"""HTTP of the password reset. The answers are the same whether or not there is an account."""

import flask

from aegis import csrf, errors, state
from aegis.reset import service
from aegis.reset.schemas import Done, Forgot, Reset
from aegis.web import client, operation

blueprint = flask.Blueprint("aegis_reset", __name__, url_prefix="/api/password")

SENT = "If there is an account with this address, a mail with a link and a code is on its way."
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
