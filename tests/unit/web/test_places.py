"""Where an address is, from a file: never from outside, and never an error in the way of somebody."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from aegis.settings import ConfigurationError
from aegis.web.places import NOWHERE, Place, Places
from tests.factories import Browser, add_account
from tests.fixtures import NewApp

BERLIN, GHENT, VALE = "192.0.2.7", "198.51.100.9", "2001:db8::9"


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Give a file that knows three networks."""
    writer = MMDBWriter(6, "GeoLite2-City", languages=["en"], ipv4_compatible=True)
    germany = {"iso_code": "DE", "names": {"en": "Germany"}}
    writer.insert_network(IPSet(["192.0.2.0/24"]), {"country": germany, "city": {"names": {"en": "Berlin"}}})
    writer.insert_network(
        IPSet(["198.51.100.0/24"]), {"country": {"iso_code": "BE", "names": {"en": "Belgium"}}}
    )
    writer.insert_network(IPSet(["2001:db8::/32"]), {"registered_country": {"iso_code": "XX"}})
    path = str(tmp_path / "places.mmdb")
    writer.to_db_file(path)
    return path


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (BERLIN, Place("DE", "Berlin, Germany")),
        (f"::ffff:{BERLIN}", Place("DE", "Berlin, Germany")),
        (GHENT, Place("BE", "Belgium")),
        (VALE, Place("XX", "")),
        ("203.0.113.1", NOWHERE),
        ("local", NOWHERE),
        ("", NOWHERE),
    ],
)
def test_a_place_is_named_as_far_as_the_file_knows(file: str, address: str, place: Place) -> None:
    assert Places(file).of(address) == place


def test_without_a_file_nothing_is_known() -> None:
    assert Places("").of(BERLIN) == NOWHERE


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_a_file_that_is_none_keeps_the_process_from_starting(
    new_app: NewApp, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "places.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"AEGIS_GEOIP: .*places\.mmdb cannot be read"):
        new_app(AEGIS_GEOIP=str(path))


@pytest.fixture
def enter(new_app: NewApp, file: str) -> Callable[..., Browser]:
    """Give a function that signs anna in from an address."""
    app = new_app(AEGIS_GEOIP=file)
    add_account(app, "anna", email="anna@mail.test")

    def sign_in(address: str, browser: Browser | None = None) -> Browser:
        browser = browser or app.test_client()
        browser.environ_base["REMOTE_ADDR"] = address
        assert browser.sign_in("anna").status_code == 200
        return browser

    return sign_in


def mails(browser: Browser) -> list[str]:
    messages = browser.application.extensions["aegis"].sender.transport.messages
    return [f"{mail['Subject']}\n{mail.get_body(('plain',)).get_content()}" for mail in messages]


def test_sessions_and_notices_name_the_place(enter: Callable[..., Browser]) -> None:
    anna = enter(BERLIN)
    [session] = anna.get("/api/sessions").json["sessions"]
    assert (session["address"], session["place"]) == (BERLIN, "Berlin, Germany")
    assert f"{BERLIN} (Berlin, Germany)" in anna.page("/account/security").text
    enter(GHENT)
    [mail] = mails(anna)
    assert mail.startswith("A device that we do not know signed in")
    assert f"{GHENT} (Belgium)" in mail


def test_a_known_device_from_another_country_is_told_once(enter: Callable[..., Browser]) -> None:
    anna = enter(BERLIN)
    enter("192.0.2.200", anna)
    enter("203.0.113.1", anna)
    assert mails(anna) == []  # the same country, and one that the file does not know
    enter(GHENT, anna)
    enter(GHENT, anna)
    enter(BERLIN, anna)
    [mail] = mails(anna)
    assert mail.startswith("You signed in from another country")
    assert "Belgium" in mail
