"""Staying signed in: what a browser keeps so that its owner need not type the password every day.

A browser keeps the name of its series and a token that is good once. Using it gives the next token, and a session of the
lowest level, which is nobody's proof of anything. A token of a known series that is not the current one is a copy: somebody
used the other one, so whoever comes, all that the series opened ends.

The next token is made of the one before, so that a browser whose answer was lost gets the same one when it asks again.
"""

from typing import NamedTuple

from aegis import clock, db, tokens
from aegis.sessions import store
from aegis.settings import Settings
from aegis.tokens import Keyring
from aegis.web import Client

GRACE_S = 60
"""A browser sends one token several times when it opens several tabs at once, or when an answer was lost on the way; so long the
later ones are no copies. They start no session."""

_PURPOSE = "remembrance"


class Remembered(NamedTuple):
    """One line of the list of browsers that stay signed in."""

    id: str
    user_agent: str
    address: str
    created_at: int
    used_at: int
    expires_at: int


class Renewed(NamedTuple):
    """A remembrance whose token was good, what the browser keeps from now on, and whether it may have a session for it."""

    id: str
    account_id: str
    cookie: str
    expires_at: int
    is_first: bool = True


class Worthless(Exception):
    """The browser keeps nothing that is good any more."""


class Copied(Worthless):
    """The token was used before, by another browser or another time."""

    def __init__(self, remembrance_id: str, account_id: str) -> None:
        """Take whose series it is."""
        super().__init__()
        self.id, self.account_id = remembrance_id, account_id


def begin(account_id: str, remembrance_id: str, settings: Settings, client: Client) -> Renewed:
    """Remember a browser under an id, inside the transaction that starts its session."""
    series, token, now = tokens.new_id(), tokens.new_token(), clock.now()
    expires_at = now + settings.remember_s
    store.add_remembrance(
        {
            "id": remembrance_id,
            "account_id": account_id,
            "series_hash": tokens.hash_token(series),
            "token_hash": tokens.hash_token(token),
            "user_agent": client.user_agent,
            "address": client.address,
            "created_at": now,
            "used_at": now,
            "expires_at": expires_at,
        }
    )
    beyond = [item.id for item in list_of(account_id)[settings.sessions_per_account :]]
    store.remove_remembrances(account_id, beyond)
    return Renewed(remembrance_id, account_id, f"{series}.{token}", expires_at)


def renew(cookie: str, client: Client, keyring: Keyring) -> Renewed | None:
    """Use the token up and give the next one, inside a transaction that starts a session.

    Of several at once one is the first. The others, as long as they come soon and from the same browser and place, get the same
    next token and no session, or None where that was used as well. Raises Copied for a token that was used before, Worthless when
    there is nothing to go on with.
    """
    series, _, token = cookie.partition(".")
    row = store.find_remembrance(tokens.hash_token(series))
    now = clock.now()
    if row is None or row.expires_at <= now or not store.lock_account(row.account_id):
        raise Worthless
    new, old_hash = keyring.token(_PURPOSE, cookie), tokens.hash_token(token)
    values = {
        "token_hash": tokens.hash_token(new),
        "former_hash": old_hash,
        "user_agent": client.user_agent,
        "address": client.address,
        "used_at": now,
    }
    renewed = Renewed(row.id, row.account_id, f"{series}.{new}", row.expires_at)
    if store.renew_remembrance(row.id, old_hash, values):
        return renewed
    current = store.find_remembrance(tokens.hash_token(series))
    if current is None:
        raise Worthless
    is_same = (current.user_agent, current.address) == (client.user_agent, client.address)
    if is_same and now < current.used_at + GRACE_S:
        return renewed._replace(is_first=False) if current.former_hash == old_hash else None
    raise Copied(row.id, row.account_id)


def find(cookie: str) -> tuple[str, str] | None:
    """Return account and id of the remembrance whose series a browser keeps, whether or not its token is still good."""
    row = store.find_remembrance(tokens.hash_token(cookie.partition(".")[0]))
    return (str(row.account_id), str(row.id)) if row is not None else None


def of_session(account_id: str, session_id: str) -> str | None:
    """Return the id of the remembrance to which a session belongs."""
    return store.remembrance_of(account_id, session_id)


def end(account_id: str, remembrance_id: str) -> bool:
    """Forget a browser and end what it opened; tell whether there was one."""
    with db.transaction():  # the series first: a session that it starts at this moment is then seen
        is_gone = store.remove_remembrances(account_id, [remembrance_id]) == 1
        store.remove_opened_by(account_id, remembrance_id)
    return is_gone


def end_all(account_id: str) -> None:
    """Forget every browser of the account; its sessions go on."""
    store.remove_remembrances(account_id, [item.id for item in list_of(account_id)])


def list_of(account_id: str) -> list[Remembered]:
    """Return the browsers that stay signed in, the latest used first."""
    return [
        Remembered(row.id, row.user_agent, row.address, row.created_at, row.used_at, row.expires_at)
        for row in store.list_remembrances(account_id, clock.now())
    ]


def purge(batch: int) -> int:
    """Delete up to `batch` remembrances that are over."""
    return store.remove_remembrances_before(clock.now(), batch)
