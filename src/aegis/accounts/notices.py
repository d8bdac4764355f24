"""Mails that tell owners what happened to their account: written in the transaction of what they tell."""

from urllib.parse import urlencode

from aegis import clock, mail, proofs, state
from aegis.accounts import store
from aegis.proofs.service import UNDO
from aegis.web import OPERATOR, Client, device

UNDO_LIFETIME_S = 72 * 3600
"""Three days: long enough for a weekend."""


def post(  # noqa: PLR0913 - what happened, who did it, and how much it matters
    account_id: str,
    what: str,
    client: Client,
    *,
    actor_id: str | None = None,
    can_be_undone: bool = False,
    is_critical: bool = True,
) -> None:
    """Tell the account's owner what happened, when and from where, unless the account has no address or mail is off.

    `what` is a sentence without its full stop. Since when the account exists is told as well: whoever forges a notice
    does not know it. Where somebody else did it (`actor_id`), their address is their own business. One that `can_be_undone` carries a link that takes the account back to the address it goes to; what is
    not critical is left out for those who do not want it. Raises AssertionError outside of a transaction.
    """
    row, application = store.find(account_id), state.current()
    settings = application.settings
    if row is None or not row.email or not mail.is_on(settings) or (row.mutes_notices and not is_critical):
        return
    link = ""
    if can_be_undone and settings.public_url:
        issued = proofs.issue(UNDO, account_id, row.email, UNDO_LIFETIME_S)
        link = f"{settings.public_url}/account/undo?{urlencode({'token': issued.token})}"
    is_ours = client.address == OPERATOR.address or actor_id not in {None, account_id}
    mail.post(
        "notice",
        row.email,
        username=row.username,
        what=what,
        when=f"{clock.as_datetime(clock.now()):%-d %B %Y, %H:%M} UTC",
        origin="those who run this site" if is_ours else _origin(client),
        member_since=f"{clock.as_datetime(row.created_at):%-d %B %Y}",
        undo_link=link,
        hours=UNDO_LIFETIME_S // 3600,
    )


def _origin(client: Client) -> str:
    """Return the browser, the address, and where that is."""
    place = state.current().places.of(client.address).name
    return f"{device.describe(client.user_agent)}, {client.address}{f' ({place})' if place else ''}"
