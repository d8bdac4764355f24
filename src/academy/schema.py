"""Every table of the course platform on one page; times, ids and text are as in `aegis.schema`."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from aegis.schema import digest, metadata, prose, text

__all__ = [
    "course_files",
    "courses",
    "enrolments",
    "lesson_progress",
    "lessons",
    "metadata",
    "notes",
    "sections",
]


def content() -> sa.types.TypeEngine[bytes]:
    """Return bytes of up to 16 MiB; MariaDB's plain BLOB would end at 64 KiB."""
    return sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


def _of_account() -> sa.Column[str]:
    return sa.Column(
        "account_id", text(22), sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )


def _of_course(*, is_key: bool) -> sa.Column[str]:
    reference = sa.ForeignKey("courses.id", ondelete="CASCADE")
    return sa.Column("course_id", text(22), reference, primary_key=is_key, nullable=False, index=True)


courses = sa.Table(
    "courses",
    metadata,
    sa.Column("id", text(22), primary_key=True),
    sa.Column("slug", text(64), nullable=False, unique=True),
    sa.Column("title", text(200), nullable=False),
    sa.Column("summary", text(1000), nullable=False),
    sa.Column("language", text(16), nullable=False),
    sa.Column("is_published", sa.Boolean, nullable=False),
    sa.Column("source_hash", digest(), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)

sections = sa.Table(
    "sections",
    metadata,
    sa.Column("id", text(22), primary_key=True),
    _of_course(is_key=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("title", text(200), nullable=False),
)

lessons = sa.Table(
    "lessons",
    metadata,
    sa.Column("id", text(22), primary_key=True),
    sa.Column("course_id", text(22), sa.ForeignKey("courses.id", ondelete="CASCADE"), nullable=False),
    sa.Column(
        "section_id", text(22), sa.ForeignKey("sections.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("slug", text(64), nullable=False),
    sa.Column("title", text(200), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("minutes", sa.Integer, nullable=False),
    sa.Column("markdown", prose(), nullable=False),
    sa.UniqueConstraint("course_id", "slug"),
)

course_files = sa.Table(
    "course_files",
    metadata,
    sa.Column("course_id", text(22), sa.ForeignKey("courses.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", text(100), primary_key=True),
    sa.Column("media_type", text(50), nullable=False),
    sa.Column("content_hash", digest(), nullable=False),
    sa.Column("content", content(), nullable=False),
)

enrolments = sa.Table(
    "enrolments",
    metadata,
    _of_account(),
    _of_course(is_key=True),
    sa.Column("enrolled_at", sa.BigInteger, nullable=False),
)

lesson_progress = sa.Table(
    "lesson_progress",
    metadata,
    _of_account(),
    sa.Column(
        "lesson_id", text(22), sa.ForeignKey("lessons.id", ondelete="CASCADE"), primary_key=True, index=True
    ),
    sa.Column("status", text(16), nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)

notes = sa.Table(
    "notes",
    metadata,
    _of_account(),
    _of_course(is_key=True),
    sa.Column("content", prose(), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)
