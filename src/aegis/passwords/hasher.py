"""Hash and check passwords: argon2id, a few at a time, at one cost whether or not there is an account."""

import base64
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import argon2
from werkzeug.security import check_password_hash

from aegis.passwords.gate import Gate
from aegis.passwords.policy import normalise

OWASP_MEMORY_KIB = 19_456
OWASP_PASSES = 2
"""OWASP Password Storage Cheat Sheet: argon2id with at least 19 MiB, 2 passes and 1 lane (CS-PWSTORE-1)."""

PEPPER_BYTES = 32

_ARGON2 = re.compile(
    r"\$argon2(?P<kind>id|i|d)\$(?:v=(?P<version>\d{1,3})\$)?m=(?P<memory>\d{1,7}),t=(?P<passes>\d{1,3}),p=(?P<lanes>\d{1,2})"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,128})\$(?P<digest>[A-Za-z0-9+/]{16,128})"
)
_SCRYPT = re.compile(r"scrypt:(\d{1,7}):(\d{1,3}):(\d{1,3})\$[^$]{1,128}\$[0-9a-f]{128}")
_PBKDF2 = re.compile(r"pbkdf2:(?:sha1|sha256|sha512):(\d{1,7})\$[^$]{1,128}\$[0-9a-f]{40,128}")
_PEPPERED = re.compile(r"hmac\$(?P<key_id>[0-9a-f]{16})(?P<encoded>\$.*)")

# What a stored hash may cost: OWASP's variants and werkzeug's defaults fit, a planted one takes no host down.
_ARGON2_MEMORY_KIB = 262_144
_ARGON2_PASSES = 16
_ARGON2_WORK = 1_048_576
_SCRYPT_WORK = 2**20
_PBKDF2_ROUNDS = 2_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one check; it is true exactly if the password matches."""

    matches: bool
    needs_upgrade: bool = False

    def __bool__(self) -> bool:
        """Say whether the password matches, so that `if hasher.verify(...)` cannot let everybody in."""
        return self.matches


class Hasher:
    """The password hashing of one application; safe to share between threads and over a fork.

    A stored hash is argon2's own text, `$argon2id$v=19$...`, or `hmac$<key id>` in front of it if a key
    ("pepper") was mixed in. Hashes of werkzeug (`scrypt:...`, `pbkdf2:...`) are verified, never made.

    Known limit: a hash of other parameters takes other time to check, until the next sign-in renews it.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        *,
        memory_kib: int = OWASP_MEMORY_KIB,
        passes: int = OWASP_PASSES,
        pepper_keys: Sequence[bytes] = (),
        parallel: int | None = None,
        queue: int = 32,
        wait_s: float = 5.0,
    ) -> None:
        """Take argon2's cost, the keys of the keyed step and how much work may run and wait at once.

        The first key is used for new hashes, all of them verify. An empty first key switches the step off
        while hashes made with the others are still good; each is replaced at its owner's next sign-in.
        """
        if any(0 < len(key) < PEPPER_BYTES for key in pepper_keys):
            message = f"A pepper key must have at least {PEPPER_BYTES} bytes."
            raise ValueError(message)
        self._argon2 = argon2.PasswordHasher(passes, memory_kib, parallelism=1, hash_len=32)
        self._keys = {_key_id(key): key for key in (*pepper_keys, b"")}
        self._current = _key_id(pepper_keys[0]) if pepper_keys else ""
        self.gate = Gate("password", parallel=parallel or 1, queue=queue, wait_s=wait_s)
        self._nobody = f"$argon2id$v=19$m={memory_kib},t={passes},p=1${_random_text(16)}${_random_text(32)}"

    def hash(self, password: str) -> str:
        """Return what is stored for this password: salted, and keyed if there is a pepper.

        Raises Busy when too many computations run or wait, InvalidInput when the text is no password at all.
        """
        secret = self._keyed(password, self._current)
        encoded = self.gate.run(lambda: self._argon2.hash(secret))
        return f"hmac${self._current}{encoded}" if self._current else encoded

    def verify(self, stored_hash: str | None, password: str) -> Verdict:
        """Check a password against what is stored; anything stored that is no usable hash never matches.

        If the verdict needs an upgrade, store `hash(password)` now: it is the only moment at which the
        password is known. Raises like `hash`.
        """
        stored = stored_hash or ""
        is_imported = stored.startswith(("scrypt:", "pbkdf2:"))
        check = self._verify_werkzeug if is_imported else self._verify_argon2
        return self.gate.run(lambda: check(stored, password))

    def verify_nobody(self, password: str) -> Verdict:
        """Do the work of `verify` for an account that does not exist, and refuse. Raises like `hash`."""
        return self.gate.run(lambda: self._refuse(password))

    def _refuse(self, password: str) -> Verdict:
        self._matches(self._nobody, self._keyed(password, self._current))
        return Verdict(matches=False)

    def _verify_argon2(self, stored: str, password: str) -> Verdict:
        peppered = _PEPPERED.fullmatch(stored)
        key_id, encoded = peppered.groups() if peppered else ("", stored)
        parts = _ARGON2.fullmatch(encoded)
        if parts is None or key_id not in self._keys or not self._is_affordable(parts):
            return self._refuse(password)
        matches = self._matches(encoded, self._keyed(password, key_id))
        if matches is None:
            return self._refuse(password)
        return Verdict(matches, matches and (key_id != self._current or self._is_weaker(parts)))

    def _matches(self, encoded: str, secret: bytes) -> bool | None:
        """Compare in argon2's constant time; None if the text turns out not to be a hash."""
        try:
            return self._argon2.verify(encoded, secret)
        except argon2.exceptions.VerifyMismatchError:
            return False
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return None

    def _verify_werkzeug(self, stored: str, password: str) -> Verdict:
        """Check an imported hash; it was made of what the browser sent, which counts beside the NFC form."""
        if not _is_affordable_import(stored):
            return self._refuse(password)
        forms = dict.fromkeys((normalise(password), password))
        try:
            matches = any(check_password_hash(stored, form) for form in forms)
        except ValueError:  # a cost that OpenSSL refuses, such as an N that is no power of two
            return self._refuse(password)
        return Verdict(matches, needs_upgrade=matches)

    def _keyed(self, password: str, key_id: str) -> bytes:
        """Return what argon2 is given (NIST 800-63B-4 section 3.1.1.2: a keyed step SHOULD be added)."""
        secret = normalise(password).encode()
        return hmac.digest(self._keys[key_id], secret, "sha256") if key_id else secret

    def _is_affordable(self, parts: re.Match[str]) -> bool:
        memory, passes = int(parts["memory"]), int(parts["passes"])
        if memory <= self._argon2.memory_cost and passes <= self._argon2.time_cost:
            return True
        return memory <= _ARGON2_MEMORY_KIB and passes <= _ARGON2_PASSES and memory * passes <= _ARGON2_WORK

    def _is_weaker(self, parts: re.Match[str]) -> bool:
        """Say whether any part of the cost is below today's; a costlier hash is left alone."""
        return (
            (parts["kind"], parts["version"]) != ("id", "19")
            or int(parts["memory"]) < self._argon2.memory_cost
            or int(parts["passes"]) < self._argon2.time_cost
            or len(parts["salt"]) < len(_random_text(16))
            or len(parts["digest"]) < len(_random_text(32))
        )


def _is_affordable_import(stored: str) -> bool:
    if scrypt := _SCRYPT.fullmatch(stored):
        n, r, p = map(int, scrypt.groups())
        return n > 1 and 0 < n * r * p <= _SCRYPT_WORK
    pbkdf2 = _PBKDF2.fullmatch(stored)
    return pbkdf2 is not None and 0 < int(pbkdf2[1]) <= _PBKDF2_ROUNDS


def _key_id(key: bytes) -> str:
    """Name a key without telling it; the empty key has the empty name."""
    return hmac.digest(key, b"aegis: name of a password key", "sha256").hex()[:16] if key else ""


def _random_text(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
