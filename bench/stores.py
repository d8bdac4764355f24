"""Databases with sessions in them: one session, or as many as a busy school has.

Each session has an account of its own, which is the hardest case for the join. The last use is dated ahead, so that
none of the writes that note it, one a minute and session, falls into a burst.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from academy import create_app, migrate
from aegis import clock, schema, tokens
from aegis.db import Database
from bench.apps.users import Base, User, engine
from config import ProductionConfig

ASKED_FOR = 10_000
"""Of many sessions this many take turns, so that neither the database nor a processor cache knows the next one."""

_AHEAD_S = 1800
_BATCH = 5000


def token(number: int) -> str:
    """Return the token of a session; it need not be secret here."""
    return base64.urlsafe_b64encode(hashlib.sha256(b"%d" % number).digest()).rstrip(b"=").decode()


def fill(environ: Mapping[str, str], stored: int) -> None:
    """Migrate the database of an environment and store that many sessions."""
    database: Database = create_app(ProductionConfig, environ=environ).extensions["aegis"].database
    migrate.upgrade(database)
    where, now = database.unhurried(), clock.now()
    with where.connect() as connection:
        connection.exec_driver_sql(database.begin_word())
        for first in range(0, stored, _BATCH):
            numbers = range(first, min(first + _BATCH, stored))
            connection.execute(sa.insert(schema.accounts), [_account(number, now) for number in numbers])
            connection.execute(sa.insert(schema.sessions), [_session(number, now) for number in numbers])
        connection.exec_driver_sql("COMMIT")
        for words in _STATISTICS[connection.dialect.name]:
            connection.exec_driver_sql(words)
    where.dispose()


_STATISTICS = {
    "sqlite": ["ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"],
    "postgresql": ["VACUUM ANALYZE accounts", "VACUUM ANALYZE sessions", "CHECKPOINT"],
    "mysql": ["ANALYZE TABLE accounts, sessions"],
}
"""What a server that has run for a while has done by itself."""


def _account(number: int, now: int) -> dict[str, Any]:
    name = f"learner{number}"
    return {
        "id": f"account{number:015}",
        "username": name,
        "username_canonical": name,
        "email": f"{name}@school.example",
        "email_canonical": f"{name}@school.example",
        "password_hash": "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 66,
        "role": "learner",
        "is_active": True,
        "display_name": f"Learner {number}",
        "bio": "",
        "created_at": now,
        "password_changed_at": now,
    }


def _session(number: int, now: int) -> dict[str, Any]:
    return {
        "token_hash": tokens.hash_token(token(number)),
        "id": f"session{number:015}",
        "account_id": f"account{number:015}",
        "started_at": now,
        "started_us": now * 1_000_000,
        "authenticated_at": now,
        "last_used_at": now + _AHEAD_S,
        "auth_level": 1,
        "method": "password",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
        "address": "192.0.2.7",
        "browser_hash": None,
    }


def fill_users(url: str) -> None:
    """Store the one user of the Flask-Login application."""
    where = engine(url)
    Base.metadata.create_all(where)
    with where.begin() as connection:
        values = {"username": "ada", "display_name": "Ada", "email": "ada@school.example", "role": "learner"}
        connection.execute(sa.insert(User).values(id=1, **values))
    where.dispose()


def cookies(path: Path, name: str, stored: int) -> Path:
    """Write the Cookie lines that the load takes in turn, spread over all sessions in no order."""
    chosen = sorted(range(0, stored, max(1, stored // ASKED_FOR)), key=token)
    path.write_text("".join(f"{name}={token(number)}\n" for number in chosen))
    return path
