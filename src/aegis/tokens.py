"""Random, hashed and signed text: the only room besides `passwords` that imports a cryptographic primitive.

Concepts. A *token* is a secret that leaves the server once; only its hash is stored. An *id* is public and
random. Signed and sealed text names its *purpose*, so text made for one can never be used for another.
"""

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence

NONCE_BYTES = 12
"""The size that NIST SP 800-38D section 8.2.2 has for random ones, good for 2^32 texts under one key."""

TOKEN_LENGTH = 43
"""Characters of a token: 256 bits in base64url without padding."""


def new_token() -> str:
    """Return 256 random bits as text (ASVS 7.2.3 asks for 128)."""
    return secrets.token_urlsafe(32)


def new_id() -> str:
    """Return a public name for a record: 128 random bits, so that ids tell neither number nor order."""
    return secrets.token_urlsafe(16)


def hash_token(token: str) -> bytes:
    """Return what is stored in place of a token. SHA-256 alone is right, as a token cannot be guessed."""
    return hashlib.sha256(token.encode()).digest()


def equal(one: str | bytes, other: str | bytes) -> bool:
    """Compare in constant time."""
    left = one.encode() if isinstance(one, str) else one
    right = other.encode() if isinstance(other, str) else other
    return hmac.compare_digest(left, right)


class Keyring:
    """The signing keys of one application: the first signs, all verify.

    Each purpose gets a key of its own, derived once, so that no text made for one purpose passes for another.
    """

    def __init__(self, secret_key: str, fallbacks: Sequence[str] = ()) -> None:
        """Take the current secret first, then those that still verify."""
        self._secrets = [secret.encode() for secret in (secret_key, *fallbacks)]
        self._derived: dict[str, list[bytes]] = {}

    def keys_for(self, purpose: str) -> list[bytes]:
        """Return the purpose's 256-bit keys, the current one first."""
        keys = self._derived.get(purpose)
        if keys is None:
            label = b"aegis:" + purpose.encode()
            keys = [hmac.digest(secret, label, "sha256") for secret in self._secrets]
            self._derived[purpose] = keys
        return keys

    def key_names(self, purpose: str) -> list[str]:
        """Return names of the purpose's keys, the current one first; they tell nothing of the keys."""
        return [name[:8] for name in self.macs(f"name:{purpose}", "")]

    def mac(self, purpose: str, text: str) -> str:
        """Return the current key's MAC of `text`, 256 bits in hexadecimal."""
        return hmac.digest(self.keys_for(purpose)[0], text.encode(), "sha256").hex()

    def macs(self, purpose: str, text: str) -> list[str]:
        """Return the MAC of `text` under each key that still verifies."""
        return [hmac.digest(key, text.encode(), "sha256").hex() for key in self.keys_for(purpose)]

    def digest(self, purpose: str, text: str) -> str:
        """Return a keyed digest that names `text` without telling it: 128 bits in hexadecimal."""
        return self.mac(purpose, text)[:32]

    def token(self, purpose: str, text: str) -> str:
        """Return the token that the current key makes of `text`: always the same one, and a guess to anybody without the key."""
        return _mac(self.keys_for(purpose)[0], text)

    def sign(self, purpose: str, payload: str) -> str:
        """Return `payload` with its signature behind a dot; the payload stays readable."""
        return f"{payload}.{_mac(self.keys_for(purpose)[0], payload)}"

    def verify(self, purpose: str, text: str) -> str | None:
        """Return the payload of text that `sign` made for the same purpose, else None."""
        payload, dot, signature = text.rpartition(".")
        if not dot or not text.isascii():
            return None
        if any(equal(_mac(key, payload), signature) for key in self.keys_for(purpose)):
            return payload
        return None

    def seal(self, purpose: str, text: str, about: str) -> str:
        """Return `text` encrypted and authenticated (AES-256-GCM), for what must be read again: mails, TOTP secrets.

        `about` names what the text belongs to, such as a row's id: sealed text moved to another row does not open.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - 35 ms that help does not need

        nonce = os.urandom(NONCE_BYTES)
        key = self.keys_for(f"seal:{purpose}")[0]
        sealed = nonce + AESGCM(key).encrypt(nonce, text.encode(), about.encode())
        return base64.urlsafe_b64encode(sealed).decode()

    def unseal(self, purpose: str, sealed: str, about: str) -> str | None:
        """Return what `seal` was given for the same purpose and thing, under any key that still verifies, else None."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as in seal
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as in seal

        try:
            raw = base64.b64decode(sealed, altchars=b"-_", validate=True)
        except ValueError:
            return None
        for key in self.keys_for(f"seal:{purpose}"):
            with contextlib.suppress(InvalidTag, ValueError):
                return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], about.encode()).decode()
        return None


def _mac(key: bytes, payload: str) -> str:
    digest = hmac.digest(key, payload.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
