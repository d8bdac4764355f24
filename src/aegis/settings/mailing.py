"""The settings of mail, and of addresses that are proven by it."""

import dataclasses

from aegis.settings import parse
from aegis.settings.declaration import setting

OFF, OPTIONAL, REQUIRED = "off", "optional", "required"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mailing:
    """How mails leave, and what an address is worth."""

    mail_url: str = setting(
        "MAIL_URL",
        parse.mail_address,
        "console:",
        "Where mails leave: smtp://user:password@host:587, smtps://, file:/folder (one .eml each) or console:. Empty turns mail off.",
        secret=True,
        production="",
        testing="memory:",
        rule="AEGIS_URL too; no password over an unencrypted network",
    )
    mail_from: str = setting(
        "AEGIS_MAIL_FROM",
        parse.mailbox,
        "",
        "The address mails come from; unless set, no-reply@ at the host of AEGIS_URL.",
    )
    mail_ca: str = setting(
        "AEGIS_MAIL_CA",
        parse.string,
        "",
        "File of certificate authorities (PEM) that the relay is judged by, in place of the system's.",
    )
    mail_embedded: bool = setting(
        "AEGIS_MAIL_EMBEDDED",
        parse.boolean,
        True,
        "The serving processes send mails themselves; 0 leaves that to `aegis worker`.",
    )
    email_verification: str = setting(
        "AEGIS_EMAIL_VERIFICATION",
        parse.choice(OFF, OPTIONAL, REQUIRED),
        OFF,
        "Whether the e-mail address of a registration counts only after its code: off, optional, or required for signing in.",
        rule="MAIL_URL too",
    )
    email_code_digits: int = setting(
        "AEGIS_EMAIL_CODE_DIGITS",
        parse.integer(6, 12),
        8,
        "Digits of a code that goes out by mail (NIST 800-63B-4 section 3.1.3.2: 6 at least).",
    )
    email_code_s: int = setting(
        "AEGIS_EMAIL_CODE_LIFETIME",
        parse.integer(60, 600),
        600,
        "How long such a code is good (ASVS 6.5.5: ten minutes at most).",
        unit="seconds",
    )
    email_blocked_domains: tuple[str, ...] = setting(
        "AEGIS_EMAIL_BLOCKED_DOMAINS",
        parse.words,
        (),
        "Domains whose addresses, subdomains included, nobody may register with, comma-separated; "
        "/a/path is a file with one in each line, read anew when it changes.",
        rule="files can be read",
    )
