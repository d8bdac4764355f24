"""The ends of the record's chains, sent where nobody who holds this machine can take them back.

Whoever cuts off the newest rows has to reach the log collector, the syslog server and the mailbox as well.
"""

import json
import logging
import socket
import ssl
from urllib.parse import urlsplit

from aegis import audit, clock, mail, state, tally
from aegis.audit import Event, Head, Seen, formats

logger = logging.getLogger(__name__)

EVERY_S = 3600
"""How long a cut-off end may stay unnoticed at most."""

_TIMEOUT_S = 5
_OCCASION = "audit_heads_mailed"


def send() -> None:
    """Send the end of this process's chain by log line and syslog, and once an hour all ends by mail."""
    current = state.current()
    head = current.audit.head()
    if head is None:
        return
    now, settings = clock.now(), current.settings
    logging.getLogger("aegis.audit").info(Event.HEAD.value, extra={"aegis": head._asdict()})
    if settings.audit_syslog:
        try:
            _to_syslog(settings.audit_syslog, formats.syslog(_event(head, now)))
        except OSError as error:
            tally.add("audit_heads", "failed")
            logger.warning(
                "audit_head_not_sent", extra={"aegis": {"fault": f"{type(error).__name__}: {error}"}}
            )
            return
    if settings.audit_head_mail:
        ends = " ".join(json.dumps(end._asdict(), separators=(",", ":")) for end in audit.heads())
        mail.post_once(_OCCASION, str(now // EVERY_S), "audit_heads", settings.audit_head_mail, heads=ends)
    tally.add("audit_heads", "sent")


def _event(head: Head, now: int) -> Seen:
    return Seen(head.chain, head.number, now, Event.HEAD, None, None, "", "", {}, head.mac)


def _to_syslog(address: str, message: str) -> None:
    """Send one message by datagram, or over a stream that counts octets (RFC 6587 section 3.4.1, RFC 5425)."""
    parts, content = urlsplit(address), message.encode()
    if parts.scheme in {"unix", "udp"}:
        family = socket.AF_UNIX if parts.scheme == "unix" else _family(parts.hostname or "")
        place = parts.path if parts.scheme == "unix" else (parts.hostname, parts.port or 514)
        with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
            datagrams.sendto(content, place)
        return
    is_encrypted = parts.scheme == "tls"
    port = parts.port or (6514 if is_encrypted else 514)
    with socket.create_connection((parts.hostname or "", port), timeout=_TIMEOUT_S) as stream:
        framed = b"%d %s" % (len(content), content)
        if not is_encrypted:
            stream.sendall(framed)
            return
        with ssl.create_default_context().wrap_socket(stream, server_hostname=parts.hostname) as secured:
            secured.sendall(framed)


def _family(host: str) -> socket.AddressFamily:
    return socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0][0]
