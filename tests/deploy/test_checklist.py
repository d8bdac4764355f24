"""Both halves of the checklist against real deployments: a good one is clean, a bad one is told in full."""

import contextlib
import http.server
import json
import ssl
import threading
import xml.etree.ElementTree as ET

import pytest

from aegis.ops import verify
from tests.deploy.servers import PASSWORD, Server, add_accounts, production, run
from tests.deploy.site import write_certificate
from tests.services.process import free_port
from tests.services.smtp import self_signed

CHECKS_BEFORE = [
    "secret-key",
    "debug-off",
    "cookie-flags",
    "session-lifetime",
    "public-url",
    "proxies",
    "hsts",
    "password-policy",
    "security-contact",
    "argon2-cost",
    "file-permissions",
    "database-reachable",
    "migrations-current",
    "admin-exists",
    "redis",
    "mail",
    "clock",
    "server",
]
CHECKS_AFTER = list(verify.CHECKLIST.titles())


@pytest.fixture
def good(migrated_database):
    url = migrated_database("postgresql")
    return production(
        url,
        AEGIS_URL="https://platform.edu",
        AEGIS_TRUSTED_PROXIES="127.0.0.1",
        AEGIS_SECURITY_CONTACT="mailto:security@platform.edu",
    )


def test_a_good_deployment_is_clean_before(good):
    text = f"{PASSWORD}\n"
    added = run(
        "aegis", "user", "create", "admin", "--role", "admin", "--password-stdin", environ=good, text=text
    )
    done = run("aegis", "check", "--json", environ=good)
    result = json.loads(done.stdout)
    bad = [item for item in result["checks"] if item["state"] not in {"ok", "not applicable"}]

    assert added.returncode == 0, added.stderr
    assert (done.returncode, result["status"], bad) == (0, "clean", [])
    assert [item["id"] for item in result["checks"]] == CHECKS_BEFORE


def test_what_is_left_to_do_is_told_with_its_fix_and_without_secrets(good):
    del good["AEGIS_SECURITY_CONTACT"]
    done = run("aegis", "check", environ=good)

    assert done.returncode == 1
    assert "aegis user create NAME --role admin" in done.stdout
    assert "AEGIS_SECURITY_CONTACT=" in done.stdout
    assert good["SECRET_KEY"] not in done.stdout


@pytest.mark.parametrize("words", [["check", "--json"], ["verify", "http://platform.edu", "--json"]])
def test_what_cannot_start_or_be_reached_is_78_also_for_programs(words):
    done = run("aegis", *words, environ={"FLASK_ENV": "production"})
    result = json.loads(done.stdout)

    assert (done.returncode, result["status"], result["checks"]) == (78, "cannot start", [])
    assert result["problems"]


def test_an_address_where_nobody_listens_is_78():
    done = run("aegis", "verify", f"https://localhost:{free_port()}", environ={})

    assert (done.returncode, "cannot be reached" in done.stderr) == (78, True)


def test_a_good_site_is_clean_after_with_a_canary_and_papers_to_file(migrated_database, tmp_path):
    url, port = migrated_database("postgresql"), free_port()
    add_accounts(url, "canary")
    cert, key = write_certificate(tmp_path)
    settings = production(url, AEGIS_URL=f"https://localhost:{port}")
    serve = ("aegis", "serve", "--workers", "2", "--tls-cert", str(cert), "--tls-key", str(key))
    server = Server(*serve, "--port", "{port}", environ=settings, tls=(cert, key))
    server.port = port
    trusting = {"SSL_CERT_FILE": str(cert)}
    with server:
        words = ("aegis", "verify", server.url, "--http-port", str(free_port()))
        papers = ("--junit", tmp_path / "j.xml", "--sign-off", tmp_path / "s.md")
        done = run(*words, "--user", "canary", "--json", *papers, environ=trusting, text=PASSWORD)
        wrong = run(*words, "--user", "canary", "--json", environ=trusting, text="not the password at all")
        stranger = run(*words, environ={})

    result = json.loads(done.stdout)
    assert (done.returncode, result["status"], _not_ok(result)) == (0, "clean", set())
    assert [item["id"] for item in result["checks"]] == CHECKS_AFTER
    assert _not_ok(json.loads(wrong.stdout)) == {"session"}
    assert (stranger.returncode, "certificate is not trusted" in stranger.stdout) == (1, True)
    suite = ET.parse(tmp_path / "j.xml").getroot()  # noqa: S314 - our own
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("8", "0")
    sheet = (tmp_path / "s.md").read_text()
    assert all(f"| {check_id} |" in sheet for check_id in CHECKS_AFTER)
    assert PASSWORD not in sheet + done.stdout + done.stderr


def _not_ok(result):
    return {item["id"] for item in result["checks"] if item["state"] not in {"ok", "not applicable"}}


class Careless(http.server.BaseHTTPRequestHandler):
    """Answers everybody everything that should not be answered."""

    server_version = "Careless/1.2"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b"<pre>Traceback (most recent call last)</pre>"
        self.send_response(200)
        self.send_header("Set-Cookie", "session=abc; Path=/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815 - http.server's names

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def careless_site(tls=None):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Careless) as server:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_careless_site_fails_every_check(tmp_path):
    tls = self_signed(tmp_path, "localhost")
    with careless_site(tls) as port, careless_site() as http_port:
        words = ("aegis", "verify", f"https://localhost:{port}", "--http-port", str(http_port), "--json")
        done = run(*words, environ={"SSL_CERT_FILE": str(tls[0])})

    result = json.loads(done.stdout)
    assert done.returncode == 1
    assert _not_ok(result) == set(CHECKS_AFTER)
    assert all(item["fix"] for item in result["checks"])
