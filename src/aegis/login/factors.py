"""Second factors, one class each: what is listed here is offered at sign-in and at confirming."""

from typing import NamedTuple, Protocol

from aegis import state
from aegis.mfa import recovery
from aegis.mfa import service as authenticators
from aegis.passkeys import service as passkeys
from aegis.passkeys.service import Answered
from aegis.sessions import Factors
from aegis.state import State
from aegis.web import Client


class Answer(NamedTuple):
    """What somebody gave as a second factor: a code, or what a passkey signed in answer to a challenge of ours."""

    code: str = ""
    passkey: Answered | None = None


class Asked(NamedTuple):
    """Whose second factor it is, and what its challenge was bound to and made for."""

    application: State
    account_id: str
    client: Client
    purpose: str
    bound_to: str


class Factor(Protocol):
    """One kind of second factor.

    `is_fallback`: only beside another one. `is_comfort`: alone it is asked for by policy only. `is_two`: it is two factors in one.
    """

    name: str
    is_fallback: bool
    is_comfort: bool
    is_two: bool

    def is_enrolled(self, application: State, account_id: str) -> bool:
        """Tell whether the account has it."""

    def verify(self, asked: Asked, answer: Answer) -> bool:
        """Judge an answer, which is used up by it."""


class Totp:
    """A code of an authenticator app."""

    name, is_fallback, is_comfort, is_two = "totp", False, False, False

    def is_enrolled(self, application: State, account_id: str) -> bool:
        """Tell whether the account has one that counts."""
        del application
        return authenticators.is_enrolled(account_id)

    def verify(self, asked: Asked, answer: Answer) -> bool:
        """Use up the code's step."""
        return authenticators.verify(asked.application, asked.account_id, answer.code)


class Passkey:
    """A passkey of the account. Whoever adds one for comfort keeps the password as a way in."""

    name, is_fallback, is_comfort, is_two = "passkey", False, True, True

    def is_enrolled(self, application: State, account_id: str) -> bool:
        """Tell whether the account has one that can be used."""
        return passkeys.is_on(application) and bool(passkeys.list_of(account_id))

    def verify(self, asked: Asked, answer: Answer) -> bool:
        """Use up the challenge."""
        if answer.passkey is None:
            return False
        try:
            signer = passkeys.account_of(asked.application, asked.purpose, asked.bound_to, answer.passkey)
        except passkeys.Refused:
            return False
        return signer == asked.account_id


class RecoveryCode:
    """A code on paper."""

    name, is_fallback, is_comfort, is_two = "recovery_code", True, False, False

    def is_enrolled(self, application: State, account_id: str) -> bool:
        """Tell whether any is left."""
        return recovery.has_any(application, account_id)

    def verify(self, asked: Asked, answer: Answer) -> bool:
        """Use up the code."""
        return recovery.use(asked.application, asked.account_id, answer.code, asked.client)


FACTORS: dict[str, Factor] = {factor.name: factor for factor in (Totp(), Passkey(), RecoveryCode())}


def of(account_id: str, role: str) -> Factors:
    """Return the second factors of an account."""
    application = state.current()
    found = [factor for factor in FACTORS.values() if factor.is_enrolled(application, account_id)]
    if all(factor.is_fallback for factor in found):
        return Factors((), (), are_asked=False)
    chosen = any(not factor.is_fallback and not factor.is_comfort for factor in found)
    names = tuple(factor.name for factor in found)
    alone = tuple(factor.name for factor in found if factor.is_two)
    return Factors(names, alone, are_asked=chosen or application.settings.demands_factor(role))
