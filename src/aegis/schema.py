"""Every table of aegis on one page. Times are epoch seconds (`clock.now`), ids are random text."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
"""All tables of one application; the course platform adds its own to it."""


def text(length: int) -> sa.types.TypeEngine[str]:
    """Return text that compares exactly: MariaDB's default would take `A` for `a`, and a letter for its accented sister.

    Blanks at the end still do not count there, so what is looked up by text must not end with one.
    """
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )


def prose() -> sa.types.TypeEngine[str]:
    """Return text without a limit of its own, compared as exactly as `text`."""
    exact = mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Text().with_variant(exact, "mysql", "mariadb")


def digest() -> sa.types.TypeEngine[bytes]:
    """Return the type of a SHA-256."""
    return sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", text(22), primary_key=True),
    sa.Column("username", text(64), nullable=False),
    sa.Column("username_canonical", text(300), nullable=False, unique=True),
    sa.Column("email", text(320)),
    sa.Column("email_canonical", text(320), unique=True),
    sa.Column("password_hash", text(255), nullable=False),
    sa.Column("role", text(16), nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("display_name", text(80), nullable=False),
    sa.Column("bio", text(1000), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("password_changed_at", sa.BigInteger, nullable=False),
    sa.Column("email_verified_at", sa.BigInteger),
    sa.Column("frozen_until", sa.BigInteger),
    sa.Column("mutes_notices", sa.Boolean),
    sa.Column("avatar", text(40)),
    sa.Column("must_change_password", sa.Boolean),
    sa.Column("pending_email", text(320)),
    sa.Column("erase_at", sa.BigInteger, index=True),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("token_hash", digest(), primary_key=True),
    sa.Column("id", text(22), nullable=False, unique=True),
    sa.Column(
        "account_id", text(22), sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("started_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("started_us", sa.BigInteger, nullable=False),
    sa.Column("authenticated_at", sa.BigInteger, nullable=False),
    sa.Column("last_used_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("auth_level", sa.SmallInteger, nullable=False),
    sa.Column("method", text(16), nullable=False),
    sa.Column("user_agent", text(255), nullable=False),
    sa.Column("address", text(45), nullable=False),
    sa.Column("browser_hash", digest()),
    sa.Column("forced_step", text(16)),
    sa.Column("remembrance_id", text(22)),
)

remembrances = sa.Table(
    "remembrances",
    metadata,
    sa.Column("id", text(22), primary_key=True),
    sa.Column(
        "account_id", text(22), sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("series_hash", digest(), nullable=False, unique=True),
    sa.Column("token_hash", digest(), nullable=False),
    sa.Column("former_hash", digest()),
    sa.Column("user_agent", text(255), nullable=False),
    sa.Column("address", text(45), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("used_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
)

pending_logins = sa.Table(
    "pending_logins",
    metadata,
    sa.Column("token_hash", digest(), primary_key=True),
    sa.Column(
        "account_id", text(22), sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("browser_hash", digest(), nullable=False),
    sa.Column("method", text(16), nullable=False),
    sa.Column("factor", text(16)),
    sa.Column("attempts_left", sa.SmallInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("stays", sa.Boolean),
)

authenticators = sa.Table(
    "authenticators",
    metadata,
    sa.Column("id", text(22), primary_key=True),
    sa.Column(
        "account_id", text(22), sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("name", text(80), nullable=False),
    sa.Column("sealed", prose(), nullable=False),
    sa.Column("key_name", text(8), nullable=False, index=True),
    sa.Column("last_step", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("confirmed_at", sa.BigInteger),
    sa.Column("last_used_at", sa.BigInteger),
)

factor_resets = sa.Table(
    "factor_resets",
    metadata,
    sa.Column("account_id", text(22), sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("asked_by", text(22), nullable=False),
    sa.Column("asked_at", sa.BigInteger, nullable=False),
)

recovery_codes = sa.Table(
    "recovery_codes",
    metadata,
    sa.Column("account_id", text(22), sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("code_hash", text(64), primary_key=True),
    sa.Column("key_name", text(8), nullable=False),
    sa.Column("is_break_glass", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

devices = sa.Table(
    "devices",
    metadata,
    sa.Column("account_id", text(22), sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("token_hash", digest(), primary_key=True, index=True),
    sa.Column("id", text(22), nullable=False, unique=True),
    sa.Column("user_agent", text(255), nullable=False),
    sa.Column("first_seen_at", sa.BigInteger, nullable=False),
    sa.Column("last_seen_at", sa.BigInteger, nullable=False, index=True),
)

passkeys = sa.Table(
    "passkeys",
    metadata,
    sa.Column("id", text(22), primary_key=True),
    sa.Column(
        "account_id", text(22), sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("credential_hash", digest(), nullable=False, unique=True),
    sa.Column("credential_id", sa.LargeBinary, nullable=False),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("sign_count", sa.BigInteger, nullable=False),
    sa.Column("is_syncable", sa.Boolean, nullable=False),
    sa.Column("is_synced", sa.Boolean, nullable=False),
    sa.Column("name", text(80), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("last_used_at", sa.BigInteger),
)

used_challenges = sa.Table(
    "used_challenges",
    metadata,
    sa.Column("text_hash", digest(), primary_key=True),
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
)

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", text(32), primary_key=True),
    sa.Column("empty_at_ms", sa.BigInteger, nullable=False, index=True),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("chain", text(22), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("event", text(40), nullable=False, index=True),
    sa.Column("account_id", text(22), index=True),
    sa.Column("actor_id", text(22)),
    sa.Column("address", text(45), nullable=False),
    sa.Column("request_id", text(32), nullable=False),
    sa.Column("data", prose(), nullable=False),
    sa.Column("mac", text(64), nullable=False),
    sa.Index(None, "account_id", "at"),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", text(22), primary_key=True),
    sa.Column("template", text(40), nullable=False),
    sa.Column("sealed", prose(), nullable=False),
    sa.Column("state", text(10), nullable=False),
    sa.Column("attempts", sa.SmallInteger, nullable=False),
    sa.Column("next_try_at", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("fault", text(200), nullable=False),
    sa.Index("ix_outbox_state_next_try_at", "state", "next_try_at"),
)

proofs = sa.Table(
    "proofs",
    metadata,
    sa.Column("id", text(22), primary_key=True),
    sa.Column("purpose", text(10), nullable=False),
    sa.Column("account_id", text(22), sa.ForeignKey("accounts.id", ondelete="CASCADE"), index=True),
    sa.Column("address", text(320), nullable=False),
    sa.Column("token_hash", digest(), unique=True),
    sa.Column("code_hash", text(64)),
    sa.Column("browser_hash", digest()),
    sa.Column("attempts_left", sa.SmallInteger, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("data", prose(), nullable=False),
    sa.Index("ix_proofs_address_purpose", "address", "purpose"),
)

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", text(40), primary_key=True),
    sa.Column("value", text(200), nullable=False),
)
