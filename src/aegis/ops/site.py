"""A live site seen from outside: requests to it and what came back, with the standard library alone."""

import contextlib
import dataclasses
import datetime
import http.client
import http.cookies
import json
import socket
import ssl
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

TIMEOUT_S = 10
LONGEST_ANSWER = 1_000_000


class Unreachable(Exception):
    """The site cannot be checked at all; the message says why."""


class Answer(NamedTuple):
    """What the site sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header's value, or nothing."""
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    def cookies(self) -> dict[str, "http.cookies.Morsel[str]"]:
        """Return the cookies that it sets."""
        jar: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
        for key, value in self.headers:
            if key.lower() == "set-cookie":
                jar.load(value)
        return dict(jar)

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty one if it is none."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


@dataclasses.dataclass
class Site:
    """The address of a site, and the account that may try it."""

    host: str
    port: int
    http_port: int
    canary: str | None = None
    password: str | None = None

    @classmethod
    def at(cls, address: str, *, http_port: int = 80) -> "Site":
        """Read `https://host[:port]`. Raises Unreachable for anything else."""
        try:
            parts = urlsplit(address)
            port = parts.port or 443
        except ValueError:
            raise Unreachable(f"{address!r} is no address: write https://host.") from None
        if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query:
            raise Unreachable(
                f"{address!r} cannot be checked: write https:// and the host, nothing behind it."
            )
        return cls(parts.hostname, port, http_port)

    @property
    def authority(self) -> str:
        """Return host and port as a Host header names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"  # noqa: PLR2004 - HTTPS

    @property
    def origin(self) -> str:
        """Return the site's origin."""
        return f"https://{self.authority}"

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json_body: object = None,
        raw_body: bytes | None = None,
    ) -> Answer:
        """Send one request over TLS and return the answer; redirects are not followed."""
        connection = http.client.HTTPSConnection(
            self.host, self.port, timeout=TIMEOUT_S, context=ssl.create_default_context()
        )
        body = json.dumps(json_body).encode() if json_body is not None else raw_body
        kind = {"Content-Type": "application/json"} if body is not None else {}
        return _exchange(connection, method, path, {"Host": self.authority, **kind, **(headers or {})}, body)

    def ask_in_clear(self, path: str) -> Answer:
        """Send one request over plain HTTP."""
        connection = http.client.HTTPConnection(self.host, self.http_port, timeout=TIMEOUT_S)
        return _exchange(connection, "GET", path, {"Host": self.host}, None)

    def connect(self) -> None:
        """See that somebody listens. Raises Unreachable."""
        try:
            socket.create_connection((self.host, self.port), TIMEOUT_S).close()
        except OSError as error:
            raise Unreachable(f"{self.origin} cannot be reached: {error.strerror or error}.") from None

    def certificate_ends(self) -> datetime.datetime:
        """Return when the certificate ends. Raises ssl.SSLError when it is not to be trusted."""
        with (
            socket.create_connection((self.host, self.port), TIMEOUT_S) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=self.host) as secure,
        ):
            certificate = secure.getpeercert() or {}
        ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        return datetime.datetime.fromtimestamp(ends, datetime.UTC)

    def speaks(self, version: ssl.TLSVersion) -> bool:
        """Tell whether the site accepts exactly this version of TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        with _without_warnings():
            context.minimum_version = context.maximum_version = version
        try:
            with (
                socket.create_connection((self.host, self.port), TIMEOUT_S) as plain,
                context.wrap_socket(plain, server_hostname=self.host),
            ):
                return True
        except (ssl.SSLError, ConnectionError):
            return False


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None,
) -> Answer:
    try:
        connection.request(method, path, body=body, headers=dict(headers))
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read(LONGEST_ANSWER))
    finally:
        connection.close()


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Let old versions be asked for: that they are refused is what is checked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
