"""Checks of the database and what is in it."""

import time

import flask
import sqlalchemy as sa

from aegis import db, errors, mail
from aegis.mail import gate
from aegis.ops.doctor.checklist import check, state_of
from aegis.ops.findings import Result, fails, finding, not_applicable, ok
from aegis.schema import accounts
from aegis.settings import OFF, masked

MIGRATE = "Run `flask --app app db upgrade`."
REACH = "Start the database, or correct DATABASE_URL."
CLOCKS_AGREE_S = 5
RESERVED_CONNECTIONS = 10
"""What a database server keeps for administrators and for one-off commands."""

_VERSION = {
    "sqlite": "SELECT sqlite_version()",
    "postgresql": "SHOW server_version",
    "mysql": "SELECT version()",
}
_TIME = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    "mysql": "SELECT unix_timestamp(now(6))",
}
_CONNECTIONS = {"postgresql": "SHOW max_connections", "mysql": "SELECT @@max_connections"}


def _kind(app: flask.Flask) -> str:
    return state_of(app).database.url.get_backend_name()


def _ask(app: flask.Flask, questions: dict[str, str]) -> str | None:
    """Return the database's answer to a question that each kind words in its own way, or None without one."""
    words = questions.get(_kind(app))
    row = db.row(sa.text(words)) if words else None
    return str(row[0]) if row else None


@check("database-reachable", "The database answers, and is one for production")
def database_reachable(app: flask.Flask) -> Result:
    """Ask the database for its version."""
    where = masked(state_of(app).settings.database_url)
    try:
        version = _ask(app, _VERSION)
    except errors.Unavailable:
        return fails(f"{where} does not answer.", REACH)
    if _kind(app) == "sqlite" and not state_of(app).settings.allow_sqlite:
        return finding(
            f"{where} is SQLite.", "Use PostgreSQL or MariaDB, or set AEGIS_ALLOW_SQLITE=1 for one machine."
        )
    return ok(f"{where}, version {version}.")


@check("migrations-current", "The database has all steps of this release")
def migrations_current(app: flask.Flask) -> Result:
    """Compare the schema with what this release expects."""
    held = state_of(app)
    try:
        is_current = held.is_current(held.database)
    except errors.Unavailable:
        return fails("The database does not answer.", REACH)
    return ok("Up to date.") if is_current else fails("Steps are missing.", MIGRATE)


@check("admin-exists", "Somebody can administer the platform, and a stolen password alone cannot")
def admin_exists(app: flask.Flask) -> Result:
    """Count the active administrators, and see that they must use a second factor."""
    held = state_of(app)
    if not held.is_current(held.database):
        return fails("There are no accounts yet.", MIGRATE)
    is_admin = sa.and_(accounts.c.role == "admin", accounts.c.is_active)
    row = db.row(sa.select(sa.func.count()).select_from(accounts).where(is_admin))
    count = row[0] if row else 0
    if count == 0:
        return finding("There is no active administrator.", "Run `aegis user create NAME --role admin`.")
    if not held.settings.demands_factor("admin"):
        return finding("Administrators need no second factor.", "Set AEGIS_MFA_REQUIRED=admin, or remove it.")
    return ok(f"{count} active administrator{'' if count == 1 else 's'}.")


@check("redis", "Redis counts attempts")
def redis(app: flask.Flask) -> Result:
    """See that Redis answers where it is used."""
    is_there = state_of(app).counters.probe()
    if is_there is None:
        return not_applicable("Attempts are counted in SQL; REDIS_URL would make that faster.")
    where = masked(state_of(app).settings.redis_url)
    if not is_there:
        return finding(
            f"{where} does not answer; attempts are counted in SQL.", "Start it, or correct REDIS_URL."
        )
    return ok(f"{where}.")


@check("mail", "Mails arrive, and none was given up")
def mails(app: flask.Flask) -> Result:
    """See that a mail made the round trip through this relay, and look at those that have not left."""
    held = state_of(app)
    if not mail.is_on(held.settings):
        return not_applicable("Off: nobody proves an address, resets a password or gets a notice.")
    if not held.is_current(held.database):
        return fails("There is no outbox yet.", MIGRATE)
    if not gate.is_open():
        told = held.settings.email_verification
        detail = "No mail has made the round trip through this relay, so passwords are not reset by mail"
        detail += f" and AEGIS_EMAIL_VERIFICATION={told} is not in force." if told != OFF else "."
        return finding(detail, "Run `aegis mail test YOUR@ADDRESS`.")
    counts = mail.counts()
    if counts.dead:
        return finding(
            f"{counts.dead} mails were given up.",
            "`aegis mail list` says why; then `aegis mail retry` or `drop`.",
        )
    if counts.unclaimed:
        return finding(
            f"{counts.unclaimed} mails wait that nobody sends.",
            "Start `aegis worker`, or remove AEGIS_MAIL_EMBEDDED=0.",
        )
    return ok(f"{masked(held.settings.mail_url)}; {counts.waiting} waiting.")


@check("clock", "This machine and the database agree on the time")
def clock(app: flask.Flask) -> Result:
    """Compare the clocks; sessions end by the database's."""
    before = time.time()
    told = _ask(app, _TIME)
    if told is None:
        return not_applicable("The database is on this machine.")
    difference = abs(float(told) - (before + time.time()) / 2)
    if difference > CLOCKS_AGREE_S:
        return finding(
            f"The clocks differ by {difference:.0f} s.", "Let both machines follow NTP (timedatectl, chrony)."
        )
    return ok(f"The clocks differ by {difference:.1f} s.")


@check("server", "The server's processes and threads fit the database's connections")
def server(app: flask.Flask) -> Result:
    """Compare what can be asked for at once with what there is; who waits for a password hash holds no connection."""
    settings = state_of(app).settings
    hands = f"{settings.workers} workers of {settings.threads} threads"
    if settings.threads <= settings.argon2_queue:
        return finding(
            f"{hands}, all of which may wait for a password hash.",
            "Raise AEGIS_THREADS above AEGIS_ARGON2_QUEUE.",
        )
    if settings.threads - settings.argon2_queue > settings.database_pool_size:
        return finding(
            f"{hands}, but {settings.database_pool_size} connections for each worker.",
            "Raise AEGIS_DATABASE_POOL_SIZE to AEGIS_THREADS less AEGIS_ARGON2_QUEUE at least.",
        )
    needed, most = settings.workers * settings.database_pool_size, _ask(app, _CONNECTIONS)
    if most and needed > int(most) - RESERVED_CONNECTIONS:
        return finding(
            f"{hands} may open {needed} connections; the database allows {most}.", "Lower AEGIS_WORKERS."
        )
    return ok(f"{hands}." if most is None else f"{hands}; the database allows {most} connections.")
