"""Where mails leave, as a value: the parts of MAIL_URL."""

import dataclasses
import ipaddress
from urllib.parse import parse_qs, unquote, urlsplit

SMTP, FOLDER, CONSOLE, MEMORY = "smtp", "file", "console", "memory"
STARTTLS, IMPLICIT, PLAIN = "starttls", "implicit", "off"

ADVICE = (
    "must be smtp://user:password@host:587?tls=starttls, smtps://user:password@host, file:/a/folder or console:, "
    "with / + @ : in the password percent-encoded"
)


@dataclasses.dataclass(frozen=True)
class Relay:
    """A server that takes our mails, or what stands in its place."""

    kind: str
    host: str = ""
    port: int = 0
    tls: str = PLAIN
    user: str = ""
    password: str = dataclasses.field(default="", repr=False)
    folder: str = ""

    @property
    def is_exposed(self) -> bool:
        """Whether mails cross a network unencrypted."""
        return self.kind == SMTP and self.tls == PLAIN and not _is_loopback(self.host)


def read(text: str) -> Relay | None:
    """Read MAIL_URL; empty means no mail.

    `smtp://` means STARTTLS, without which nothing is sent, except on this machine itself; `tls=off` turns it off.
    """
    scheme, _, rest = text.strip().partition(":")
    if not text.strip():
        return None
    if scheme == FOLDER and rest.strip("/"):
        return Relay(FOLDER, folder=_folder(rest))
    if scheme in {CONSOLE, MEMORY} and not rest.strip("/"):
        return Relay(scheme)
    if scheme not in {"smtp", "smtps"}:
        raise ValueError(ADVICE)
    try:
        return _server(text.strip())
    except ValueError:
        raise ValueError(ADVICE) from None


def _folder(rest: str) -> str:
    """Return the path of file:mails, file:/var/mails and file:///var/mails."""
    return rest.removeprefix("//")


def _server(text: str) -> Relay:
    parts = urlsplit(text)
    query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    host, is_implicit = parts.hostname or "", parts.scheme == "smtps"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    chosen = query.pop("tls", [IMPLICIT if is_implicit else PLAIN if _is_loopback(host) else STARTTLS])
    known = ([IMPLICIT],) if is_implicit else ([STARTTLS], [PLAIN])
    odd = parts.path.strip("/") or parts.fragment or query or parts.port == 0 or bool(user) != bool(password)
    if not host or odd or chosen not in known:
        raise ValueError(text)
    usual = {IMPLICIT: 465, STARTTLS: 587, PLAIN: 25}[chosen[0]]
    return Relay(SMTP, host, parts.port or usual, chosen[0], user, password)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
