"""Whose address is whose: the comparison behind Origin and Referer, without and with a public address."""

from collections.abc import Iterator

import flask
import pytest

from aegis import csrf, errors
from tests.factories import dispose, make_app
from tests.properties import HealthCheck, given, settings, st

HOSTS = ("localhost", "platform.test", "platform.test:8443", "192.0.2.7", "[2001:db8::1]:5000")


@pytest.fixture(scope="module", params=[None, "https://platform.test", "http://localhost:5000"])
def asked(request: pytest.FixtureRequest) -> Iterator[tuple[flask.Flask, str | None]]:
    """Give an application without or with a public address."""
    environ = {"AEGIS_URL": request.param} if request.param else {}
    app = make_app(**environ)
    yield app, request.param
    dispose(app)


def is_let_through(app: flask.Flask, host: str, **headers: str) -> bool:
    """Tell whether a write passes the second line, what the browser says of the sending page."""
    with app.test_request_context("/", method="POST", headers={**headers, "Host": host}):
        try:
            csrf._check_sender()
        except errors.CrossSite:
            return False
    return True


def test_the_own_origin_passes(asked: tuple[flask.Flask, str | None]) -> None:
    app, public = asked
    for host in HOSTS:
        origin = public or f"http://{host}"
        assert is_let_through(app, host, Origin=origin)
        assert is_let_through(app, host, Referer=f"{origin}/any/page?x=1#y")


@pytest.mark.control("CS-CSRF-2", "CS-CONFIG-3")
def test_the_host_header_vouches_for_nobody_where_the_public_address_is_known() -> None:
    app = make_app(AEGIS_URL="https://platform.test")
    assert not is_let_through(app, "evil.test", Origin="https://evil.test")
    assert is_let_through(app, "evil.test", Origin="https://platform.test")
    dispose(app)


@pytest.mark.control("CS-CSRF-2")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(HOSTS),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12),
)
def test_only_the_exact_address_is_the_own_one(
    asked: tuple[flask.Flask, str | None], host: str, before: str, after: str
) -> None:
    """Whatever is put around the own host, the page came from elsewhere unless a browser would read the same host."""
    app, public = asked
    own = (public or f"http://{host}").partition("://")[2]
    origin = (
        f"https://{before}{own}{after}"
        if public and public.startswith("https")
        else f"http://{before}{own}{after}"
    )
    if not is_let_through(app, host, Origin=origin):
        return

    # What passed has the own host where RFC 3986 puts the authority; user names before it change no site.
    authority = origin.partition("://")[2]
    for mark in "/?#":
        authority = authority.partition(mark)[0]
    host_read = authority.rpartition("@")[2].lower().removesuffix(":")
    assert host_read.removesuffix(":443").removesuffix(":80").lstrip() in {own, own.removesuffix(":80")}


@pytest.mark.parametrize(
    "origin",
    [
        "http://[",
        "http://[::1",
        "http://a:port",
        "http://a:99999",
        ":",
        "http:",
        "\x7f",
        "é",
        "http://",
    ],
)
def test_what_is_no_address_is_refused_and_no_error(
    asked: tuple[flask.Flask, str | None], origin: str
) -> None:
    app, _ = asked
    assert not is_let_through(app, "localhost", Origin=origin)
    assert not is_let_through(app, "localhost", Referer=origin)


def test_an_exemption_needs_a_reason() -> None:
    with pytest.raises(TypeError):
        csrf.exempt()  # type: ignore[call-arg]

    view = csrf.exempt(reason="signed by its sender")(lambda: "done")
    assert view.csrf_exempt == "signed by its sender"  # type: ignore[attr-defined]
