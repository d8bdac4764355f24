"""E-mail addresses are compared in one form, and what is compared equal is the same mailbox."""

import pytest

from aegis.accounts import addresses
from aegis.accounts.addresses import Address
from aegis.accounts.names import Refused
from tests.properties import given, st


class TestOneForm:
    @pytest.mark.parametrize(
        "typed", ["kim@mail.test", "KIM@MAIL.TEST", "Kim@Mail.Test", "kim@mail.test ", " kim@mail.test"]
    )
    def test_case_and_blanks_around_do_not_count(self, typed: str) -> None:
        assert addresses.parse(typed).canonical == "kim@mail.test"
        assert addresses.find(typed) == "kim@mail.test"

    @pytest.mark.parametrize(
        "look_alike",
        [
            "kım@mail.test",
            "kim@maıl.test",
            "kim@mail.tеst",
            "kіm@mail.test",
            "kim.@mail.test",
            "kïm@mail.test",
        ],
    )
    def test_look_alikes_are_refused_or_other_addresses(self, look_alike: str) -> None:
        """L20: dotless i, Cyrillic letters and accents never find the plain address."""
        assert addresses.find(look_alike) != "kim@mail.test"

    @pytest.mark.parametrize(
        "disguised",
        [
            "\u212aim@mail.test",
            "ｋim@mail.test",
            "kim@ｍail.test",
            "kim@mail\uff0etest",
            "\u017fam@mail.test",
            "ﬁn@mail.test",
        ],
    )
    def test_characters_that_stand_for_others_are_refused(self, disguised: str) -> None:
        with pytest.raises(Refused, match="stands for another"):
            addresses.parse(disguised)
        assert addresses.find(disguised) is None

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("anna@mail.test", "anna+course@mail.test"),
            ("anna@mail.test", "a.nna@mail.test"),
            ("strasse@mail.test", "straße@mail.test"),
            ("i@mail.test", "İ@mail.test"),
            ("anna@mail.test", "anna@sub.mail.test"),
        ],
    )
    def test_what_a_mail_server_may_tell_apart_stays_apart(self, one: str, other: str) -> None:
        assert addresses.parse(one).canonical != addresses.parse(other).canonical

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("é@mail.test", "e\u0301@mail.test"),
            ("Ä@mail.test", "ä@mail.test"),
            ("ΟΔΟΣ@mail.test", "οδος@mail.test"),
            ("a@müller.example", "a@MÜLLER.example"),
            ("a@müller.example", "a@xn--mller-kva.example"),
            ("a@mu\u0308ller.example", "a@müller.example"),
        ],
    )
    def test_spellings_of_one_mailbox_are_one(self, one: str, other: str) -> None:
        assert addresses.parse(one).canonical == addresses.parse(other).canonical

    def test_mail_goes_to_the_local_part_as_typed_and_the_domain_in_ascii(self) -> None:
        assert addresses.parse("Anna.Smith+x@Müller.example") == Address(
            display="Anna.Smith+x@xn--mller-kva.example", canonical="anna.smith+x@xn--mller-kva.example"
        )

    @given(
        st.from_regex(
            r"[a-zA-Z0-9.+_éÄßıſİ\u212a-]{1,12}@[a-zA-Zäß-]{1,8}\.(test|example|localhost)", fullmatch=True
        )
    )
    def test_both_forms_are_stable(self, typed: str) -> None:
        try:
            address = addresses.parse(typed)
        except Refused:
            return
        assert addresses.parse(address.display) == address
        assert addresses.parse(address.canonical).canonical == address.canonical
        assert addresses.find(typed) == address.canonical
        assert not any("A" <= letter <= "Z" for letter in address.canonical)
        assert (set(address.canonical) - set("ß")).isdisjoint({"\u212a", "\u017f"})

    @given(st.text(max_size=60), st.text(max_size=30))
    def test_any_text_is_one_printable_address_or_refused(self, local: str, domain: str) -> None:
        try:
            address = addresses.parse(f"{local}@{domain}")
        except Refused:
            return
        assert address.display.count("@") == 1
        assert address.display.isprintable()


class TestSyntax:
    @pytest.mark.parametrize(
        "typed",
        [
            "",
            " ",
            "anna",
            "anna@",
            "@mail.test",
            "a@b@mail.test",
            "anna@mail",
            "anna@mail.test.",
            "anna@.test",
            "a..b@mail.test",
            "a b@mail.test",
            '"a b"@mail.test',
            "anna@[127.0.0.1]",
            "Anna <anna@mail.test>",
            "anna@foo_bar.test",
            "anna@-a.test",
            "x" * 65 + "@mail.test",
            "anna@" + "x" * 64 + ".test",
            "anna@mail.test,eva@mail.test",
            "anna@x.onion",
            "a\u200b@mail.test",
            "a\u202e@mail.test",
            "́a@mail.test",
            "anna＠mail.test",
        ],
    )
    def test_what_is_no_plain_address_is_refused(self, typed: str) -> None:
        with pytest.raises(Refused):
            addresses.parse(typed)
        assert addresses.find(typed) is None

    @pytest.mark.parametrize(
        "control",
        ["\r", "\n", "\r\nBcc: eva@mail.test", "\0", "\t", "\x7f", "\x85", chr(0xD800), chr(0xDFFF)],
    )
    def test_nothing_that_could_split_a_mail_header_passes(self, control: str) -> None:
        for typed in (
            f"anna{control}@mail.test",
            f"anna@mail.test{control}",
            f"{control}anna@mail.test",
            f"anna@ma{control}il.test",
        ):
            with pytest.raises(Refused):
                addresses.parse(typed)

    @pytest.mark.parametrize(
        "typed", ["anna@mail.test", "anna@test", "user@example.com", "user@example.test", "u@x.example"]
    )
    def test_the_domains_of_tests_and_examples_are_accepted(self, typed: str) -> None:
        assert addresses.parse(typed) == Address(typed, typed)

    @pytest.mark.parametrize(
        "typed", ["root@localhost", "Root@Host.LOCALHOST", "anna@school.local", "anna@mail.test"]
    )
    def test_private_domains_are_accepted_unless_switched_off(self, typed: str) -> None:
        assert addresses.parse(typed).canonical == typed.lower()
        with pytest.raises(Refused):
            addresses.parse(typed, allow_private_domains=False)
        assert (
            addresses.parse("anna@example.org", allow_private_domains=False).canonical == "anna@example.org"
        )

    def test_both_forms_are_composed_and_at_most_254_octets(self) -> None:
        """Folding writes an iota below the line as a letter of its own."""
        address = addresses.parse("\u0390\u1fb3@mail.test")
        assert address == Address("\u0390\u1fb3@mail.test", "\u0390\u03b1\u03b9@mail.test")
        domain = ".".join(["d" * 60] * 3) + ".test"
        assert len(addresses.parse(f"{'a' * 60}@{domain}").canonical) == 248
        assert len(f"{chr(0x1FB3) * 20}@{domain}".encode()) == 248
        with pytest.raises(Refused, match="254"):
            addresses.parse(f"{chr(0x1FB3) * 20}@{domain}")

    def test_at_most_254_octets(self) -> None:
        domain = ".".join(["d" * 60] * 3)
        longest = "a" * 64 + "@" + domain + ".ab" + "c"
        longest += "d" * (254 - len(longest))
        assert len(addresses.parse(longest).display) == 254
        for longer in (longest + "e", "a" * 100_000 + "@mail.test"):
            with pytest.raises(Refused, match="254"):
                addresses.parse(longer)
