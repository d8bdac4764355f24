"""Undoing a change of password or address, from the mailbox that the account had before it.

Whoever reads that mailbox gets the account back, whatever was changed meanwhile: the address, and the choice of a new password.
What was added since, or could undo this in turn, goes; the address stays as it is for a while.
"""

from aegis import audit, clock, db, errors, proofs, tokens
from aegis.accounts import notices
from aegis.accounts import service as accounts
from aegis.accounts.notices import UNDO_LIFETIME_S
from aegis.audit import Event
from aegis.login import devices
from aegis.mfa import service as authenticators
from aegis.passkeys import service as passkeys
from aegis.proofs.service import RESET, UNDO
from aegis.reset.service import LIFETIME_S
from aegis.sessions import service as sessions
from aegis.state import State
from aegis.web import Client


def undo(application: State, token: str, client: Client) -> str:
    """Take the account back to the address that the token went to; return a token with which a new password is set.

    Raises InvalidInput when the token is not good any more.
    """
    proof = proofs.find(UNDO, token)
    if proof is None or proof.account_id is None:
        raise _not_good()
    nobody_knows = application.hasher.hash(tokens.new_token())
    with db.transaction():
        account = accounts.locked(proof.account_id)
        if not proofs.use(proof):
            raise _not_good()
        proofs.forget_undoing(account.id, proof.place)
        proofs.forget(account.id)
        accounts.take_back(account.id, proof.address, nobody_knows, clock.now() + UNDO_LIFETIME_S)
        ended = sessions.revoke_all(account.id)
        devices.forget_all(account.id)
        removed = authenticators.remove_all(account.id, since=proof.created_at)
        removed += passkeys.remove_all(account.id, since=proof.created_at)
        issued = proofs.issue(RESET, account.id, f"undo:{account.id}", LIFETIME_S)
        notices.post(account.id, "A change of your account was undone, and its password is void", client)
    audit.record(Event.CHANGE_UNDONE, client, account_id=account.id, sessions_ended=ended, removed=removed)
    return issued.token


def _not_good() -> errors.InvalidInput:
    sentence = "This link was used, is older than three days, or was made void by an earlier one."
    return errors.InvalidInput(fields={"token": sentence})
