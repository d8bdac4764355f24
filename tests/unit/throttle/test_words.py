"""What stands for an address, how a limit is written, what a refusal says."""

import pytest

from aegis import throttle
from aegis.settings import load
from aegis.settings.limit import read
from aegis.settings.load import ConfigurationError
from aegis.throttle.in_flight import InFlight
from aegis.throttle.service import in_words

STRONG_KEY = "k4J-2nVq8_Zr6tXw0bYc5mHs9dLf3gPa7eRu1iTo"


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2:0:0:0:9", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("", "unknown"),
        ("nonsense", "unknown"),
    ],
)
def test_an_address_counts_as_its_customer(address: str, counted: str) -> None:
    assert throttle.network(address, 64) == counted


def test_the_prefix_of_a_customer_is_a_setting() -> None:
    assert throttle.network("2001:db8:1:2::9", 48) == "2001:db8:1::/48"
    assert throttle.network("192.0.2.7", 48) == "192.0.2.7"


@pytest.mark.parametrize(
    ("text", "limit"),
    [("10/160m", (10, 9600)), ("5/30s", (5, 30)), (" 60 / 1h ", (60, 3600)), ("100/1d", (100, 86_400))],
)
def test_a_limit_is_read_as_people_write_it(text: str, limit: tuple[int, int]) -> None:
    assert read(text) == limit
    assert read(str(read(text))) == limit


@pytest.mark.parametrize(
    "text", ["", "10", "0/1m", "10/0m", "-1/1m", "10/1w", "10/1.5m", "1e3/1m", "٣/1m", "10/1m\n1"]
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="10/160m"):
        read(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (61, "2 minutes"), (960, "16 minutes")],
)
def test_a_wait_is_said_as_people_say_it(seconds: int, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.control("ASVS-5.0-6.3.1", "NIST-63B4-3.2.2-1")
@pytest.mark.parametrize(
    "name", ["AEGIS_LIMIT_LOGIN_ACCOUNT", "AEGIS_LIMIT_LOGIN_DEVICE", "AEGIS_LIMIT_CONFIRM"]
)
def test_production_refuses_more_than_a_hundred_guesses_a_day(name: str) -> None:
    environ = {
        "FLASK_ENV": "production",
        "SECRET_KEY": STRONG_KEY,
        "DATABASE_URL": "postgresql://db.example/aegis",
    }
    load({**environ, name: "10/160m"}, {})
    with pytest.raises(ConfigurationError) as refused:
        load({**environ, name: "11/160m"}, {})
    [problem] = refused.value.problems
    assert name in problem
    load({**environ, "FLASK_ENV": "development", name: "11/160m"}, {})


def test_less_in_flight_is_noticed_even_before_the_wait_begins() -> None:
    flights = InFlight()
    flights.begin(["a", "b"])
    flights.begin(["a"])
    assert flights.of(["a", "b", "c"]) == {"a": 2, "b": 1}
    seen = flights.of(["a"])
    assert not flights.wait_for_less(seen, 0)
    flights.end(["a"])
    assert flights.wait_for_less(seen, 0)
    flights.end(["a", "b"])
    assert flights.of(["a", "b", "c"]) == {}
