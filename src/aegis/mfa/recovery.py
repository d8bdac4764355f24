"""Recovery codes: a set on paper for the day on which the device is gone, and one for the only administrator.

A code is 120 random bits, so that its hash needs not be slow (ASVS 6.5.2: from 112 bits on); stored is its keyed digest
under the account's id.
"""

import base64
import secrets

from aegis import audit, clock, db
from aegis.accounts import notices
from aegis.audit import Event
from aegis.mfa import store
from aegis.sessions import Session
from aegis.state import State
from aegis.web import OPERATOR, Client

CODES = 10
FEW = 3
"""From so many on, people are asked to make a new set."""

CODE_BYTES = 15
"""24 characters of base32, without padding."""

_PURPOSE = "recovery-code"
_READ_AS = str.maketrans("018", "OIB")
"""Base32 has none of these digits: on paper they are letters."""


def renew(application: State, session: Session, client: Client) -> list[str]:
    """Return a new set of codes, to be shown once; the former set is void."""
    codes = [_new_code() for _ in range(CODES)]
    with db.transaction():
        _replace(application, session.account_id, codes, is_break_glass=False)
        notices.post(session.account_id, "A new set of recovery codes was made for your account", client)
    audit.record(Event.RECOVERY_CODES_RENEWED, client, account_id=session.account_id)
    return codes


def break_glass(application: State, account_id: str) -> str:
    """Return the one code that opens an administrator's account when the devices are lost; the former one is void."""
    code = _new_code()
    with db.transaction():
        _replace(application, account_id, [code], is_break_glass=True)
        notices.post(account_id, "An emergency code was made for your account", OPERATOR)
    audit.record(Event.BREAK_GLASS_MADE, OPERATOR, account_id=account_id)
    return code


def left(application: State, account_id: str) -> int:
    """Return how many codes of the set are unused. Those whose key has left the settings are void and do not count."""
    known = application.keyring.key_names(_PURPOSE)
    return sum(row.key_name in known and not row.is_break_glass for row in store.list_codes(account_id))


def has_any(application: State, account_id: str) -> bool:
    """Tell whether a code could be used, the administrator's one included."""
    known = application.keyring.key_names(_PURPOSE)
    return any(row.key_name in known for row in store.list_codes(account_id))


def use(application: State, account_id: str, code: str, client: Client) -> bool:
    """Use up a code; tell whether there was one. The administrator's one is told loudly."""
    hashes = application.keyring.macs(_PURPOSE, f"{account_id}:{_plain(code)}")
    if _use(account_id, hashes, client, is_break_glass=False):
        audit.record(
            Event.RECOVERY_CODE_USED, client, account_id=account_id, left=left(application, account_id)
        )
        return True
    if _use(account_id, hashes, client, is_break_glass=True):
        audit.record(Event.BREAK_GLASS_USED, client, account_id=account_id)
        return True
    return False


def _use(account_id: str, hashes: list[str], client: Client, *, is_break_glass: bool) -> bool:
    kind = "The emergency code" if is_break_glass else "A recovery code"
    with db.transaction():
        used = any(
            store.use_code(account_id, code_hash, is_break_glass=is_break_glass) for code_hash in hashes
        )
        if used:
            notices.post(account_id, f"{kind} of your account was used", client)
    return used


def _new_code() -> str:
    text = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _plain(code: str) -> str:
    return "".join(filter(str.isalnum, code.upper())).translate(_READ_AS)


def _replace(application: State, account_id: str, codes: list[str], *, is_break_glass: bool) -> None:
    keyring = application.keyring
    hashes = [keyring.mac(_PURPOSE, f"{account_id}:{_plain(code)}") for code in codes]
    values = {"key_name": keyring.key_names(_PURPOSE)[0], "created_at": clock.now()}
    store.replace_codes(account_id, hashes, values, is_break_glass=is_break_glass)
