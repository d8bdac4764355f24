"""Who is asking: the address as far as it can be believed, the browser's word about itself."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import flask

from aegis.settings.parse import Network

JSON_ROUTES = ("/api/", "/auth/", "/csrf-token", "/openapi.json", "/health", "/metrics")


_WITH_PORT = re.compile(r"(?:\[(?P<six>[^]]+)\]|(?P<four>[0-9.]+))(?::[0-9]{1,5})?")


class Client(NamedTuple):
    """The other end of a request."""

    address: str
    user_agent: str
    request_id: str


OPERATOR = Client("local", "command line", "")
"""Who works on the machine itself."""

HOUSEKEEPING = Client("local", "housekeeping", "")
"""The platform itself."""


def client() -> Client:
    """Return who sent the current request; control characters never get further than here."""
    return client_of(flask.request.environ)


def client_of(environ: dict[str, Any]) -> Client:
    """Return who sent the request of a WSGI environment."""
    agent = environ.get("HTTP_USER_AGENT", "")
    printable = "".join(character for character in agent if character.isprintable())
    return Client(environ.get("REMOTE_ADDR") or "", printable[:255], environ["aegis.request_id"])


def wants_page() -> bool:
    """Tell whether a person's browser waits for a page, rather than a program for JSON.

    Browsers name text/html; curl and the usual clients of JSON say that anything will do.
    """
    if flask.request.path.startswith(JSON_ROUTES):
        return False
    accepted = flask.request.accept_mimetypes
    is_named = any(kind.lower() == "text/html" for kind, _ in accepted)
    return is_named and accepted["text/html"] >= max(accepted["application/json"], 0.001)


def believe_proxies(environ: dict[str, Any], trusted: Sequence[Network]) -> None:
    """Replace peer address and scheme by what trusted proxies wrote, from the right, one hop each.

    The first address that is not a trusted proxy is the client: everything left of it was written by whoever sent
    the request. X-Forwarded-Host and Forwarded are never believed: links come from AEGIS_URL alone.
    """
    peer = normal_address(environ.get("REMOTE_ADDR") or "")
    scheme = ""
    if _is_trusted(peer, trusted):
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
        hops = [hop.strip() for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
        while hops and _is_trusted(peer, trusted):
            candidate = normal_address(hops.pop())
            if not candidate:
                break
            peer = candidate
    environ["REMOTE_ADDR"] = peer
    if scheme in {"http", "https"}:
        environ["wsgi.url_scheme"] = scheme
        environ["aegis.forwarded_scheme"] = scheme


def normal_address(text: str) -> str:
    """Return one spelling for each address, an IPv4-mapped one as IPv4 and without a port; nothing for what is none."""
    found = _WITH_PORT.fullmatch(text.strip())
    host = (found["six"] or found["four"]) if found else text.strip()
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    if not address:
        return False
    parsed = ipaddress.ip_address(address)
    return any(parsed in network for network in trusted if network.version == parsed.version)
