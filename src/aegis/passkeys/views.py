"""HTTP of the own passkeys. Signing in with one is in `login.views`."""

from typing import Any

import flask

from aegis import clock, errors, sessions, state
from aegis.passkeys import service
from aegis.passkeys.schemas import AddPasskey, Ceremony, Done, ListedPasskey, PasskeyList, RenamePasskey
from aegis.passkeys.service import Answered, Begun, Passkey
from aegis.sessions import ENROL_FACTOR
from aegis.sessions.required import before, fresh_login_required, login_required, signed_in
from aegis.web import client, device, operation

blueprint = flask.Blueprint("aegis_passkeys", __name__)

_CHALLENGE = "passkey"


def remember(begun: Begun) -> Ceremony:
    """Put the challenge into the visitor cookie and return what the browser needs."""
    flask.session[_CHALLENGE] = begun.challenge
    return Ceremony(publicKey=begun.options)


def answered(credential: dict[str, Any]) -> Answered:
    """Return the end of a ceremony; its challenge leaves the visitor cookie."""
    return Answered(host(), str(flask.session.pop(_CHALLENGE, "")), credential)


def host() -> str:
    """Return the host that was asked; it counts only in development (see `service`)."""
    return flask.request.headers.get("Host", "")


@blueprint.get("/api/passkeys")
@before(ENROL_FACTOR)
@login_required
@operation(answers={200: PasskeyList})
def list_passkeys() -> PasskeyList:
    """List the own passkeys."""
    return PasskeyList(passkeys=[listed(item) for item in service.list_of(signed_in().account_id)])


@blueprint.post("/api/passkeys/options")
@before(ENROL_FACTOR)
@fresh_login_required
@operation(answers={200: Ceremony}, errors=(errors.Conflict, errors.NotFound))
def begin_adding() -> Ceremony:
    """Begin to add a passkey: the answer is for navigator.credentials.create."""
    return remember(service.begin_adding(state.current(), signed_in(), host()))


@blueprint.post("/api/passkeys")
@before(ENROL_FACTOR)
@fresh_login_required
@operation(body=AddPasskey, answers={201: ListedPasskey}, errors=(errors.NotFound,))
def add_passkey(body: AddPasskey) -> tuple[ListedPasskey, int]:
    """Add the passkey that the browser made."""
    return listed(add(body)), 201


def add(typed: AddPasskey) -> Passkey:
    """Add a passkey; JSON and page views share it. Without a name it is called after the browser."""
    sender = client()
    name = typed.name.strip() or device.describe(sender.user_agent)
    token = sessions.presented_token() or ""
    added, renewed = service.add(
        state.current(), signed_in(), token, sender, answered=answered(typed.credential), name=name
    )
    sessions.give_cookie(renewed)
    return added


@blueprint.patch("/api/passkeys/<string(length=22):passkey_id>")
@login_required
@operation(body=RenamePasskey, answers={200: Done}, errors=(errors.NotFound,))
def rename_passkey(passkey_id: str, body: RenamePasskey) -> Done:
    """Name a passkey."""
    service.rename(signed_in().account_id, passkey_id, body.name)
    return Done(message="The passkey has its new name.")


@blueprint.delete("/api/passkeys/<string(length=22):passkey_id>")
@fresh_login_required
@operation(answers={200: Done}, errors=(errors.NotFound, errors.Conflict))
def remove_passkey(passkey_id: str) -> Done:
    """Remove a passkey; it signs nobody in any more."""
    service.remove(state.current(), signed_in().account_id, passkey_id, client())
    return Done(message="The passkey was removed.")


def listed(item: Passkey) -> ListedPasskey:
    """Return a passkey as the API tells it."""
    return ListedPasskey(
        id=item.id,
        name=item.name,
        is_synced=item.is_synced,
        created_at=clock.as_text(item.created_at),
        last_used_at=None if item.last_used_at is None else clock.as_text(item.last_used_at),
    )
