"""What every answer carries, whoever made it: views, errors, files, redirects and the answers ahead of Flask."""

import re

import flask
import pytest

from tests.factories import Browser, set_cookies, signed_in
from tests.fixtures import PUBLIC_URL, NewApp

EXPECTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
PATHS = (
    "/",
    "/login",
    "/profile",
    "/account/security",
    "/nothing-here",
    "/health",
    "/health/ready",
    "/auth/check",
    "/csrf-token",
    "/openapi.json",
    "/api/docs",
    "/api/content",
    "/api/profile",
    "/api/login",
    "/api/nothing-here",
    "/static/aegis/aegis.css",
    "/static/aegis/mark.svg",
    "/static/aegis/nothing-here",
    "/.well-known/change-password",
    "/.well-known/security.txt",
)


def policy(answer: flask.Response) -> dict[str, list[str]]:
    """Return the one content security policy by directive."""
    [text] = answer.headers.getlist("Content-Security-Policy")
    return {name: sources for name, *sources in (part.split() for part in text.split(";"))}


@pytest.mark.control(
    "ASVS-5.0-3.4.4", "ASVS-5.0-3.4.5", "ASVS-5.0-3.4.6", "ASVS-5.0-3.4.8", "ASVS-5.0-3.5.8", "CS-HEADERS-1"
)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("who", ["anna", "client"])
def test_every_answer_carries_each_header_once(request: pytest.FixtureRequest, path: str, who: str) -> None:
    browser: Browser = request.getfixturevalue(who)
    for answer in (browser.get(path), browser.page(path), browser.head(path), browser.write(path, {})):
        for name, value in EXPECTED.items():
            assert answer.headers.getlist(name) == [value], (name, answer.status)
        assert len(answer.headers.getlist("X-Request-ID")) == 1
        assert answer.headers.get("X-XSS-Protection", "0") == "0"
        assert "Date" not in answer.headers, "the server says it"


@pytest.mark.control("ASVS-5.0-3.4.3", "ASVS-5.0-3.4.6", "ASVS-5.0-3.2.1")
@pytest.mark.parametrize("path", PATHS)
def test_the_policy_lets_nothing_in_that_is_not_ours(client: Browser, path: str) -> None:
    for answer in (client.get(path), client.page(path)):
        found = policy(answer)
        assert found["default-src"] == ["'none'"]
        assert found.get("base-uri", ["'none'"]) == ["'none'"]
        assert found["frame-ancestors"] == ["'none'"]
        assert found["form-action"] == ["'self'"]
        assert found["object-src"] == ["'none'"]
        everything = {source for sources in found.values() for source in sources}
        assert everything <= {"'none'", "'self'", "data:"}
        assert "data:" not in found["script-src"] + found["style-src"]


@pytest.mark.control("ASVS-5.0-3.4.3", "ASVS-5.0-3.7.1")
@pytest.mark.parametrize(
    "path", ["/", "/login", "/register", "/profile", "/account/security", "/nothing-here", "/api/docs"]
)
def test_no_page_needs_what_the_policy_forbids(client: Browser, anna: Browser, path: str) -> None:
    for browser in (client, anna):
        text = browser.page(path).text
        assert not re.search(r"<script(?![^>]*\ssrc=)", text)
        assert not re.search(
            r"<style|\sstyle=|\son[a-z]+=|javascript:|<(object|embed|applet|iframe|base)\b", text
        )
        for address in re.findall(r"(?:src|href|action)=\"([^\"]+)\"", text):
            assert address.startswith(("/", "#")), address


@pytest.mark.control("ASVS-5.0-3.4.1")
def test_in_production_every_answer_asks_for_https_for_a_year(production_app: flask.Flask) -> None:
    client = production_app.test_client()
    for path in PATHS:
        for answer in (client.get(path), client.page(path), client.post(path)):
            [value] = answer.headers.getlist("Strict-Transport-Security")
            assert value == "max-age=31536000; includeSubDomains"


def test_in_development_nobody_is_tied_to_https(client: Browser) -> None:
    assert "Strict-Transport-Security" not in client.get("/").headers


def test_the_duration_is_a_setting(new_production_app: NewApp) -> None:
    client = new_production_app(AEGIS_HSTS="63072000").test_client()
    assert client.get("/health").headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"


def test_the_duration_can_be_nothing(new_production_app: NewApp) -> None:
    client = new_production_app(AEGIS_HSTS="0").test_client()
    assert "Strict-Transport-Security" not in client.get("/health").headers


@pytest.mark.control("ASVS-5.0-3.4.2")
@pytest.mark.parametrize("origin", ["null", "https://evil.test", "http://localhost.evil.test", "*"])
def test_no_other_site_may_read(client: Browser, anna: Browser, origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for browser in (client, anna):
        for path in ("/api/profile", "/api/content", "/api/login", "/"):
            for method in ("GET", "OPTIONS"):
                answer = browser.open(path, method=method, headers=headers)
                assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.control("ASVS-5.0-4.1.1")
@pytest.mark.parametrize("path", PATHS)
def test_the_type_fits_the_content_and_names_its_charset(client: Browser, path: str) -> None:
    for answer in (client.get(path), client.page(path)):
        if not answer.data:
            continue
        if answer.data.startswith(b"<!doctype html>") or b"<html" in answer.data[:200].lower():
            assert answer.content_type == "text/html; charset=utf-8"
        elif answer.data.startswith((b"{", b"[")):
            assert answer.content_type == "application/json"
            assert answer.get_json(force=True) is not None
        elif path.endswith(".css"):
            assert answer.content_type == "text/css; charset=utf-8"
        else:
            assert answer.mimetype in {"image/svg+xml", "text/plain", "text/html"}


def test_a_view_may_be_stricter_and_never_double(new_app: NewApp) -> None:
    app = new_app()

    @app.get("/strict")
    def strict() -> flask.Response:
        response = flask.Response("x")
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @app.get("/careless")
    def careless() -> flask.Response:
        response = flask.Response("x")
        response.headers["X-Frame-Options"] = "ALLOWALL"
        response.headers["X-Content-Type-Options"] = "sniff"
        return response

    answer = app.test_client().get("/strict")
    assert answer.headers.getlist("Content-Security-Policy") == ["default-src 'none'; sandbox"]
    assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]
    assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]
    careless_answer = app.test_client().get("/careless")
    assert careless_answer.headers.getlist("X-Frame-Options") == ["DENY"]
    assert careless_answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]


@pytest.mark.control("CS-HEADERS-2", "ASVS-5.0-13.4.6")
@pytest.mark.parametrize("path", ["/", "/nothing-here", "/health"])
def test_no_header_tells_a_product_or_version(client: Browser, path: str) -> None:
    answer = client.get(path)
    assert "Server" not in answer.headers
    assert not [name for name, _ in answer.headers if name.lower().startswith("x-powered")]
    assert "werkzeug" not in answer.text.lower()


# Which host, which scheme


@pytest.fixture
def public(new_production_app: NewApp) -> Browser:
    """Give a visitor of a platform that knows its public address."""
    app = new_production_app(AEGIS_URL=PUBLIC_URL)
    return app.test_client()


def at(browser: Browser, path: str, host: str | None, **headers: str) -> flask.Response:
    """Ask with this Host header."""
    environ = {} if host is None else {"HTTP_HOST": host}
    return browser.get(path, headers=headers, environ_overrides={"HTTP_HOST": "", **environ})


OTHER_HOSTS = (
    "evil.test",
    "platform.test.evil.test",
    "evilplatform.test",
    "platform.test:8443",
    "platform.test.",
    "sub.platform.test",
    "platform.test@evil.test",
    "platform.test, evil.test",
    "127.0.0.1",
    "localhost",
    "",
    " ",
    "[::1]",
    "platform.test/evil",
)


@pytest.mark.control("CS-CONFIG-3", "CS-RESET-2")
def test_another_host_is_misdirected(public: Browser) -> None:
    paths = ("/", "/api/profile", "/auth/check", "/static/aegis/aegis.css", "/health/ready", "/nothing-here")
    for host in OTHER_HOSTS:
        for path in paths:
            answer = at(public, path, host)
            assert answer.status_code == 421, (host, path)
            assert answer.json["code"] == "misdirected_request"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert not host.strip() or host not in answer.text
    assert at(public, "/api/content", "platform.test").status_code == 200


@pytest.mark.control("CS-CONFIG-3")
@pytest.mark.parametrize("host", ["platform.test", "PLATFORM.TEST", "platform.test:443"])
def test_the_own_host_in_every_spelling_is_answered(public: Browser, host: str) -> None:
    assert at(public, "/api/content", host).status_code == 200
    assert at(public, "/auth/check", host).status_code == 401


@pytest.mark.control("CS-CONFIG-3", "ASVS-5.0-4.1.3")
@pytest.mark.parametrize(
    "name",
    ["X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Server"],
)
def test_no_other_header_names_the_host(public: Browser, client: Browser, name: str) -> None:
    value = "host=evil.test" if name == "Forwarded" else "evil.test"
    assert at(public, "/api/content", "platform.test", **{name: value}).status_code == 200
    assert (
        at(public, "/api/content", "evil.test", **{name: value.replace("evil", "platform")}).status_code
        == 421
    )
    for answer in (client.page("/profile", environ_overrides={"HTTP_X_FORWARDED_HOST": "evil.test"}),):
        assert "evil.test" not in answer.text + str(answer.headers)


def test_without_a_public_address_any_host_is_answered(client: Browser) -> None:
    for host in ("localhost", "192.0.2.7:5000", "machine.school.test"):
        assert at(client, "/api/content", host).status_code == 200


def test_health_is_answered_under_any_host_and_scheme(public: Browser) -> None:
    """Field lesson L11: a probe knows neither our name nor our certificate."""
    for host in (*OTHER_HOSTS, "10.1.2.3", "platform.test"):
        for scheme in ("http", "https"):
            answer = public.get("/health", base_url=f"{scheme}://x", environ_overrides={"HTTP_HOST": host})
            assert (answer.status_code, answer.json) == (200, {"status": "healthy"})
            assert "Set-Cookie" not in answer.headers
            assert "Location" not in answer.headers
    assert public.head("/health").status_code == 200


def test_both_health_checks_are_answered_over_plain_http(new_production_app: NewApp) -> None:
    client = behind_proxy(new_production_app)
    for path in ("/health", "/health/ready"):
        assert client.get(path, headers={"X-Forwarded-Proto": "http"}).status_code == 200


def test_health_needs_no_database(new_production_app: NewApp) -> None:
    app = new_production_app(
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing", AEGIS_TRUSTED_PROXIES="127.0.0.1"
    )
    client = app.test_client()
    for _ in range(500):
        assert client.get("/health", headers={"X-Forwarded-Proto": "http"}).status_code == 200
    assert client.get("/health/ready").status_code == 503


def behind_proxy(new_production_app: NewApp) -> Browser:
    """Give a visitor behind a trusted proxy that ends TLS."""
    app = new_production_app(AEGIS_URL=PUBLIC_URL, AEGIS_TRUSTED_PROXIES="127.0.0.1")
    app.config["SERVER_NAME"] = "platform.test"
    app.config["PREFERRED_URL_SCHEME"] = "http"
    return app.test_client()


@pytest.mark.control("ASVS-5.0-12.2.1")
def test_a_page_over_plain_http_leads_to_https(new_production_app: NewApp) -> None:
    client = behind_proxy(new_production_app)
    for raw, query, location in (
        ("/", "", "/"),
        ("/login", "next=/profile", "/login?next=/profile"),
        ("/courses/größe x".encode().decode("latin-1"), "", "/courses/gr%C3%B6%C3%9Fe%20x"),
        ("//evil.test/x", "", "/evil.test/x"),
        ("/\r\nX-Evil: 1", "", "/%0D%0AX-Evil%3A%201"),
        ("/\\evil.test", "", "/%5Cevil.test"),
    ):
        environ = {"PATH_INFO": raw, "QUERY_STRING": query}
        answer = client.get("/", headers={"X-Forwarded-Proto": "http"}, environ_overrides=environ)
        assert answer.status_code == 308
        assert answer.headers["Location"] == PUBLIC_URL + location
        assert "Set-Cookie" not in answer.headers
    assert client.get("/login", headers={"X-Forwarded-Proto": "https"}).status_code == 200


@pytest.mark.control("ASVS-5.0-4.1.2", "ASVS-5.0-12.2.1")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/login"),
        ("POST", "/api/login"),
        ("GET", "/api/profile"),
        ("GET", "/csrf-token"),
        ("GET", "/auth/check"),
    ],
)
def test_a_secret_that_came_in_clear_is_refused_not_redirected(
    new_production_app: NewApp, method: str, path: str
) -> None:
    client = behind_proxy(new_production_app)
    refused = client.open(path, method=method, headers={"X-Forwarded-Proto": "http"})

    assert refused.status_code == 403
    assert refused.json["code"] == "forbidden"
    assert "Location" not in refused.headers
    allowed = client.open(path, method=method, headers={"X-Forwarded-Proto": "https"})
    assert allowed.status_code in {200, 400, 401, 415}


@pytest.mark.control("ASVS-5.0-4.1.3")
def test_what_an_untrusted_peer_says_of_the_scheme_is_ignored(new_production_app: NewApp) -> None:
    client = new_production_app(AEGIS_URL=PUBLIC_URL, AEGIS_TRUSTED_PROXIES="10.0.0.0/8").test_client()
    answer = at(client, "/login", "platform.test", **{"X-Forwarded-Proto": "http"})

    assert answer.status_code == 200


@pytest.mark.control("ASVS-5.0-15.3.4", "ASVS-5.0-4.1.3")
@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "seen"),
    [
        ("", "127.0.0.1", "203.0.113.9", "127.0.0.1"),
        ("10.0.0.0/8", "127.0.0.1", "203.0.113.9", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "127.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "127.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("127.0.0.1,10.0.0.0/8", "127.0.0.1", "203.0.113.9, 10.1.2.3", "203.0.113.9"),
    ],
)
def test_the_session_shows_the_address_as_far_as_it_can_be_believed(
    new_app: NewApp, trusted: str, peer: str, forwarded: str, seen: str
) -> None:
    app = new_app(AEGIS_TRUSTED_PROXIES=trusted)
    anna = signed_in(app, "anna")
    answer = anna.post(
        "/api/login",
        json={"username": "anna", "password": "correct horse battery staple 7"},
        headers={"X-Forwarded-For": forwarded},
        environ_overrides={"REMOTE_ADDR": peer},
    )

    assert set_cookies(answer)
    assert [item["address"] for item in anna.get("/api/sessions").json["sessions"]] == [seen]
