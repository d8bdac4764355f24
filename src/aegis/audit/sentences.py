"""Events in plain words, for the person whose account they are about."""

from collections.abc import Mapping

from aegis.audit.events import Event
from aegis.audit.model import Seen
from aegis.web import OPERATOR

_WORDS: Mapping[str, str] = {
    Event.LOGIN_SUCCESS: "You signed in.",
    Event.LOGIN_FAILURE: "Somebody tried to sign in, with a wrong password.",
    Event.LOGIN_LIMITED: "Further attempts to sign in were refused for a while.",
    Event.CONFIRMED: "You confirmed that it is you.",
    Event.CONFIRM_FAILURE: "Inside one of your sessions, somebody gave a wrong password.",
    Event.PASSWORD_CHANGED: "Your password was changed. All other sessions ended.",
    Event.PASSWORD_CHANGE_FAILURE: "Somebody tried to change your password, and did not know the current one.",
    Event.PASSWORD_EXPIRED: "You have to choose another password. Your sessions ended.",
    Event.PASSWORD_RESET_ASKED: "Somebody asked for a new password; a mail went to your address.",
    Event.PASSWORD_RESET_LINK: "A link for choosing a new password was made for you.",
    Event.RATE_LIMITED: "Too many attempts; further ones were refused for a while.",
    Event.ROLE_CHANGED: "Your role was changed, and your sessions ended.",
    Event.SESSION_ENDED: "A session ended.",
    Event.SESSIONS_REVOKED: "Your other sessions were ended.",
    Event.SESSION_RESUMED: "A browser that stayed signed in went on.",
    Event.REMEMBRANCE_ENDED: "A browser does not stay signed in any more.",
    Event.REMEMBRANCE_COPIED: "What keeps a browser signed in was used twice, so one of the two was a copy. All that it opened ended.",
    Event.SESSION_LATE_USE: "A session that had expired was used again, and refused.",
    Event.ACCOUNT_CREATED: "Your account was created.",
    Event.ACCOUNT_UPDATED: "Your profile was changed.",
    Event.CODE_SENT: "Another code was sent to your e-mail address.",
    Event.ADDRESS_PROVEN: "Your e-mail address was confirmed.",
    Event.CHANGE_UNDONE: "A change was undone from your former e-mail address. Everything ended, and the password is void.",
    Event.ACCOUNT_DEACTIVATED: "Your account was deactivated.",
    Event.ACCOUNT_ACTIVATED: "Your account was activated again.",
    Event.DATA_EXPORTED: "A copy of your data was taken along.",
    Event.DELETION_ASKED: "Your account was deleted; it would have been erased some days later.",
    Event.DELETION_WITHDRAWN: "You signed in again, so your account stays.",
    Event.FACTOR_ADDED: "A second way to prove that it is you was added.",
    Event.FACTOR_REMOVED: "A second way to prove that it is you was removed.",
    Event.RECOVERY_CODE_USED: "A recovery code was used.",
    Event.RECOVERY_CODES_RENEWED: "A new set of recovery codes was made. The former ones are void.",
    Event.FACTORS_RESET_ASKED: "Somebody asked to have your second factors removed.",
    Event.FACTORS_RESET_WITHDRAWN: "Your second factors stay: what was asked for was withdrawn.",
    Event.FACTORS_RESET: "Your second factors were removed, and your sessions ended.",
    Event.BREAK_GLASS_MADE: "An emergency code for your account was made.",
    Event.BREAK_GLASS_USED: "The emergency code of your account was used.",
    Event.DEVICE_FORGOTTEN: "A device that we knew was forgotten.",
}
SHOWN = tuple(_WORDS)
"""The events that an account's owner is told of."""

_FIELDS = {
    "display_name": "display name",
    "bio": "text about yourself",
    "email": "e-mail address",
    "avatar": "picture",
}
_DETAILS = {
    (Event.LOGIN_FAILURE, "second_factor"): "Somebody who knew your password failed at the second factor.",
    (Event.SESSION_ENDED, "logout"): "You signed out.",
    (Event.SESSION_ENDED, "revoked"): "You ended a session.",
}


def for_owner(seen: Seen) -> str:
    """Return what happened, said to the owner of the account."""
    sentence = _DETAILS.get((Event(seen.event), str(seen.data.get("reason")))) or _WORDS[seen.event]
    if seen.event == Event.ACCOUNT_UPDATED:
        names = [_FIELDS[name] for name in str(seen.data.get("fields", "")).split(",") if name in _FIELDS]
        sentence = (
            f"Your {' and '.join(names)} {'was' if len(names) == 1 else 'were'} changed."
            if names
            else sentence
        )
    return f"{sentence} An administrator did this." if is_by_others(seen) else sentence


def is_by_others(seen: Seen) -> bool:
    """Tell whether an administrator did it, or the operator on the machine itself; where from is their business."""
    is_administrator = seen.actor_id is not None and seen.actor_id != seen.account_id
    return is_administrator or seen.address == OPERATOR.address
