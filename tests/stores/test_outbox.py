"""Mails on the three databases and a real relay: written with what caused them, sent once, kept until taken."""

import contextlib
import os
import signal
import smtplib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import flask
import pytest

from aegis import db, mail, state
from aegis.mail import messages, service
from aegis.mail.smtp import Smtp as Relay
from tests.deploy.servers import wait_until
from tests.factories import rows
from tests.fixtures import Clock, NewApp
from tests.services.process import leashed
from tests.services.smtp import Smtp

ROOT = Path(__file__).parents[2]
TO = "anna@mail.test"


@pytest.fixture
def app(new_app: NewApp, migrated_url: str, smtp: Smtp, clock: Clock) -> Iterator[flask.Flask]:
    """Give the platform on each database, in its context, with a relay that wants TLS and a log-in."""
    made = new_app(
        DATABASE_URL=migrated_url,
        MAIL_URL=smtp.url,
        AEGIS_MAIL_CA=str(smtp.certificate),
        AEGIS_MAIL_EMBEDDED="0",
        AEGIS_URL="https://platform.test",
        AEGIS_DATABASE_TIMEOUT="20",
    )
    with made.app_context():
        yield made


@pytest.fixture
def any_app(new_app: NewApp, smtp: Smtp, clock: Clock) -> Iterator[flask.Flask]:
    """Give the platform for what does not depend on the database."""
    made = new_app(
        MAIL_URL=smtp.url,
        AEGIS_MAIL_CA=str(smtp.certificate),
        AEGIS_MAIL_EMBEDDED="0",
        AEGIS_URL="https://platform.test",
    )
    with made.app_context():
        yield made


def post(to: str = TO, code: str = "123456") -> None:
    """Write a mail."""
    with db.transaction():
        mail.post("relay_test", to, code=code)


def send() -> None:
    """Send what is due."""
    state.current().sender.send_due()


def waiting(app: flask.Flask) -> list[tuple[str, int, str]]:
    """Return state, attempts and fault of what is stored."""
    return [(row["state"], row["attempts"], row["fault"]) for row in rows(app, "outbox")]


@pytest.mark.control("ASVS-5.0-12.3.1", "ASVS-5.0-12.3.2")
def test_a_mail_leaves_encrypted_and_is_forgotten(app: flask.Flask, smtp: Smtp) -> None:
    post()
    send()
    [mail_] = smtp.received()
    assert mail_.recipients == (TO,)
    assert mail_.sender == "no-reply@platform.test"
    assert "123456" in mail_.text
    assert mail_.message["Auto-Submitted"] == "auto-generated"
    assert mail_.message["Message-ID"].endswith("@platform.test>")
    assert mail_.message["Date"]
    html = mail_.message.get_body(("html",))
    assert html is not None
    assert "123456" in html.get_content()
    assert rows(app, "outbox") == []


def test_what_is_undone_sends_nothing(app: flask.Flask, smtp: Smtp) -> None:
    with contextlib.suppress(ZeroDivisionError), db.transaction():
        mail.post("relay_test", TO, code="1")
        raise ZeroDivisionError
    send()
    post(code="2")
    send()
    assert ["Code: 2" in one.text for one in smtp.received()] == [True]


@pytest.mark.control("ASVS-5.0-14.2.4")
def test_a_dump_of_the_table_tells_neither_code_nor_address(app: flask.Flask) -> None:
    post(code="98765432")
    [row] = rows(app, "outbox")
    assert not any("98765432" in str(value) or "anna" in str(value) for value in row.values())
    assert "98765432" in str(state.current().keyring.unseal("outbox", row["sealed"], row["id"]))
    assert state.current().keyring.unseal("outbox", row["sealed"], "another row") is None


def test_two_senders_at_once_send_each_mail_once(app: flask.Flask, smtp: Smtp) -> None:
    for number in range(12):
        post(code=str(number))
    gate = threading.Barrier(3)

    def work(_: int) -> None:
        with app.app_context():
            gate.wait(30)
            own = Relay(service_relay(), str(smtp.certificate))
            service.send_due(own, lambda: False)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert len(smtp.received(12)) == 12
    assert len({one.message["Message-ID"] for one in smtp.mails}) == 12
    assert rows(app, "outbox") == []


def service_relay() -> object:
    """Return the relay that the settings name."""
    from aegis.settings import relay  # noqa: PLC0415 - only here

    return relay.read(state.current().settings.mail_url)


def test_a_relay_that_is_busy_gets_it_later_with_growing_waits(
    app: flask.Flask, smtp: Smtp, clock: Clock
) -> None:
    post()
    smtp.refuse_with = "451 4.7.1 Greylisted, try again"
    waits = []
    for _ in range(3):
        send()
        [row] = rows(app, "outbox")
        assert row["state"] == "waiting"
        assert "Greylisted" in row["fault"]
        assert TO not in row["fault"]
        waits.append(row["next_try_at"] - clock.now)
        send()
        assert rows(app, "outbox")[0]["attempts"] == row["attempts"], "not before its time"
        clock.now = row["next_try_at"]
    assert waits == sorted(waits)
    assert waits[0] < waits[2]
    smtp.refuse_with = None
    send()
    assert len(smtp.received()) == 1


def test_a_refusal_for_good_is_kept_for_the_operator(any_app: flask.Flask, smtp: Smtp) -> None:
    post()
    smtp.refuse_with = "550 5.1.1 No such mailbox anna@mail.test"
    send()
    assert waiting(any_app) == [("dead", 1, "550 5.1.1 No such mailbox (the address)")]
    assert mail.counts().dead == 1


def test_after_many_attempts_it_is_given_up(any_app: flask.Flask, smtp: Smtp, clock: Clock) -> None:
    post()
    smtp.refuse_with = "451 later"
    for _ in range(service.MOST_ATTEMPTS):
        clock.advance(service.LONGEST_WAIT_S * 2)
        send()
    assert [kept[0] for kept in waiting(any_app)] == ["dead"]


def test_a_sender_that_was_killed_loses_none(app: flask.Flask, smtp: Smtp, clock: Clock) -> None:
    """It had claimed a mail and died before the relay took it: another one sends it after the lease."""
    post()
    claimed = service._claimed()
    assert claimed is not None
    send()
    assert smtp.mails == []
    clock.advance(service.LEASE_S)
    send()
    assert len(smtp.received()) == 1
    assert rows(app, "outbox") == []


def test_a_killed_process_leaves_its_mails_to_the_next(
    new_app: NewApp, migrated_database: Callable[[str], str], smtp: Smtp
) -> None:
    """A real `aegis worker`, killed while it sends; the rest goes out by another one, and none twice."""
    url = migrated_database("postgresql")
    environ = {
        "FLASK_ENV": "development",
        "DATABASE_URL": url,
        "MAIL_URL": smtp.url,
        "AEGIS_MAIL_CA": str(smtp.certificate),
    }
    app = new_app(**{**environ, "FLASK_ENV": "testing", "AEGIS_MAIL_EMBEDDED": "0"})
    with app.app_context():
        for number in range(40):
            post(code=str(number))
    worker = [Path(sys.executable).with_name("aegis"), "worker"]
    for is_last in (False, True):
        process = subprocess.Popen(
            leashed(worker, signal.SIGTERM, drop=False),
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environ},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            if is_last:
                wait_until(lambda: len(rows(app, "outbox")) <= 1, "sending the rest")
            else:
                smtp.received(5, seconds=60)
        finally:
            process.send_signal(signal.SIGTERM if is_last else signal.SIGKILL)
            process.wait(30)
    taken = [one.message["Message-ID"] for one in smtp.mails]
    held = len(rows(app, "outbox"))
    assert len(set(taken)) + held >= 40
    assert held <= 1, "only what was in the killed one's hands waits for the end of its lease"
    assert process.returncode == 0


@pytest.mark.control("ASVS-5.0-12.3.2", "ASVS-5.0-12.3.4")
@pytest.mark.parametrize("wrong", ["authority", "plain", "password"])
def test_nothing_is_sent_to_a_relay_that_is_not_the_one(
    new_app: NewApp, smtp: Smtp, clock: Clock, wrong: str
) -> None:
    """A certificate that nobody vouches for, no encryption, another password: the mail waits, and nothing leaves in clear."""
    with Smtp(tls="off") as plain:
        url = {
            "authority": smtp.url,
            "plain": f"smtp://aegis:aegis-tests@localhost:{plain.port}?tls=starttls",
            "password": smtp.url.replace("aegis-tests", "not-it"),
        }[wrong]
        authorities = {} if wrong == "authority" else {"AEGIS_MAIL_CA": str(smtp.certificate)}
        app = new_app(MAIL_URL=url, AEGIS_MAIL_EMBEDDED="0", **authorities)
        with app.app_context():
            post()
            send()
            assert [kept[:2] for kept in waiting(app)] == [("waiting", 1)]
            assert "aegis-tests" not in waiting(app)[0][2]
        assert (smtp.mails, plain.mails) == ([], [])


@pytest.mark.control("ASVS-5.0-1.3.11")
@pytest.mark.parametrize(
    "value", ["a\r\nBcc: eve@evil.test", "a\nSubject: x", "a\x00b", "a\u2028b", "a\u202eb", "<b>x</b>"]
)
def test_no_value_ends_a_line_or_becomes_markup(any_app: flask.Flask, smtp: Smtp, value: str) -> None:
    post(code=value)
    send()
    [mail_] = smtp.received()
    assert mail_.recipients == (TO,)
    assert mail_.message["Bcc"] is None
    html = mail_.message.get_body(("html",))
    assert html is not None
    assert "<b>x</b>" not in html.get_content()


@pytest.mark.parametrize("to", ["a\r\nb@mail.test", "a b@mail.test", "nobody", "a@b\n.test", ""])
def test_an_impossible_address_is_refused_when_it_is_written(any_app: flask.Flask, to: str) -> None:
    with pytest.raises(ValueError, match="address"):
        post(to=to)
    assert rows(any_app, "outbox") == []


def test_each_template_can_be_written_out(any_app: flask.Flask) -> None:
    """With sample values, as `aegis mail preview` does."""
    for name in messages.templates():
        message = messages.compose(messages.sample(name), state.current().settings)
        assert message["Subject"]
        assert message.get_body(("html",)) is not None


def test_smtplib_would_never_be_asked_to_go_on_in_clear() -> None:
    """The library raises where STARTTLS is not offered; a change of that would be noticed here."""
    with (
        Smtp(tls="off") as plain,
        smtplib.SMTP("localhost", plain.port) as connection,
        pytest.raises(smtplib.SMTPNotSupportedError),
    ):
        connection.starttls()
