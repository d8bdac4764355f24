"""Accounts that stand for users of another user table, so that their sessions are ours."""

from aegis import clock, db, tokens
from aegis.accounts import store

PREFIX = "external:"
"""No user name that can be registered contains a colon."""


def account_id(user_id: str) -> str:
    """Return the account that stands for a foreign user id, made at its first sign-in."""
    name = PREFIX + user_id
    row = store.find_by_username(name)
    if row is not None:
        return str(row.id)
    now = clock.now()
    values = {
        "id": tokens.new_id(),
        "username": name,
        "username_canonical": name,
        "password_hash": "!",
        "role": "learner",
        "is_active": True,
        "display_name": "",
        "bio": "",
        "created_at": now,
        "password_changed_at": now,
    }
    try:
        store.add(values)
    except db.Duplicate:
        return account_id(user_id)
    return str(values["id"])


def user_id(username: str) -> str | None:
    """Return the foreign user id behind an account's name, or None for an account of our own."""
    return username.removeprefix(PREFIX) if username.startswith(PREFIX) else None
