"""Checks of the settings alone."""

import flask

from aegis import passwords
from aegis.ops.doctor.checklist import check, state_of
from aegis.ops.findings import Result, finding, not_applicable, ok
from aegis.settings.judge import weakness

IDLE_S, OVERALL_S = 3_600, 86_400
"""NIST SP 800-63B-4 section 2.2.3, for AAL2."""

YEAR_S = 31_536_000
SOLE_FACTOR = 15
WELL_KNOWN = "password1password1"


@check("secret-key", "The secret key is strong and this installation's own")
def secret_key(app: flask.Flask) -> Result:
    """Judge the key that signs, and the former ones."""
    settings = state_of(app).settings
    if fault := weakness(settings.secret_key):
        return finding(f"SECRET_KEY {fault}.", "Run `aegis secret` and set what it prints.")
    former = len(settings.secret_key_fallbacks)
    return ok(f"{len(settings.secret_key.encode())} bytes, {former} former key{'' if former == 1 else 's'}.")


@check("debug-off", "Production rules apply and nothing debugs")
def debug_off(app: flask.Flask) -> Result:
    """See that the environment is production, without debugger and test mode."""
    environment = state_of(app).settings.environment
    if environment != "production":
        return finding(f"FLASK_ENV is {environment}.", "Set FLASK_ENV=production.")
    if app.debug or app.testing:
        return finding("Debugging or test mode is on.", "Remove DEBUG and TESTING from the configuration.")
    return ok("FLASK_ENV is production; no debugger, no reloader.")


@check("cookie-flags", "The session cookie is Secure, HttpOnly, SameSite and bound to the host")
def cookie_flags(app: flask.Flask) -> Result:
    """Look at the attributes that the cookie will carry."""
    settings = state_of(app).settings
    missing = [
        name
        for name, is_good in (
            ("SESSION_COOKIE_SECURE", settings.session_cookie_secure),
            ("SESSION_COOKIE_HTTPONLY", settings.session_cookie_httponly),
            ("SESSION_COOKIE_SAMESITE", settings.session_cookie_samesite in {"Lax", "Strict"}),
        )
        if not is_good
    ]
    if missing:
        return finding(f"Off: {', '.join(missing)}.", "Remove these settings; production has them on.")
    return ok(f"__Host-session; Secure; HttpOnly; SameSite={settings.session_cookie_samesite}; Path=/.")


@check("session-lifetime", "Sessions end after an hour without use and within a day")
def session_lifetime(app: flask.Flask) -> Result:
    """Compare both timeouts with NIST's."""
    settings = state_of(app).settings
    detail = f"Idle {settings.session_idle_s} s, overall {settings.session_overall_s} s."
    if settings.session_idle_s > IDLE_S:
        return finding(detail, f"Set PERMANENT_SESSION_LIFETIME to {IDLE_S} or less, or note why not.")
    if settings.session_overall_s > OVERALL_S:
        return finding(detail, f"Set AEGIS_SESSION_OVERALL_LIFETIME to {OVERALL_S} or less, or note why not.")
    return ok(detail)


@check("public-url", "The public address is set and HTTPS")
def public_url(app: flask.Flask) -> Result:
    """See that links and the Host check have an address to stand on."""
    configured = state_of(app).configured
    address = configured.settings.public_url
    if not configured.is_set("public_url") or not address:
        return finding(
            "AEGIS_URL is not set, so any Host header is accepted.", "Set AEGIS_URL=https://your.host."
        )
    if not address.startswith("https://"):
        return finding(f"AEGIS_URL is {address}.", "Set it to the https:// address that people open.")
    return ok(f"{address}; requests for other hosts are answered 421.")


@check("proxies", "Only named proxies are believed")
def proxies(app: flask.Flask) -> Result:
    """Look at how many addresses may tell us who a client is."""
    trusted = state_of(app).settings.trusted_proxies
    if not trusted:
        return not_applicable(
            "None: right if clients connect directly; behind a proxy, set AEGIS_TRUSTED_PROXIES."
        )
    wide = [str(network) for network in trusted if network.is_global and network.num_addresses > 2**16]
    if wide:
        return finding(
            f"Very wide: {', '.join(wide)}.", "Name the addresses of your proxies in AEGIS_TRUSTED_PROXIES."
        )
    return ok(f"{', '.join(str(network) for network in trusted)}.")


@check("hsts", "Browsers are told to use HTTPS only")
def hsts(app: flask.Flask) -> Result:
    """See that the promise is a year long."""
    seconds = state_of(app).settings.hsts_s
    if seconds < YEAR_S:
        return finding(
            f"AEGIS_HSTS is {seconds} s.", f"Set it to {YEAR_S} once HTTPS works for all of the host."
        )
    return ok(f"{seconds} s, subdomains included.")


@check("password-policy", "New passwords are long, and stolen ones are refused")
def password_policy(app: flask.Flask) -> Result:
    """See the minimum, and that the list of stolen passwords is there and works."""
    settings = state_of(app).settings
    if settings.password_minimum < SOLE_FACTOR:
        return finding(
            f"AEGIS_PASSWORD_MINIMUM is {settings.password_minimum}.",
            f"Set it to {SOLE_FACTOR}; the password is the only factor (NIST 800-63B-4 section 3.1.1.2).",
        )
    if passwords.judge(WELL_KNOWN, minimum=SOLE_FACTOR) is None:
        return finding(
            "A well-known password was accepted.", "Install the packages anew: the list is missing."
        )
    return ok(
        f"{settings.password_minimum} to {settings.password_maximum} characters, list of stolen ones in use."
    )


@check("security-contact", "Researchers know whom to tell")
def security_contact(app: flask.Flask) -> Result:
    """See that /.well-known/security.txt has a contact (RFC 9116)."""
    contact = state_of(app).settings.security_contact
    if not contact:
        return finding(
            "/.well-known/security.txt names no contact that you chose.",
            "Set AEGIS_SECURITY_CONTACT=mailto:security@your.host.",
        )
    if not contact.startswith(("mailto:", "https://", "tel:")):
        return finding(
            f"AEGIS_SECURITY_CONTACT is {contact!r}.", "Write it as mailto:... or https://... (RFC 9116)."
        )
    return ok(f"{contact}.")
