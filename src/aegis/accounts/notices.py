"""Mails that tell owners what happened to their account: written in the transaction of what they tell."""

from urllib.parse import urlencode

from aegis import clock, mail, proofs, state
from aegis.accounts import store
from aegis.proofs.service import UNDO
from aegis.web import OPERATOR, Client, device

UNDO_LIFETIME_S = 72 * 3600
"""Three days: long enough for a weekend."""


def post(
    account_id: str, what: str, client: Client, *, can_be_undone: bool = False, is_critical: bool = True
) -> None:
    """Tell the account's owner what happened, when and from where, unless the account has no address or mail is off.

    `what` is a sentence without its full stop. Since when the account exists is told as well: whoever forges a notice
    does not know it. One that `can_be_undone` carries a link that takes the account back to the address it goes to; what is
    not critical is left out for those who do not want it. Raises AssertionError outside of a transaction.
    """
    row, application = store.find(account_id), state.current()
    settings, place = application.settings, application.places.of(client.address).name
    if row is None or not row.email or not mail.is_on(settings) or (row.mutes_notices and not is_critical):
        return
    link = ""
    if can_be_undone and settings.public_url:
        issued = proofs.issue(UNDO, account_id, row.email, UNDO_LIFETIME_S)
        link = f"{settings.public_url}/account/undo?{urlencode({'token': issued.token})}"
    is_ours = client.address == OPERATOR.address
    mail.post(
        "notice",
        row.email,
        username=row.username,
        what=what,
        when=f"{clock.as_datetime(clock.now()):%-d %B %Y, %H:%M} UTC",
        device="those who run this site" if is_ours else device.describe(client.user_agent),
        address=f"{client.address} ({place})" if place else client.address,
        member_since=f"{clock.as_datetime(row.created_at):%-d %B %Y}",
        undo_link=link,
        hours=UNDO_LIFETIME_S // 3600,
    )
