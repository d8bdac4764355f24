"""From a template and its values to a message: text and HTML, with headers that are all our own.

A template is two files: `NAME.txt`, whose first line is the subject, and `NAME.html`, which extends `_layout.html`.
Values are plain text: escaped in HTML, and without control characters anywhere, so that none can end a line.
"""

import dataclasses
import email.policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import urlsplit

import jinja2

from aegis import clock
from aegis.settings import Settings

FOLDER = Path(__file__).parent / "templates"
Values = dict[str, str | int]

NOBODY = "nobody@invalid"
"""Who gets a mail that is written for the time it takes alone (RFC 2606 section 2 reserves the domain)."""

_LONGEST_LINE = 900
"""RFC 5322 section 2.1.1 allows 998 characters."""

_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER),
    autoescape=jinja2.select_autoescape(["html"]),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclasses.dataclass(frozen=True)
class Letter:
    """A mail before it is written out: what `post` was given, and the id and time that stay over all attempts."""

    id: str
    created_at: int
    template: str
    to: str
    values: Values


def templates() -> list[str]:
    """Return the names of all templates."""
    return sorted(file.stem for file in FOLDER.glob("[!_]*.txt"))


_SAMPLES: Values = {
    "code": "48210376",
    "username": "anna",
    "link": "https://platform.edu/reset-password?token=SAMPLE",
    "minutes": 30,
    "hours": 72,
    "what": "Your password was changed",
    "when": "25 November 2026, 14:05 UTC",
    "origin": "Firefox on Linux, 192.0.2.7",
    "member_since": "3 March 2026",
    "undo_link": "https://platform.edu/account/undo?token=SAMPLE",
    "heads": '{"chain":"sJq2mC5v1TnWkB8xYd3fGA","number":412,"mac":"%s"}' % ("5d" * 32),
}


def sample(template: str) -> Letter:
    """Return a letter with made-up values, to look at."""
    return Letter("sample", clock.now(), template, "anna@example.org", dict(_SAMPLES))


def clean(value: str | int) -> str | int:
    """Return a value with blanks in place of control characters, line ends and marks that turn the direction of text."""
    if isinstance(value, int):
        return value
    return "".join(character if character.isprintable() else " " for character in value)


def sender_address(settings: Settings) -> str:
    """Return the address that mails come from."""
    return settings.mail_from or f"no-reply@{urlsplit(settings.public_url).hostname or 'localhost'}"


def compose(letter: Letter, settings: Settings) -> EmailMessage:
    """Write a letter out; the same letter is the same message each time.

    Raises ValueError for an address that is none, and jinja2's errors for an unknown template or a missing value.
    """
    given = {name: clean(value) for name, value in letter.values.items()}
    values = {**given, "site_name": clean(settings.site_name), "site_url": settings.public_url}
    subject, _, text = _environment.get_template(f"{letter.template}.txt").render(values).partition("\n")
    markup = _environment.get_template(f"{letter.template}.html").render(values, subject=subject)
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = Address(str(values["site_name"]), addr_spec=sender_address(settings))
    message["To"] = recipient(letter.to)
    message["Subject"] = subject.strip()
    message["Date"] = format_datetime(clock.as_datetime(letter.created_at))
    message["Message-ID"] = f"<{letter.id}@{sender_address(settings).partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_footed(text, values), cte=_encoding(text))
    message.add_alternative(markup, subtype="html", cte=_encoding(markup))
    return message


def recipient(address: str) -> Address:
    """Return an address as a header takes it. Raises ValueError for one that could end a header."""
    if not address.isprintable() or " " in address or "@" not in address:
        raise ValueError("not an address")
    local, _, domain = address.rpartition("@")
    return Address(username=local, domain=domain)


def _footed(text: str, values: Values) -> str:
    return f"{text.strip()}\n\n-- \n{values['site_name']}\n{values['site_url']}\n"


def _encoding(text: str) -> str:
    """Leave plain ASCII readable as it travels; no relay needs to take eight bits."""
    is_plain = text.isascii() and max(map(len, text.splitlines()), default=0) < _LONGEST_LINE
    return "7bit" if is_plain else "quoted-printable"
