"""E-mail addresses: the form that mail goes to, and the one form by which they are compared.

Nothing is asked of the network. Addresses are told apart by what a mail server may tell apart, except for
ASCII case: `anna+course@` and `a.nna@` are other addresses than `anna@`.
"""

import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from aegis.accounts.names import Refused

LONGEST = 254
"""Octets of a path in SMTP without its angle brackets (RFC 5321 section 4.5.3.1.3, erratum 1690)."""

_PRIVATE_DOMAINS = ("test", "localhost", "local")
"""Special-use names (RFC 6761, 6762) that the validator refuses as not reachable by everybody."""

_ADVICE = "Enter an e-mail address like name@example.org."


@dataclass(frozen=True, slots=True)
class Address:
    """One address in its two forms.

    `display` is stored, shown and mailed to: the local part as typed, the domain in ASCII (IDNA), so that a
    look-alike domain shows its true name. `canonical` is compared and unique, and no mail is ever sent to it.
    """

    display: str
    canonical: str


def parse(text: str, *, allow_private_domains: bool = True) -> Address:
    """Return both forms of an address; raise Refused if it is none.

    Blanks around it are a slip of the finger; control characters, line ends above all, are refused.
    `allow_private_domains` accepts `anna@mail.test` and `root@localhost`, as on a school's own network.
    """
    typed = text.strip(" ")
    if len(typed) > LONGEST:
        raise Refused(f"Use an e-mail address of at most {LONGEST} characters.")
    if any(_is_disguised(character) for character in typed):
        raise Refused(f"The address contains a character that stands for another one. {_ADVICE}")
    try:
        local, domain = _parts(typed, allow_private_domains=allow_private_domains)
    except EmailNotValidError:
        raise Refused(_ADVICE) from None
    address = Address(f"{local}@{domain}", f"{_fold(local)}@{domain}")
    if max(len(address.display.encode()), len(address.canonical.encode())) > LONGEST:
        raise Refused(f"Use an e-mail address of at most {LONGEST} characters.")
    return address


def find(text: str) -> str | None:
    """Return the form to look an account up by, or None if this cannot be anybody's address."""
    try:
        return parse(text).canonical
    except Refused:
        return None


def _is_disguised(character: str) -> bool:
    """Say whether normalising would turn this character into another one.

    Local parts must be in NFKC (UTS 39 section 3.3): a full-width letter would be a second mailbox that looks
    the same, and the Kelvin sign, which NFC already turns into K, would be the first one.
    """
    composed = unicodedata.normalize("NFC", character)
    becomes_ascii = composed.isascii() and not character.isascii()
    return becomes_ascii or composed != unicodedata.normalize("NFKC", character)


def _parts(typed: str, *, allow_private_domains: bool) -> tuple[str, str]:
    local, at, domain = typed.rpartition("@")
    stand_in = _stand_in(domain.lower()) if allow_private_domains else None
    if stand_in is None:
        valid = _validate(typed, test_environment=allow_private_domains)
        return valid.local_part, valid.ascii_domain
    suffix, replaced = stand_in
    valid = _validate(f"{local}{at}{replaced}", test_environment=True)
    return valid.local_part, valid.ascii_domain.removesuffix("test") + suffix


def _stand_in(domain: str) -> tuple[str, str] | None:
    """Return a private suffix and the domain with `test` in its place.

    That is the one special name which the validator can be told to allow; its list is a global and not ours.
    """
    for suffix in _PRIVATE_DOMAINS:
        if domain == suffix or domain.endswith("." + suffix):
            return suffix, domain.removesuffix(suffix) + "test"
    return None


def _validate(address: str, *, test_environment: bool) -> ValidatedEmail:
    return validate_email(
        address,
        check_deliverability=False,
        allow_smtputf8=True,
        allow_quoted_local=False,
        allow_domain_literal=False,
        allow_display_name=False,
        strict=True,
        test_environment=test_environment,
    )


def _fold(local: str) -> str:
    """Fold the case of each letter that has one, but never into ASCII from outside it.

    Whole-string case folding would make one account of two mailboxes: ß and ss, a long s and s.
    """
    folded = "".join(_fold_character(character) for character in local)
    return unicodedata.normalize("NFC", folded)


def _fold_character(character: str) -> str:
    folded = character.casefold()
    return folded if character.isascii() or not any(part.isascii() for part in folded) else character
