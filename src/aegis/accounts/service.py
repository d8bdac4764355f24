"""The rules of an account: who may be called what, which password is good enough, what a change entails."""

import contextlib
import dataclasses
import functools
from typing import Any

from aegis import audit, clock, db, errors, passwords, proofs, state, throttle, tokens
from aegis.accounts import addresses, avatars, blocklist, names, notices, store, verification
from aegis.audit import Event
from aegis.passwords import Hasher
from aegis.sessions import CHANGE_PASSWORD, Session, remembrance
from aegis.sessions import service as sessions
from aegis.settings import Settings
from aegis.state import State
from aegis.throttle import Subject
from aegis.uploads import StorageAway
from aegis.web import OPERATOR, Client, Upload


@dataclasses.dataclass(frozen=True)
class Account:
    """An account with everything its owner sees; the password's hash stays in the store."""

    id: str
    username: str
    display_name: str
    email: str | None
    role: str
    is_active: bool
    bio: str
    avatar: str | None
    created_at: int
    pending_email: str | None
    email_verified_at: int | None
    mutes_notices: bool | None

    @classmethod
    def of(cls, row: Any) -> "Account":
        """Read a row."""
        return cls(**{field.name: getattr(row, field.name) for field in dataclasses.fields(cls)})


def get(account_id: str) -> Account:
    """Return an account. Raises NotFound."""
    row = store.find(account_id)
    if row is None:
        raise errors.NotFound("There is no such account.")
    return Account.of(row)


def locked(account_id: str) -> Account:
    """Return an account that nobody else changes before the running transaction ends. Raises NotFound."""
    store.lock(account_id)
    return get(account_id)


def find(name: str) -> Account | None:
    """Return the account of a user name or e-mail address in any spelling, or None."""
    row = find_row(name)
    return Account.of(row) if row is not None else None


def find_row(name: str) -> Any:
    """Return the stored row behind what somebody typed as name or address, or None; for verification only."""
    if "@" in name:
        address = addresses.find(name)
        return store.find_by_email(address) if address else None
    canonical = names.find(name)
    return store.find_by_username(canonical) if canonical else None


def folded(name: str) -> str:
    """Return one form for all spellings of what was typed as name or address, whether it can exist or not."""
    found = addresses.find(name) if "@" in name else names.find(name)
    return found or name.casefold()


def register(  # noqa: PLR0913 - each is something an account has, or what it is judged by
    username: str,
    password: str,
    email: str | None,
    settings: Settings,
    hasher: Hasher,
    *,
    role: str = "learner",
    by_operator: bool = False,
    is_temporary: bool = False,
    client: Client = OPERATOR,
    browser: str | None = None,
) -> Account:
    """Create an account; the operator alone may give reserved names, such as `admin`, and is believed the address.

    A temporary password is good for choosing another one alone. Where addresses are proven, a code goes to the address, good in
    this `browser`; whether somebody has that address is then told by mail alone.

    Raises InvalidInput with every wrong field at once; nothing is stored then.
    """
    faults: dict[str, str] = {}
    rule = functools.partial(names.canonical, allow_reserved=by_operator)
    canonical = _judge(faults, "username", rule, username)
    application = state.current()
    is_proven_later = not by_operator and verification.is_on(application)
    address = _judge(faults, "email", addresses.parse, email) if email else None
    if not by_operator:
        _judge_address(faults, settings, address, is_required=verification.is_required(application))
    if fault := _password_fault(password, settings, role, username, email):
        faults["password"] = fault
    if canonical and store.find_by_username(canonical) is not None:
        faults["username"] = _TAKEN["username"]
    if address and not is_proven_later and store.find_by_email(address.canonical) is not None:
        faults["email"] = _TAKEN["email"]
    if faults:
        raise errors.InvalidInput(fields=faults)
    now = clock.now()
    known = address if not is_proven_later else None
    values = {
        "id": tokens.new_id(),
        "username": names.display(username),
        "username_canonical": canonical,
        "email": known.display if known else None,
        "email_canonical": known.canonical if known else None,
        "email_verified_at": now if known and by_operator else None,
        "pending_email": address.display if address and is_proven_later else None,
        "password_hash": hasher.hash(password),
        "role": role,
        "must_change_password": is_temporary,
        "is_active": True,
        "display_name": "",
        "bio": "",
        "created_at": now,
        "password_changed_at": now,
    }
    try:
        with contextlib.ExitStack() as stack:
            asks = address if is_proven_later else None
            may_send = asks and stack.enter_context(verification.budget(application, asks, client))
            stack.enter_context(db.transaction())
            store.add(values)
            if asks:
                account_id, name = str(values["id"]), str(values["username"])
                verification.send(account_id, name, asks, browser, is_quiet=not may_send)
    except db.Duplicate:
        taken = "username" if store.find_by_username(str(canonical)) is not None else "email"
        raise errors.InvalidInput(fields={taken: _TAKEN[taken]}) from None
    audit.record(Event.ACCOUNT_CREATED, client, account_id=str(values["id"]), role=role)
    return get(str(values["id"]))


_TAKEN = {
    "username": "This user name is taken. Please choose another.",
    "email": "This address cannot be used. Please use another or sign in with it.",
}


def tells_of_others(fault: errors.InvalidInput) -> bool:
    """Say whether a refused registration told that a name or an address is taken."""
    return any(fault.fields.get(field) == sentence for field, sentence in _TAKEN.items())


def _judge(faults: dict[str, str], field: str, rule: Any, text: str) -> Any:
    try:
        return rule(text)
    except ValueError as refused:
        faults[field] = str(refused)
        return None


def _password_fault(
    password: str, settings: Settings, role: str, username: str, email: str | None
) -> str | None:
    return passwords.judge(
        password,
        minimum=settings.shortest_password(role),
        maximum=settings.password_maximum,
        context=[settings.site_name, *settings.password_banned_words],
        names=[name for name in (username, email) if name],
    )


def _judge_address(
    faults: dict[str, str], settings: Settings, address: addresses.Address | None, *, is_required: bool
) -> None:
    """Say what is wrong with an address that can exist."""
    if "email" in faults:
        return
    if address is None:
        if is_required:
            faults["email"] = "Please give your e-mail address: we send a code there."
    elif blocklist.blocks(settings.email_blocked_domains, address.canonical.rpartition("@")[2]):
        faults["email"] = "Addresses of this domain cannot be used here. Please give another one."


def change_profile(
    account_id: str,
    client: Client,
    *,
    display_name: str | None = None,
    bio: str | None = None,
    notices_wanted: str | None = None,
) -> Account:
    """Change what the owner tells of themselves, and which mails they want (`all` or `critical`). Raises InvalidInput."""
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    if display_name is not None:
        values["display_name"] = _judge(faults, "display_name", names.line, display_name)
    if bio is not None:
        values["bio"] = _judge(faults, "bio", names.prose, bio)
    if notices_wanted is not None:
        values["mutes_notices"] = notices_wanted == "critical"
    if faults:
        raise errors.InvalidInput(fields=faults)
    if values:
        store.change(account_id, values)
        audit.record(Event.ACCOUNT_UPDATED, client, account_id=account_id, fields=",".join(sorted(values)))
    return get(account_id)


def change_avatar(application: State, session: Session, client: Client, upload: Upload | None) -> Account:
    """Show the uploaded picture with the account from now on, and forget the one before.

    Raises InvalidInput with the reason, RateLimited, or NotSignedIn when the session ended while the file came in:
    then nothing is kept of it.
    """
    subject = Subject("account", session.account_id, application.settings.limit_upload_account)
    with throttle.attempt("upload", [subject], client, session.account_id):
        content = avatars.encode(upload, application.settings)
    name = f"{tokens.new_id()}.webp"
    application.uploads.put(name, content)
    try:
        return _with_avatar(application, session, client, name)
    except BaseException:
        application.uploads.remove(name)
        raise


def remove_avatar(application: State, session: Session, client: Client) -> Account:
    """Show no picture any more. Raises NotSignedIn when the session ended in the meantime."""
    return _with_avatar(application, session, client, None)


def _with_avatar(application: State, session: Session, client: Client, name: str | None) -> Account:
    """Change the picture in one transaction, so that of two changes at once neither leaves a file behind."""
    with db.transaction():
        store.lock(session.account_id)
        if not sessions.is_alive(session.id, application.settings):
            raise errors.NotSignedIn
        before = get(session.account_id)
        store.change(session.account_id, {"avatar": name})
    if before.avatar is not None:
        with contextlib.suppress(
            StorageAway
        ):  # the change is made; a file that nobody names any more does no harm
            application.uploads.remove(before.avatar)
    audit.record(Event.ACCOUNT_UPDATED, client, account_id=session.account_id, fields="avatar")
    return dataclasses.replace(before, avatar=name)


def change_email(
    application: State, account_id: str, email: str, client: Client, browser: str | None = None
) -> Account:
    """Change or remove the address; where mails arrive, the new one counts after the code that is sent there.

    Raises InvalidInput when it is wrong or taken, Conflict while a change that was undone keeps it as it is, RateLimited after
    too many codes.
    """
    row = store.find(account_id)
    if row is None:
        raise errors.NotSignedIn
    if row.frozen_until is not None and row.frozen_until > clock.now():
        until = f"{clock.as_datetime(row.frozen_until):%-d %B %Y, %H:%M} UTC"
        raise errors.Conflict(
            f"A change of this account was undone: its address stays as it is until {until}."
        )
    faults: dict[str, str] = {}
    address = _judge(faults, "email", addresses.parse, email) if email.strip() else None
    _judge_address(faults, application.settings, address, is_required=verification.is_required(application))
    if faults:
        raise errors.InvalidInput(fields=faults)
    if address is not None and verification.needs_code(application, row, address):
        verification.begin(application, row, address, browser, client)
        return get(account_id)
    values = {
        "email": address and address.display,
        "email_canonical": address and address.canonical,
        "email_verified_at": row.email_verified_at if verification.is_proven(row, address) else None,
        "pending_email": None,
    }
    try:
        with db.transaction():
            if row.email_canonical != values["email_canonical"]:
                what = "The e-mail address of your account was changed"
                notices.post(account_id, what, client, can_be_undone=True)
                proofs.forget(account_id)
            store.change(account_id, values)
    except db.Duplicate:
        raise errors.InvalidInput(fields={"email": _TAKEN["email"]}) from None
    audit.record(Event.ACCOUNT_UPDATED, client, account_id=account_id, fields="email")
    return get(account_id)


def change_password(  # noqa: PLR0913 - session, client and both passwords
    application: State, session: Session, token: str, client: Client, *, current: str, new: str
) -> str:
    """Change the password, end all other sessions and renew this one; return its new token.

    Raises InvalidInput when the current password is wrong or the new one too weak, RateLimited after too many wrong
    ones, NotSignedIn when the session ended or the password changed in the meantime: of two changes at once, one
    wins.
    """
    row = store.find(session.account_id)
    if row is None:
        raise errors.NotSignedIn
    hasher, settings = application.hasher, application.settings
    subject = Subject("account", row.id, settings.limit_confirm)
    with throttle.attempt("confirm", [subject], client, row.id) as attempt:
        if hasher.verify(row.password_hash, current).matches:
            attempt.succeed()
    if attempt.is_failure:
        audit.record(Event.PASSWORD_CHANGE_FAILURE, client, account_id=row.id, reason="wrong_password")
        raise errors.InvalidInput(fields={"current_password": "This is not your current password."})
    fault = _password_fault(new, settings, row.role, row.username, row.email)
    if passwords.normalise(new) == passwords.normalise(current):
        fault = "This is the password you have now. Please choose another."
    if fault:
        raise errors.InvalidInput(fields={"new_password": fault})
    with_new = _with_password(hasher.hash(new))
    with db.transaction():
        if not store.change_password(row.id, row.password_hash, with_new):
            raise errors.NotSignedIn
        proofs.forget(row.id)
        notices.post(row.id, "Your password was changed", client, can_be_undone=True)
        ended = sessions.revoke_all(row.id, but=session.id)
        remembrance.end_all(row.id)
        renewed = sessions.rotate(session, token, done=CHANGE_PASSWORD)
    audit.record(Event.PASSWORD_CHANGED, client, account_id=row.id, session=session.id, sessions_ended=ended)
    return renewed


def judge_password(settings: Settings, account: Account, password: str, field: str) -> None:
    """Refuse a new password that is too weak for the account. Raises InvalidInput under that field."""
    if fault := _password_fault(password, settings, account.role, account.username, account.email):
        raise errors.InvalidInput(fields={field: fault})


def set_password(account_id: str, password_hash: str) -> None:
    """Store another password's hash, inside a transaction of the caller's that also ends what was known before."""
    store.change(account_id, _with_password(password_hash))


def _with_password(password_hash: str) -> dict[str, Any]:
    """Return what changes with a password that its owner chose."""
    return {
        "password_hash": password_hash,
        "password_changed_at": clock.now(),
        "must_change_password": False,
    }


def upgrade_hash(row: Any, password: str, hasher: Hasher) -> None:
    """Store the verified password under today's parameters, unless it was changed in the meantime."""
    store.change_password(row.id, row.password_hash, {"password_hash": hasher.hash(password)})


def take_back(account_id: str, address: str, password_hash: str, frozen_until: int) -> None:
    """Give the account back to an address, in a transaction of the caller's that ends everything else."""
    canonical = addresses.parse(address).canonical
    store.release_address(canonical, but=account_id, unproven_only=False)
    proven = {"email": address, "email_canonical": canonical, "email_verified_at": clock.now()}
    with_password = {**_with_password(password_hash), "frozen_until": frozen_until}
    store.change(account_id, {**proven, **with_password, "pending_email": None})


def list_all() -> list[Account]:
    """Return all accounts by name."""
    return [Account.of(row) for row in store.list_all()]
