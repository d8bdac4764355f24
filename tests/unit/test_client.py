"""Who is asking: of what a request says about its way here, only what trusted proxies wrote counts (L10, L14)."""

import ipaddress

import flask
import pytest

from aegis.settings.parse import networks
from aegis.web.client import believe_proxies, client, normal_address
from tests.properties import given, st

ADDRESSES = st.ip_addresses().map(str)


def believed(peer: str, trusted: str, forwarded: str | None, scheme: str | None = None) -> dict[str, str]:
    """Return what is left of a request's environment."""
    environ = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http"}
    if forwarded is not None:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded
    if scheme is not None:
        environ["HTTP_X_FORWARDED_PROTO"] = scheme
    believe_proxies(environ, networks(trusted))
    return environ


@pytest.mark.control("ASVS-5.0-15.3.4", "ASVS-5.0-4.1.3")
@pytest.mark.parametrize(
    ("peer", "trusted", "forwarded", "seen"),
    [
        # Nobody is believed who is not named.
        ("192.0.2.1", "10.0.0.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.2", "10.0.0.1", "203.0.113.9", "10.0.0.2"),
        # One hop for each proxy, from the right.
        ("10.0.0.1", "10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.1", "6.6.6.6,203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.0/8", "6.6.6.6, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.0/8", "10.9.9.9, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.1", "203.0.113.9, 10.0.0.7", "10.0.0.7"),
        # All the way is ours.
        ("10.0.0.1", "10.0.0.0/8", "10.0.0.5, 10.0.0.7", "10.0.0.5"),
        # What is no address ends the walk at the last known one.
        ("10.0.0.1", "10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1", "203.0.113.9, _hidden", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1", "203.0.113.9, 999.1.1.1", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1", "203.0.113.9; x=1", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1", ",,, 203.0.113.9 ,,", "203.0.113.9"),
        # Some proxies add the port.
        ("10.0.0.1", "10.0.0.1", "203.0.113.9:51234", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.1", "[2001:db8::9]:51234", "2001:db8::9"),
        ("10.0.0.1", "10.0.0.1", "[2001:db8::9]", "2001:db8::9"),
        # One spelling for each address.
        ("10.0.0.1", "10.0.0.1", "2001:DB8:1:2:0:0:0:9", "2001:db8:1:2::9"),
        ("10.0.0.1", "10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.1", "fe80::1%eth0", "fe80::1"),
        ("::ffff:10.0.0.1", "10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::/32", "203.0.113.9", "203.0.113.9"),
        ("2001:db8::1", "10.0.0.0/8", "203.0.113.9", "2001:db8::1"),
        # A peer without an address (a Unix socket) is nobody we know.
        ("", "10.0.0.1", "203.0.113.9", ""),
    ],
)
def test_the_client_is_the_first_address_from_the_right_that_is_no_trusted_proxy(
    peer: str, trusted: str, forwarded: str | None, seen: str
) -> None:
    assert believed(peer, trusted, forwarded)["REMOTE_ADDR"] == seen


@pytest.mark.control("ASVS-5.0-15.3.4")
@given(ADDRESSES, st.lists(ADDRESSES | st.text(st.characters(max_codepoint=255)), max_size=4))
def test_what_a_client_writes_never_changes_what_its_proxy_wrote(real: str, invented: list[str]) -> None:
    if ipaddress.ip_address(real) in ipaddress.ip_network("10.0.0.0/8"):
        return
    header = ", ".join([*invented, real])

    assert believed("10.0.0.1", "10.0.0.0/8", header)["REMOTE_ADDR"] == normal_address(real)
    assert believed("192.0.2.1", "10.0.0.0/8", header)["REMOTE_ADDR"] == "192.0.2.1"


@pytest.mark.parametrize(
    ("peer", "scheme", "seen"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "HTTPS", "https"),
        ("10.0.0.1", "http", "http"),
        ("10.0.0.1", "http, https", "https"),
        ("10.0.0.1", "https, http", "http"),
        ("10.0.0.1", "gopher", "http"),
        ("10.0.0.1", "", "http"),
        ("10.0.0.1", None, "http"),
        ("192.0.2.1", "https", "http"),
    ],
)
def test_the_scheme_is_what_the_nearest_trusted_proxy_says(peer: str, scheme: str | None, seen: str) -> None:
    assert believed(peer, "10.0.0.1", None, scheme)["wsgi.url_scheme"] == seen


@given(ADDRESSES)
def test_every_address_has_one_spelling(text: str) -> None:
    address = ipaddress.ip_address(text)
    spellings = {text, text.upper(), f" {text} ", f"[{text}]", address.exploded}
    if address.version == 4:
        spellings |= {f"::ffff:{text}", f"::FFFF:{text}"}

    assert len({normal_address(spelling) for spelling in spellings}) == 1


@given(st.text())
def test_what_is_no_address_is_nothing_and_no_error(text: str) -> None:
    found = normal_address(text)
    assert found == "" or ipaddress.ip_address(found)


def test_the_browsers_word_about_itself_is_cut_and_printable() -> None:
    environ = {"HTTP_USER_AGENT": "A\x1b[31m\x00\r\nB\x85" + "x" * 500, "aegis.request_id": "1"}
    with flask.Flask(__name__).test_request_context("/", environ_overrides=environ):
        agent = client().user_agent

    assert agent.isprintable()
    assert agent.startswith("A[31mB")
    assert len(agent) == 255
