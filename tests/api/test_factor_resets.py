"""Second factors that are taken from somebody by two administrators, a day apart, where the operator wants it so."""

import re

import flask
import pytest

from aegis.audit import Event
from aegis.errors import Conflict
from aegis.login import resets
from tests.authenticator import Authenticator
from tests.codes import enrol, give
from tests.factories import Browser, add_account, assert_refused, at_once, rows, signed_in
from tests.fixtures import Clock, NewApp

DAY_S = 86_400


class School:
    """A platform with two administrators, and anna, who has a second factor."""

    def __init__(self, app: flask.Flask, clock: Clock | None = None) -> None:
        self.app, self.clock = app, clock
        self.heads = [signed_in(app, name, role="admin") for name in ("head", "deputy")]
        self.apps = [enrol(head) for head in self.heads]
        self.anna = signed_in(app, "anna", email="anna@mail.test")
        self.phone = enrol(self.anna)
        self.path = f"users/{next(row['id'] for row in rows(app, 'accounts') if row['username'] == 'anna')}"

    def ask(self, who: Browser) -> flask.Response:
        return who.write(f"/api/admin/{self.path}/reset-mfa")

    def withdraw(self, who: Browser) -> flask.Response:
        return who.write(f"/api/admin/{self.path}/reset-mfa", method="DELETE")

    def later(self, seconds: int) -> None:
        """Let time pass, and let the administrators sign in anew."""
        assert self.clock is not None
        self.clock.advance(seconds)
        for head, app in zip(self.heads, self.apps, strict=True):
            assert_refused(head.sign_in(), 401, "mfa_required")
            assert give(head, app.code()).status_code == 200

    def factors(self) -> int:
        return len([row for row in rows(self.app, "authenticators") if row["account_id"] == self.path[6:]])

    def mails(self) -> list[str]:
        messages = self.app.extensions["aegis"].sender.transport.messages
        return [message.get_body(("plain",)).get_content() for message in messages]

    def events(self) -> list[str]:
        return [str(row["event"]) for row in rows(self.app, "audit") if "factors_reset" in str(row["event"])]


@pytest.fixture
def school(new_app: NewApp, sqlite_url: str, clock: Clock) -> School:
    return School(new_app(DATABASE_URL=sqlite_url, AEGIS_MFA_RESET_DELAY=str(DAY_S)), clock)


@pytest.mark.control("ASVS-5.0-6.4.4")
def test_one_asks_and_another_does_it_a_day_later(school: School) -> None:
    head, deputy = school.heads
    assert "Another administrator" in school.ask(head).json["message"]
    assert school.factors() == 1
    assert school.anna.is_signed_in()
    assert "sign in with one of them: that stops it" in school.mails()[-1]

    assert "asked for this already" in assert_refused(school.ask(head), 409, "conflict")["error"]
    assert "It can be carried out from" in assert_refused(school.ask(deputy), 409, "conflict")["error"]
    school.later(DAY_S)
    assert "Somebody else" in assert_refused(school.ask(head), 409, "conflict")["error"]
    assert school.factors() == 1

    assert school.ask(deputy).json["message"] == "1 second factor was removed."
    assert school.factors() == 0
    assert school.anna.sign_in().status_code == 200
    assert school.events() == [Event.FACTORS_RESET_ASKED, Event.FACTORS_RESET]


def test_without_the_setting_one_does_it_at_once(new_app: NewApp, sqlite_url: str) -> None:
    school = School(new_app(DATABASE_URL=sqlite_url))
    assert school.ask(school.heads[0]).json["message"] == "1 second factor was removed."
    assert school.factors() == 0


@pytest.mark.parametrize("by", ["code", "recovery code", "passkey"])
def test_whoever_signs_in_with_a_factor_has_lost_none(school: School, by: str) -> None:
    device = Authenticator()
    if by == "passkey":
        offer = school.anna.write("/api/passkeys/options").json["publicKey"]
        school.anna.write("/api/passkeys", {"credential": device.create(offer)})
    school.ask(school.heads[0])
    assert school.clock is not None
    school.clock.advance(60)
    browser = school.app.test_client()
    if by == "passkey":
        offer = browser.write("/api/login/passkey/options").json["publicKey"]
        assert browser.write("/api/login/passkey", {"credential": device.get(offer)}).status_code == 200
    else:
        browser.sign_in("anna")
        given = (
            (school.phone.code(), "totp")
            if by == "code"
            else (school.anna.recovery_codes[0], "recovery_code")
        )
        assert give(browser, *given).status_code == 200
    school.later(DAY_S)
    assert "Another administrator" in school.ask(school.heads[1]).json["message"]  # begins anew
    assert school.factors() == 1
    assert Event.FACTORS_RESET_WITHDRAWN in school.events()


def test_the_password_alone_does_not_stop_it(school: School) -> None:
    school.ask(school.heads[0])
    assert_refused(school.app.test_client().sign_in("anna"), 401, "mfa_required")
    school.later(DAY_S)
    assert school.ask(school.heads[1]).json["message"] == "1 second factor was removed."


def test_administrators_withdraw_it(school: School) -> None:
    head, deputy = school.heads
    assert_refused(school.withdraw(deputy), 409, "conflict")
    school.ask(head)
    assert school.withdraw(deputy).status_code == 200
    school.later(DAY_S)
    assert "Another administrator" in school.ask(deputy).json["message"]
    assert school.factors() == 1


def test_what_nobody_followed_is_asked_anew(school: School) -> None:
    school.ask(school.heads[0])
    school.later(DAY_S + resets.KEPT_S)
    assert "Another administrator" in school.ask(school.heads[1]).json["message"]
    assert school.factors() == 1


def test_the_machine_counts_as_one_of_the_two(school: School) -> None:
    account_id = school.path[6:]
    with school.app.app_context():
        state = school.app.extensions["aegis"]
        assert resets.take_away(state, account_id) is None
        school.later(DAY_S)
        with pytest.raises(Conflict, match="asked for this already"):
            resets.take_away(state, account_id)
    assert school.ask(school.heads[0]).json["message"] == "1 second factor was removed."


def test_only_administrators_ask(school: School) -> None:
    add_account(school.app, "tea", role="teacher")
    teacher = signed_in(school.app, "teo", role="teacher")
    assert_refused(school.ask(teacher), 403, "forbidden")
    assert_refused(school.withdraw(school.anna), 403, "forbidden")


def test_the_page_tells_who_asked_and_since_when_it_can_be_done(school: School) -> None:
    head, deputy = school.heads
    assert head.submit(f"/admin/{school.path}/reset-mfa").status_code == 303
    page = deputy.page(f"/admin/{school.path}").text
    assert re.search(r"<strong>head</strong> asked on", page)
    assert "Keep the second factors" in page
    shown = deputy.get(f"/api/admin/{school.path}").json["factor_reset"]
    assert shown["asked_by"] == "head"
    school.later(DAY_S)
    assert deputy.submit(f"/admin/{school.path}/reset-mfa").status_code == 303
    page = deputy.page(f"/admin/{school.path}").text
    assert "1 second factor was removed." in page
    assert "Keep the second factors" not in page


def test_of_two_that_do_it_at_once_one_does(
    new_app: NewApp, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the three databases; and of two that ask at once, one asks."""
    app = new_app(DATABASE_URL=migrated_url, AEGIS_MFA_RESET_DELAY=str(DAY_S), AEGIS_DATABASE_TIMEOUT="20")
    school, state = School(app), app.extensions["aegis"]
    account_id = school.path[6:]
    asked = at_once(
        [lambda name=name: resets.take_away(state, account_id, actor_id=name) for name in "abc"], app
    )
    assert asked.count(None) == 1
    with app.app_context():
        found = resets.find(state, account_id)
        assert found is not None
        monkeypatch.setattr(resets.clock, "now", lambda now=resets.clock.now: now() + DAY_S)
        others = [name for name in "abc" if name != found.by]
    done = at_once(
        [lambda name=name: resets.take_away(state, account_id, actor_id=name) for name in others], app
    )
    assert [result for result in done if isinstance(result, int)] == [1]
    assert school.factors() == 0
