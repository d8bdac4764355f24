"""Administering: who may, what is recorded, and what is refused."""

import re

import flask
import pytest

from tests.codes import enrol
from tests.factories import (
    PASSWORD,
    Browser,
    add_account,
    assert_refused,
    at_once,
    change,
    form_to,
    rows,
    signed_in,
)
from tests.fixtures import Clock, NewApp

USERS, AUDIT = "/api/admin/users", "/api/admin/audit"


@pytest.fixture
def admin(app: flask.Flask) -> Browser:
    """Give an administrator with a second factor and a fresh sign-in."""
    browser = signed_in(app, "head", role="admin")
    enrol(browser)
    return browser


def id_of(app: flask.Flask, name: str) -> str:
    """Return an account's id."""
    return str(next(row["id"] for row in rows(app, "accounts") if row["username"] == name))


@pytest.mark.control("ASVS-5.0-8.2.1", "ASVS-5.0-8.3.1")
def test_it_needs_the_role_a_second_factor_and_a_fresh_sign_in(
    clock: Clock, app: flask.Flask, admin: Browser, anna: Browser, client: Browser
) -> None:
    teacher, unproven = signed_in(app, "tea", role="teacher"), signed_in(app, "newadmin", role="admin")
    target = f"{USERS}/{id_of(app, 'anna')}"
    asks = [
        lambda who: who.get(USERS),
        lambda who: who.get(AUDIT),
        lambda who: who.write(f"{target}/deactivate"),
    ]
    for ask in asks:
        assert_refused(ask(client), 401, "not_authenticated")
        for person in (anna, teacher):
            assert_refused(ask(person), 403, "forbidden")
        assert_refused(ask(unproven), 403, "mfa_enrolment_required")
    assert admin.get(USERS).status_code == admin.get(AUDIT).status_code == 200
    clock.advance(600)
    for ask in asks:
        assert_refused(ask(admin), 401, "reauthentication_required")
    assert anna.is_signed_in()


def test_accounts_are_found_by_the_beginning_of_name_or_address(app: flask.Flask, admin: Browser) -> None:
    add_account(app, "Anna", email="a@mail.test")
    add_account(app, "annabel", email="b@mail.test", role="teacher")
    add_account(app, "ben_1", email="c@mail.test")

    def names(query: str) -> list[str]:
        return [user["username"] for user in admin.get(f"{USERS}?{query}").json["users"]]

    assert names("query=ANN") == ["Anna", "annabel"]
    assert names("query=ann&role=teacher") == ["annabel"]
    assert names("query=c@mail.test") == ["ben_1"]
    assert names("query=%25") == []
    assert names("query=ben%5F") == ["ben_1"]
    assert_refused(admin.get(f"{USERS}?role=king"), 400, "invalid_input")


def test_a_long_list_comes_page_by_page(app: flask.Flask, admin: Browser) -> None:
    for number in range(51):
        add_account(app, f"learner{number:03d}")
    first = admin.get(f"{USERS}?query=learner").json
    second = admin.get(f"{USERS}?query=learner&after={first['next']}").json
    assert [len(first["users"]), len(second["users"]), second["next"]] == [50, 1, None]


@pytest.mark.control("ASVS-5.0-16.3.2")
def test_each_act_holds_at_once_and_is_recorded_with_who_did_it(
    app: flask.Flask, admin: Browser, anna: Browser
) -> None:
    own, target = id_of(app, "head"), id_of(app, "anna")
    assert admin.write(f"{USERS}/{target}/revoke-sessions").json["message"] == "1 session has ended."
    assert not anna.is_signed_in()
    assert admin.write(f"{USERS}/{target}/deactivate").status_code == 200
    assert anna.sign_in().status_code == 401
    assert admin.write(f"{USERS}/{target}/activate").status_code == 200
    assert anna.sign_in().status_code == 200
    assert admin.write(f"{USERS}/{target}/role", {"role": "teacher"}).status_code == 200
    assert not anna.is_signed_in()
    assert admin.write(f"{USERS}/{target}/reset-mfa").status_code == 200
    acts = [
        event["event"]
        for event in admin.get(f"{AUDIT}?account={target}").json["events"]
        if event["actor_id"] == own
    ]
    assert acts == [
        "user_factors_reset",
        "privilege_permissions_changed",
        "user_activated",
        "user_archived",
        "session_revoked",
    ]
    assert [row["event"] for row in rows(app, "audit") if row["account_id"] == own][-1] == "authz_admin"


@pytest.mark.parametrize("act", [("role", {"role": "learner"}), ("deactivate", None)])
def test_the_last_administrator_stays(
    app: flask.Flask, admin: Browser, act: tuple[str, dict[str, str] | None]
) -> None:
    name, body = act
    path = f"{USERS}/{id_of(app, 'head')}/{name}"
    assert_refused(admin.write(path, body), 409, "conflict")
    add_account(app, "second", role="admin")
    assert admin.write(path, body).status_code == 200


def test_two_administrators_cannot_take_each_other_away_at_once(new_app: NewApp, migrated_url: str) -> None:
    app = new_app(DATABASE_URL=migrated_url, AEGIS_DATABASE_TIMEOUT="20")
    people = [signed_in(app, name, role="admin") for name in ("one", "two")]
    for person in people:
        enrol(person)
        person.token()
    one, two = (f"{USERS}/{id_of(app, name)}/deactivate" for name in ("one", "two"))
    answers = at_once([lambda: people[0].write(two), lambda: people[1].write(one)])
    assert 200 in {answer.status_code for answer in answers}
    assert sum(row["is_active"] for row in rows(app, "accounts")) == 1


def test_own_factors_are_not_reset_here(app: flask.Flask, admin: Browser) -> None:
    assert_refused(admin.write(f"{USERS}/{id_of(app, 'head')}/reset-mfa"), 409, "conflict")


def test_an_unknown_account_is_404(admin: Browser) -> None:
    for act in ("deactivate", "activate", "revoke-sessions", "reset-mfa", "resend-code"):
        assert_refused(admin.write(f"{USERS}/{'x' * 22}/{act}"), 404, "not_found")
    assert_refused(admin.get(f"{USERS}/{'x' * 22}"), 404, "not_found")


@pytest.mark.parametrize("by", ["json", "page"])
def test_one_session_of_somebody_is_ended_and_the_others_stay(
    app: flask.Flask, admin: Browser, anna: Browser, by: str
) -> None:
    phone = app.test_client()
    phone.sign_in("anna")
    target, [session] = (
        id_of(app, "anna"),
        [item["id"] for item in phone.get("/api/sessions").json["sessions"] if item["is_current"]],
    )
    if by == "json":
        done = admin.write(f"{USERS}/{target}/sessions/{session}", method="DELETE")
        assert done.status_code == 200
    else:
        assert form_to(admin.page(f"/admin/users/{target}"), f"/admin/users/{target}/sessions/{session}/end")
        done = admin.submit(f"/admin/users/{target}/sessions/{session}/end")
        assert done.headers["Location"] == f"/admin/users/{target}"
    assert (phone.is_signed_in(), anna.is_signed_in()) == (False, True)
    [event] = [row for row in rows(app, "audit") if row["event"] == "session_terminated"]
    assert (event["account_id"], event["actor_id"]) == (target, id_of(app, "head"))
    again = admin.write(f"{USERS}/{target}/sessions/{session}", method="DELETE")
    assert_refused(again, 404, "not_found")
    other = admin.write(f"{USERS}/{id_of(app, 'head')}/sessions/{session}", method="DELETE")
    assert_refused(other, 404, "not_found")


def test_the_sessions_of_everybody_are_listed_page_by_page(
    clock: Clock, app: flask.Flask, admin: Browser, anna: Browser
) -> None:
    for name in ("ben", "eve"):
        add_account(app, name)
        for _ in range(25):
            clock.advance(1)
            app.test_client().sign_in(name)
    first = admin.get("/api/admin/sessions").json
    second = admin.get(f"/api/admin/sessions?cursor={first['next']}").json
    assert [len(first["sessions"]), len(second["sessions"]), second["next"]] == [50, 2, None]
    listed = first["sessions"] + second["sessions"]
    used = [item["session"]["last_used_at"] for item in listed]
    assert used == sorted(used, reverse=True)
    assert len({item["session"]["id"] for item in listed}) == 52
    assert {item["username"] for item in listed} == {"anna", "ben", "eve", "head"}
    assert "eve" in admin.page("/admin/sessions").text
    clock.advance(3600)
    assert_refused(anna.get("/api/admin/sessions"), 401, "not_authenticated")


@pytest.mark.parametrize("cursor", ["x", "1", "~", "9" * 30 + "~x", "-1~x", "²~x"])
def test_a_made_up_place_in_the_list_is_refused(admin: Browser, cursor: str) -> None:
    assert (
        "cursor"
        in assert_refused(admin.get(f"/api/admin/sessions?cursor={cursor}"), 400, "invalid_input")["fields"]
    )


@pytest.mark.parametrize("by", ["json", "page"])
def test_another_code_is_sent_to_whom_it_did_not_reach(new_app: NewApp, sqlite_url: str, by: str) -> None:
    app = new_app(DATABASE_URL=sqlite_url, AEGIS_EMAIL_VERIFICATION="required")
    head = signed_in(app, "head", role="admin", email="head@mail.test")
    enrol(head)
    anna, mails = app.test_client(), app.extensions["aegis"].sender.transport.messages
    body = {"username": "anna", "password": PASSWORD, "email": "anna@mail.test"}
    assert anna.write("/api/register", body).status_code == 201
    target = f"users/{id_of(app, 'anna')}"
    assert head.get(f"/api/admin/{target}").json["user"]["pending_email"] == "anna@mail.test"
    if by == "json":
        assert head.write(f"/api/admin/{target}/resend-code").status_code == 200
    else:
        assert "anna@mail.test" in head.page(f"/admin/{target}").text
        assert head.submit(f"/admin/{target}/resend-code").status_code == 303
    codes = [
        re.findall(r"Code: (\d+)", mail.get_body(("plain",)).get_content())[0]
        for mail in mails
        if mail["To"] == "anna@mail.test"
    ]
    assert len(codes) == 2
    given = {"email": "anna@mail.test", "code": codes[1]}
    assert_refused(head.write("/api/verify-email", given), 400, "invalid_input")
    assert anna.write("/api/verify-email", given).status_code == 200
    assert_refused(head.write(f"/api/admin/{target}/resend-code"), 409, "conflict")
    [event] = [row for row in rows(app, "audit") if row["event"] == "user_email_code_sent"]
    assert event["actor_id"] == id_of(app, "head")


def test_an_administrator_fills_nobody_s_mailbox(new_app: NewApp, sqlite_url: str) -> None:
    app = new_app(DATABASE_URL=sqlite_url, AEGIS_EMAIL_VERIFICATION="optional")
    head = signed_in(app, "head", role="admin")
    enrol(head)
    body = {"username": "anna", "password": PASSWORD, "email": "anna@mail.test"}
    app.test_client().write("/api/register", body)
    path = f"{USERS}/{id_of(app, 'anna')}/resend-code"
    answers = [head.write(path).status_code for _ in range(6)]
    assert answers[0] == 200
    assert answers[-1] == 429


def test_a_notice_of_what_an_administrator_did_does_not_tell_from_where(
    app: flask.Flask, admin: Browser
) -> None:
    signed_in(app, "dora", email="dora@mail.test")
    admin.environ_base["REMOTE_ADDR"] = "198.51.100.77"
    for act in ("revoke-sessions", "reset-mfa"):
        assert admin.write(f"{USERS}/{id_of(app, 'dora')}/{act}").status_code == 200
    mails = app.extensions["aegis"].sender.transport.messages
    told = [mail.get_body(("plain",)).get_content() for mail in mails if mail["To"] == "dora@mail.test"]
    assert len(told) == 2
    for text in told:
        assert "From: those who run this site\n" in text
        assert "198.51.100.77" not in text


def test_one_account_is_shown_without_a_secret(app: flask.Flask, admin: Browser, anna: Browser) -> None:
    shown = admin.get(f"{USERS}/{id_of(app, 'anna')}")
    assert shown.json["user"]["username"] == "anna"
    assert len(shown.json["sessions"]) == 1
    [row] = [row for row in rows(app, "accounts") if row["username"] == "anna"]
    assert row["password_hash"] not in shown.text


def test_the_record_is_searched_and_paged(app: flask.Flask, admin: Browser) -> None:
    stranger = app.test_client()
    for _ in range(3):
        stranger.sign_in("head", "not the right one")
    found = admin.get(f"{AUDIT}?event=authn_login_fail").json
    assert [event["event"] for event in found["events"]] == ["authn_login_fail"] * 3
    assert admin.get(f"{AUDIT}?address=203.0.113.9").json["events"] == []
    assert_refused(admin.get(f"{AUDIT}?cursor=x"), 400, "invalid_input")
    assert_refused(admin.get(f"{AUDIT}?unknown=x"), 400, "invalid_input")


def test_the_record_is_searched_by_a_span_of_time(app: flask.Flask, admin: Browser) -> None:
    change(app, "audit", at=1_795_000_000)  # 18 November 2026, 11:06:40 UTC
    admin.get(USERS)

    def counted(query: str) -> int:
        found = admin.get(f"{AUDIT}?event=user_created&{query}")
        assert found.status_code == 200, found.text
        return len(found.json["events"])

    assert counted("since=2026-11-18&until=2026-11-18") == 1
    assert counted("since=2026-11-18T11:06:40Z") == 1
    assert counted("since=2026-11-18T11:06:41Z") == 0
    assert counted("until=2026-11-17") == 0
    for field in ("since", "until"):
        refused = assert_refused(admin.get(f"{AUDIT}?{field}=yesterday"), 400, "invalid_input")
        assert "2026-11-25" in refused["fields"][field]
    form = "/admin/audit?event=user_created&account=&address=&since=2026-11-18&until="
    assert "2026-11-18T11:06:40Z" in admin.page(form).text
    assert "must be a time" in admin.page("/admin/audit?since=yesterday").text


def test_the_pages_do_the_same(app: flask.Flask, admin: Browser, anna: Browser) -> None:
    target = id_of(app, "anna")
    assert "anna" in admin.page("/admin?query=an").text
    assert "End all sessions" in admin.page(f"/admin/users/{target}").text
    done = admin.submit(f"/admin/users/{target}/deactivate")
    assert (done.status_code, done.headers["Location"]) == (303, f"/admin/users/{target}")
    assert not anna.is_signed_in()
    assert "user_archived" in admin.page(f"/admin/audit?account={target}").text
    kept = admin.submit(f"/admin/users/{id_of(app, 'head')}/role", role="learner")
    assert kept.status_code == 303
    assert "last administrator" in admin.page(f"/admin/users/{target}").text
    assert admin.get("/api/profile").json["user"]["role"] == "admin"
