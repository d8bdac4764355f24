"""What an account may do, and whether it is let in: role, activity, a password to be replaced. One administrator always stays."""

from aegis import audit, db, errors
from aegis.accounts import store
from aegis.audit import Event
from aegis.sessions import service as sessions
from aegis.settings import ROLES
from aegis.web import OPERATOR, Client


def set_role(account_id: str, role: str, client: Client = OPERATOR, actor_id: str | None = None) -> None:
    """Give another role and end all sessions: a gained right needs a fresh sign-in, a lost one is gone at once."""
    if role not in ROLES:
        raise errors.InvalidInput(fields={"role": f"Must be one of {', '.join(ROLES)}."})
    with db.transaction():
        if role != "admin":
            keep_an_admin(account_id)
        store.change(account_id, {"role": role})
        ended = sessions.revoke_all(account_id)
    told: dict[str, str | int] = {"role": role, "sessions_ended": ended}
    audit.record(Event.ROLE_CHANGED, client, account_id=account_id, actor_id=actor_id, **told)


def expire_password(account_id: str, client: Client = OPERATOR, actor_id: str | None = None) -> None:
    """Let the password open nothing but the choice of another one, and end all sessions."""
    with db.transaction():
        store.change(account_id, {"must_change_password": True})
        ended = sessions.revoke_all(account_id)
    audit.record(
        Event.PASSWORD_EXPIRED, client, account_id=account_id, actor_id=actor_id, sessions_ended=ended
    )


def is_only_admin(account_id: str) -> bool:
    """Tell whether this account is an administrator and no other active one is."""
    return [row.id for row in store.list_active_admins()] == [account_id]


def keep_an_admin(account_id: str) -> None:
    """Refuse to take the last administrator away; of two at once that take each other away, one waits and is refused."""
    admins = [row.id for row in store.list_active_admins()]
    if account_id not in admins:
        return
    for admin_id in admins:
        store.lock(admin_id)
    if is_only_admin(account_id):
        raise errors.Conflict("This is the last administrator. Make somebody else one first.")


def activate(account_id: str, client: Client = OPERATOR, actor_id: str | None = None) -> None:
    """Let a deactivated account in again."""
    store.change(account_id, {"is_active": True})
    audit.record(Event.ACCOUNT_ACTIVATED, client, account_id=account_id, actor_id=actor_id)


def deactivate(account_id: str, client: Client = OPERATOR, actor_id: str | None = None) -> None:
    """Shut the account out and end all its sessions. Raises Conflict for the last administrator."""
    with db.transaction():
        keep_an_admin(account_id)
        store.change(account_id, {"is_active": False})
        ended = sessions.revoke_all(account_id)
    audit.record(
        Event.ACCOUNT_DEACTIVATED, client, account_id=account_id, actor_id=actor_id, sessions_ended=ended
    )
