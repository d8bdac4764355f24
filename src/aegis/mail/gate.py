"""Whether one mail made the round trip through the present relay: before that, nothing may depend on mail."""

from aegis import state
from aegis.mail import store
from aegis.settings import relay

_FACT = "mail_round_trip"
_ALWAYS = {relay.CONSOLE, relay.FOLDER, relay.MEMORY}
"""Where the operator reads mails directly; there is no relay that could lose them."""


def is_open() -> bool:
    """Tell whether mails are known to arrive: one did, through the relay that MAIL_URL names now."""
    place = relay.read(state.current().settings.mail_url)
    if place is None:
        return False
    return place.kind in _ALWAYS or store.fact(_FACT) == _relay()


def note_round_trip() -> None:
    """Note that a mail arrived."""
    store.set_fact(_FACT, _relay())


def _relay() -> str:
    """Name the relay without its password, under a key of ours: a new password is still the same relay."""
    place = relay.read(state.current().settings.mail_url)
    if place is None:
        raise AssertionError("mail is off")
    return state.current().keyring.digest("mail-relay", f"{place.host}:{place.port}:{place.user}")
