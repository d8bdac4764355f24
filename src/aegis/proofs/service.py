"""The rules of a proof: hashed at rest, for one purpose, until a time, and used up by one conditional write."""

import secrets
from typing import Any, NamedTuple

from aegis import clock, state, tokens
from aegis.proofs import store
from aegis.tokens import equal

RESET, VERIFY, UNDO = "reset", "verify", "undo"

ATTEMPTS = 5
"""Wrong codes after which a proof is burnt: 5 in 10^8 guesses (NIST 800-63B-4 section 3.1.3.2 asks for 6 digits)."""

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
    place: int
    created_at: int


class Holder(NamedTuple):
    """Who may give a code: the account that is signed in, or the browser that asked for it."""

    account_id: str | None
    browser: str | None


def issue(
    purpose: str, account_id: str | None, address: str, lifetime_s: int, browser: str | bytes | None = None
) -> Issued:
    """Make a proof inside a transaction.

    It replaces earlier ones: of the same address where it resets, of the same account where it verifies. Those that undo
    stand beside each other, numbered by `place`. With a `browser` (or what `browser_of` returned), its code is good there and
    for the account alone.
    """
    now, proof_id = clock.now(), tokens.new_id()
    digits = state.current().settings.email_code_digits
    issued = Issued(tokens.new_token(), f"{secrets.randbelow(10**digits):0{digits}d}")
    if purpose == RESET:
        store.remove_of_address(purpose, address)
    elif purpose == VERIFY:
        store.remove_of_account(account_id or proof_id, [VERIFY])  # nobody's costs the same work
    store.add(
        {
            "id": proof_id,
            "purpose": purpose,
            "account_id": account_id,
            "address": address,
            "token_hash": tokens.hash_token(issued.token),
            "code_hash": state.current().keyring.mac(_CODES, f"{proof_id}:{issued.code}"),
            "browser_hash": tokens.hash_token(browser) if isinstance(browser, str) else browser,
            "attempts_left": ATTEMPTS,
            "place": store.last_place(purpose, account_id) + 1 if purpose == UNDO and account_id else 0,
            "created_at": now,
            "expires_at": now + lifetime_s,
            "data": "",
        }
    )
    return issued


def find(purpose: str, token: str) -> Proof | None:
    """Return the proof of a token without using it up, or None."""
    return _good(store.find_by_token(purpose, tokens.hash_token(token)))


def held(purpose: str, address: str | None, holder: Holder) -> Proof | None:
    """Return the latest proof that somebody asked for, whether or not its code is still good."""
    hashed = tokens.hash_token(holder.browser) if holder.browser else None
    return _good(store.find_held(purpose, address, holder.account_id, hashed))


def browser_of(purpose: str, account_id: str) -> bytes | None:
    """Return which browser asked for the account's latest proof, for another one that is good there as well."""
    row = store.find_held(purpose, None, account_id, None)
    return row.browser_hash if row is not None else None


def has_good_code(proof: Proof) -> bool:
    """Tell whether the code of a proof could be given now."""
    row = store.find(proof.id)
    return row is not None and row.attempts_left > 0 and not _is_late(row)


def try_code(purpose: str, address: str, code: str, holder: Holder | None = None) -> Proof | None:
    """Return the proof of a code without using it up, or None. Each wrong code costs one of a few attempts.

    The attempt is spent before the code is compared, so that parallel guesses never exceed it.
    """
    if holder is None:
        row = store.find_by_address(purpose, address)
    else:
        proof = held(purpose, address, holder)
        row = store.find(proof.id) if proof else None
    if row is None or _good(row) is None or _is_late(row):
        return None
    if not store.spend_attempt(row.id):
        return None
    typed = "".join(filter(str.isalnum, code))
    if not any(
        equal(row.code_hash, mac) for mac in state.current().keyring.macs(_CODES, f"{row.id}:{typed}")
    ):
        return None
    return _good(row)


def use(proof: Proof) -> bool:
    """Use a proof up; True for exactly one of those who try."""
    return store.remove(proof.id, clock.now())


def forget(account_id: str) -> None:
    """Make every proof void that wins the account back: its password or address changed. What undoes that stays."""
    store.remove_of_account(account_id, [RESET, VERIFY])


def forget_undoing(account_id: str, place: int) -> None:
    """Make everything void that would undo a change as late as this one, or later."""
    store.remove_from_place(UNDO, account_id, place)


def purge(batch: int) -> int:
    """Delete up to `batch` expired proofs and return how many went."""
    return store.remove_expired(clock.now(), batch)


def _is_late(row: Any) -> bool:
    """Tell whether the code of a row is too old, however long its token is good."""
    return bool(clock.now() >= row.created_at + state.current().settings.email_code_s)


def _good(row: Any) -> Proof | None:
    if row is None or row.expires_at <= clock.now():
        return None
    return Proof(row.id, row.account_id, row.address, row.place, row.created_at)
