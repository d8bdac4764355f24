"""Events for other programs: JSON lines, ArcSight CEF, and syslog as RFC 5424 has it.

Whatever a row holds, even one that somebody wrote by SQL, is one line of printable ASCII: nobody forges a line, a
field or a colour of the terminal.
"""

import functools
import importlib.metadata
import json
import logging
import re
import socket
from collections.abc import Callable, Iterator, Mapping

from aegis import clock
from aegis.audit.events import level_of
from aegis.audit.model import Seen

PRODUCT = "Aegis"
FACILITY = 10
"""Security and authorization messages (RFC 5424, section 6.2.1)."""

CEF_TEXT = 4000
"""Longest value of a custom string (CEF, "Extension Dictionary")."""

EXTENSION = r"\="
PARAMETER = '\\"]'
"""What a backslash goes before in CEF's extension, and in a parameter of syslog (RFC 5424, section 6.3.3)."""

_SEVERITY = {logging.INFO: 6, logging.WARNING: 4, logging.CRITICAL: 2}
"""RFC 5424, section 6.2.1."""

_CEF_SEVERITY = {logging.INFO: 3, logging.WARNING: 7, logging.CRITICAL: 10}
_DOTTED = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")


def json_line(seen: Seen) -> str:
    """Return an event as one JSON object, as `verify` reads heads from it."""
    columns = {**seen._asdict(), "at": clock.as_text(seen.at)}
    return json.dumps({"time": columns.pop("at"), **columns}, ensure_ascii=True)


def cef(seen: Seen) -> str:
    """Return an event in the Common Event Format, version 0."""
    header = (
        "CEF:0",
        PRODUCT,
        PRODUCT,
        version(),
        seen.event,
        seen.event.replace("_", " "),
        _CEF_SEVERITY[level_of(seen.event)],
    )
    start = "|".join(_escaped(str(part), r"\|") for part in header)
    return f"{start}|{' '.join(f'{name}={_escaped(text, EXTENSION)}' for name, text in _extension(seen))}"


def _extension(seen: Seen) -> Iterator[tuple[str, str]]:
    """Yield the fields under the names of CEF's dictionary; what has none is labelled."""
    yield "rt", str(seen.at * 1000)
    yield "externalId", f"{seen.chain}:{seen.number}"
    if _DOTTED.fullmatch(seen.address):
        yield "src", seen.address
    elif ":" in seen.address:
        yield from (("c6a2", seen.address), ("c6a2Label", "Source IPv6 Address"))
    if seen.actor_id or seen.account_id:
        yield "suid", seen.actor_id or seen.account_id or ""
    if seen.account_id:
        yield "duid", seen.account_id
    labelled = {
        "requestId": seen.request_id,
        "data": json.dumps(seen.data, ensure_ascii=True, sort_keys=True, separators=(",", ":")),
        "chain": seen.chain,
        "mac": seen.mac,
    }
    for place, (label, text) in enumerate(labelled.items(), 1):
        yield from ((f"cs{place}", text[:CEF_TEXT]), (f"cs{place}Label", label))
    yield from (("cn1", str(seen.number)), ("cn1Label", "number"))


def syslog(seen: Seen) -> str:
    """Return an event as a syslog message (RFC 5424, section 6) whose text is its JSON.

    The structured data are those that IANA registered (section 7): the number of the row within its chain, and the
    product.
    """
    priority = FACILITY * 8 + _SEVERITY[level_of(seen.event)]
    number = f'[meta sequenceId="{seen.number}"]' if 0 < seen.number < 2**31 else ""
    origin = f'[origin software="{PRODUCT}" swVersion="{_escaped(version(), PARAMETER)}"]'
    header = (clock.as_text(seen.at), _name(_hostname(), 255), PRODUCT.lower(), "-", _name(seen.event, 32))
    return f"<{priority}>1 {' '.join(header)} {number}{origin} {json_line(seen)}"


FORMATS: Mapping[str, Callable[[Seen], str]] = {"jsonl": json_line, "cef": cef, "syslog": syslog}


def plain(text: str) -> str:
    """Return text as printable ASCII in one line; what else it holds becomes a question mark."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)


def _escaped(text: str, special: str) -> str:
    """Return plain text with a backslash before each special character."""
    return "".join(f"\\{character}" if character in special else character for character in plain(text))


def _name(text: str, longest: int) -> str:
    """Return a name of the header: printable ASCII without blanks, or the dash that stands for none."""
    return plain(text).replace(" ", "?")[:longest] or "-"


@functools.cache
def version() -> str:
    """Return the release that is installed."""
    return importlib.metadata.version("aegis-academy")


@functools.cache
def _hostname() -> str:
    return socket.gethostname()
