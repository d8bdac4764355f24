"""The clock that several machines agree on, and times as people type them."""

import time
from collections.abc import Iterator

import pytest

from aegis import clock


@pytest.fixture(autouse=True)
def _ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the difference back as it was."""
    monkeypatch.setattr(clock, "_ahead_s", 0)
    monkeypatch.setattr(time, "time", lambda: moment[0])
    moment[0] = 1_800_000_000.9
    return


moment = [0.0]


def answer(epoch: int, after_s: int = 0) -> int:
    """Answer as a database does whose answer takes a while."""
    moment[0] += after_s
    return epoch


@pytest.mark.parametrize("ahead", [-3600, -2, 2, 3600])
def test_a_database_ahead_or_behind_is_followed(ahead: int) -> None:
    clock.follow(lambda: answer(1_800_000_000 + ahead))
    assert clock.now() == 1_800_000_000 + ahead
    clock.follow(lambda: answer(1_800_000_001))
    assert clock.now() == 1_800_000_000


@pytest.mark.parametrize("told", range(-1, 7))
def test_an_answer_that_took_long_moves_nothing(told: int) -> None:
    clock.follow(lambda: answer(1_800_000_000 + told, after_s=5))
    assert clock.now() == 1_800_000_005


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("2027-01-15", 1_799_971_200, 1_800_057_599),
        ("2027-01-15T08:00:00Z", 1_800_000_000, 1_800_000_000),
        ("2027-01-15T09:00+01:00", 1_800_000_000, 1_800_000_000),
        (" 24h ", 1_799_913_600, 1_799_913_600),
        ("7d", 1_799_395_200, 1_799_395_200),
    ],
)
def test_a_time_is_read_as_people_type_it(typed: str, first: int, last: int) -> None:
    assert clock.from_text(typed) == first
    assert clock.from_text(typed, is_end=True) == last


@pytest.mark.parametrize("typed", ["", "yesterday", "2027-13-01", "24", "9999999d"])
def test_another_text_is_refused_with_the_fix(typed: str) -> None:
    with pytest.raises(ValueError, match="must be a time such as"):
        clock.from_text(typed)
