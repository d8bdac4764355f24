"""Each server of the contract, started by its literal line, serves, and ends without cutting anybody off."""

import contextlib
import re
import signal
import socket
import ssl
import threading

import httpx
import psycopg
import pytest

from aegis.ops.site import Site
from tests.deploy.servers import Caller, Server, add_accounts, production, wait_until
from tests.services.smtp import self_signed

HOST = "platform.test"
LINES = {
    "waitress": ("waitress-serve", "--port={port}", "--threads=4", "app:app"),
    "gunicorn": ("gunicorn", "-w", "4", "-b", "127.0.0.1:{port}", "app:app"),
    "gunicorn sync preload": (
        *("gunicorn", "-k", "sync", "--threads", "1", "--preload", "-w", "2", "-b", "127.0.0.1:{port}"),
        "app:app",
    ),
    "granian": ("granian", "--interface", "wsgi", "--port", "{port}", "app:app"),
    "aegis serve": ("aegis", "serve", "--workers", "2", "--port", "{port}"),
}


@pytest.fixture
def settings(migrated_database):
    return production(
        migrated_database("postgresql"),
        AEGIS_URL=f"https://{HOST}",
        AEGIS_TRUSTED_PROXIES="127.0.0.1",
        AEGIS_DATABASE_TIMEOUT="20",
    )


@pytest.mark.control("ASVS-5.0-13.4.6", "ASVS-5.0-12.2.1")
@pytest.mark.parametrize("words", LINES.values(), ids=LINES)
def test_a_server_serves_believes_its_proxy_and_finishes_requests_on_sigterm(words, settings):
    add_accounts(settings["DATABASE_URL"], "anna")
    with Server(*words, environ=settings) as server:
        browser = Caller(server, Host=HOST, X_Forwarded_Proto="https", X_Forwarded_For="192.0.2.7")
        page = browser.ask("GET", "/", Accept="text/html")
        assert (page.status_code, browser.ask("GET", "/api/check_session").status_code) == (200, 401)
        assert not re.search(r"\d", page.headers["server"])

        _reads_the_proxy(server)

        _finishes_the_request_in_flight(server, browser, settings["DATABASE_URL"])


def _reads_the_proxy(server):
    """L11: the probe is answered over plain HTTP under any name; everybody else is led to HTTPS."""
    probe = Caller(server, Host="10.1.2.3", X_Forwarded_Proto="http").ask("GET", "/health")
    plain = Caller(server, Host=HOST, X_Forwarded_Proto="http")
    led = plain.ask("GET", "/login?next=/")

    assert (probe.status_code, probe.json(), "location" in probe.headers) == (
        200,
        {"status": "healthy"},
        False,
    )
    assert "set-cookie" not in probe.headers
    assert (led.status_code, led.headers["location"]) == (308, f"https://{HOST}/login?next=/")
    assert Caller(server, Host="10.1.2.3").ask("GET", "/login").status_code == 421


def _finishes_the_request_in_flight(server, browser, database_url):
    """A lock in the database holds a sign-in up; the server is told to stop meanwhile."""
    answers = []
    slow = threading.Thread(target=lambda: answers.append(browser.sign_in("anna")))
    with psycopg.connect(database_url) as locking, psycopg.connect(database_url, autocommit=True) as watching:
        locking.execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
        slow.start()
        waiting = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        wait_until(lambda: answers or watching.execute(waiting).fetchone(), "the sign-in that waits")
        assert not answers, answers[0].text
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: _is_closing(server), "the end of new connections")
        locking.rollback()
    slow.join(30)

    assert [answer.status_code for answer in answers] == [200]
    assert server.process.wait(30) == 0


def _is_closing(server):
    """Tell whether the server took notice: by its log, or because nobody answers any more."""
    if re.search("Handling signal: term|Shutting down|Stopping", server.log.read_text()):
        return True
    try:
        return httpx.get(f"{server.url}/health", timeout=0.5, trust_env=False).status_code != 200
    except httpx.TransportError:
        return True


@pytest.mark.parametrize(
    "words",
    [
        (
            "aegis",
            "serve",
            "--workers",
            "1",
            "--tls-cert",
            "{cert}",
            "--tls-key",
            "{key}",
            "--port",
            "{port}",
        ),
        (
            "gunicorn",
            "-w",
            "1",
            "--certfile",
            "{cert}",
            "--keyfile",
            "{key}",
            "-b",
            "127.0.0.1:{port}",
            "app:app",
        ),
    ],
    ids=["aegis serve", "gunicorn"],
)
@pytest.mark.control("ASVS-5.0-12.1.1", "ASVS-5.0-12.2.1")
def test_tls_is_1_2_or_newer(words, sqlite_url, tmp_path):
    cert, key = self_signed(tmp_path, "localhost")
    filled = [word.replace("{cert}", str(cert)).replace("{key}", str(key)) for word in words]
    with Server(*filled, environ=production(sqlite_url), tls=(cert, key)) as server:
        site = Site("localhost", server.port, 1)
        versions = {
            version.name: site.speaks(version) for version in ssl.TLSVersion if version.name[:4] == "TLSv"
        }
        protocol = _negotiated(server, cert)

    assert versions == {"TLSv1": False, "TLSv1_1": False, "TLSv1_2": True, "TLSv1_3": True}
    assert protocol == ("h2" if words[0] == "aegis" else "http/1.1")


def _negotiated(server, cert):
    context = ssl.create_default_context(cafile=cert)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", server.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return secure.selected_alpn_protocol() or "http/1.1"


@pytest.mark.parametrize(
    "words",
    [
        ("aegis", "serve", "--port", "{port}", "--workers", "1"),
        ("waitress-serve", "--port={port}", "--threads=1", "app:app"),
    ],
    ids=["granian", "waitress"],
)
def test_slow_bodies_hold_no_thread(words, migrated_database):
    """Sixty registrations that never end are taken in beside the threads; gunicorn leaves that to nginx."""
    head = b"POST /api/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60\r\n\r\n{"
    settings = production(migrated_database("sqlite"), AEGIS_ALLOW_SQLITE="1", AEGIS_THREADS="33")
    with Server(*words, environ=settings) as server, contextlib.ExitStack() as stack:
        for _ in range(60):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            slow.sendall(head)
        assert Caller(server).ask("GET", "/api/content").status_code == 200
