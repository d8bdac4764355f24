"""`aegis mail`: look, try the relay, look after the outbox."""

import re

import pytest
from click.testing import CliRunner

from aegis import db, mail
from aegis.mail import gate
from aegis.ops.cli.mail import group
from tests.factories import rows


@pytest.fixture
def relayed(new_app, smtp):
    """Give a platform behind a relay."""
    app = new_app(MAIL_URL=smtp.url, AEGIS_MAIL_CA=str(smtp.certificate))
    with app.app_context():
        yield app


def say(*words, text=""):
    """Run a command of the group."""
    return CliRunner().invoke(group.commands[words[0]], words[1:], input=text, catch_exceptions=False)


def test_the_round_trip_opens_the_gate(relayed, smtp, monkeypatch):
    """The code is in the mail alone; a wrong one opens nothing."""
    assert not gate.is_open()
    assert say("test", "anna@mail.test", text="00000000\n").exit_code == 1
    assert not gate.is_open()

    def typed(*_):
        return re.search(r"Code: (\d{8})", smtp.received(2)[-1].text)[1]

    monkeypatch.setattr("click.prompt", typed)
    assert "Mails arrive" in say("test", "anna@mail.test").output
    assert gate.is_open()


def test_a_relay_that_refuses_is_told(relayed, smtp):
    smtp.refuse_with = "550 5.7.1 Not from you"
    refused = say("test", "anna@mail.test")
    assert (refused.exit_code, "Not from you" in refused.output) == (1, True)
    assert not gate.is_open()


def test_another_relay_closes_the_gate(relayed, new_app, smtp):
    gate.note_round_trip()
    assert gate.is_open()
    other = new_app(MAIL_URL="smtp://aegis:x@127.0.0.1:9")
    with other.app_context():
        assert not gate.is_open()


def test_what_was_given_up_is_listed_revived_and_dropped(relayed, smtp):
    smtp.refuse_with = "550 5.1.1 No such mailbox"
    with db.transaction():
        mail.post("relay_test", "anna@mail.test", code="1")
    assert "dead" in say("list").output
    assert "anna" not in say("list").output
    assert say("retry").output == "1 given up mails wait again.\n"
    assert "waiting" in say("list").output
    assert say("drop").output == "0 given up mails deleted.\n"
    assert len(rows(relayed, "outbox")) == 1


def test_each_mail_can_be_looked_at(relayed, tmp_path):
    shown = say("preview").output
    assert "=== relay_test" in shown
    assert say("preview", "--output", str(tmp_path)).exit_code == 0
    assert (tmp_path / "relay_test.html").read_text().startswith("<!doctype html>")
    assert "no mail 'x'" in say("preview", "x").output
