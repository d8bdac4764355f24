"""HTTP of the own authenticators and recovery codes. Using a code to sign in is in `login.views`."""

import flask

from aegis import clock, errors, sessions, state
from aegis.mfa import recovery, service
from aegis.mfa.schemas import (
    AuthenticatorConfirmed,
    AuthenticatorList,
    ConfirmAuthenticator,
    FactorChanged,
    ListedAuthenticator,
    OfferedSecret,
    RecoveryCodes,
    RecoveryCodesLeft,
    RenameAuthenticator,
)
from aegis.sessions import ENROL_FACTOR
from aegis.sessions.required import (
    before,
    fresh_login_required,
    login_required,
    second_factor_required,
    signed_in,
)
from aegis.web import client, operation

blueprint = flask.Blueprint("aegis_mfa", __name__, url_prefix="/api/mfa")


@blueprint.get("/totp")
@before(ENROL_FACTOR)
@login_required
@operation(answers={200: AuthenticatorList})
def list_authenticators() -> AuthenticatorList:
    """List the own authenticators."""
    return AuthenticatorList(
        authenticators=[listed(item) for item in service.list_of(signed_in().account_id)]
    )


@blueprint.post("/totp")
@before(ENROL_FACTOR)
@fresh_login_required
@operation(answers={200: OfferedSecret}, errors=(errors.Conflict,))
def begin() -> OfferedSecret:
    """Begin to add an authenticator: it counts once /api/mfa/totp/confirm got a code of it, within 30 minutes."""
    offer = service.begin(state.current(), signed_in())
    return OfferedSecret(secret=offer.secret, otpauth_uri=offer.address, svg=offer.picture)


@blueprint.post("/totp/confirm")
@before(ENROL_FACTOR)
@fresh_login_required
@operation(body=ConfirmAuthenticator, answers={200: AuthenticatorConfirmed}, errors=(errors.Conflict,))
def confirm(body: ConfirmAuthenticator) -> AuthenticatorConfirmed:
    """Let the new authenticator count. The session gets a new token and has two factors from now on."""
    confirmed = confirm_with(body)
    return AuthenticatorConfirmed(
        message="From now on, a code of this authenticator is asked for when you sign in.",
        authenticator=listed(confirmed.authenticator),
        recovery_codes=confirmed.codes,
    )


def confirm_with(typed: ConfirmAuthenticator) -> service.Confirmed:
    """Confirm, and answer this request with the renewed cookie; JSON and page views share it."""
    token = sessions.presented_token() or ""
    confirmed = service.confirm(
        state.current(), signed_in(), token, client(), code=typed.code, name=typed.name
    )
    sessions.give_cookie(confirmed.token)
    return confirmed


@blueprint.patch("/totp/<string(length=22):authenticator_id>")
@login_required
@operation(body=RenameAuthenticator, answers={200: FactorChanged}, errors=(errors.NotFound,))
def rename(authenticator_id: str, body: RenameAuthenticator) -> FactorChanged:
    """Name an authenticator."""
    service.rename(signed_in().account_id, authenticator_id, body.name)
    return FactorChanged(message="The authenticator has its new name.")


@blueprint.delete("/totp/<string(length=22):authenticator_id>")
@fresh_login_required
@second_factor_required
@operation(answers={200: FactorChanged}, errors=(errors.NotFound, errors.Conflict))
def remove(authenticator_id: str) -> FactorChanged:
    """Remove an authenticator: its codes are worthless. With the last one go the recovery codes."""
    service.remove(state.current(), signed_in().account_id, authenticator_id, client())
    return FactorChanged(message="The authenticator was removed.")


@blueprint.get("/recovery-codes")
@login_required
@operation(answers={200: RecoveryCodesLeft})
def count_recovery_codes() -> RecoveryCodesLeft:
    """Tell how many recovery codes are left."""
    left = recovery.left(state.current(), signed_in().account_id)
    return RecoveryCodesLeft(left=left, are_few=left <= recovery.FEW)


@blueprint.post("/recovery-codes")
@fresh_login_required
@second_factor_required
@operation(answers={200: RecoveryCodes})
def renew_recovery_codes() -> RecoveryCodes:
    """Make a new set of recovery codes; the former set is void."""
    codes = recovery.renew(state.current(), signed_in(), client())
    return RecoveryCodes(message="Keep these codes. They are not shown again.", codes=codes)


def listed(item: service.Authenticator) -> ListedAuthenticator:
    """Return an authenticator as the API tells it."""
    return ListedAuthenticator(
        id=item.id,
        name=item.name,
        created_at=clock.as_text(item.created_at),
        last_used_at=None if item.last_used_at is None else clock.as_text(item.last_used_at),
    )
