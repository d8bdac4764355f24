"""The list of settings, with `credentials`, `mailing` and `abuse`. Adding one means adding one field; all else follows from it."""

import dataclasses
import ipaddress
import os

from aegis.settings import parse
from aegis.settings.abuse import Abuse
from aegis.settings.credentials import Credentials
from aegis.settings.declaration import DAY_S, DEVELOPMENT, ENVIRONMENTS, PRODUCTION, Declaration, setting
from aegis.settings.mailing import Mailing

DEVELOPMENT_KEY = "development-key-that-everybody-knows-and-production-refuses"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(Mailing, Credentials, Abuse):
    """The values one application runs with; frozen, so that nothing changes them behind the checks."""

    environment: str = setting(
        "FLASK_ENV",
        parse.choice(*ENVIRONMENTS),
        DEVELOPMENT,
        "Which set of defaults and rules applies: development, testing or production.",
    )
    secret_key: str = setting(
        "SECRET_KEY",
        parse.string,
        DEVELOPMENT_KEY,
        "Signs visitors' cookies, form tokens and links. `aegis secret` prints a fresh one.",
        secret=True,
        production="",
        rule="required, at least 32 bytes, no known or example value",
    )
    secret_key_fallbacks: tuple[str, ...] = setting(
        "SECRET_KEY_FALLBACKS",
        parse.words,
        (),
        "Former keys, comma-separated, that still verify but never sign, so that a new key logs nobody out.",
        secret=True,
        rule="each as strong as SECRET_KEY, none equal to it",
    )
    database_url: str = setting(
        "DATABASE_URL",
        parse.database_address,
        "sqlite:///instance/aegis.sqlite",
        "Where accounts, sessions and courses live: postgresql://, mysql://, mariadb:// or sqlite:///.",
        secret=True,
        production="",
        testing="sqlite://",
        rule="required; SQLite only with AEGIS_ALLOW_SQLITE=1",
    )
    allow_sqlite: bool = setting(
        "AEGIS_ALLOW_SQLITE",
        parse.boolean,
        False,
        "Permits SQLite in production, for one machine with one disk.",
    )
    database_pool_size: int = setting(
        "AEGIS_DATABASE_POOL_SIZE",
        parse.integer(1, 200),
        10,
        "Connections to the database that one process keeps at most.",
    )
    database_timeout_s: int = setting(
        "AEGIS_DATABASE_TIMEOUT",
        parse.integer(1, 60),
        2,
        "How long a request waits for the database before it is answered 503.",
        unit="seconds",
    )
    public_url: str = setting(
        "AEGIS_URL",
        parse.origin,
        "http://localhost:5000",
        "The public address. Links come from it alone; when it is set, other hosts are answered 421.",
        production="",
        rule="https://",
    )
    trusted_proxies: tuple[parse.Network, ...] = setting(
        "AEGIS_TRUSTED_PROXIES",
        parse.networks,
        (),
        "Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed, one hop each.",
        rule="not everybody (0.0.0.0/0 or ::/0)",
    )
    session_cookie_secure: bool = setting(
        "SESSION_COOKIE_SECURE",
        parse.boolean,
        False,
        "Cookies travel over HTTPS only, and carry the __Host- prefix.",
        production=True,
        rule="on",
    )
    session_cookie_httponly: bool = setting(
        "SESSION_COOKIE_HTTPONLY",
        parse.boolean,
        True,
        "Scripts cannot read the session cookie.",
        rule="on",
    )
    session_cookie_samesite: str = setting(
        "SESSION_COOKIE_SAMESITE",
        parse.choice("Lax", "Strict", "None"),
        "Lax",
        "Whether other sites' requests carry the cookie: Lax or Strict.",
        rule="Lax or Strict",
    )
    session_idle_s: int = setting(
        "PERMANENT_SESSION_LIFETIME",
        parse.integer(1, 30 * DAY_S),
        3600,
        "A session ends after this time without use (NIST 800-63B-4 section 2.2.3: one hour).",
        unit="seconds",
        rule="not longer than AEGIS_SESSION_OVERALL_LIFETIME",
    )
    session_overall_s: int = setting(
        "AEGIS_SESSION_OVERALL_LIFETIME",
        parse.integer(1, 30 * DAY_S),
        43_200,
        "A session ends after this time however much it is used (NIST 800-63B-4 section 2.2.3: below 24 hours).",
        unit="seconds",
    )
    session_fresh_s: int = setting(
        "AEGIS_SESSION_FRESH_LIFETIME",
        parse.integer(1, DAY_S),
        600,
        "How long after signing in sensitive actions are allowed without asking for the password again.",
        unit="seconds",
    )
    sessions_per_account: int = setting(
        "AEGIS_SESSIONS_PER_ACCOUNT",
        parse.integer(1, 1000),
        25,
        "How many sessions one account may have at once; the oldest goes.",
    )
    remember_s: int = setting(
        "AEGIS_REMEMBER_LIFETIME",
        parse.integer(0, 30 * DAY_S),
        0,
        "How long a browser may stay signed in, for who asks for it; 0 does not offer it (NIST 800-63B-4 section 2.1.3: 30 days at most).",
        unit="seconds",
    )
    redis_url: str = setting(
        "REDIS_URL",
        parse.redis_address,
        "",
        "Where attempts are counted first: redis://, rediss://, redis+sentinel:// or redis+cluster://. Without it, in SQL.",
        secret=True,
    )
    uploads: str = setting(
        "AEGIS_UPLOADS",
        parse.string,
        "instance/uploads",
        "Folder of uploaded pictures, outside of the code; several machines need AEGIS_UPLOADS_S3_URL instead.",
    )
    uploads_s3_url: str = setting(
        "AEGIS_UPLOADS_S3_URL",
        parse.s3_address,
        "",
        "Bucket of uploaded pictures: s3://key:secret@host/bucket?region=eu-central-1, tls=off for a test; replaces the folder.",
        secret=True,
    )
    audit_export_format: str = setting(
        "AEGIS_AUDIT_EXPORT_FORMAT",
        parse.choice("jsonl", "cef", "syslog"),
        "jsonl",
        "What `aegis audit export` writes unless told otherwise: JSON lines, ArcSight CEF, or syslog (RFC 5424).",
    )
    audit_syslog: str = setting(
        "AEGIS_AUDIT_SYSLOG",
        parse.syslog_address,
        "",
        "Where the end of the record goes each hour, beside the log line: unix:/dev/log, udp://, tcp:// or tls://host:port.",
    )
    audit_head_mail: str = setting(
        "AEGIS_AUDIT_HEAD_MAIL",
        parse.mailbox,
        "",
        "A mailbox outside of this machine that gets the ends of the record each hour.",
        rule="MAIL_URL too",
    )
    deletion_grace_s: int = setting(
        "AEGIS_ACCOUNT_DELETION_GRACE",
        parse.integer(0, 90 * DAY_S),
        7 * DAY_S,
        "How long an account stays after its owner deleted it; signing in before keeps it.",
        unit="seconds",
    )
    geoip: str = setting(
        "AEGIS_GEOIP",
        parse.string,
        "",
        "File that knows where addresses are, in MaxMind's format (.mmdb); sessions and notices then name the place.",
        rule="can be read",
    )
    workers: int = setting(
        "AEGIS_WORKERS",
        parse.integer(1, 256),
        1,
        "Processes that `aegis serve` starts.",
        production=max(2, min(os.cpu_count() or 2, 256)),
    )
    threads: int = setting(
        "AEGIS_THREADS",
        parse.integer(1, 256),
        40,
        "Threads of each process that `aegis serve` and gunicorn.conf.py start: those that wait for a password hash "
        "(AEGIS_ARGON2_QUEUE) and some for everybody else.",
    )
    hsts_s: int = setting(
        "AEGIS_HSTS",
        parse.integer(0, 63_072_000),
        31_536_000,
        "How long browsers remember to use HTTPS only; 0 sends no such header.",
        unit="seconds",
    )
    site_name: str = setting(
        "AEGIS_SITE_NAME",
        parse.string,
        "Aegis Academy",
        "The name people read in pages.",
    )
    metrics_token: str = setting(
        "AEGIS_METRICS_TOKEN",
        parse.string,
        "",
        "What Prometheus sends as `Authorization: Bearer` to read /metrics; empty means that only addresses count.",
        secret=True,
        rule="at least 32 random bytes",
    )
    metrics_addresses: tuple[parse.Network, ...] = setting(
        "AEGIS_METRICS_ADDRESSES",
        parse.networks,
        (ipaddress.ip_network("127.0.0.1"), ipaddress.ip_network("::1")),
        "Addresses or networks that may read /metrics without the token.",
        production=(),
        testing=(),
    )
    metrics_folder: str = setting(
        "AEGIS_METRICS_FOLDER",
        parse.string,
        "instance/metrics",
        "Where the processes of one machine tell each other what they counted; may be empty at each start.",
    )
    security_contact: str = setting(
        "AEGIS_SECURITY_CONTACT",
        parse.string,
        "",
        "Where researchers report faults (mailto: or https:), shown in /.well-known/security.txt; "
        "unless set, security@ at the host of AEGIS_URL.",
        rule="should be set",
    )

    @property
    def is_production(self) -> bool:
        """Whether the rules of production apply."""
        return self.environment == PRODUCTION

    @property
    def cookie_prefix(self) -> str:
        """`__Host-` wherever cookies are Secure (RFC 6265bis section 4.1.3.2), else nothing."""
        return "__Host-" if self.session_cookie_secure else ""


def declarations() -> dict[str, Declaration]:
    """Return the declarations by field name, in the order of the lists: this one, then credentials, mail and abuse."""
    inherited = {field.name: at for at, room in enumerate(_LATER) for field in dataclasses.fields(room)}
    fields = sorted(dataclasses.fields(Settings), key=lambda field: inherited.get(field.name, -1))
    return {field.name: field.metadata["declaration"] for field in fields}


_LATER = (Credentials, Mailing, Abuse)
