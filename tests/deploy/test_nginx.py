"""The shipped nginx site (deploy/nginx/aegis.conf), run by a real nginx in front of a real gunicorn."""

import http.client
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.deploy.site import Nginx, Platform, free_port, production

PASSWORD = "four unrelated words beside anvil"
CLIENT = "127.0.0.5"
"""Where clients of these tests come from, so that they are told apart from nginx, which is 127.0.0.1."""


class Echo(http.server.BaseHTTPRequestHandler):
    """The other application behind auth_request: it shows which headers reached it."""

    def do_GET(self) -> None:
        content = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


class Site(NamedTuple):
    nginx: Nginx
    platform: Platform

    def client(self, address: str = CLIENT) -> httpx.Client:
        """Return a client of the public address."""
        transport = httpx.HTTPTransport(verify=self.nginx.tls, http2=True, local_address=address)
        return httpx.Client(base_url=self.nginx.url, transport=transport, timeout=10)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("platform")
    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    https_port = free_port()
    environ = production(
        folder,
        AEGIS_URL=f"https://localhost:{https_port}",
        AEGIS_TRUSTED_PROXIES="127.0.0.1",
        AEGIS_WORKERS="1",
        AEGIS_THREADS="1",
    )
    with (
        Platform(environ) as platform,
        Nginx(
            application_port=platform.port, protected_port=other.server_port, https_port=https_port
        ) as nginx,
    ):
        with Site(nginx, platform).client() as client:
            token = client.get("/csrf-token").json()["csrf_token"]
            account = {"username": "anna", "password": PASSWORD}
            made = client.post("/api/register", json=account, headers={"X-CSRFToken": token})
            assert made.status_code == 201, made.text
        yield Site(nginx, platform)
    other.shutdown()
    other.server_close()


@pytest.fixture
def anna(site: Site) -> Iterator[httpx.Client]:
    """Give a signed-in client."""
    with site.client() as client:
        answer = client.post("/api/login", json={"username": "anna", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        yield client


@pytest.mark.control("ASVS-5.0-3.3.1", "ASVS-5.0-12.2.1")
def test_signs_in_over_https_with_a_host_cookie(site: Site) -> None:
    with site.client() as client:
        answer = client.post("/api/login", json={"username": "anna", "password": PASSWORD})
        cookie = next(line for line in answer.headers.get_list("set-cookie") if "session=" in line)
        checked = client.get("/api/check_session")

    name, _, attributes = cookie.partition("=")
    assert name == "__Host-session"
    assert {part.strip() for part in attributes.split(";")[1:]} == {
        "Secure",
        "HttpOnly",
        "SameSite=Lax",
        "Path=/",
    }
    assert checked.json()["is_authenticated"] is True
    assert checked.http_version == "HTTP/2"


@pytest.mark.control("ASVS-5.0-12.1.1")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_speaks_the_tls_versions_of_today(site: Site, version: ssl.TLSVersion) -> None:
    assert _handshake(site, version) == version.name.replace("_", ".")


@pytest.mark.control("ASVS-5.0-12.1.1")
def test_refuses_older_tls(site: Site) -> None:
    with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises((ssl.SSLError, ConnectionError)):
        _handshake(site, ssl.TLSVersion.TLSv1_1)


def _handshake(site: Site, version: ssl.TLSVersion) -> str | None:
    context = site.nginx.tls
    # What the client's library forbids by itself would prove nothing of the server.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    address = ("127.0.0.1", site.nginx.https_port)
    with (
        socket.create_connection(address, 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        return tls.version()


@pytest.mark.control("ASVS-5.0-12.2.1")
def test_plain_http_leads_readers_of_pages_to_https(site: Site) -> None:
    answer = _over_http(site, "GET", "/courses/x?a=b%20c")

    assert (answer.status_code, answer.headers["location"]) == (308, f"{site.nginx.url}/courses/x?a=b%20c")


@pytest.mark.control("ASVS-5.0-4.1.2")
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/login"), ("POST", "/api/login"), ("GET", "/api/check_session")]
)
def test_plain_http_refuses_writes_and_programs_rather_than_leading_them_on(
    site: Site, method: str, path: str
) -> None:
    answer = _over_http(site, method, path)

    assert (answer.status_code, "location" in answer.headers) == (403, False)
    assert answer.json()["code"] == "forbidden"


def _over_http(site: Site, method: str, path: str) -> httpx.Response:
    return httpx.request(method, f"http://localhost:{site.nginx.http_port}{path}")


@pytest.mark.control("ASVS-5.0-13.4.6")
def test_tells_no_version(site: Site) -> None:
    with site.client() as client:
        served, refused = client.get("/health"), client.get("/metrics")

    assert (served.headers["server"], refused.headers["server"]) == ("nginx", "nginx")
    assert "nginx/" not in refused.text


def _address_of(client: httpx.Client) -> str:
    listed = client.get("/api/sessions").json()["sessions"]
    return str(next(item["address"] for item in listed if item["is_current"]))


def test_aegis_sees_the_client_and_not_nginx(anna: httpx.Client) -> None:
    assert _address_of(anna) == CLIENT


@pytest.mark.control("ASVS-5.0-4.1.3")
def test_what_the_client_itself_says_of_its_address_counts_for_nothing(site: Site) -> None:
    with site.client() as client:
        forged = {
            "X-Forwarded-For": "203.0.113.9",
            "Forwarded": "for=203.0.113.9",
            "X-Real-IP": "203.0.113.9",
        }
        client.post("/api/login", json={"username": "anna", "password": PASSWORD}, headers=forged)
        address = _address_of(client)

    assert address == CLIENT


@pytest.mark.control("ASVS-5.0-4.1.3")
def test_forwarded_headers_are_believed_from_a_trusted_proxy_alone(site: Site) -> None:
    """The application is asked past nginx, once from the proxy's address and once from another one."""
    seen = {}
    for peer in ("127.0.0.1", "127.0.0.7"):
        transport = httpx.HTTPTransport(local_address=peer)
        headers = {"Host": site.nginx.url.removeprefix("https://"), "X-Forwarded-For": "203.0.113.9"}
        with httpx.Client(base_url=site.platform.url, transport=transport, headers=headers) as client:
            answer = client.post("/api/login", json={"username": "anna", "password": PASSWORD})
            # The cookie is Secure, and this is plain HTTP: hand it over by hand.
            client.headers["Cookie"] = answer.headers.get_list("set-cookie")[0].partition(";")[0]
            seen[peer] = _address_of(client)

    assert seen == {"127.0.0.1": "203.0.113.9", "127.0.0.7": "127.0.0.7"}


def test_auth_request_lets_signed_in_people_through_by_name(anna: httpx.Client) -> None:
    answer = anna.get("/protected/page", headers={"X-Aegis-User": "root"})

    assert answer.status_code == 200
    assert answer.json()["x-aegis-user"] == "anna"


def test_the_protected_application_never_sees_the_token_of_the_session(anna: httpx.Client) -> None:
    anna.cookies.set("first", "1", domain="localhost.local", path="/")
    token = anna.cookies["__Host-session"]
    cookies = f"before=1; __Host-session={token}; after=2"

    answer = anna.get("/protected/page", headers={"Cookie": cookies})

    assert answer.status_code == 200
    assert answer.json()["cookie"] == "before=1; after=2"
    assert token not in answer.text


def test_auth_request_leads_strangers_to_the_sign_in_page(site: Site) -> None:
    with site.client() as client:
        answer = client.get("/protected/page?a=1", headers={"X-Aegis-User": "anna"})

    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"{site.nginx.url}/login?next=/protected/page?a=1",
    )


def test_auth_request_ends_with_the_session(anna: httpx.Client) -> None:
    assert anna.get("/protected/page").status_code == 200

    token = anna.cookies["__Host-session"]
    anna.post("/api/logout", headers={"X-CSRFToken": anna.get("/csrf-token").json()["csrf_token"]})

    answer = anna.get("/protected/page", headers={"Cookie": f"__Host-session={token}"})
    assert answer.status_code == 303


def test_metrics_are_for_this_machine_alone(site: Site) -> None:
    """nginx refuses a stranger by itself; for a local asker the answer is the application's own."""
    with site.client() as stranger, site.client("127.0.0.1") as local:
        refused, passed_on = stranger.get("/metrics"), local.get("/metrics")

    assert (refused.status_code, "x-request-id" in refused.headers) == (403, False)
    assert "x-request-id" in passed_on.headers


def test_slow_bodies_hold_no_worker(site: Site) -> None:
    """There is one thread. Twenty logins that never end wait in nginx, and the platform goes on answering."""
    with site.client() as client:
        slow = [_begin_login(site, https=True) for _ in range(20)]
        try:
            answer = client.get("/api/check_session", timeout=5)
        finally:
            for connection in slow:
                connection.close()

    assert answer.json() == {"is_authenticated": False}


def test_a_slow_body_would_hold_the_worker_without_nginx(site: Site) -> None:
    """The positive control of the test above: past nginx, the same request takes the one thread for itself."""
    with _begin_login(site, https=False), closing(_plain(site)) as asking:
        asking.request("GET", "/health")
        with pytest.raises(TimeoutError):
            asking.getresponse()
    with closing(_plain(site, timeout=20)) as asking:
        asking.request("GET", "/health")
        assert asking.getresponse().status == 200


def _plain(site: Site, timeout: float = 0.7) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", site.platform.port, timeout=timeout)


def _begin_login(site: Site, *, https: bool) -> socket.socket:
    """Send a login whose body stops half-way."""
    port = site.nginx.https_port if https else site.platform.port
    connection: socket.socket = socket.create_connection(("127.0.0.1", port), 5)
    if https:
        connection = site.nginx.tls.wrap_socket(connection, server_hostname="localhost")
    head = f"POST /api/login HTTP/1.1\r\nHost: localhost:{site.nginx.https_port}\r\n"
    connection.sendall(f'{head}Content-Type: application/json\r\nContent-Length: 60\r\n\r\n{{"usern'.encode())
    return connection


def test_a_body_beyond_the_limit_is_refused_in_the_one_error_shape(site: Site) -> None:
    with httpx.Client(base_url=site.nginx.url, verify=site.nginx.tls) as client:
        answer = client.post(
            "/api/login", content=b" " * 1_100_000, headers={"Content-Type": "application/json"}
        )

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert set(answer.json()) == {"error", "code", "request_id"}
    assert answer.headers["content-type"] == "application/json"
    assert "strict-transport-security" in answer.headers


def test_says_in_the_one_error_shape_that_the_platform_is_away(site: Site) -> None:
    https_port = free_port()
    with Nginx(application_port=free_port(), protected_port=free_port(), https_port=https_port) as alone:
        answer = httpx.get(f"{alone.url}/api/check_session", verify=alone.tls)

    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (
        503,
        "unavailable",
        "5",
    )


def test_aegis_alone_writes_the_security_headers(anna: httpx.Client) -> None:
    """Headers that two places add are sent twice, and browsers then read them differently."""
    headers = anna.get("/profile").headers

    assert headers.get_list("strict-transport-security") == ["max-age=31536000; includeSubDomains"]
    for name in ("content-security-policy", "x-content-type-options", "cache-control", "server", "date"):
        assert len(headers.get_list(name)) == 1, name
