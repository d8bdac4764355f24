"""The rules of authenticator apps: a secret counts once it was confirmed, and each of its codes is good once, ever."""

from typing import Any, NamedTuple

from aegis import audit, clock, db, errors, tokens
from aegis.accounts import factors, names, notices
from aegis.audit import Event
from aegis.mfa import recovery, store, totp
from aegis.sessions import Session
from aegis.state import State
from aegis.web import Client

PER_ACCOUNT = 10
"""More than anybody carries."""

CONFIRM_WITHIN_S = 1800
"""Time to install an app; an old picture must not become a factor later."""

_PURPOSE = "totp"


class Authenticator(NamedTuple):
    """One authenticator as its owner sees it."""

    id: str
    name: str
    created_at: int
    last_used_at: int | None


class Offer(NamedTuple):
    """What an app needs to become an authenticator."""

    secret: str
    address: str

    @property
    def picture(self) -> str:
        """The address as a QR code."""
        return totp.picture(self.address)


class Confirmed(NamedTuple):
    """An authenticator that counts, the session's new token, and recovery codes where there were none."""

    authenticator: Authenticator
    token: str
    codes: list[str]


def begin(application: State, session: Session) -> Offer:
    """Make a secret that counts after `confirm`. Raises Conflict when the account has too many."""
    if len(store.list_of(session.account_id)) >= PER_ACCOUNT:
        raise errors.Conflict("You have as many authenticators as one account can have. Remove one first.")
    keyring, secret, new_id = application.keyring, totp.new_secret(), tokens.new_id()
    store.add_unconfirmed(
        {
            "id": new_id,
            "account_id": session.account_id,
            "name": "",
            "sealed": keyring.seal(_PURPOSE, secret, new_id),
            "key_name": keyring.key_names(_PURPOSE)[0],
            "last_step": 0,
            "created_at": clock.now(),
        }
    )
    return _offer(application, session, secret)


def offered(application: State, session: Session) -> Offer | None:
    """Return the secret that waits for its confirmation, or None."""
    row = _waiting(session)
    secret = _secret(application, row) if row is not None else None
    return _offer(application, session, secret) if secret else None


def _waiting(session: Session) -> Any:
    row = store.find_unconfirmed(session.account_id)
    return row if row is not None and clock.now() < row.created_at + CONFIRM_WITHIN_S else None


def _offer(application: State, session: Session, secret: str) -> Offer:
    return Offer(secret, totp.address(secret, application.settings.site_name, session.username))


def _secret(application: State, row: Any) -> str | None:
    return application.keyring.unseal(_PURPOSE, row.sealed, row.id)


def confirm(  # noqa: PLR0913 - the session, and what was typed
    application: State, session: Session, token: str, client: Client, *, code: str, name: str
) -> Confirmed:
    """Let the secret that waits count from now on; the session has two factors then, under a new token.

    Raises InvalidInput for a wrong code, Conflict when nothing waits, NotSignedIn when the session ended meanwhile.
    """
    row = _waiting(session)
    secret = _secret(application, row) if row is not None else None
    if not secret:
        raise errors.Conflict("No authenticator waits for its first code, or it took too long. Begin again.")
    now = clock.now()
    step = totp.step_of(secret, code, now)
    if step is None:
        sentence = "This is not the code that the app shows now. Check the time of the device and try again."
        raise errors.InvalidInput(fields={"code": sentence})
    added = Authenticator(row.id, _name(name) or "Authenticator app", now, now)
    values = {"name": added.name, "confirmed_at": now, "created_at": now, "last_used_at": now}
    with db.transaction():
        if not store.confirm(row.id, {**values, "last_step": step}):
            raise errors.Conflict("This authenticator was confirmed before.")
        renewed = factors.enrolled(application, session, token)
        notices.post(session.account_id, "An authenticator was added to your account", client)
    audit.record(Event.FACTOR_ADDED, client, account_id=session.account_id, kind="authenticator")
    codes = (
        [] if recovery.left(application, session.account_id) else recovery.renew(application, session, client)
    )
    return Confirmed(added, renewed, codes)


def verify(application: State, account_id: str, code: str) -> bool:
    """Use up a code of any authenticator of the account; tell whether it was good."""
    now = clock.now()
    for row in store.list_of(account_id):
        secret = _secret(application, row)
        step = totp.step_of(secret, code, now) if secret else None
        if step is not None and store.use_step(row.id, step, {"last_used_at": now}):
            return True
    return False


def is_enrolled(account_id: str) -> bool:
    """Tell whether the account has an authenticator that counts."""
    return bool(store.list_of(account_id))


def list_of(account_id: str) -> list[Authenticator]:
    """Return the account's authenticators, the oldest first."""
    return [
        Authenticator(row.id, row.name, row.created_at, row.last_used_at) for row in store.list_of(account_id)
    ]


def rename(account_id: str, authenticator_id: str, name: str) -> None:
    """Name an authenticator. Raises InvalidInput, or NotFound for any other id."""
    named = _name(name)
    if not named:
        raise errors.InvalidInput(fields={"name": "Please fill this in."})
    if not store.rename(account_id, authenticator_id, named):
        raise errors.NotFound(_UNKNOWN)


def remove(application: State, account_id: str, authenticator_id: str, client: Client) -> None:
    """Remove an authenticator; with the last one go the recovery codes.

    Raises NotFound for any other id, Conflict for the last second factor where the account must have one.
    """
    with factors.keeping_one(application, account_id):
        if not store.remove(account_id, authenticator_id):
            raise errors.NotFound(_UNKNOWN)
        if not store.list_of(account_id):
            store.remove_codes(account_id, is_break_glass=False)
        notices.post(account_id, "An authenticator was removed from your account", client)
    audit.record(Event.FACTOR_REMOVED, client, account_id=account_id, kind="authenticator")


def remove_all(account_id: str, since: int = 0) -> int:
    """Remove all authenticators and recovery codes, or those made since then, inside a transaction of the caller's.

    Return how many authenticators there were.
    """
    store.remove_codes(account_id, is_break_glass=False, since=since)
    return store.remove_all(account_id, since)


def reseal(application: State, batch: int) -> int:
    """Put up to `batch` secrets that a former key sealed under the current one; return how many were moved.

    So a former key can leave SECRET_KEY_FALLBACKS without taking anybody's authenticator with it.
    """
    keyring, moved = application.keyring, 0
    for row in store.list_sealed_otherwise(keyring.key_names(_PURPOSE)[0], batch):
        secret = _secret(application, row)
        if secret:
            values = {
                "sealed": keyring.seal(_PURPOSE, secret, row.id),
                "key_name": keyring.key_names(_PURPOSE)[0],
            }
            store.reseal(row.id, row.sealed, values)
            moved += 1
    return moved


_UNKNOWN = "There is no such authenticator."


def _name(text: str) -> str:
    try:
        return names.line(text)
    except ValueError as refused:
        raise errors.InvalidInput(fields={"name": str(refused)}) from None
