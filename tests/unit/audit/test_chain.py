"""The hash chain: which rows it names after each kind of tampering."""

import json

import pytest

from aegis.audit import chain, heads_in
from aegis.audit.chain import Entry
from aegis.tokens import Keyring

KEYRING = Keyring("one secret of at least thirty-two bytes")


def rows(count: int, name: str = "aaa", keyring: Keyring = KEYRING) -> list[Entry]:
    """Return a genuine chain."""
    made, before = [], chain.FIRST
    for number in range(1, count + 1):
        entry = Entry(
            name, number, 1000 + number, "authn_login_success", "anna", None, "192.0.2.1", "r", "{}", ""
        )
        made.append(entry._replace(mac=chain.mac_of(entry, before, keyring)))
        before = made[-1].mac
    return made


def named(entries: list[Entry], told: chain.Heads | None = None) -> list[tuple[str, int]]:
    """Return which rows are named."""
    ordered = sorted(entries, key=lambda entry: (entry.chain, entry.number))
    return [(fault.chain, fault.number) for fault in chain.verify(ordered, told or {}, KEYRING)]


def test_a_genuine_chain_has_no_fault() -> None:
    assert named(rows(9) + rows(4, "bbb")) == []


@pytest.mark.control("ASVS-5.0-16.4.2")
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", 1),
        ("event", "user_created"),
        ("account_id", None),
        ("account_id", "ben"),
        ("actor_id", "ben"),
        ("address", "192.0.2.2"),
        ("request_id", ""),
        ("data", '{"x":1}'),
        ("mac", "0" * 64),
    ],
)
def test_a_changed_column_names_its_row(column: str, value: object) -> None:
    entries = rows(9)
    entries[3] = entries[3]._replace(**{column: value})

    assert named(entries)[0] == ("aaa", 4)


def test_a_changed_row_accuses_no_other() -> None:
    entries = rows(9)
    entries[3] = entries[3]._replace(account_id="ben")

    assert named(entries) == [("aaa", 4)]


def test_values_cannot_move_between_columns() -> None:
    entries = rows(9)
    entries[3] = entries[3]._replace(address="", request_id=entries[3].address + entries[3].request_id)

    assert named(entries) == [("aaa", 4)]


@pytest.mark.parametrize("gone", [1, 5])
def test_a_removed_row_is_named(gone: int) -> None:
    entries = rows(9)
    del entries[gone - 1]

    found = named(entries)
    assert found[0] == ("aaa", gone)
    assert set(found) <= {("aaa", gone), ("aaa", gone + 1)}


def test_a_row_behind_a_gap_counts_as_whole_if_it_left_the_machine() -> None:
    entries = rows(9)
    told = {"aaa": {6: entries[5].mac}}
    del entries[4]

    assert named(entries, told) == [("aaa", 5)]


def test_removing_and_renumbering_is_seen() -> None:
    entries = rows(9)
    kept = [entry for entry in entries if entry.number != 5]
    closed = [entry._replace(number=number) for number, entry in enumerate(kept, 1)]

    assert named(closed)[0] == ("aaa", 5)


def test_swapped_rows_are_both_named_and_nobody_else() -> None:
    entries = rows(9)
    entries[3], entries[6] = entries[6]._replace(number=4), entries[3]._replace(number=7)
    faults = list(chain.verify(entries, {}, KEYRING))

    assert [(fault.number, fault.sentence) for fault in faults] == [
        (4, "stands at 7: the order was changed."),
        (7, "stands at 4: the order was changed."),
    ]


def test_an_inserted_row_is_named() -> None:
    entries = rows(9)
    forged = entries[-1]._replace(number=10, mac="1" * 64)

    assert named([*entries, forged]) == [("aaa", 10)]


def test_a_row_of_another_chain_fits_nowhere() -> None:
    entries = rows(9)
    entries[3] = rows(9, "bbb")[3]._replace(chain="aaa")

    assert named(entries)[0] == ("aaa", 4)


def test_a_cut_off_tail_shows_against_what_left_the_machine() -> None:
    entries = rows(9)
    told = {"aaa": {9: entries[8].mac}}

    assert named(entries, told) == []
    assert named(entries[:6]) == []  # the chain alone cannot know
    assert named(entries[:6], told) == [("aaa", 7)]
    assert named([], told) == [("aaa", 1)]


def test_a_chain_written_anew_with_the_key_shows_against_what_left_the_machine() -> None:
    entries = rows(9)
    anew = [entry._replace(account_id="ben") for entry in entries]
    before = chain.FIRST
    for place, entry in enumerate(anew):
        anew[place] = entry._replace(mac=chain.mac_of(entry, before, KEYRING))
        before = anew[place].mac

    assert named(anew) == []
    assert named(anew, {"aaa": {7: entries[6].mac}}) == [("aaa", 7)]


def test_a_former_key_still_verifies_and_a_foreign_one_does_not() -> None:
    former = rows(3, keyring=Keyring("the former secret of thirty-two bytes.."))
    both = Keyring("the present secret of thirty-two bytes", ["the former secret of thirty-two bytes.."])

    assert list(chain.verify(former, {}, both)) == []
    assert [fault.number for fault in chain.verify(former, {}, KEYRING)] == [1, 2, 3]


def test_log_lines_are_read_whatever_a_collector_put_around_them() -> None:
    mac = "a" * 64
    line = json.dumps({"event": "authn_login_success", "chain": "aaa", "number": 7, "mac": mac})
    lines = [
        f"Nov 25 06:00:00 host aegis: {line}",
        line.replace("7", "9"),
        "Traceback (most recent call last):",
        "{broken",
        "[1, 2]",
        json.dumps({"chain": "aaa", "number": "8", "mac": mac}),
        json.dumps({"chain": "aaa", "number": 10, "mac": "short"}),
    ]

    assert heads_in(lines) == {"aaa": {7: mac, 9: mac}}
