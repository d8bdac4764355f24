"""User names have one form for all spellings, and none that looks like somebody else's."""

import unicodedata

import pytest

from aegis.accounts import names
from aegis.accounts.names import Refused
from tests.properties import given, st

CONTROLS = (0x00, 0x09, 0x0A, 0x0D, 0x7F, 0x85)
BLANKS = (0x20, 0xA0, 0x2800, 0x3000)
INVISIBLE = (0xAD, 0x115F, 0x200B, 0x200C, 0x200D, 0x200E, 0x202E, 0x2066, 0x3164, 0xFE0F, 0xFEFF, 0xE0041)
NO_CHARACTERS = (0xD800, 0xDFFF, 0xE000, 0xFFFF)
HIDDEN = (*CONTROLS, *BLANKS, *INVISIBLE, *NO_CHARACTERS)


class TestOneForm:
    @pytest.mark.parametrize(
        ("canonical", "spellings"),
        [
            ("kim", ["kim", "KIM", "Kim", " kim ", "ｋｉｍ", "ＫＩＭ", "\u212aim", "ⓚⓘⓜ", "𝐤𝐢𝐦"]),
            ("jos\u00e9", ["José", "Jose\u0301", "JOSÉ", "ＪＯＳＥ\u0301"]),
            ("strasse", ["straße", "STRASSE", "Straẞe"]),
            ("sam", ["Sam", "\u017fam"]),
            ("μαρινοσ", ["Μαρίνος".replace("ί", "ι"), "ΜΑΡΙΝΟΣ", "μαρινοσ"]),
            ("김철수", ["김철수", unicodedata.normalize("NFD", "김철수")]),
            ("カナ", ["カナ", "ｶﾅ"]),
            ("dorđe", ["Dorđe", "DorÐe", "dorðe"]),
        ],
    )
    def test_all_spellings_of_a_name_are_one(self, canonical: str, spellings: list[str]) -> None:
        assert {names.canonical(spelling) for spelling in spellings} == {canonical}
        assert {names.find(spelling) for spelling in spellings} == {canonical}

    def test_a_dotless_i_is_not_an_i(self) -> None:
        """L20: the look-alike is refused, and looking for it finds nobody else."""
        assert names.canonical("kim") == "kim"
        with pytest.raises(Refused, match="not allowed"):
            names.canonical("kım")
        assert names.find("kım") == "kım"
        assert names.find("İpek") != names.find("ipek")

    @given(st.text(max_size=30) | st.text(st.characters(categories=["L"]), max_size=3))
    def test_the_form_is_stable_and_found_or_the_name_is_refused(self, text: str) -> None:
        try:
            canonical = names.canonical(text)
        except Refused:
            return
        assert names.canonical(canonical) == canonical
        assert names.find(text) == names.find(canonical) == names.find(names.display(text)) == canonical
        assert names.canonical(names.display(text)) == canonical

    @given(st.text(st.sampled_from("abkKıİſßÅåéｋ\u212a\u0301_.-19жμ猫"), min_size=2, max_size=8))
    def test_no_canonical_form_has_capitals_compatibility_forms_or_loose_accents(self, text: str) -> None:
        try:
            canonical = names.canonical(text)
        except Refused:
            return
        assert canonical == unicodedata.normalize("NFKC", canonical) == canonical.casefold()
        assert "\u0301" not in canonical
        assert "ı" not in canonical

    def test_what_is_shown_keeps_the_capitals_as_typed(self) -> None:
        assert names.display(" Ada.Lovelace ") == "Ada.Lovelace"
        assert names.display("Ｋｉｍ") == "Kim"


class TestShape:
    @pytest.mark.parametrize(
        "name",
        [
            "al",
            "anna",
            "anna.k",
            "a-b_c.d",
            "2024",
            "anna2",
            "x" * 64,
            "naïve",
            "Nguyễn",
            "Łukasz",
            "Ångström",
        ],
    )
    def test_letters_digits_and_single_separators_are_accepted(self, name: str) -> None:
        assert names.canonical(name)

    @pytest.mark.parametrize(
        "name", ["", " ", "a", "名", "x" * 65, "x" * 5000, "a" + "\u0301\u0323" * 500_000, "\ufdfa" * 60]
    )
    def test_two_to_64_characters(self, name: str) -> None:
        """The last ones are a normalisation bomb and a ligature of 18 letters."""
        with pytest.raises(Refused, match="2 to 64 characters"):
            names.canonical(name)

    @pytest.mark.parametrize("name", [".anna", "anna.", "_anna", "anna-", "anna..k", "anna._k", "--", "a__b"])
    def test_separators_stand_alone_and_inside(self, name: str) -> None:
        with pytest.raises(Refused, match="between letters or digits"):
            names.canonical(name)

    @pytest.mark.parametrize("name", ["anna@mail.test", "anna@", "@anna", "anna＠mail.test"])
    def test_a_name_never_looks_like_an_address(self, name: str) -> None:
        with pytest.raises(Refused, match="not an e-mail address"):
            names.canonical(name)

    @pytest.mark.parametrize("code", HIDDEN)
    def test_control_invisible_and_blank_characters_are_refused(self, code: int) -> None:
        for name in (f"an{chr(code)}na", f"anna{chr(code)}x"):
            with pytest.raises(Refused):
                names.canonical(name)

    @pytest.mark.parametrize(
        "name", ["₿ob", "a/b", "a\\b", "a'b", "a<b", "anna!", "ʼnanna", "a\u0337b", "٣٤٥", "ana٣"]
    )
    def test_other_signs_marks_and_digits_are_refused(self, name: str) -> None:
        with pytest.raises(Refused, match="not allowed"):
            names.canonical(name)

    def test_the_refused_character_is_shown_unless_it_is_invisible(self) -> None:
        with pytest.raises(Refused, match="“!”"):
            names.canonical("anna!")
        with pytest.raises(Refused) as refused:
            names.canonical("an\u202ena")
        assert str(refused.value).isprintable()


class TestScripts:
    @pytest.mark.parametrize(
        "name",
        [
            "жанна",
            "Антон",
            "Оксана",
            "Ελένη",
            "Հակոբ",
            "ნინო",
            "שרה",
            "مريم",
            "हिन्दी",
            "ไทย",
            "தமிழ்",
            "ሰላም",
            "李明",
            "김철수",
            "佐々木",
            "ひろゆき",
            "カナ",
            "田中カナ",
            "жанна2",
            "жан.на",
        ],
    )
    def test_one_script_is_accepted(self, name: str) -> None:
        assert names.canonical(name)

    @pytest.mark.parametrize(
        "name", ["аnna", "annа", "αnna", "аνα", "anna猫", "שרהa", "жaнна", "ab.жд", "аnna1"]
    )
    def test_mixed_scripts_are_refused(self, name: str) -> None:
        with pytest.raises(Refused, match="mixes alphabets"):
            names.canonical(name)

    @pytest.mark.parametrize(
        "name",
        [
            "аре",
            "оса",
            "ѕоре",
            "сосо",
            "νοα",
            "ορο",
            "ոսո",
            "АНТОН",
            "Гуру",
            "Һоре",
            "ΑΝΝΑ",
            "ёё",
            "оо.оо",
            "о0о",
        ],
    )
    def test_a_name_made_of_latin_look_alikes_is_refused(self, name: str) -> None:
        with pytest.raises(Refused, match="looks like"):
            names.canonical(name)

    @pytest.mark.parametrize(
        "name", ["\u093fकक", "क2\u093f", "ש\u05b8ר", "م\u064eر", "a\u093f", "か\u3099\u3099"]
    )
    def test_a_mark_needs_a_letter_of_a_script_that_writes_with_marks(self, name: str) -> None:
        with pytest.raises(Refused):
            names.canonical(name)

    def test_an_account_that_was_typed_in_capitals_is_still_found(self) -> None:
        assert names.canonical("Антон") == names.find("АНТОН")

    @pytest.mark.parametrize(
        "name", ["ɑnna", "annɐ", "ʙob", "ꜱam", "ƅob", "ᴀnna", "Ꭺnna", "ꓮnna", "𐐛𐐛", "ᎪᎡ"]
    )
    def test_phonetic_letters_and_scripts_without_everyday_use_are_refused(self, name: str) -> None:
        with pytest.raises(Refused):
            names.canonical(name)


class TestReserved:
    @pytest.mark.parametrize(
        "name",
        [
            "admin",
            "Admin",
            "ADMIN",
            "ａｄｍｉｎ",
            "ad.min",
            "a-d-m-i-n",
            "adm1n",
            "r00t",
            "5upport",
            "a3gis",
            "postmaster",
            "hostmaster",
            "webmaster",
            "abuse",
            "noc",
            "security",
            "no-reply",
            "mailer-daemon",
            "system",
            "null",
            "me",
        ],
    )
    def test_reserved_names_are_refused_in_every_spelling(self, name: str) -> None:
        with pytest.raises(Refused, match="reserved"):
            names.canonical(name)
        assert names.canonical(name, allow_reserved=True) == names.find(name)

    @pytest.mark.parametrize("name", ["administrata", "annaroot", "testuser", "user", "mel", "1234", "ada"])
    def test_names_that_only_contain_one_are_accepted(self, name: str) -> None:
        assert names.canonical(name) == name


class TestFind:
    @pytest.mark.parametrize("name", ["", " ", "x" * 65, "x" * 100_000, "a\0", "a\n", "\ud800"])
    def test_what_cannot_be_stored_is_not_looked_for(self, name: str) -> None:
        assert names.find(name) is None

    @given(st.text(max_size=300))
    def test_any_text_is_looked_for_without_an_error(self, text: str) -> None:
        found = names.find(text)
        assert found is None or 0 < len(found) <= names.LONGEST


class TestFreeText:
    def test_a_line_is_one_line_with_single_blanks(self) -> None:
        assert names.line("  Ada   Lovelace  ") == "Ada Lovelace"
        assert names.line("Jose\u0301") == "Jos\u00e9"
        assert names.line("نیم\u200cفاصله 👩\u200d🚀") == "نیم\u200cفاصله 👩\u200d🚀"

    @pytest.mark.parametrize(
        "hidden", ["\0", "\n", "\t", "\x1b", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\ud800"]
    )
    def test_what_could_disguise_the_text_around_it_is_refused(self, hidden: str) -> None:
        for rule in (names.line, names.prose):
            if rule is names.line or hidden not in "\n\t":
                with pytest.raises(Refused, match="invisible or control"):
                    rule(f"Ada{hidden}Lovelace")

    def test_prose_keeps_its_lines(self) -> None:
        assert names.prose("one\r\ntwo\rthree\n\tfour\n") == "one\ntwo\nthree\n\tfour"
