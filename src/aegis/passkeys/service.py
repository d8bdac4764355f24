"""The rules of passkeys: who may add one, and what a use of one proves.

A passkey is two factors in one (something one has, unlocked by something one knows or is): user verification is always
demanded, so a use of one counts as level 2 (NIST 800-63B-4 section 2.2.1).
"""

from typing import Any, NamedTuple
from urllib.parse import urlsplit

from aegis import audit, clock, db, errors, tokens
from aegis.accounts import factors, names, notices
from aegis.audit import Event
from aegis.passkeys import ceremony, challenges, store
from aegis.passkeys.ceremony import NotGenuine, Options, Party
from aegis.sessions import Session
from aegis.state import State
from aegis.web import Client

PER_ACCOUNT = 20
"""More than anybody owns."""

ADD, SIGN_IN, CONFIRM = "add", "sign-in", "confirm"


class Passkey(NamedTuple):
    """One passkey as its owner sees it."""

    id: str
    name: str
    is_synced: bool
    created_at: int
    last_used_at: int | None


class Begun(NamedTuple):
    """A ceremony: what the browser needs, and the challenge that it must bring back."""

    options: Options
    challenge: str


class Answered(NamedTuple):
    """A ceremony's end: the host that was asked, the challenge that came back, and what the authenticator signed."""

    host: str
    challenge: str
    credential: dict[str, Any]


def is_on(application: State) -> bool:
    """Tell whether passkeys can be used: they are bound to the public address for ever."""
    configured = application.configured
    return bool(configured.settings.public_url) and (
        configured.is_set("public_url") or not configured.settings.is_production
    )


def begin_adding(application: State, session: Session, host: str) -> Begun:
    """Begin to add a passkey to the account of a session."""
    party = _party(application, host)
    known = store.list_of(session.account_id)
    if len(known) >= PER_ACCOUNT:
        raise errors.Conflict("You have as many passkeys as one account can have. Remove one first.")
    challenge = challenges.new(ADD, session.id, application.keyring)
    ids = [row.credential_id for row in known]
    account = (session.account_id, session.username)
    return Begun(ceremony.options_to_add(party, challenge.value, *account, ids), challenge.text)


def add(  # noqa: PLR0913 - the session, and what the browser made
    application: State, session: Session, token: str, client: Client, *, answered: Answered, name: str
) -> tuple[Passkey, str]:
    """Add the passkey that the browser made; the session has two factors then, under a new token.

    Raises InvalidInput when it is not genuine, too late, or known already.
    """
    value = challenges.use(answered.challenge, ADD, session.id, application.keyring)
    try:
        made = (
            ceremony.verify_new(_party(application, answered.host), value, answered.credential)
            if value
            else None
        )
    except NotGenuine:
        made = None
    if made is None:
        raise errors.InvalidInput(fields={"credential": "The passkey could not be added. Please try again."})
    added = Passkey(tokens.new_id(), _name(name), made.credential_backed_up, clock.now(), None)
    values = {
        **added._asdict(),
        "account_id": session.account_id,
        "credential_hash": ceremony.hash_of(made.credential_id),
        "credential_id": made.credential_id,
        "public_key": made.credential_public_key,
        "sign_count": made.sign_count,
        "is_syncable": made.credential_device_type == "multi_device",
    }
    try:
        with db.transaction():
            store.add(values)
            renewed = factors.enrolled(application, session, token)
            notices.post(session.account_id, "A passkey was added to your account", client)
    except db.Duplicate:
        raise errors.InvalidInput(fields={"credential": "This passkey was added before."}) from None
    audit.record(Event.FACTOR_ADDED, client, account_id=session.account_id, kind="passkey")
    return added, renewed


def begin_signing_in(application: State, browser: str, host: str) -> Begun:
    """Begin a sign-in without a name: any passkey of this site will do."""
    challenge = challenges.new(SIGN_IN, browser, application.keyring)
    return Begun(ceremony.options_to_use(_party(application, host), challenge.value), challenge.text)


def begin_confirming(application: State, session: Session, host: str) -> Begun:
    """Begin to confirm who is there, by a passkey of the signed-in account."""
    challenge = challenges.new(CONFIRM, session.id, application.keyring)
    ids = [row.credential_id for row in store.list_of(session.account_id)]
    return Begun(ceremony.options_to_use(_party(application, host), challenge.value, ids), challenge.text)


def account_of(application: State, purpose: str, bound_to: str, answered: Answered) -> str:
    """Return the id of the account whose passkey signed the challenge. Raises InvalidCredentials."""
    value = challenges.use(answered.challenge, purpose, bound_to, application.keyring)
    wanted = ceremony.credential_hash(answered.credential)
    row = store.find(wanted) if value and wanted else None
    if value is None or row is None:
        raise Refused
    try:
        used = ceremony.verify_use(
            _party(application, answered.host), value, answered.credential, row.public_key, row.sign_count
        )
    except NotGenuine:
        raise Refused from None
    handle = ceremony.user_handle(answered.credential)
    is_syncable = used.credential_device_type == "multi_device"
    if (handle is not None and handle != row.account_id) or is_syncable != row.is_syncable:
        raise Refused
    changed = {
        "sign_count": used.new_sign_count,
        "is_synced": used.credential_backed_up,
        "last_used_at": clock.now(),
    }
    if not store.note_use(row.id, row.sign_count, changed):
        raise Refused
    return str(row.account_id)


class Refused(errors.InvalidCredentials):
    """One answer for whatever is wrong with a passkey."""

    sentence = "This passkey is not known here, or it took too long. Please try again."


def list_of(account_id: str) -> list[Passkey]:
    """Return the account's passkeys, the oldest first."""
    return [
        Passkey(row.id, row.name, row.is_synced, row.created_at, row.last_used_at)
        for row in store.list_of(account_id)
    ]


def rename(account_id: str, passkey_id: str, name: str) -> None:
    """Name a passkey. Raises InvalidInput, or NotFound for any other id."""
    if not store.rename(account_id, passkey_id, _name(name)):
        raise errors.NotFound("There is no such passkey.")


def remove(application: State, account_id: str, passkey_id: str, client: Client) -> None:
    """Remove a passkey.

    Raises NotFound for any other id, Conflict for the last second factor where the account must have one.
    """
    with factors.keeping_one(application, account_id):
        if not store.remove(account_id, passkey_id):
            raise errors.NotFound("There is no such passkey.")
        notices.post(account_id, "A passkey was removed from your account", client)
    audit.record(Event.FACTOR_REMOVED, client, account_id=account_id, kind="passkey")


def remove_all(account_id: str, since: int = 0) -> int:
    """Remove all passkeys, or those made since then, inside a transaction of the caller's, and return how many there were."""
    return store.remove_all(account_id, since)


def _name(text: str) -> str:
    try:
        return names.line(text) or "Passkey"
    except ValueError as refused:
        raise errors.InvalidInput(fields={"name": str(refused)}) from None


def _party(application: State, host: str) -> Party:
    """Return who asks. Where nobody set the address, in development, it is this machine on whatever port."""
    if not is_on(application):
        raise errors.NotFound("Passkeys are off: this site has no public address (AEGIS_URL).")
    settings = application.settings
    own = urlsplit(settings.public_url)
    origin = settings.public_url
    if not application.configured.is_set("public_url") and urlsplit(f"//{host}").hostname == own.hostname:
        origin = f"{own.scheme}://{host}"
    return Party(own.hostname or "", origin, settings.site_name)
