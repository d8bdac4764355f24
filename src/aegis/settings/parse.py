"""From the text of an environment variable to a typed value; each error is a sentence with the fix."""

import datetime
import ipaddress
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from aegis.settings import relay

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def as_text(value: object) -> str:
    """Return a value of a config object as it would stand in the environment, so that both are judged alike."""
    if isinstance(value, datetime.timedelta):
        return str(int(value.total_seconds()))
    if isinstance(value, list | tuple):
        return ",".join(as_text(part) for part in value)
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str | int | Network):
        return str(value)
    raise ValueError(f"must be text or a number, not {type(value).__name__}")


def boolean(text: str) -> bool:
    """Read 1/0, true/false, yes/no, on/off."""
    lowered = text.strip().lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise ValueError("must be 1 or 0 (true/false, yes/no and on/off work too)")


def integer(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text.strip()) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def string(text: str) -> str:
    """Take the text as it is."""
    return text


def words(text: str) -> tuple[str, ...]:
    """Read a comma-separated list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def choice(*allowed: str) -> Callable[[str], str]:
    """Return a reader of one of the words."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text

    return read


def networks(text: str) -> tuple[Network, ...]:
    """Read a comma-separated list of addresses and networks."""
    found = []
    for word in words(text):
        try:
            found.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            raise ValueError(f"{word!r} is not an address or a network such as 10.0.0.0/8") from None
    return tuple(found)


def origin(text: str) -> str:
    """Read `scheme://host[:port]` without a path; the default port is dropped; empty means not set."""
    if not text.strip():
        return ""
    parts = urlsplit(text.strip())
    message = "must be a scheme and a host only, such as https://platform.edu"
    try:
        port = parts.port
    except ValueError:
        raise ValueError(message) from None
    name = parts.hostname or ""
    named = re.fullmatch(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", name)
    if parts.scheme not in {"http", "https"} or not named or parts.username is not None:
        raise ValueError(message)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(message)
    host = f"[{name}]" if ":" in name else name
    suffix = "" if port in {None, {"http": 80, "https": 443}[parts.scheme]} else f":{port}"
    return f"{parts.scheme}://{host}{suffix}"


def database_address(text: str) -> str:
    """Read the address of a database as far as its shape; empty means none."""
    scheme, mark, rest = text.partition("://")
    place = re.split("[/?]", rest.rpartition("@")[2], maxsplit=1)[0]
    if text and (not scheme or not mark):
        raise ValueError("must be an address such as postgresql://user:password@host/name")
    if not re.fullmatch(r"(\[[^\]]*\]|[^:]*)(:[0-9]+)?", place):
        raise ValueError("has a port that is no number; write @ : / in a password as %40 %3A %2F")
    return text


def redis_address(text: str) -> str:
    """Read the address of a Redis; empty means none."""
    if text and text.partition("://")[0] not in {"redis", "rediss", "redis+sentinel", "redis+cluster"}:
        raise ValueError("must start with redis://, rediss://, redis+sentinel:// or redis+cluster://")
    return text


def s3_address(text: str) -> str:
    """Read `s3://key:secret@host/bucket`; empty means none."""
    if not text:
        return ""
    message = "must be s3://key:secret@host/bucket?region=name, with / + @ : in the secret percent-encoded"
    try:
        parts = urlsplit(text)
        known = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        complete = all(
            [parts.scheme == "s3", parts.username, parts.password, parts.hostname, parts.port != 0]
        )
    except ValueError:
        raise ValueError(message) from None
    named = re.fullmatch(r"/[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)*/?", parts.path)
    if not complete or not named or parts.fragment or set(known) - {"region", "tls"}:
        raise ValueError(message)
    if known.get("tls", ["on"]) not in (["on"], ["off"]):
        raise ValueError("has a tls that is neither on nor off")
    return text


def syslog_address(text: str) -> str:
    """Read where a syslog server listens; empty means none."""
    if not text:
        return ""
    message = "must be unix:/dev/log, udp://host:514, tcp://host:514 or tls://host:6514"
    try:
        parts = urlsplit(text)
        has_port = parts.port != 0
    except ValueError:
        raise ValueError(message) from None
    is_socket = parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc
    is_server = (
        parts.scheme in {"udp", "tcp", "tls"} and parts.hostname and has_port and not parts.path.strip("/")
    )
    if not (is_socket or is_server) or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(message)
    return text


def mail_address(text: str) -> str:
    """Read where mails leave; empty means no mail."""
    relay.read(text)
    return text.strip()


def mailbox(text: str) -> str:
    """Read one plain e-mail address; empty means none."""
    if text and not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,189}", text):
        raise ValueError("must be one address such as no-reply@platform.edu, without a name")
    return text


def masked(value: object) -> str:
    """Show a value with the secret inside hidden; an address keeps all but its password."""
    text = ",".join(str(part) for part in value) if isinstance(value, tuple) else str(value)
    if not text:
        return "(empty)"
    if text.startswith(("console:", "file:")):
        return text
    if "://" not in text:
        return "********"
    return re.sub(
        r"(://[^:/@]*):.*@",
        r"\1:********@",
        re.sub(r"(?i)(password|sslpassword)=[^&]*", r"\1=********", text),
    )
