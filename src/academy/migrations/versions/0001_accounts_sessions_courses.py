"""Accounts, sessions and courses."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from academy.migrations.steps import create_index, create_table, digest, prose, text

revision = "0001"
down_revision = None


def _content() -> sa.types.TypeEngine[bytes]:
    return sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name="_".join(["uq", table, *columns]))


def upgrade() -> None:
    """Create all tables, each after those it refers to."""
    _create_accounts()
    _create_limits()
    _create_courses()
    _create_learning()


def _create_accounts() -> None:
    create_table(
        "accounts",
        sa.Column("id", text(22), nullable=False),
        sa.Column("username", text(64), nullable=False),
        sa.Column("username_canonical", text(300), nullable=False),
        sa.Column("email", text(320)),
        sa.Column("email_canonical", text(320)),
        sa.Column("password_hash", text(255), nullable=False),
        sa.Column("role", text(16), nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("display_name", text(80), nullable=False),
        sa.Column("bio", text(1000), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("password_changed_at", sa.BigInteger, nullable=False),
        _key("accounts", "id"),
        _unique("accounts", "username_canonical"),
        _unique("accounts", "email_canonical"),
    )
    create_table(
        "sessions",
        sa.Column("token_hash", digest(), nullable=False),
        sa.Column("id", text(22), nullable=False),
        sa.Column("account_id", text(22), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("started_us", sa.BigInteger, nullable=False),
        sa.Column("authenticated_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger, nullable=False),
        sa.Column("auth_level", sa.SmallInteger, nullable=False),
        sa.Column("method", text(16), nullable=False),
        sa.Column("user_agent", text(255), nullable=False),
        sa.Column("address", text(45), nullable=False),
        sa.Column("browser_hash", digest()),
        _key("sessions", "token_hash"),
        _unique("sessions", "id"),
        _reference("sessions", "account_id", "accounts"),
    )
    for column in ("account_id", "started_at", "last_used_at"):
        create_index("sessions", [column])


def _create_limits() -> None:
    create_table(
        "devices",
        sa.Column("account_id", text(22), nullable=False),
        sa.Column("token_hash", digest(), nullable=False),
        sa.Column("id", text(22), nullable=False),
        sa.Column("user_agent", text(255), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
        _key("devices", "account_id", "token_hash"),
        _unique("devices", "id"),
        _reference("devices", "account_id", "accounts"),
    )
    for column in ("token_hash", "last_seen_at"):
        create_index("devices", [column])
    create_table(
        "counters",
        sa.Column("name", text(32), nullable=False),
        sa.Column("empty_at_ms", sa.BigInteger, nullable=False),
        _key("counters", "name"),
    )
    create_index("counters", ["empty_at_ms"])


def _create_courses() -> None:
    create_table(
        "courses",
        sa.Column("id", text(22), nullable=False),
        sa.Column("slug", text(64), nullable=False),
        sa.Column("title", text(200), nullable=False),
        sa.Column("summary", text(1000), nullable=False),
        sa.Column("language", text(16), nullable=False),
        sa.Column("is_published", sa.Boolean, nullable=False),
        sa.Column("source_hash", digest(), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        _key("courses", "id"),
        _unique("courses", "slug"),
    )
    create_table(
        "sections",
        sa.Column("id", text(22), nullable=False),
        sa.Column("course_id", text(22), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("title", text(200), nullable=False),
        _key("sections", "id"),
        _reference("sections", "course_id", "courses"),
    )
    create_index("sections", ["course_id"])
    create_table(
        "lessons",
        sa.Column("id", text(22), nullable=False),
        sa.Column("course_id", text(22), nullable=False),
        sa.Column("section_id", text(22), nullable=False),
        sa.Column("slug", text(64), nullable=False),
        sa.Column("title", text(200), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("markdown", prose(), nullable=False),
        _key("lessons", "id"),
        _unique("lessons", "course_id", "slug"),
        _reference("lessons", "course_id", "courses"),
        _reference("lessons", "section_id", "sections"),
    )
    create_index("lessons", ["section_id"])
    create_table(
        "course_files",
        sa.Column("course_id", text(22), nullable=False),
        sa.Column("name", text(100), nullable=False),
        sa.Column("media_type", text(50), nullable=False),
        sa.Column("content_hash", digest(), nullable=False),
        sa.Column("content", _content(), nullable=False),
        _key("course_files", "course_id", "name"),
        _reference("course_files", "course_id", "courses"),
    )


def _create_learning() -> None:
    create_table(
        "enrolments",
        sa.Column("account_id", text(22), nullable=False),
        sa.Column("course_id", text(22), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger, nullable=False),
        _key("enrolments", "account_id", "course_id"),
        _reference("enrolments", "account_id", "accounts"),
        _reference("enrolments", "course_id", "courses"),
    )
    create_index("enrolments", ["course_id"])
    create_table(
        "lesson_progress",
        sa.Column("account_id", text(22), nullable=False),
        sa.Column("lesson_id", text(22), nullable=False),
        sa.Column("status", text(16), nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        _key("lesson_progress", "account_id", "lesson_id"),
        _reference("lesson_progress", "account_id", "accounts"),
        _reference("lesson_progress", "lesson_id", "lessons"),
    )
    create_index("lesson_progress", ["lesson_id"])
    create_table(
        "notes",
        sa.Column("account_id", text(22), nullable=False),
        sa.Column("course_id", text(22), nullable=False),
        sa.Column("content", prose(), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        _key("notes", "account_id", "course_id"),
        _reference("notes", "account_id", "accounts"),
        _reference("notes", "course_id", "courses"),
    )
    create_index("notes", ["course_id"])
