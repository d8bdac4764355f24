"""Mails that tell owners what happened to their account: written in the transaction of what they tell."""

from aegis import clock, mail
from aegis.accounts import store
from aegis.web import OPERATOR, Client, device


def post(account_id: str, what: str, client: Client) -> None:
    """Tell the account's owner what happened, when and from where, unless the account has no address or mail is off.

    `what` is a sentence without its full stop. Since when the account exists is told as well: whoever forges a notice
    does not know it. Raises AssertionError outside of a transaction.
    """
    row = store.find(account_id)
    if row is None or not row.email:
        return
    is_ours = client.address == OPERATOR.address
    mail.post(
        "notice",
        row.email,
        username=row.username,
        what=what,
        when=f"{clock.as_datetime(clock.now()):%-d %B %Y, %H:%M} UTC",
        device="those who run this site" if is_ours else device.describe(client.user_agent),
        address=client.address,
        member_since=f"{clock.as_datetime(row.created_at):%-d %B %Y}",
    )
