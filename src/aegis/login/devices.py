"""Devices that signed in before: each keeps a way in of its own while strangers are being refused.

A device is a random token in a signed, long-lived cookie; only its hash is stored, for each account that signed in
there. It says "this browser was here" and nothing more: it never stands for a password.
"""

from typing import NamedTuple

from aegis import audit, clock, db, errors, state, tokens
from aegis.accounts import notices
from aegis.audit import Event
from aegis.login import store
from aegis.tokens import Keyring
from aegis.web import Client

KEPT_S = 180 * 86_400
"""A device that was not seen for half a year is a stranger again."""

PER_ACCOUNT = 50
"""More than anybody owns; the longest unseen goes."""

SIGN_INS = 20
"""The last sign-ins whose countries are no news."""

_PURPOSE = "device"


class Device(NamedTuple):
    """One device as its owner sees it."""

    id: str
    user_agent: str
    first_seen_at: int
    last_seen_at: int


def token_of(cookie: str | None, keyring: Keyring) -> str | None:
    """Return the token of a device cookie that we made."""
    return keyring.verify(_PURPOSE, cookie) if cookie else None


def find(account_id: str, token: str | None) -> str | None:
    """Return the id of the device if the account knows it and saw it recently."""
    row = store.find(account_id, tokens.hash_token(token)) if token else None
    return str(row.id) if row is not None and row.last_seen_at > clock.now() - KEPT_S else None


def remember(account_id: str, token: str | None, client: Client, keyring: Keyring) -> str:
    """Note that the account signed in on this device and return the device's new cookie.

    The token changes at each sign-in, for all accounts that share the browser: an old copy is a stranger.
    """
    new, now = tokens.new_token(), clock.now()
    new_hash = tokens.hash_token(new)
    seen = {"user_agent": client.user_agent, "last_seen_at": now}
    with db.transaction():
        if token:
            store.renew(tokens.hash_token(token), new_hash)
        if not store.note_use(account_id, new_hash, seen):
            if list_of(account_id):  # the first device of all is no news
                notices.post(account_id, "A device that we do not know signed in", client, is_critical=False)
            identity = {"account_id": account_id, "token_hash": new_hash, "id": tokens.new_id()}
            store.add({**identity, **seen, "first_seen_at": now})
            store.remove(account_id, [device.id for device in list_of(account_id)[PER_ACCOUNT:]])
        elif _is_abroad(account_id, client):
            notices.post(account_id, "You signed in from another country", client, is_critical=False)
    return keyring.sign(_PURPOSE, new)


def _is_abroad(account_id: str, client: Client) -> bool:
    """Tell whether a sign-in comes from a country that none of the last ones came from, as far as places are known."""
    places = state.current().places
    here = places.of(client.address).country
    if not here:
        return False
    before = audit.search(account_id=account_id, events=[Event.LOGIN_SUCCESS], limit=SIGN_INS)
    countries = {places.of(seen.address).country for seen in before} - {""}
    return bool(countries) and here not in countries


def list_of(account_id: str) -> list[Device]:
    """Return the account's devices, the latest seen first."""
    return [
        Device(row.id, row.user_agent, row.first_seen_at, row.last_seen_at)
        for row in store.list_of(account_id)
    ]


def forget(account_id: str, device_id: str, client: Client, actor_id: str | None = None) -> None:
    """Make a device a stranger; sessions on it go on. Raises NotFound for any other id."""
    if not store.remove(account_id, [device_id]):
        raise errors.NotFound("There is no such device.")
    audit.record(Event.DEVICE_FORGOTTEN, client, account_id=account_id, actor_id=actor_id, device=device_id)


def forget_all(account_id: str) -> None:
    """Make every device a stranger, inside a transaction of the caller's: nothing that was known before is good any more."""
    store.remove_all(account_id)


def purge(batch: int) -> int:
    """Delete up to `batch` devices that were not seen for half a year."""
    return store.remove_unseen_since(clock.now() - KEPT_S, batch)
