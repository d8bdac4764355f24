"""An address that is proven by a code: who may give it, when it is good, and what an address that is not proven can do."""

import re
from pathlib import Path

import flask
import pytest

from aegis.settings import ConfigurationError
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
from tests.stores.wire import Recorder

VERIFY, RESEND = "/api/verify-email", "/api/verify-email/resend"
EMAIL = "Anna@Mail.test"


@pytest.fixture
def app(new_app: NewApp, sqlite_url: str) -> flask.Flask:
    """Give the platform where nobody signs in before the address is proven."""
    return new_app(DATABASE_URL=sqlite_url, AEGIS_EMAIL_VERIFICATION="required")


@pytest.fixture
def lenient(new_app: NewApp, sqlite_url: str) -> flask.Flask:
    """Give the platform where addresses are proven, and nobody has to have one."""
    return new_app(DATABASE_URL=sqlite_url, AEGIS_EMAIL_VERIFICATION="optional")


@pytest.fixture
def off(new_app: NewApp, sqlite_url: str) -> flask.Flask:
    """Give the platform as it is by default."""
    return new_app(DATABASE_URL=sqlite_url)


def mails(app: flask.Flask) -> list[str]:
    """Return all mails so far: recipient, subject and text."""
    return [
        f"To: {message['To']}\nSubject: {message['Subject']}\n{message.get_body(('plain',)).get_content()}"
        for message in app.extensions["aegis"].sender.transport.messages
    ]


def code_in(mail: str) -> str:
    found = re.search(r"Code: (\d+)", mail)
    assert found is not None, mail
    return found[1]


def register(app: flask.Flask, name: str = "anna", email: str = EMAIL) -> Browser:
    browser: Browser = app.test_client()
    made = browser.write("/api/register", {"username": name, "password": PASSWORD, "email": email})
    assert made.status_code == 201, made.text
    browser.username = name
    return browser


def confirm(browser: Browser, code: str, email: str = EMAIL) -> flask.Response:
    return browser.write(VERIFY, {"email": email, "code": code})


def account(app: flask.Flask, name: str = "anna") -> dict[str, object]:
    return next(row for row in rows(app, "accounts") if row["username"] == name)


@pytest.mark.control("ASVS-5.0-6.5.1", "ASVS-5.0-6.6.2", "CS-EMAIL-1")
def test_nobody_signs_in_before_the_code_that_went_to_the_address(app: flask.Flask) -> None:
    anna = register(app)
    assert_refused(anna.sign_in(), 403, "email_unverified")
    assert anna.session_cookie() is None
    [mail] = mails(app)
    assert mail.startswith("To: Anna@mail.test\n")
    done = confirm(anna, f" {code_in(mail)[:4]} - {code_in(mail)[4:]} ")
    assert done.status_code == 200, done.text
    assert anna.sign_in().status_code == 200
    assert anna.get("/api/profile").json["user"]["email_verified"]
    assert app.test_client().sign_in("anna@mail.test").status_code == 200
    assert_refused(confirm(anna, code_in(mail)), 400, "invalid_input")


def test_an_address_must_be_given_where_it_is_required(app: flask.Flask) -> None:
    refused = app.test_client().write("/api/register", {"username": "anna", "password": PASSWORD})
    assert "email" in assert_refused(refused, 400, "invalid_input")["fields"]
    assert rows(app, "accounts") == []


def test_the_form_asks_for_an_address_where_it_is_required(app: flask.Flask, lenient: flask.Flask) -> None:
    field = re.compile(r'<input id="email"[^>]*>')
    assert [
        " required" in field.findall(place.test_client().get("/register").text)[0] for place in (app, lenient)
    ] == [True, False]


def test_where_it_is_optional_people_sign_in_and_the_address_counts_later(lenient: flask.Flask) -> None:
    anna = register(lenient)
    assert anna.sign_in().status_code == 200
    before = anna.get("/api/profile").json["user"]
    assert (before["email"], before["pending_email"]) == (None, "Anna@mail.test")
    assert_refused(lenient.test_client().sign_in("anna@mail.test"), 401, "invalid_credentials")
    assert lenient.test_client().write("/api/password/forgot", {"email": EMAIL}).status_code == 200
    assert len(mails(lenient)) == 1  # an address that is not proven wins nothing back
    assert confirm(anna, code_in(mails(lenient)[0])).status_code == 200
    after = anna.get("/api/profile").json["user"]
    assert (after["email"], after["pending_email"]) == ("Anna@mail.test", None)


@pytest.mark.control("ASVS-5.0-6.6.2")
def test_a_code_is_good_in_the_browser_or_for_the_account_that_asked(lenient: flask.Flask) -> None:
    anna = register(lenient)
    code = code_in(mails(lenient)[0])
    stranger = lenient.test_client()
    assert_refused(confirm(stranger, code), 400, "invalid_input")
    ben = signed_in(lenient, "ben")
    assert_refused(confirm(ben, code), 400, "invalid_input")
    elsewhere = lenient.test_client()
    assert elsewhere.sign_in("anna").status_code == 200
    assert confirm(elsewhere, code).status_code == 200
    assert anna.sign_in().status_code == 200


@pytest.mark.control("ASVS-5.0-6.5.5", "CS-EMAIL-2")
def test_a_code_is_good_for_ten_minutes(app: flask.Flask, clock: Clock) -> None:
    anna = register(app)
    code = code_in(mails(app)[0])
    clock.advance(600)
    assert_refused(confirm(anna, code), 400, "invalid_input")
    assert anna.write(RESEND, {"email": EMAIL}).status_code == 200
    clock.advance(599)
    assert confirm(anna, code_in(mails(app)[1])).status_code == 200


@pytest.mark.parametrize(("digits", "seconds"), [("6", "60"), ("12", "300")])
def test_digits_and_lifetime_are_settings(
    new_app: NewApp, sqlite_url: str, clock: Clock, digits: str, seconds: str
) -> None:
    app = new_app(
        DATABASE_URL=sqlite_url,
        AEGIS_EMAIL_VERIFICATION="required",
        AEGIS_EMAIL_CODE_DIGITS=digits,
        AEGIS_EMAIL_CODE_LIFETIME=seconds,
    )
    anna = register(app)
    code = code_in(mails(app)[0])
    assert len(code) == int(digits)
    assert f"within {int(seconds) // 60} minutes" in mails(app)[0]
    clock.advance(int(seconds))
    assert_refused(confirm(anna, code), 400, "invalid_input")


def test_a_new_code_kills_the_old_one(app: flask.Flask) -> None:
    anna = register(app)
    anna.write(RESEND, {"email": EMAIL})
    old, new = (code_in(mail) for mail in mails(app))
    if old != new:
        assert_refused(confirm(anna, old), 400, "invalid_input")
    assert confirm(anna, new).status_code == 200


@pytest.mark.control("ASVS-5.0-6.6.3")
def test_five_wrong_codes_burn_the_right_one(app: flask.Flask) -> None:
    anna = register(app)
    code = code_in(mails(app)[0])
    for number in range(5):
        wrong = f"{(int(code) + number + 1) % 10**8:08d}"
        assert_refused(confirm(anna, wrong), 400, "invalid_input")
    assert_refused(confirm(anna, code), 400, "invalid_input")


def test_four_wrong_codes_do_not(app: flask.Flask) -> None:
    anna = register(app)
    code = code_in(mails(app)[0])
    for number in range(4):
        confirm(anna, f"{(int(code) + number + 1) % 10**8:08d}")
    assert confirm(anna, code).status_code == 200


@pytest.mark.control("CS-EMAIL-2")
def test_of_parallel_confirmations_one_succeeds(new_app: NewApp, migrated_url: str) -> None:
    app = new_app(DATABASE_URL=migrated_url, AEGIS_EMAIL_VERIFICATION="required", AEGIS_DATABASE_TIMEOUT="20")
    anna = register(app)
    code = code_in(mails(app)[0])
    token, copies = anna.token(), []
    for _ in range(6):
        copy = app.test_client()
        copy._cookies = dict(anna._cookies)
        copies.append(copy)
    body, headers = {"email": EMAIL, "code": code}, {"X-CSRFToken": token}
    answers = at_once([lambda copy=copy: copy.post(VERIFY, json=body, headers=headers) for copy in copies])
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 5


@pytest.mark.control("ASVS-5.0-6.6.3")
def test_parallel_guesses_are_no_more_than_five(new_app: NewApp, migrated_url: str) -> None:
    app = new_app(DATABASE_URL=migrated_url, AEGIS_EMAIL_VERIFICATION="required", AEGIS_DATABASE_TIMEOUT="20")
    anna = register(app)
    code = code_in(mails(app)[0])
    token, tasks = anna.token(), []
    for number in range(8):
        copy = app.test_client()
        copy._cookies = dict(anna._cookies)
        wrong = {"email": EMAIL, "code": f"{(int(code) + number + 1) % 10**8:08d}"}
        tasks.append(
            lambda copy=copy, wrong=wrong: copy.post(VERIFY, json=wrong, headers={"X-CSRFToken": token})
        )
    assert {answer.status_code for answer in at_once(tasks)} == {400}
    assert [row["attempts_left"] for row in rows(app, "proofs")] == [0]
    assert_refused(confirm(anna, code), 400, "invalid_input")


def test_of_two_that_prove_one_address_at_once_one_has_it(new_app: NewApp, migrated_url: str) -> None:
    app = new_app(DATABASE_URL=migrated_url, AEGIS_EMAIL_VERIFICATION="required", AEGIS_DATABASE_TIMEOUT="20")
    people = [register(app, name) for name in ("anna", "olga", "ines")]
    codes = [code_in(mail) for mail in mails(app)]
    tasks = [lambda own=own, code=code: confirm(own, code) for own, code in zip(people, codes, strict=True)]
    assert sorted(answer.status_code for answer in at_once(tasks)) == [200, 400, 400]
    assert sum(row["email"] is not None for row in rows(app, "accounts")) == 1


@pytest.mark.control("ASVS-5.0-6.3.8", "CS-EMAIL-4")
def test_whether_an_address_is_known_is_told_to_its_owner_alone(app: flask.Flask) -> None:
    add_account(app, "olga", email="anna@mail.test")
    unknown = register(app, "eve", "eve@mail.test")
    known = register(app, "mallory", "anna@mail.test")
    told, warned = mails(app)
    assert code_in(told)
    assert warned.startswith("To: anna@mail.test\nSubject: Aegis Academy: you have an account already")
    assert "user name olga" in warned
    assert not re.search(r"\d{8}", warned)
    refusals = [
        assert_refused(browser.sign_in(), 403, "email_unverified")["error"] for browser in (unknown, known)
    ]
    assert refusals[0] == refusals[1]
    answers = [
        browser.write(RESEND, {"email": email}).json
        for browser, email in (
            (unknown, "eve@mail.test"),
            (known, "anna@mail.test"),
            (app.test_client(), "nobody@mail.test"),
            (app.test_client(), "anna@mail.test"),
        )
    ]
    assert answers == [answers[0]] * 4
    assert [mail.splitlines()[0] for mail in mails(app)[2:]] == ["To: eve@mail.test", "To: anna@mail.test"]


def test_asking_again_costs_the_same_work_whether_or_not_somebody_waits(app: flask.Flask) -> None:
    anna = register(app)
    stranger = app.test_client()
    for browser in (anna, stranger):
        browser.token()

    recorder = Recorder()
    recorder.attach(app.extensions["aegis"].database)

    def kinds(browser: Browser) -> list[str]:
        recorder.take()
        assert browser.write(RESEND, {"email": EMAIL}).status_code == 200
        return [" ".join(said.split()[:3]) for said in recorder.take() if not said.startswith("SELECT")]

    for browser in (anna, stranger):  # the counters are there now
        kinds(browser)
    assert kinds(anna) == kinds(stranger)


def test_somebody_else_s_registration_never_keeps_the_owner_out(app: flask.Flask) -> None:
    squatter = register(app, "squatter")
    owner = register(app, "olga")
    assert confirm(owner, code_in(mails(app)[1])).status_code == 200
    assert owner.sign_in().status_code == 200
    assert_refused(confirm(squatter, code_in(mails(app)[0])), 400, "invalid_input")
    assert account(app, "olga")["email"] == "Anna@mail.test"
    assert account(app, "squatter")["email"] is None


def test_an_address_from_before_goes_to_who_proves_it(new_app: NewApp, sqlite_url: str) -> None:
    before = new_app(DATABASE_URL=sqlite_url)
    assert register(before, "squatter").sign_in().status_code == 200
    app = new_app(DATABASE_URL=sqlite_url, AEGIS_EMAIL_VERIFICATION="optional")
    owner = register(app, "olga")
    assert confirm(owner, code_in(mails(app)[0])).status_code == 200
    assert account(app, "squatter")["email"] is None


def test_people_from_before_prove_their_address_at_the_next_sign_in(
    new_app: NewApp, sqlite_url: str, clock: Clock
) -> None:
    register(new_app(DATABASE_URL=sqlite_url))
    app = new_app(DATABASE_URL=sqlite_url, AEGIS_EMAIL_VERIFICATION="required")
    anna = app.test_client()
    assert_refused(anna.sign_in("anna"), 403, "email_unverified")
    assert_refused(anna.sign_in("anna"), 403, "email_unverified")
    [mail] = mails(app)  # the first code is still good
    clock.advance(600)
    anna.sign_in("anna")
    assert_refused(confirm(anna, code_in(mail)), 400, "invalid_input")
    assert confirm(anna, code_in(mails(app)[1])).status_code == 200
    assert anna.sign_in().status_code == 200


def test_signing_in_with_another_browser_moves_the_code_there(app: flask.Flask) -> None:
    anna = register(app)
    [mail] = mails(app)
    other = app.test_client()
    other.token()
    assert_refused(other.sign_in("anna"), 403, "email_unverified")
    assert_refused(confirm(anna, code_in(mail)), 400, "invalid_input")
    assert confirm(other, code_in(mails(app)[1])).status_code == 200


def test_a_script_does_not_void_the_code_of_a_browser(app: flask.Flask) -> None:
    anna = register(app)
    assert_refused(app.test_client().sign_in("anna"), 403, "email_unverified")
    assert confirm(anna, code_in(mails(app)[-1])).status_code == 200


def test_whom_the_operator_created_is_believed(app: flask.Flask) -> None:
    assert signed_in(app, "anna", email=EMAIL).is_signed_in()
    assert signed_in(app, "ben").is_signed_in()
    assert mails(app) == []


def test_mails_to_one_address_are_limited_and_a_sign_in_goes_on_without(app: flask.Flask) -> None:
    anna = register(app)
    answers = [anna.write(RESEND, {"email": EMAIL}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert_refused(anna.sign_in(), 403, "email_unverified")


@pytest.mark.control("CS-EMAIL-4", "ASVS-5.0-2.4.1")
def test_registering_fills_nobody_s_mailbox(app: flask.Flask, clock: Clock) -> None:
    people = [register(app, f"person{number}") for number in range(7)]
    assert len(mails(app)) == 5
    assert_refused(people[-1].write(RESEND, {"email": EMAIL}), 429, "rate_limited")
    clock.advance(3600)
    assert people[-1].write(RESEND, {"email": EMAIL}).status_code == 200
    assert confirm(people[-1], code_in(mails(app)[-1])).status_code == 200


def test_one_account_does_not_write_to_many_mailboxes(lenient: flask.Flask) -> None:
    anna = signed_in(lenient, "anna")
    answers = [
        anna.write("/api/profile/change-email", {"email": f"person{number}@mail.test"}).status_code
        for number in range(6)
    ]
    assert answers == [200] * 5 + [429]


@pytest.mark.control("ASVS-5.0-6.3.7", "CS-AUTHN-4")
@pytest.mark.parametrize("setting", ["off", "optional", "required"])
def test_a_new_address_counts_after_its_code_and_the_old_one_is_told(
    new_app: NewApp, sqlite_url: str, setting: str
) -> None:
    app = new_app(DATABASE_URL=sqlite_url, AEGIS_EMAIL_VERIFICATION=setting)
    anna = signed_in(app, "anna", email="old@mail.test")
    asked = anna.write("/api/profile/change-email", {"email": EMAIL})
    assert asked.json["user"]["email"] == "old@mail.test"
    assert asked.json["user"]["pending_email"] == "Anna@mail.test"
    assert account(app)["email"] == "old@mail.test"
    [sent] = mails(app)
    assert sent.startswith("To: Anna@mail.test\n")
    assert confirm(anna, code_in(sent)).status_code == 200
    assert account(app)["email"] == "Anna@mail.test"
    notice = mails(app)[1]
    assert notice.startswith("To: old@mail.test\n")
    assert "/account/undo?token=" in notice


def test_an_account_without_address_gets_its_first_one_by_code_as_well(off: flask.Flask) -> None:
    anna = signed_in(off, "anna")
    assert anna.write("/api/profile/change-email", {"email": EMAIL}).json["user"]["email"] is None
    assert anna.page("/verify-email").status_code == 200
    anna.write(RESEND, {"email": EMAIL})
    first, second = mails(off)
    assert_refused(confirm(anna, code_in(first)), 400, "invalid_input")
    assert confirm(anna, code_in(second)).status_code == 200
    assert account(off)["email"] == "Anna@mail.test"


def test_saving_the_present_address_takes_a_change_back(off: flask.Flask) -> None:
    anna = register(off)
    assert anna.sign_in().status_code == 200
    anna.write("/api/profile/change-email", {"email": "new@mail.test"})
    [sent] = mails(off)
    kept = anna.write("/api/profile/change-email", {"email": EMAIL})
    assert kept.json["message"] == "Your e-mail address was saved."
    assert_refused(confirm(anna, code_in(sent), "new@mail.test"), 400, "invalid_input")
    assert (account(off)["email"], account(off)["pending_email"]) == ("Anna@mail.test", None)
    assert len(mails(off)) == 1


def test_changing_to_somebody_s_address_tells_the_owner_alone(off: flask.Flask) -> None:
    signed_in(off, "ben", email="ben@mail.test")
    anna = signed_in(off, "anna")
    answers = [
        anna.write("/api/profile/change-email", {"email": email})
        for email in ("ben@mail.test", "no@mail.test")
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert ["Code:" in mail for mail in mails(off)] == [False, True]


def test_a_new_address_needs_a_fresh_sign_in(lenient: flask.Flask, clock: Clock) -> None:
    anna = signed_in(lenient, "anna")
    clock.advance(601)
    refused = anna.write("/api/profile/change-email", {"email": EMAIL})
    assert_refused(refused, 401, "reauthentication_required")
    assert mails(lenient) == []


def test_an_address_is_not_removed_where_it_is_required(app: flask.Flask) -> None:
    anna = signed_in(app, "anna", email=EMAIL)
    assert_refused(anna.write("/api/profile/change-email", {"email": ""}), 400, "invalid_input")
    assert account(app)["email"] == "Anna@mail.test"


@pytest.mark.parametrize(
    "email", ["anna@blocked.test", "anna@mail.Blocked.test", "anna@listed.test", "a@b.listed.test"]
)
def test_domains_that_the_operator_lists_are_refused(new_app: NewApp, tmp_path: Path, email: str) -> None:
    listed = tmp_path / "domains.txt"
    listed.write_text("# disposable\n\nother.test\nlisted.test  # a note\n")
    app = new_app(AEGIS_EMAIL_BLOCKED_DOMAINS=f"blocked.test, {listed}")
    body = {"username": "anna", "password": PASSWORD, "email": email}
    refused = assert_refused(app.test_client().write("/api/register", body), 400, "invalid_input")
    assert "domain" in refused["fields"]["email"]
    body["email"] = "anna@notblocked.test"
    assert app.test_client().write("/api/register", body).status_code == 201


def test_a_list_of_domains_is_read_anew_when_it_changes_and_must_be_there(
    new_app: NewApp, new_production_app: NewApp, tmp_path: Path
) -> None:
    listed = tmp_path / "domains.txt"
    with pytest.raises(ConfigurationError, match=r"domains\.txt, which cannot be read"):
        new_production_app(AEGIS_EMAIL_BLOCKED_DOMAINS=str(listed))
    listed.write_text("other.test\n")
    app = new_app(AEGIS_EMAIL_BLOCKED_DOMAINS=str(listed))
    anna = signed_in(app, "anna")
    assert anna.write("/api/profile/change-email", {"email": "a@mail.test"}).status_code == 200
    listed.write_text("other.test\nmail.test\n")
    assert_refused(anna.write("/api/profile/change-email", {"email": "b@mail.test"}), 400, "invalid_input")


def test_without_verification_the_first_address_counts_at_once(off: flask.Flask) -> None:
    anna = register(off)
    assert anna.sign_in("anna@mail.test").status_code == 200
    assert mails(off) == []
    assert anna.page("/verify-email").headers["Location"] == "/"
    assert anna.write(RESEND, {"email": EMAIL}).status_code == 200
    assert mails(off) == []


def test_without_mail_a_new_address_counts_at_once_and_the_routes_say_so(new_app: NewApp) -> None:
    app = new_app(MAIL_URL="")
    anna = signed_in(app, "anna", email="old@mail.test")
    asked = anna.write("/api/profile/change-email", {"email": EMAIL})
    assert asked.json["message"] == "Your e-mail address was saved."
    assert account(app)["email"] == "Anna@mail.test"
    ben = signed_in(app, "ben")
    taken = ben.write("/api/profile/change-email", {"email": "anna@mail.test"})
    assert set(assert_refused(taken, 400, "invalid_input")["fields"]) == {"email"}
    for path, body in ((VERIFY, {"email": EMAIL, "code": "1"}), (RESEND, {"email": EMAIL})):
        assert_refused(anna.write(path, body), 404, "not_found")


def test_an_untried_relay_asks_nobody_for_a_code(new_app: NewApp) -> None:
    app = new_app(AEGIS_EMAIL_VERIFICATION="required", MAIL_URL="smtp://127.0.0.1:9", AEGIS_MAIL_EMBEDDED="0")
    anna = register(app)
    assert anna.sign_in().status_code == 200
    assert anna.write("/api/profile/change-email", {"email": "new@mail.test"}).status_code == 200
    assert account(app)["email"] == "new@mail.test"
    assert {row["template"] for row in rows(app, "outbox")} == {"notice"}


def test_production_does_not_ask_for_codes_without_mail(new_production_app: NewApp) -> None:
    with pytest.raises(ConfigurationError, match="AEGIS_EMAIL_VERIFICATION is on, but no mail can leave"):
        new_production_app(AEGIS_EMAIL_VERIFICATION="required")


def test_the_pages_lead_from_registration_over_the_code_to_where_somebody_was_going(app: flask.Flask) -> None:
    anna = app.test_client()
    sent = anna.submit("/register", username="anna", password=PASSWORD, email=EMAIL, next="/profile")
    assert sent.headers["Location"] == "/verify-email?next=/profile"
    page = anna.page(sent.headers["Location"])
    assert "Anna@mail.test" in page.text
    assert 'autocomplete="one-time-code"' in page.text
    form = form_to(page, "/verify-email")
    wrong = anna.submit("/verify-email", **{**form, "code": "00000000"})
    assert wrong.status_code == 400
    assert "not right" in wrong.text
    assert "Anna@mail.test" in wrong.text
    again = anna.submit("/verify-email/resend", email=form["email"])
    assert again.headers["Location"] == "/verify-email"
    done = anna.submit("/verify-email", **{**form, "code": code_in(mails(app)[-1])})
    assert done.headers["Location"] == "/login?next=/profile"
    assert anna.page("/verify-email").headers["Location"] == "/login"  # a tab that waited goes on
    signed = anna.submit("/login", username="anna", password=PASSWORD, next="/profile")
    assert signed.headers["Location"] == "/profile"


def test_a_signed_in_person_may_leave_the_code_for_later(lenient: flask.Flask) -> None:
    anna = lenient.test_client()
    sent = anna.submit("/register", username="anna", password=PASSWORD, email=EMAIL)
    assert sent.headers["Location"] == "/verify-email"
    assert "Later" in anna.page("/verify-email").text
    assert "waits for its code" in anna.page("/profile").text
    assert confirm(anna, code_in(mails(lenient)[0])).status_code == 200
    assert anna.page("/verify-email?next=/profile").headers["Location"] == "/profile"


def test_a_second_factor_with_an_unproven_address_leads_to_the_code_as_well(
    app: flask.Flask, clock: Clock
) -> None:
    anna = signed_in(app, "anna")
    phone = enrol(anna)
    change(app, "accounts", pending_email=EMAIL)
    clock.advance(60)
    browser: Browser = app.test_client()
    asked = browser.submit("/login", username="anna", password=PASSWORD)
    assert asked.headers["Location"] == "/login/second-factor"
    given = browser.submit("/login/second-factor", method="totp", code=phone.code(), next="/profile")
    assert given.headers["Location"] == "/verify-email?next=/profile"
    assert EMAIL in browser.page(given.headers["Location"]).text


def test_signing_in_unproven_leads_to_the_code(app: flask.Flask) -> None:
    register(app)
    other = app.test_client()
    led = other.submit("/login", username="anna", password=PASSWORD)
    assert (led.status_code, led.headers["Location"]) == (303, "/verify-email")
    form = form_to(other.page("/verify-email"), "/verify-email")
    done = other.submit("/verify-email", **{**form, "code": code_in(mails(app)[-1])})
    assert done.headers["Location"] == "/login"


def test_a_dump_of_the_tables_proves_nothing(app: flask.Flask) -> None:
    register(app)
    code = code_in(mails(app)[0])
    assert code not in str([rows(app, table) for table in ("proofs", "outbox", "accounts", "audit")])


@pytest.mark.control("CS-EMAIL-3")
@pytest.mark.parametrize(
    "email",
    ["müller+kurs@bücher.test", f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.test", "ANNA@MAIL.TEST"],
)
def test_unusual_addresses_are_proven_too(app: flask.Flask, email: str) -> None:
    anna = register(app, email=email)
    assert confirm(anna, code_in(mails(app)[0]), email).status_code == 200
    assert anna.sign_in(email).status_code == 200


@pytest.mark.control("ASVS-5.0-1.3.11")
@pytest.mark.parametrize(
    "email", ["anna@mail.test\r\nBcc: eve@mail.test", "anna\n@mail.test", "a" * 250 + "@mail.test"]
)
def test_what_could_end_a_header_is_refused(app: flask.Flask, email: str) -> None:
    body = {"username": "anna", "password": PASSWORD, "email": email}
    assert_refused(app.test_client().write("/api/register", body), 400, "invalid_input")
    assert mails(app) == []
