"""What an account is called: user names with the one form that finds them, and the free text beside them.

The rules follow Unicode UTS 39 (security mechanisms) where it can be done without its data files: one script
for each name, no letters that are drawn like Latin ones, nothing invisible. Letters that look alike *within*
one script (l and I, Arabic yeh and alef maksura) are left to people.
"""

import re
import unicodedata
from collections.abc import Iterator


class Refused(ValueError):
    """The text cannot be used; its message is a sentence for the person who typed it."""


SHORTEST = 2
"""Many Chinese and Korean names are two characters; a single one is a slip more often than a name."""

LONGEST = 64
"""Code points of the canonical form, so the width of its column."""

_SEPARATORS = "._-"
_LETTERS = "Use letters and digits of one alphabet, and . _ - between them."

# Scripts in everyday use (UAX 31, table 5) by the beginning of their letters' names in the Unicode database.
# Capitals and compatibility forms are gone by then; marks belong to those scripts alone that are named whole.
_SCRIPTS = {
    "LATIN SMALL LETTER": "Latin",
    "GREEK SMALL LETTER": "Greek",
    "CYRILLIC SMALL LETTER": "Cyrillic",
    "ARMENIAN SMALL LETTER": "Armenian",
    "GEORGIAN LETTER": "Georgian",
    "HEBREW LETTER": "Hebrew",
    "ARABIC LETTER": "Arabic",
    "CJK UNIFIED IDEOGRAPH": "East Asian",
    "IDEOGRAPHIC ITERATION MARK": "East Asian",
    "HIRAGANA LETTER": "East Asian",
    "KATAKANA LETTER": "East Asian",
    "KATAKANA-HIRAGANA PROLONGED SOUND MARK": "East Asian",
    "HANGUL SYLLABLE": "East Asian",
    "ETHIOPIC SYLLABLE": "Ethiopic",
    "BENGALI": "Bengali",
    "DEVANAGARI": "Devanagari",
    "GUJARATI": "Gujarati",
    "GURMUKHI": "Gurmukhi",
    "KANNADA": "Kannada",
    "KHMER": "Khmer",
    "LAO": "Lao",
    "MALAYALAM": "Malayalam",
    "MYANMAR": "Myanmar",
    "ORIYA": "Oriya",
    "SINHALA": "Sinhala",
    "TAMIL": "Tamil",
    "TELUGU": "Telugu",
    "THAANA": "Thaana",
    "THAI": "Thai",
    "TIBETAN": "Tibetan",
}
_SCRIPT = re.compile("|".join(sorted(_SCRIPTS, key=len, reverse=True)))

# Latin letters beyond a-z with accents; a dotless i or a phonetic alpha would be a second "i" or "a".
_LATIN_OTHERS = frozenset("æœøþđħłŋə")

# Letters drawn like Latin ones (UTS 39, confusables.txt), in the case that was typed. A name made of them
# alone passes for a Latin name ("whole-script confusable", UTS 39 section 4).
_LATIN_LOOKALIKES = frozenset(
    "аеорсухѕіјһԁԛԝѵӏүгАВЕЅІЈКМНОРСТУХԌԚԜҮӀ"
    "αγιορσυνϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ"
    "ագզհոռսցքօՈՍՏՕԼ"
    "\u05d5\u05df\u05e1\u0627\u0647\u0d20\u101d"  # Hebrew, Arabic, Malayalam, Myanmar: a stroke or a ring
)

# Mailboxes of RFC 2142 and those to which certificate authorities write (CA/Browser Forum, 3.2.2.4.4).
_MAILBOXES = (
    "abuse admin administrator ftp hostmaster info marketing news noc postmaster sales security support "
    "usenet uucp webmaster www"
)
_OPERATOR = (
    "academy aegis daemon help helpdesk mailerdaemon moderator nobody noreply official operator owner root "
    "service staff superadmin superuser sysadmin sysop system team"
)
_PROGRAM = (
    "account accounts all anonymous api auth deleted everyone false guest health here login logout me "
    "metrics mfa nan nil none null passkeys password profile register self session sessions settings signin "
    "signout signup static true undefined unknown users wellknown"
)
RESERVED = frozenset(f"{_MAILBOXES} {_OPERATOR} {_PROGRAM}".split())
"""Names that would pass for the operator, for a mailbox of the domain or for a word of the program."""

_DIGIT_LETTERS = [str.maketrans("01345", f"o{one}eas") for one in "il"]


def canonical(text: str, *, allow_reserved: bool = False) -> str:
    """Return the one form of all spellings of a new user name, for the unique column.

    Compatibility forms and case are folded (NFKC, case folding): full-width letters and the Kelvin sign are
    the plain ones; a dotless i is not, and is refused. Reserved names are for the operator alone
    (`allow_reserved`). Raises Refused.
    """
    shown = display(text)
    folded = _fold(shown)
    size = max(len(folded), len(shown))
    if not SHORTEST <= size <= LONGEST:
        raise Refused(f"Use {SHORTEST} to {LONGEST} characters; this name has {size}.")
    _check_characters(folded)
    _check_lookalike(shown)
    _check_lookalike(folded)
    if not allow_reserved and _is_reserved(folded):
        raise Refused("This name is reserved. Choose another one.")
    return folded


def display(text: str) -> str:
    """Return what is shown for a name: as typed, with its capitals, in plain forms of the letters (NFKC).

    Only what `canonical` accepts may be stored. Raises Refused for text far too long.
    """
    if len(text) > LONGEST * 4:
        raise Refused(f"Use {SHORTEST} to {LONGEST} characters; this name has {len(text)}.")
    return unicodedata.normalize("NFKC", text.strip(" "))


def find(text: str) -> str | None:
    """Return the form to look an existing account up by, or None if there cannot be one.

    Judges nothing: names that were allowed once, or made by the operator, must be found for ever.
    """
    if len(text) > LONGEST * 4 or any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        return None
    folded = _fold(unicodedata.normalize("NFKC", text.strip(" ")))
    return folded if 0 < len(folded) <= LONGEST else None


def line(text: str) -> str:
    """Return a name to be shown beside others, on one line, with single blanks.

    Refuses what could disguise the text around it: control, direction and invisible characters.
    """
    return " ".join(_readable(text).split())


def prose(text: str) -> str:
    """Return free text with its line ends as LF; refuses the same characters as `line`."""
    return _readable(text.replace("\r\n", "\n").replace("\r", "\n"), also="\n\t").strip()


_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # Persian and Indic spelling, and joined emoji, need them


def _readable(text: str, also: str = "") -> str:
    if any(
        unicodedata.category(character) in _HIDDEN and character not in _JOINERS + also for character in text
    ):
        raise Refused("This text contains an invisible or control character. Please type it again.")
    return unicodedata.normalize("NFC", text)


def _fold(shown: str) -> str:
    """Fold the case of NFKC text; eth and d with stroke, two letters with one capital, count as one."""
    return unicodedata.normalize("NFKC", shown.casefold()).replace("ð", "đ")


def _check_characters(folded: str) -> None:
    if "@" in folded:
        raise Refused(f"A user name is not an e-mail address. {_LETTERS}")
    if re.search(r"^[._-]|[._-]{2}|[._-]$", folded):
        raise Refused("Put . _ - only between letters or digits, one at a time.")
    scripts = set()
    for character, script in _scripts(folded):
        if not script:
            shown = f" (“{character}”)" if character.isprintable() else ""
            raise Refused(f"This name contains a character that is not allowed{shown}. {_LETTERS}")
        scripts.add(script)
    if len(scripts) > 1:
        raise Refused(f"This name mixes alphabets ({', '.join(sorted(scripts))}). {_LETTERS}")


def _scripts(folded: str) -> Iterator[tuple[str, str]]:
    """Yield each letter with its script, which is "" where no name may have it; digits are 0 to 9 alone."""
    previous = ""
    for character in folded:
        if not (character.isascii() and (character.isdigit() or character in _SEPARATORS)):
            yield character, _script(character, previous)
        previous = character


def _script(character: str, previous: str) -> str:
    found = _SCRIPT.match(unicodedata.name(character, ""))
    script = _SCRIPTS[found[0]] if found else ""
    kind = unicodedata.category(character)
    if kind in {"Mn", "Mc"}:
        follows_letter = unicodedata.category(previous or " ")[0] in "LM"
        return script if follows_letter else ""
    if kind[0] != "L" or (script == "Latin" and not _is_plain_latin(character)):
        return ""
    return script


def _is_plain_latin(character: str) -> bool:
    return unicodedata.normalize("NFD", character)[0].isascii() or character in _LATIN_OTHERS


def _check_lookalike(text: str) -> None:
    letters = [unicodedata.normalize("NFD", character)[0] for character in text if not character.isascii()]
    if letters and _LATIN_LOOKALIKES.issuperset(letters):
        raise Refused("This name looks like another one in Latin letters. Please add to it.")


def _is_reserved(folded: str) -> bool:
    bare = re.sub("[._-]", "", folded)
    return any(form in RESERVED for form in (bare, *(bare.translate(table) for table in _DIGIT_LETTERS)))
