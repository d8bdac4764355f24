"""What production demands. Each rule returns a sentence that names the setting and the fix, or nothing."""

import os
import re
from collections.abc import Iterator, Mapping

from aegis.settings import relay
from aegis.settings.declaration import DAY_S
from aegis.settings.declared import DEVELOPMENT_KEY, Settings
from aegis.settings.mailing import OFF

KEY_BYTES = 32
GUESSES_A_DAY = 100
_EXAMPLES = re.compile(
    r"change[-_ ]?(me|this|it)|example|placeholder|insecure|dev(elopment)?[-_ ]key|replace[-_ ]?me|secret|passwor[dt]|qwerty",
    re.IGNORECASE,
)
_DATABASES = {"postgresql", "postgres", "mysql", "mariadb"}
_NEW_KEY = "run `aegis secret` and set what it prints"


def problems(settings: Settings, environ: Mapping[str, str], overrides: Mapping[str, object]) -> list[str]:
    """Return every reason why production may not start with these values, all at once.

    `environ` and `overrides` are where the values came from: Flask's own switches for debugging hide there.
    """
    if not settings.is_production:
        return []
    return [
        *_keys(settings),
        *_database(settings),
        *_cookies(settings),
        *_edge(settings),
        *_mail(settings),
        *_domains(settings),
        *_passwords(settings),
        *_limits(settings),
        *_metrics(settings),
        *_debug(environ, overrides),
    ]


def weakness(key: str) -> str | None:
    """Say what is wrong with a secret key, or None. It judges, it cannot prove randomness."""
    if len(key.encode()) < KEY_BYTES:
        return f"is shorter than {KEY_BYTES} bytes"
    if key == DEVELOPMENT_KEY or _EXAMPLES.search(key):
        return "is a known development or example value"
    if re.fullmatch(r"(.{1,16})\1+", key, re.DOTALL) or len(set(key)) < 8:  # noqa: PLR2004 - 32 random characters of 16 have fewer than 8 kinds once in 10^9
        return "repeats itself and can be guessed"
    return None


def _keys(settings: Settings) -> Iterator[str]:
    if not settings.secret_key:
        yield f"SECRET_KEY is missing: {_NEW_KEY}."
    elif fault := weakness(settings.secret_key):
        yield f"SECRET_KEY {fault}: {_NEW_KEY}."
    for position, key in enumerate(settings.secret_key_fallbacks, 1):
        if fault := weakness(key):
            yield f"SECRET_KEY_FALLBACKS entry {position} {fault}: remove it; what it signed is void then."
        if key == settings.secret_key:
            yield f"SECRET_KEY_FALLBACKS entry {position} equals SECRET_KEY: keep only former keys there."


def _database(settings: Settings) -> Iterator[str]:
    url = settings.database_url
    scheme = url.partition("://")[0].partition("+")[0].lower()
    if not url:
        yield "DATABASE_URL is missing: set it to postgresql://user:password@host/name (or mysql://, mariadb://)."
    elif scheme == "sqlite" or url.startswith("sqlite:"):
        if not settings.allow_sqlite:
            yield "DATABASE_URL is SQLite: use postgresql:// or mariadb://, or set AEGIS_ALLOW_SQLITE=1 for a single machine."
        elif url in {"sqlite://", "sqlite:///:memory:"}:
            yield "DATABASE_URL is an in-memory database: every process would have its own; name a file."
    elif scheme not in _DATABASES:
        yield f"DATABASE_URL starts with {scheme!r}: use postgresql://, mysql:// or mariadb://."


def _cookies(settings: Settings) -> Iterator[str]:
    if not settings.session_cookie_secure:
        yield "SESSION_COOKIE_SECURE is off: remove it; production cookies travel over HTTPS only."
    if not settings.session_cookie_httponly:
        yield "SESSION_COOKIE_HTTPONLY is off: remove it; scripts must not read the session cookie."
    if settings.session_cookie_samesite not in {"Lax", "Strict"}:
        yield "SESSION_COOKIE_SAMESITE is None: set it to Lax or Strict."
    if settings.session_idle_s > settings.session_overall_s:
        yield "PERMANENT_SESSION_LIFETIME is longer than AEGIS_SESSION_OVERALL_LIFETIME: lower the one or raise the other."


def _edge(settings: Settings) -> Iterator[str]:
    if settings.public_url and not settings.public_url.startswith("https://"):
        yield "AEGIS_URL is not https://: set the public address that people open, such as https://platform.edu."
    for network in settings.trusted_proxies:
        if network.prefixlen == 0:
            yield f"AEGIS_TRUSTED_PROXIES contains {network}: anybody could forge an address; name your proxies."


def _mail(settings: Settings) -> Iterator[str]:
    sink = relay.read(settings.mail_url)
    if sink is None:
        if settings.email_verification != OFF:
            yield "AEGIS_EMAIL_VERIFICATION is on, but no mail can leave: set MAIL_URL, or remove it."
        if settings.audit_head_mail:
            yield "AEGIS_AUDIT_HEAD_MAIL is set, but no mail can leave: set MAIL_URL, or remove it."
        return
    if not settings.public_url:
        yield "AEGIS_URL is missing: mails carry links, so set the public address, such as https://platform.edu."
    if sink.kind == relay.MEMORY:
        yield "MAIL_URL is memory:, where no mail leaves: set it to smtp://, or remove it."
    if sink.is_exposed and sink.password:
        yield "MAIL_URL has tls=off, so its password would cross the network in clear: remove tls=off, or the account."


def _domains(settings: Settings) -> Iterator[str]:
    for entry in settings.email_blocked_domains:
        if entry.startswith("/") and not os.access(entry, os.R_OK):
            yield f"AEGIS_EMAIL_BLOCKED_DOMAINS names {entry}, which cannot be read: correct the path, or its permissions."


def _passwords(settings: Settings) -> Iterator[str]:
    if settings.password_minimum < 15:  # noqa: PLR2004 - NIST 800-63B-4 section 3.1.1.2
        yield "AEGIS_PASSWORD_MINIMUM is below 15: raise it; the password is the only factor (NIST 800-63B-4 section 3.1.1.2)."
    if settings.argon2_memory_kib < 19_456 or settings.argon2_passes < 2:  # noqa: PLR2004 - OWASP's floor
        yield "AEGIS_ARGON2_MEMORY or AEGIS_ARGON2_PASSES is below OWASP's 19456 KiB and 2 passes: remove the setting."
    for position, key in enumerate(settings.password_pepper, 1):
        if fault := weakness(key):
            yield f"AEGIS_PASSWORD_PEPPER entry {position} {fault}: {_NEW_KEY}."


def _metrics(settings: Settings) -> Iterator[str]:
    if settings.metrics_token and (fault := weakness(settings.metrics_token)):
        yield f"AEGIS_METRICS_TOKEN {fault}: {_NEW_KEY}."
    for network in settings.metrics_addresses:
        if network.prefixlen == 0:
            yield f"AEGIS_METRICS_ADDRESSES contains {network}: anybody could read the metrics; name your Prometheus."


def _limits(settings: Settings) -> Iterator[str]:
    """Hold every budget for guessing one account's password to NIST 800-63B-4 section 3.2.2."""
    budgets = {
        "AEGIS_LIMIT_LOGIN_ACCOUNT": settings.limit_login_account,
        "AEGIS_LIMIT_LOGIN_DEVICE": settings.limit_login_device,
        "AEGIS_LIMIT_CONFIRM": settings.limit_confirm,
        "AEGIS_LIMIT_SECOND_FACTOR": settings.limit_second_factor,
    }
    for name, budget in budgets.items():
        if budget.attempts + DAY_S * budget.attempts / budget.window_s > GUESSES_A_DAY:
            yield f"{name} allows more than {GUESSES_A_DAY} guesses in a day: lower it, or remove it for 10/160m."


def _debug(environ: Mapping[str, str], overrides: Mapping[str, object]) -> Iterator[str]:
    if environ.get("FLASK_DEBUG", "").lower() not in {"", "0", "false", "no", "off"}:
        yield "FLASK_DEBUG is on: remove it; production has no debugger and no reloader."
    elif overrides.get("DEBUG"):
        yield "DEBUG is on in the configuration: remove it; production has no debugger and no reloader."
    for name in ("TESTING", "PROPAGATE_EXCEPTIONS"):
        if overrides.get(name):
            yield f"{name} is on in the configuration: remove it; errors would leave the format that clients rely on."
    for name in ("WERKZEUG_DEBUG_PIN", "WERKZEUG_RUN_MAIN"):
        if name in environ:
            yield f"{name} is set: remove it; it belongs to the development server."
