"""The rules of a proof: hashed at rest, for one purpose, until a time, and used up by one conditional write."""

import secrets
from typing import Any, NamedTuple

from aegis import clock, state, tokens
from aegis.proofs import store
from aegis.tokens import equal

RESET = "reset"

CODE_DIGITS = 8
ATTEMPTS = 5
"""Wrong codes after which a proof is burnt: 5 in 10^8 guesses (NIST 800-63B-4 section 3.1.3.2 asks for 6 digits)."""

CODE_LIFETIME_S = 600
"""A code is good for ten minutes, however long its link is (ASVS 6.5.5)."""

_CODES = "proof-code"


class Issued(NamedTuple):
    """What the mail carries; only hashes of it are stored."""

    token: str
    code: str


class Proof(NamedTuple):
    """A proof that is good now."""

    id: str
    account_id: str | None
    address: str


def issue(purpose: str, account_id: str | None, address: str, lifetime_s: int) -> Issued:
    """Make a proof that replaces earlier ones for the same address and purpose; call it inside a transaction."""
    now, proof_id = clock.now(), tokens.new_id()
    issued = Issued(tokens.new_token(), f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}")
    store.remove_of_address(purpose, address)
    store.add(
        {
            "id": proof_id,
            "purpose": purpose,
            "account_id": account_id,
            "address": address,
            "token_hash": tokens.hash_token(issued.token),
            "code_hash": state.current().keyring.mac(_CODES, f"{proof_id}:{issued.code}"),
            "attempts_left": ATTEMPTS,
            "place": 0,
            "created_at": now,
            "expires_at": now + lifetime_s,
            "data": "",
        }
    )
    return issued


def find(purpose: str, token: str) -> Proof | None:
    """Return the proof of a token without using it up, or None."""
    return _good(store.find_by_token(purpose, tokens.hash_token(token)))


def try_code(purpose: str, address: str, code: str) -> Proof | None:
    """Return the proof of a code without using it up, or None. Each wrong code costs one of a few attempts.

    The attempt is spent before the code is compared, so that parallel guesses never exceed it.
    """
    row = store.find_by_address(purpose, address)
    if _good(row) is None or clock.now() >= row.created_at + CODE_LIFETIME_S:
        return None
    if not store.spend_attempt(row.id):
        return None
    typed = "".join(code.split())
    if not any(
        equal(row.code_hash, mac) for mac in state.current().keyring.macs(_CODES, f"{row.id}:{typed}")
    ):
        return None
    return _good(row)


def use(proof: Proof) -> bool:
    """Use a proof up; True for exactly one of those who try."""
    return store.remove(proof.id, clock.now())


def forget(account_id: str) -> None:
    """Make every proof of an account void: its password or address changed."""
    store.remove_of_account(account_id)


def purge(batch: int) -> int:
    """Delete up to `batch` expired proofs and return how many went."""
    return store.remove_expired(clock.now(), batch)


def _good(row: Any) -> Proof | None:
    if row is None or row.expires_at <= clock.now():
        return None
    return Proof(row.id, row.account_id, row.address)
