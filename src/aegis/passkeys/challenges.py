"""Challenges of ceremonies: each is bound to a browser, for one purpose, for five minutes, and good once.

A challenge travels as signed text in the visitor cookie, so that asking for one stores nothing; only what was used is
stored, until it would have expired anyway.
"""

import base64
import secrets
from typing import NamedTuple

from aegis import clock, tokens
from aegis.passkeys import store
from aegis.tokens import Keyring

GOOD_FOR_S = 300
"""Five minutes, as the WebAuthn specification recommends for ceremonies with user verification (section 15.1)."""

_SIZE = 32
_PURPOSE = "passkey-challenge"


class Challenge(NamedTuple):
    """The random bytes that an authenticator signs, and the signed text that brings them back."""

    value: bytes
    text: str


def new(purpose: str, bound_to: str, keyring: Keyring) -> Challenge:
    """Return a challenge for one ceremony of a session or browser."""
    value = secrets.token_bytes(_SIZE)
    encoded = base64.urlsafe_b64encode(value).decode()
    payload = "~".join([purpose, bound_to, str(clock.now() + GOOD_FOR_S), encoded])
    return Challenge(value, keyring.sign(_PURPOSE, payload))


def use(text: str, purpose: str, bound_to: str, keyring: Keyring) -> bytes | None:
    """Use a challenge up and return its bytes; None if it is another one's, expired, or was used before."""
    payload = keyring.verify(_PURPOSE, text)
    if payload is None:
        return None
    made_for, bound, expires_at, encoded = payload.split("~")
    if (made_for, bound) != (purpose, bound_to) or clock.now() >= int(expires_at):
        return None
    if not store.add_used(tokens.hash_token(text), int(expires_at)):
        return None
    return base64.urlsafe_b64decode(encoded)


def purge(batch: int) -> int:
    """Delete up to `batch` used challenges that have expired, and return how many went."""
    return store.remove_used_before(clock.now(), batch)
