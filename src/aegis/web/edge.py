"""The front door, ahead of Flask: what holds for every request and every answer, errors and static files included.

It names the request, believes trusted proxies, refuses foreign hosts, answers the fast paths, and adds the
security headers. It is a plain WSGI layer because a header that is added last, in one place, cannot be forgotten.
"""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from aegis import clock, errors, tally
from aegis.settings import Configured
from aegis.web import faults
from aegis.web.client import JSON_ROUTES, believe_proxies

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
FastPath = Callable[[Environ], tuple[str, Headers, bytes] | None]

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
_ALWAYS: Headers = [
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", PAGE_POLICY),
    ("Referrer-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
]
_OVERRIDABLE = {"content-security-policy", "referrer-policy", "cross-origin-resource-policy"}
LENGTH_DIGITS = 18
"""Digits of a Content-Length worth reading; int() of a very long number costs time."""

METRICS = "/metrics"
"""Prometheus asks each machine under its own address, and proves itself."""

_HEALTHY = b'{"status":"healthy"}'


class Edge:
    """Wraps the application's `wsgi_app`."""

    def __init__(
        self,
        inner: "WSGIApplication",
        configured: Configured,
        asked: Callable[[Environ], bool],
        fast_paths: dict[str, FastPath],
        on_first_request: Callable[[], None],
    ) -> None:
        """`asked` tells whether an answer depends on who is asking; `fast_paths` answer ahead of Flask."""
        settings = configured.settings
        self._inner = inner
        self._asked = asked
        self._fast_paths = fast_paths
        self._trusted = settings.trusted_proxies
        is_named = bool(settings.public_url) and configured.is_set("public_url")
        self._host = urlsplit(settings.public_url).netloc.lower() if is_named else None
        self._is_https = settings.public_url.startswith("https://")
        self._public_url = settings.public_url
        hsts = [("Strict-Transport-Security", f"max-age={settings.hsts_s}; includeSubDomains")]
        self._headers = _ALWAYS + (hsts if settings.is_production and settings.hsts_s else [])
        self._names = {name.lower() for name, _ in self._headers}
        self._on_first_request = on_first_request
        self._started_in = 0
        self._longest = settings.input_query
        self._most_headers, self._headers_size = settings.input_headers, settings.input_header_size
        self._is_counted = bool(settings.metrics_token or settings.metrics_addresses)

    def __call__(self, environ: Environ, start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request, and note it if anybody reads the metrics."""
        if not self._is_counted:
            return self._answer(environ, start_response)
        began = clock.monotonic()

        def start(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
            tally.note_request(
                (environ["REQUEST_METHOD"], _route(environ), status, clock.monotonic() - began)
            )
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return self._answer(environ, start)

    def _answer(self, environ: Environ, start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        environ["aegis.request_id"] = request_id = os.urandom(8).hex()
        if path == "/health" and environ["REQUEST_METHOD"] in {"GET", "HEAD"}:
            return self._plain(environ, start_response, "200 OK", [("Cache-Control", "no-store")], _HEALTHY)
        if (fault := self._fault(environ, path)) is not None:
            return self._refuse(environ, start_response, fault)
        if self._started_in != os.getpid():
            self._started_in = os.getpid()
            self._on_first_request()
        if self._trusted:
            believe_proxies(environ, self._trusted)
        if self._is_https and environ.get("aegis.forwarded_scheme") == "http" and path != "/health/ready":
            return self._to_https(environ, start_response)
        fast = self._fast_paths.get(path)
        if fast is not None:
            quick = fast(environ)
            if quick is not None:
                environ["aegis.route"] = path
                return self._plain(environ, start_response, *quick)
        if self._has_too_many_headers(environ):
            return self._refuse(environ, start_response, errors.HeadersTooLarge())

        def start(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
            self._add(environ, headers)
            headers.append(("X-Request-ID", request_id))
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return self._inner(environ, start)

    def _fault(self, environ: Environ, path: str) -> errors.AegisError | None:
        """Return why a request is not even looked at: its size or framing as far as WSGI shows them, its host."""
        query = environ.get("QUERY_STRING", "")
        if len(path) > self._longest or len(query) > self._longest:
            return errors.AddressTooLong()
        if "\0" in path or "%00" in query:
            return errors.BadRequest("The address contains a NUL.")
        if self._host is not None and path != METRICS and _host(environ) != self._host:
            return errors.Misdirected()
        if environ.get("CONTENT_LENGTH") or "HTTP_TRANSFER_ENCODING" in environ:
            return self._bad_body(environ)
        return None

    def _has_too_many_headers(self, environ: Environ) -> bool:
        """Count all headers but the cookies: junk among those makes a visitor, never an error.

        Fast paths are spared that, as they read the cookies alone.
        """
        sizes = [
            len(value) for name, value in environ.items() if name[:5] == "HTTP_" and name != "HTTP_COOKIE"
        ]
        return len(sizes) > self._most_headers or sum(sizes) > self._headers_size

    def _bad_body(self, environ: Environ) -> errors.AegisError | None:
        """Judge what a body says of itself. One whose length is told twice or in two ways is a smuggled request."""
        length: str = environ.get("CONTENT_LENGTH") or ""
        if length and not (length.isascii() and length.isdigit()):
            return errors.BadRequest("The Content-Length is not a number.")
        if length and "HTTP_TRANSFER_ENCODING" in environ:
            return errors.BadRequest("The request has both a Content-Length and a Transfer-Encoding.")
        if len(length) > LENGTH_DIGITS:
            return errors.TooLarge()
        if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
            return errors.UnsupportedMediaType("Send the body uncompressed.")
        if environ.get("HTTP_EXPECT", "100-continue").lower() != "100-continue":
            return errors.ExpectationFailed()
        return None

    def _add(self, environ: Environ, headers: Headers) -> None:
        """Add what every answer carries; a view may be stricter with the few headers that depend on content."""
        present = set() if _is_plain(headers) else {name.lower() for name, _ in headers}
        if present & self._names:
            headers[:] = [pair for pair in headers if pair[0].lower() not in self._names - _OVERRIDABLE]
            chosen = present & _OVERRIDABLE
            headers += [pair for pair in self._headers if pair[0].lower() not in chosen]
        else:
            headers += self._headers
        if "date" in present:  # the server says it; twice would be malformed (RFC 9110 section 6.6.1)
            headers[:] = [pair for pair in headers if pair[0].lower() != "date"]
        if self._asked(environ) or "set-cookie" in present:
            headers[:] = [pair for pair in headers if pair[0].lower() != "cache-control"]
            headers += [("Cache-Control", "no-store")]
            if not any(name.lower() == "vary" and "cookie" in value.lower() for name, value in headers):
                headers += [("Vary", "Cookie")]

    def _plain(
        self, environ: Environ, start_response: "StartResponse", status: str, headers: Headers, content: bytes
    ) -> Iterable[bytes]:
        if content:
            headers = [*headers, ("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
        start_response(status, [*headers, *self._headers, ("X-Request-ID", environ["aegis.request_id"])])
        return [] if environ["REQUEST_METHOD"] == "HEAD" or not content else [content]

    def _refuse(
        self, environ: Environ, start_response: "StartResponse", error: errors.AegisError
    ) -> Iterable[bytes]:
        status = f"{error.status} {error.code}"
        content = faults.body(error, environ["aegis.request_id"]).encode()
        return self._plain(environ, start_response, status, [("Cache-Control", "no-store")], content)

    def _to_https(self, environ: Environ, start_response: "StartResponse") -> Iterable[bytes]:
        """Send the reader of a page to HTTPS.

        A write, or a program that would follow silently for ever, has already told its secrets in clear: it is refused
        (ASVS 4.1.2).
        """
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"} or environ["PATH_INFO"].startswith(JSON_ROUTES):
            return self._refuse(environ, start_response, errors.Forbidden("Use HTTPS."))
        query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
        raw_path = _quoted(environ["PATH_INFO"])
        location = [("Location", f"{self._public_url}{raw_path}{query}"), ("Content-Length", "0")]
        return self._plain(environ, start_response, "308 Permanent Redirect", location, b"")


def _route(environ: Environ) -> str:
    """Return the pattern of the route, never what was asked: labels must be few."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return str(environ.get("aegis.route") or getattr(rule, "rule", ""))


def _is_plain(headers: Headers) -> bool:
    """Tell cheaply that nothing but a typed body is described, as in most answers."""
    return len(headers) == 2 and headers[0][0] == "Content-Type" and headers[1][0] == "Content-Length"  # noqa: PLR2004


def _quoted(path_info: str) -> str:
    return "/" + quote(path_info.encode("latin-1")).lstrip("/")


def _host(environ: Environ) -> str:
    """Return the host the client named, without the default port of its scheme."""
    host: str = environ.get("HTTP_HOST", "").lower()
    for suffix in (":443", ":80"):
        host = host.removesuffix(suffix)
    return host
