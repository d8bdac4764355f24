"""The post-deployment half of the checklist: 8 checks of a live site, from outside and without any rights.

Nothing is left behind there: one sign-in that fails by intention, and with a canary account one that succeeds and
signs out again.
"""

import datetime
import re
import secrets
import ssl

from aegis.ops.findings import Checklist, Result, fails, finding, not_applicable, ok
from aegis.ops.site import Answer, Site

CHECKLIST = Checklist[Site]()
check = CHECKLIST.check

YEAR_S = 31_536_000
RENEW_DAYS = 14
PROXY = "See deploy/nginx/aegis.conf."
_OLD_TLS = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
_LEAKS = (b"Traceback (most recent call last)", b"Werkzeug Debugger", b"__debugger__", b"sqlalchemy.exc")


@check("http-redirect", "Plain HTTP only leads to HTTPS")
def http_redirect(site: Site) -> Result:
    """Ask for a page over plain HTTP."""
    try:
        answer = site.ask_in_clear("/login?from=verify")
    except OSError:
        return ok(f"Port {site.http_port} is closed.")
    if answer.status not in {301, 308}:
        return finding(f"Plain HTTP answers {answer.status}.", f"Answer 308 to HTTPS. {PROXY}")
    target = answer.header("Location")
    if not target.startswith(f"{site.origin}/login"):
        return finding(
            f"Plain HTTP leads to {target!r}.", f"Lead to {site.origin} and the same path. {PROXY}"
        )
    if answer.cookies():
        return finding("A cookie is set over plain HTTP.", f"Answer nothing but the redirect there. {PROXY}")
    return ok(f"{answer.status} to {target}.")


@check("tls", "The certificate is good, and old versions of TLS are refused")
def tls(site: Site) -> Result:
    """Check the certificate like a browser, then offer what should be refused."""
    try:
        ends = site.certificate_ends()
    except ssl.SSLError as error:
        return fails(
            f"The certificate is not trusted: {error.reason or error}.",
            "Install a certificate with its chain.",
        )
    old = [version.name for version in _OLD_TLS if site.speaks(version)]
    if old:
        return finding(f"Accepts {', '.join(old)}.", f"Allow TLS 1.2 and 1.3 alone. {PROXY}")
    days = (ends - datetime.datetime.now(datetime.UTC)).days
    if days < RENEW_DAYS:
        return finding(f"The certificate ends in {days} days.", "See why it was not renewed.")
    newest = "1.3" if site.speaks(ssl.TLSVersion.TLSv1_3) else "1.2"
    return ok(f"TLS {newest}; the certificate is good for {days} days.")


@check("health", "The platform is up and ready")
def health(site: Site) -> Result:
    """Ask both health addresses."""
    answer = site.ask("GET", "/health")
    if answer.status != 200 or answer.json() != {"status": "healthy"}:  # noqa: PLR2004 - HTTP
        return fails(f"/health answers {answer.status}.", "Look at the server's log.")
    ready = site.ask("GET", "/health/ready")
    parts = ready.json().get("checks")
    if ready.status in {403, 404} and not parts:
        return ok("/health is fine; /health/ready is not public.")
    if ready.status != 200:  # noqa: PLR2004 - HTTP
        return fails(f"/health/ready answers {ready.status}: {parts}.", "Mend the parts that are not ok.")
    return ok(f"Ready: {', '.join(f'{name} {word}' for name, word in (parts or {}).items())}.")


@check("headers", "Pages carry the security headers")
def headers(site: Site) -> Result:
    """Look at the headers of the first page."""
    answer = site.ask("GET", "/", headers={"Accept": "text/html"})
    missing = [name for name, is_good in _expected(answer) if not is_good]
    if missing:
        return finding(
            f"Missing or weak: {', '.join(missing)}.", "See that the proxy keeps the headers of Aegis."
        )
    return ok("HSTS, CSP, nosniff, framing, referrer and opener policies are there.")


def _expected(answer: Answer) -> list[tuple[str, bool]]:
    age = re.search(r"max-age=(\d+)", answer.header("Strict-Transport-Security"))
    policy = answer.header("Content-Security-Policy")
    return [
        ("Strict-Transport-Security", age is not None and int(age[1]) >= YEAR_S),
        ("Content-Security-Policy", "default-src 'none'" in policy and "unsafe" not in policy),
        ("Content-Security-Policy frame-ancestors", "frame-ancestors 'none'" in policy),
        ("X-Content-Type-Options", answer.header("X-Content-Type-Options") == "nosniff"),
        ("Referrer-Policy", answer.header("Referrer-Policy") in {"same-origin", "no-referrer"}),
        ("Cross-Origin-Opener-Policy", answer.header("Cross-Origin-Opener-Policy") == "same-origin"),
        ("Permissions-Policy", bool(answer.header("Permissions-Policy"))),
    ]


@check("no-leaks", "Errors and headers tell nothing of the inside")
def no_leaks(site: Site) -> Result:
    """Provoke errors, knock at the debugger's doors, and read what comes back."""
    answers = {
        "an unknown address": site.ask("GET", f"/{secrets.token_hex(8)}"),
        "broken JSON": site.ask("POST", "/api/login", raw_body=b'{"username": ['),
        "the debugger": site.ask("GET", "/?__debugger__=yes&cmd=resource&f=debugger.js"),
        "the console": site.ask("GET", "/console"),
    }
    for what, answer in answers.items():
        if answer.status >= 500 or any(leak in answer.body for leak in _LEAKS):  # noqa: PLR2004 - HTTP
            return fails(
                f"The answer to {what} shows the inside ({answer.status}).", "Set FLASK_ENV=production."
            )
        told = [answer.header(name) for name in ("Server", "X-Powered-By")]
        if any(re.search(r"\d", value) for value in told):
            return finding(f"Headers tell versions: {', '.join(filter(None, told))}.", f"Hide them. {PROXY}")
    return ok("Errors are plain, there is no debugger, no header tells a version.")


@check("foreign-host", "Other host names are not answered")
def foreign_host(site: Site) -> Result:
    """Ask under a name that is not the site's."""
    try:
        answer = site.ask("GET", "/", headers={"Host": "foreign.invalid"})
    except OSError:
        return ok("The connection is closed.")
    if answer.status in {400, 403, 404, 421}:
        return ok(f"Answered {answer.status}.")
    return finding(f"Answered {answer.status}.", f"Set AEGIS_URL={site.origin}, so that other hosts get 421.")


@check("csrf", "Writes from other sites are refused")
def csrf(site: Site) -> Result:
    """Send a write without a token, one in another site's name, and one that is right."""
    token, cookie = _token(site)
    right = {"X-CSRFToken": token, "Cookie": cookie, "Origin": site.origin}
    attempts = {
        "without a token": {"Cookie": cookie, "Origin": site.origin},
        "from another site": {**right, "Origin": "https://foreign.invalid"},
        "that a browser calls cross-site": {**right, "Sec-Fetch-Site": "cross-site"},
    }
    for what, sent in attempts.items():
        answer = site.ask("POST", "/api/logout", headers=sent)
        if (answer.status, answer.json().get("code")) != (400, "csrf_failed"):
            return fails(
                f"A write {what} is answered {answer.status}.",
                "See that the proxy passes Origin and cookies.",
            )
    answer = site.ask("POST", "/api/logout", headers=right)
    if answer.status != 200:  # noqa: PLR2004 - HTTP
        return fails(
            f"A write with its token is answered {answer.status}.", "See that AEGIS_URL is this address."
        )
    return ok("Refused without a token and from elsewhere; accepted with its token.")


def _token(site: Site, cookie: str = "") -> tuple[str, str]:
    """Return a form token and the cookies that belong to it."""
    answer = site.ask("GET", "/csrf-token", headers={"Cookie": cookie} if cookie else {})
    made = [f"{name}={morsel.value}" for name, morsel in answer.cookies().items()]
    return str(answer.json().get("csrf_token", "")), "; ".join(filter(None, [cookie, *made]))


@check("session", "The session cookie is well set, and dead after signing out")
def session(site: Site) -> Result:
    """Fail to sign in, then with a canary account sign in, sign out, and come back with the old cookie."""
    stranger = {"username": f"verify-{secrets.token_hex(6)}", "password": secrets.token_urlsafe(24)}
    answer = site.ask("POST", "/api/login", json_body=stranger)
    if answer.status not in {401, 429} or answer.cookies():
        return fails(f"A wrong sign-in is answered {answer.status}.", "Look at the server's log.")
    visitor = site.ask("GET", "/csrf-token")
    if fault := _cookie_fault(visitor):
        return finding(fault, "Set FLASK_ENV=production, and see that the proxy leaves cookies alone.")
    if site.canary is None or site.password is None:
        return not_applicable("A wrong sign-in is refused, cookies are well set. For the rest, give --user.")
    return _with_canary(site, site.canary, site.password)


def _with_canary(site: Site, name: str, password: str) -> Result:
    answer = site.ask("POST", "/api/login", json_body={"username": name, "password": password})
    if answer.status != 200:  # noqa: PLR2004 - HTTP
        code = answer.json().get("code", "")
        return fails(
            f"{name} cannot sign in: {answer.status} {code}.", "See that account and password are right."
        )
    if fault := _cookie_fault(answer):
        return finding(fault, "Set FLASK_ENV=production, and see that the proxy leaves cookies alone.")
    cookie = "; ".join(f"{key}={morsel.value}" for key, morsel in answer.cookies().items())
    if not _is_signed_in(site, cookie):
        return fails("The session that was just made is not known.", "See that all workers use one database.")
    token, both = _token(site, cookie)
    left = site.ask(
        "POST", "/api/logout", headers={"Cookie": both, "X-CSRFToken": token, "Origin": site.origin}
    )
    if left.status != 200 or _is_signed_in(site, cookie):  # noqa: PLR2004 - HTTP
        return fails(
            f"Signing out is answered {left.status}, and the old cookie counts.", "Look at the server's log."
        )
    return ok("Signed in with a well-set cookie; dead after signing out.")


def _cookie_fault(answer: Answer) -> str:
    """Say what is wrong with the cookies of an answer, or nothing."""
    for name, morsel in answer.cookies().items():
        flags = {"Secure": morsel["secure"], "HttpOnly": morsel["httponly"], "SameSite": morsel["samesite"]}
        missing = [flag for flag, value in flags.items() if not value]
        if not name.startswith("__Host-"):
            missing.append("the __Host- prefix")
        if missing:
            return f"The cookie {name} lacks {', '.join(missing)}."
        if name == "__Host-session" and (morsel["max-age"] or morsel["expires"]):
            return f"The cookie {name} outlives the browser."
    return "" if answer.cookies() else "No cookie was set where one is needed."


def _is_signed_in(site: Site, cookie: str) -> bool:
    answer = site.ask("GET", "/api/check_session", headers={"Cookie": cookie})
    return answer.status == 200 and answer.json().get("is_authenticated") is True  # noqa: PLR2004 - HTTP
