"""The one table of the Flask-Login application, with SQLAlchemy's defaults."""

import flask_login
import sqlalchemy as sa
from sqlalchemy import orm

_DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mysql+pymysql"}


class Base(orm.DeclarativeBase):
    """The base of the one table."""


class User(Base, flask_login.UserMixin):
    """An account."""

    __tablename__ = "users"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    username: orm.Mapped[str] = orm.mapped_column(sa.String(64), unique=True)
    display_name: orm.Mapped[str] = orm.mapped_column(sa.String(80))
    email: orm.Mapped[str | None] = orm.mapped_column(sa.String(320))
    role: orm.Mapped[str] = orm.mapped_column(sa.String(16))


def engine(url: str) -> sa.Engine:
    """Return an engine as SQLAlchemy makes it when nothing is set."""
    parsed = sa.make_url(url)
    return sa.create_engine(parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername)))
