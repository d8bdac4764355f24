"""Fails a test that talks to another machine: what a test needs is on this one."""

import ipaddress
import os
import socket
import sys
from urllib.parse import urlsplit

GUARDED = frozenset({"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"})


class LeftTheMachineError(AssertionError):
    """A test tried to reach another machine."""


def _given_hosts() -> frozenset[str]:
    """Return names and addresses of the servers that the environment offers; their operator wants them used."""
    urls = (value for name, value in os.environ.items() if name.startswith("AEGIS_TEST_") and "://" in value)
    hosts = {host for url in urls if (host := urlsplit(url).hostname)}
    addresses = {str(found[4][0]) for host in hosts for found in socket.getaddrinfo(host, None)}
    # smtplib and http.server ask for the address of this machine by its own name.
    return frozenset(hosts | addresses | {socket.gethostname()})


def is_local(host: object) -> bool:
    """Say whether the name or address is this machine."""
    if host in {None, "", b""}:
        return True
    name = host.decode(errors="replace") if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    if event not in GUARDED:
        return
    target = arguments[-1] if event in {"socket.connect", "socket.sendto"} else arguments[0]
    if isinstance(target, tuple):
        target = target[0]
    elif event in {"socket.connect", "socket.sendto"}:
        # A Unix socket or another family without hosts.
        return
    if not is_local(target) and str(target) not in _allowed:
        raise LeftTheMachineError(f"{event} to {target!r}: tests talk to this machine alone")


_allowed = _given_hosts()


def pytest_configure() -> None:
    """Watch this process from now on; an audit hook cannot be taken out again."""
    if not getattr(sys, "_aegis_loopback_guard", False):
        sys._aegis_loopback_guard = True  # type: ignore[attr-defined]
        sys.addaudithook(_guard)
