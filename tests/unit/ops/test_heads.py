"""The ends of the record leave the machine: by syslog in each of its ways, and by mail once an hour."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import flask
import pytest
import sqlalchemy as sa

from aegis import audit, db, state, tally
from aegis.audit import Event
from aegis.ops import heads
from aegis.schema import audit as table
from aegis.web import Client
from tests.factories import at_once
from tests.fixtures import Clock, NewApp
from tests.services.smtp import self_signed

HERE = Client("192.0.2.7", "test", "0123456789abcdef")


def send(app: flask.Flask) -> audit.Head:
    """Record something, send the end and return it."""
    with app.app_context():
        audit.record(Event.LOGIN_SUCCESS, HERE, account_id="anna")
        heads.send()
        head = state.current().audit.head()
        assert head is not None
        return head


class Stream(socketserver.BaseRequestHandler):
    """Reads one connection to its end."""

    def handle(self) -> None:
        content = b""
        while part := self.request.recv(4096):
            content += part
        self.server.heard.append(content)  # type: ignore[attr-defined]
        self.server.done.set()  # type: ignore[attr-defined]


@pytest.fixture
def listen() -> Iterator[Callable[..., tuple[int, Callable[[], bytes]]]]:
    """Give a function that opens a stream server and returns its port and what one client sent."""
    servers = []

    def serve(context: ssl.SSLContext | None = None) -> tuple[int, Callable[[], bytes]]:
        server = socketserver.TCPServer(("127.0.0.1", 0), Stream)
        server.heard, server.done = [], threading.Event()  # type: ignore[attr-defined]
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)

        def heard() -> bytes:
            assert server.done.wait(30)  # type: ignore[attr-defined]
            return bytes(server.heard[0])  # type: ignore[attr-defined]

        return int(server.server_address[1]), heard

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def assert_is_head(message: bytes, head: audit.Head) -> None:
    assert message.startswith(b"<86>1 "), message
    assert f" {Event.HEAD} ".encode() in message
    assert audit.heads_in([message.decode()]) == {head.chain: {head.number: head.mac}}


@pytest.mark.control("ASVS-5.0-16.4.3")
@pytest.mark.parametrize("kind", ["udp", "unix"])
def test_a_syslog_server_gets_the_end_as_a_datagram(new_app: NewApp, tmp_path: Path, kind: str) -> None:
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.settimeout(30)
        server.bind(str(tmp_path / "log") if kind == "unix" else ("127.0.0.1", 0))
        place = f"unix:{tmp_path}/log" if kind == "unix" else f"udp://127.0.0.1:{server.getsockname()[1]}"
        head = send(new_app(AEGIS_AUDIT_SYSLOG=place))
        assert_is_head(server.recv(4096), head)


@pytest.mark.control("ASVS-5.0-16.4.3")
def test_a_syslog_server_gets_the_end_over_a_stream(new_app: NewApp, listen: Callable[..., object]) -> None:
    port, heard = listen()  # type: ignore[misc]
    head = send(new_app(AEGIS_AUDIT_SYSLOG=f"tcp://127.0.0.1:{port}"))
    length, _, message = heard().partition(b" ")
    assert int(length) == len(message)
    assert_is_head(message, head)


def test_an_encrypted_stream_is_verified(
    new_app: NewApp,
    listen: Callable[..., object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    certificate, key = self_signed(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    port, _ = listen(context)  # type: ignore[misc]
    send(new_app(AEGIS_AUDIT_SYSLOG=f"tls://127.0.0.1:{port}"))
    [refused] = [record for record in caplog.records if record.message == "audit_head_not_sent"]
    assert "CERTIFICATE_VERIFY_FAILED" in refused.aegis["fault"]  # type: ignore[attr-defined]

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    port, heard = listen(context)  # type: ignore[misc]
    head = send(new_app(AEGIS_AUDIT_SYSLOG=f"tls://127.0.0.1:{port}"))
    assert_is_head(heard().partition(b" ")[2], head)


def test_a_server_that_does_not_answer_shows_in_the_metric_that_is_watched(
    new_app: NewApp, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        app = new_app(AEGIS_AUDIT_SYSLOG=place)
        before = tally.counts().get(("audit_heads", "failed"), 0)
        send(app)
    assert "audit_head_not_sent" in caplog.messages
    assert tally.counts()["audit_heads", "failed"] == before + 1


def test_one_mail_an_hour_names_all_ends_and_can_be_verified_against(
    new_app: NewApp, migrated_url: str
) -> None:
    settings = {"DATABASE_URL": migrated_url, "AEGIS_AUDIT_HEAD_MAIL": "security@school.test"}
    apps = [new_app(**settings, AEGIS_DATABASE_TIMEOUT="20") for _ in range(3)]
    for app in apps:
        with app.app_context():
            audit.record(Event.LOGIN_SUCCESS, HERE, account_id="anna")

    def send_of(app: flask.Flask) -> Callable[[], None]:
        def send() -> None:
            with app.app_context():
                heads.send()

        return send

    at_once([send_of(app) for app in apps])
    sent = [mail for app in apps for mail in app.extensions["aegis"].sender.transport.messages]
    [mail] = sent
    assert mail["To"] == "security@school.test"
    lines = mail.as_bytes().decode().splitlines()
    with apps[0].app_context():
        ends = {head.chain: {head.number: head.mac} for head in audit.heads()}
        assert len(ends) == 3
        assert audit.heads_in(lines) == ends
        assert list(audit.verify(state.current().keyring, audit.heads_in(lines))) == []
        newest, last, _ = apps[-1].extensions["aegis"].audit.head()  # no later chain names this one
        assert db.change(sa.delete(table).where(table.c.chain == newest, table.c.number == last)) == 1
        assert list(audit.verify(state.current().keyring)) == []
        [fault] = audit.verify(state.current().keyring, audit.heads_in(lines))
        assert (fault.chain, fault.number) == (newest, last)


def test_the_next_hour_brings_the_next_mail(new_app: NewApp, clock: Clock) -> None:
    app = new_app(AEGIS_AUDIT_HEAD_MAIL="security@school.test")
    counted = []
    for seconds in (0, 0, heads.EVERY_S, 0):
        clock.advance(seconds)
        send(app)
        counted.append(len(app.extensions["aegis"].sender.transport.messages))
    assert counted == [1, 1, 2, 2]
