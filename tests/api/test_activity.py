"""Account owners read what happened to their account, in plain words, and nothing of anybody else's."""

import re

import pytest

from aegis import audit
from aegis.accounts import service as accounts
from aegis.audit import Event, sentences
from aegis.web import Client
from tests.factories import OTHER_PASSWORD, PASSWORD, add_account, assert_refused, signed_in

ELSEWHERE = Client("203.0.113.9", "test", "0123456789abcdef")


def told(browser, **query):
    answer = browser.get("/api/activity", query_string=query)
    assert answer.status_code == 200, answer.text
    return [item["sentence"] for item in answer.json["activity"]]


def test_the_owner_reads_what_happened_the_latest_first(clock, anna):
    clock.advance(1)
    anna.write("/api/profile", {"display_name": "Anna", "bio": "Words"})
    clock.advance(1)
    anna.application.test_client().sign_in("anna", OTHER_PASSWORD)
    clock.advance(1)
    changed = anna.write(
        "/api/profile/change-password", {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    )
    assert changed.status_code == 200

    assert told(anna) == [
        "Your password was changed. All other sessions ended.",
        "Somebody tried to sign in, with a wrong password.",
        "Your text about yourself and display name were changed.",
        "You signed in.",
        "Your account was created. An administrator did this.",
    ]
    first = anna.get("/api/activity").json["activity"][0]
    assert first == {
        "time": "2027-01-15T08:00:03Z",
        "event": "authn_password_change",
        "sentence": "Your password was changed. All other sessions ended.",
        "address": "127.0.0.1",
    }


@pytest.mark.control("ASVS-5.0-8.2.2")
def test_nobody_reads_of_others(anna, ben, client):
    ben.write("/api/profile", {"display_name": "Ben"})

    assert "Your display name was changed." in told(ben)
    assert "Your display name was changed." not in told(anna)
    refused = anna.get("/api/activity", query_string={"account": "ben"})
    assert_refused(refused, 400, "invalid_input")
    assert_refused(client.get("/api/activity"), 401, "not_authenticated")


def test_an_administrator_s_deed_is_called_so_and_tells_no_address(app, anna):
    with app.app_context():
        account = accounts.find("anna")
        audit.record(Event.SESSIONS_REVOKED, ELSEWHERE, account_id=account.id, actor_id="admin-id")

    first = anna.get("/api/activity").json["activity"][0]

    assert first["sentence"] == "Your other sessions were ended. An administrator did this."
    assert first["address"] == ""


@pytest.mark.parametrize("event", [Event.RECORD_READ, Event.STARTED, Event.CSRF_REFUSED])
def test_what_is_no_business_of_the_owner_is_not_shown(event, app, anna):
    with app.app_context():
        audit.record(event, ELSEWHERE, account_id=accounts.find("anna").id)

    assert told(anna)[0] == "You signed in."


def test_pages_follow_each_other_and_lose_nothing(app, anna):
    with app.app_context():
        own = accounts.find("anna").id
        for _ in range(120):
            audit.record(Event.CONFIRMED, ELSEWHERE, account_id=own)
    lengths, cursor = [], ""
    while cursor is not None:
        page = anna.get("/api/activity", query_string={"cursor": cursor}).json
        lengths.append(len(page["activity"]))
        cursor = page["next"]

    assert lengths == [50, 50, 22]


@pytest.mark.parametrize(
    "cursor",
    ["x", "W10=", "WzEsIjIiLCIzIl0=", "WzEsIlx1ZDgwMCIsM10=", "WzEsIlx1MDAwMCIsM10=", "é", "9" * 300],
)
def test_a_cursor_that_is_none_is_refused(cursor, anna):
    body = assert_refused(anna.get("/api/activity", query_string={"cursor": cursor}), 400, "invalid_input")

    assert set(body["fields"]) == {"cursor"}


def test_every_event_that_is_shown_has_a_sentence_of_its_own():
    seen = audit.Seen("c", 1, 1, "", "anna", None, "192.0.2.1", "r", {}, "")
    words = [sentences.for_owner(seen._replace(event=event)) for event in sentences.SHOWN]

    assert len(set(words)) == len(words)


def test_the_security_page_shows_the_latest_and_leads_to_the_rest(app, anna):
    with app.app_context():
        own = accounts.find("anna").id
        for _ in range(60):
            audit.record(Event.CONFIRM_FAILURE, ELSEWHERE, account_id=own)
    add_account(app, "ben")

    security = anna.page("/account/security").text
    everything = anna.page("/account/activity")
    [earlier] = re.findall(r'href="(/account/activity\?[^"]+)"', everything.text)
    rest = anna.page(earlier)

    assert "What happened lately" in security
    assert security.count("somebody gave a wrong password") == 8
    assert everything.text.count("somebody gave a wrong password") == 50
    assert (rest.status_code, rest.text.count("somebody gave a wrong password")) == (200, 10)
    assert "203.0.113.9" in security


def test_the_page_leads_visitors_to_the_sign_in_and_back(app, client):
    signed_in(app, "anna")

    assert client.page("/account/activity").headers["Location"] == "/login?next=/account/activity"
