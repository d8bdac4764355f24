"""Second factors through HTTP: a right password is not enough, each code is good once, and guessing is limited."""

import flask
import pytest
from werkzeug.test import TestResponse

from aegis import state
from aegis.mfa import service, totp
from aegis.ops import housekeeping
from aegis.schema import metadata
from tests.codes import App, enrol, give
from tests.factories import (
    OTHER_PASSWORD,
    PASSWORD,
    Browser,
    assert_refused,
    at_once,
    change,
    copy_of,
    form_to,
    forms,
    rows,
    set_cookies,
    signed_in,
)
from tests.fixtures import STRONG_KEY, Clock, NewApp

NEXT_STEP_S = totp.STEP_S


@pytest.fixture(autouse=True)
def _standing_clock(clock: Clock) -> None:
    """Let the clock stand before anybody signs in."""


@pytest.fixture
def phone(clock: Clock, anna: Browser) -> App:
    """Give anna's authenticator, a step after it was added."""
    added = enrol(anna, name="phone")
    clock.advance(NEXT_STEP_S)
    return added


def asked(browser: Browser, username: str = "anna") -> TestResponse:
    """Give the right password of an account that has a second factor."""
    answer = browser.sign_in(username)
    assert_refused(answer, 401, "mfa_required")
    return answer


# --- the machine ----------------------------------------------------------------------------------------------------


@pytest.mark.control("ASVS-5.0-6.3.3", "ASVS-5.0-7.2.4")
def test_a_password_and_a_code_sign_in(app: flask.Flask, phone: App, client: Browser) -> None:
    answer = asked(client)
    assert answer.json["methods"] == ["totp", "recovery_code"]
    assert not client.is_signed_in()
    assert client.session_cookie() is None

    answer = give(client, phone.code())

    assert (answer.status_code, answer.json["user"]["username"]) == (200, "anna")
    assert client.get("/api/check_session").json["auth_level"] == 2
    [session] = [row for row in rows(app, "sessions") if row["method"] == "totp"]
    assert session["auth_level"] == 2
    assert client.get_cookie("pending") is None
    assert rows(app, "pending_logins") == []


def test_the_password_alone_opens_nothing(phone: App, client: Browser) -> None:
    token = set_cookies(asked(client))["pending"]["value"]
    for path in ("/api/profile", "/api/mfa/totp", "/auth/check"):
        assert_refused(client.get(path), 401, "not_authenticated")
    client.set_cookie("session", token)
    assert_refused(client.get("/api/profile"), 401, "not_authenticated")


@pytest.mark.control("ASVS-5.0-3.3.1", "ASVS-5.0-3.3.4")
def test_the_pending_cookie_is_kept_from_scripts_and_other_sites(new_production_app: NewApp) -> None:
    app = new_production_app(AEGIS_MFA_REQUIRED="off")
    enrol(signed_in(app, "anna"))
    cookie = set_cookies(asked(app.test_client()))["__Host-pending"]
    assert cookie["secure"]
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["max-age"]) == ("Lax", "/", "600")
    assert all(cookie["value"] not in str(row) for row in rows(app, "pending_logins"))


def test_without_a_begun_sign_in_a_code_is_worth_nothing(phone: App, client: Browser) -> None:
    assert_refused(give(client, phone.code()), 401, "sign_in_expired")


def test_a_sign_in_ends_after_ten_minutes(clock: Clock, phone: App, client: Browser) -> None:
    asked(client)
    clock.advance(599)
    assert_refused(give(client, "000000"), 401, "invalid_credentials")
    clock.advance(1)
    assert_refused(give(client, phone.code()), 401, "sign_in_expired")


@pytest.mark.control("ASVS-5.0-2.3.1", "ASVS-5.0-6.6.2")
def test_a_begun_sign_in_belongs_to_one_browser(app: flask.Flask, phone: App, client: Browser) -> None:
    thief = app.test_client()
    thief.set_cookie("pending", set_cookies(asked(client))["pending"]["value"])
    assert_refused(give(thief, phone.code()), 401, "sign_in_expired")
    assert give(client, phone.code()).status_code == 200


def test_a_finished_sign_in_cannot_be_finished_again(
    app: flask.Flask, clock: Clock, phone: App, client: Browser
) -> None:
    asked(client)
    pending, visitor = client.get_cookie("pending"), client.get_cookie("visitor")
    assert pending
    assert visitor
    assert give(client, phone.code()).status_code == 200
    copy = app.test_client()
    copy.set_cookie("pending", pending.value)
    copy.set_cookie("visitor", visitor.value)
    clock.advance(NEXT_STEP_S)
    assert_refused(give(copy, phone.code()), 401, "sign_in_expired")


@pytest.mark.parametrize("end", ["change-password", "revoke"])
def test_what_ends_sessions_ends_sign_ins_that_wait(
    clock: Clock, anna: Browser, phone: App, client: Browser, end: str
) -> None:
    asked(client)
    if end == "revoke":
        anna.write("/api/sessions", method="DELETE")
    else:
        body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
        assert anna.write("/api/profile/change-password", body).status_code == 200
    assert_refused(give(client, phone.code()), 401, "sign_in_expired")


@pytest.mark.parametrize("method", ["", "sms", "password", "TOTP", "x" * 17])
def test_an_unknown_method_is_no_way_in(phone: App, client: Browser, method: str) -> None:
    asked(client)
    assert give(client, phone.code(), method).status_code in {400, 401}
    assert give(client, phone.code()).status_code == 200


@pytest.mark.control("ASVS-5.0-6.3.1", "ASVS-5.0-6.6.3")
def test_one_sign_in_takes_five_codes_and_the_account_ten(clock: Clock, phone: App, client: Browser) -> None:
    """A right password opens no unlimited guessing: what counts is the account, not the sign-in."""
    asked(client)
    for _ in range(5):
        assert_refused(give(client, "000000"), 401, "invalid_credentials")
    assert_refused(give(client, phone.code()), 401, "sign_in_expired")
    asked(client)
    for _ in range(5):
        assert_refused(give(client, "000000"), 401, "invalid_credentials")
    asked(client)
    refused = give(client, phone.code())
    assert_refused(refused, 429, "rate_limited")
    assert int(refused.headers["Retry-After"]) <= 960
    clock.advance(960)
    asked(client)
    assert give(client, phone.code()).status_code == 200


# --- codes of an authenticator --------------------------------------------------------------------------------------


@pytest.mark.control("RFC-6238-2", "ASVS-5.0-6.5.5", "ASVS-5.0-6.5.8")
@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)])
def test_a_clock_may_be_off_by_one_step(
    clock: Clock, phone: App, client: Browser, steps: int, status: int
) -> None:
    clock.advance(3 * NEXT_STEP_S)
    asked(client)
    assert give(client, phone.code(steps)).status_code == status


@pytest.mark.control("ASVS-5.0-6.5.1", "RFC-6238-1", "NIST-63B4-3.1.4-1")
def test_a_code_is_good_once_and_older_ones_never_again(
    app: flask.Flask, clock: Clock, phone: App, client: Browser
) -> None:
    """Field lesson L17: seen over a shoulder, a code is worth nothing once its owner used it."""
    code, older = phone.code(), phone.code(-1)
    asked(client)
    assert give(client, code).status_code == 200
    thief = app.test_client()
    asked(thief)
    assert_refused(give(thief, code), 401, "invalid_credentials")
    assert_refused(give(thief, older), 401, "invalid_credentials")
    assert give(thief, phone.code(1)).status_code == 200


def test_codes_may_be_typed_with_blanks(phone: App, client: Browser) -> None:
    asked(client)
    code = phone.code()
    assert give(client, f" {code[:3]} {code[3:]} ").status_code == 200


def test_the_codes_are_those_of_rfc_6238() -> None:
    """Appendix B, whose codes have eight digits; apps show the last six."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    known = {59: "94287082", 1111111109: "07081804", 1234567890: "89005924", 20000000000: "65353130"}
    assert {at: totp.code(secret, at // 30) for at in known} == {at: code[2:] for at, code in known.items()}


def test_an_authenticator_counts_after_its_first_code(
    app: flask.Flask, clock: Clock, anna: Browser, client: Browser
) -> None:
    begun = anna.write("/api/mfa/totp").json
    assert f"secret={begun['secret']}" in begun["otpauth_uri"]
    assert begun["otpauth_uri"].startswith("otpauth://totp/Aegis%20Academy:anna?")
    assert begun["svg"].startswith("<svg ")
    assert "style=" not in begun["svg"]
    assert client.sign_in("anna").status_code == 200  # it does not count yet
    wrong = anna.write("/api/mfa/totp/confirm", {"code": "000000"})
    assert "code" in assert_refused(wrong, 400, "invalid_input")["fields"]
    old = copy_of(anna)

    confirmed = anna.write("/api/mfa/totp/confirm", {"code": App(begun["secret"]).code(), "name": "phone"})

    assert confirmed.json["authenticator"]["name"] == "phone"
    assert len(set(confirmed.json["recovery_codes"])) == 10
    assert anna.get("/api/check_session").json["auth_level"] == 2
    assert not old.is_signed_in()  # the session gained rights, so its token is new
    assert_refused(app.test_client().sign_in("anna"), 401, "mfa_required")
    again = anna.write("/api/mfa/totp/confirm", {"code": App(begun["secret"]).code(1)})
    assert_refused(again, 409, "conflict")


def test_an_offered_secret_waits_for_half_an_hour(clock: Clock, anna: Browser) -> None:
    secret = App(anna.write("/api/mfa/totp").json["secret"])
    clock.advance(1800)
    anna.write("/api/reauthenticate", {"password": PASSWORD})
    assert_refused(anna.write("/api/mfa/totp/confirm", {"code": secret.code()}), 409, "conflict")


@pytest.mark.control("ASVS-5.0-6.5.2", "RFC-6238-3")
def test_the_database_holds_no_secret_that_makes_codes(app: flask.Flask, anna: Browser, phone: App) -> None:
    stored = "".join(str(row) for table in ("authenticators", "recovery_codes") for row in rows(app, table))
    assert phone.secret not in stored
    assert all(code not in stored and code.replace("-", "") not in stored for code in anna.recovery_codes)


@pytest.mark.control("ASVS-5.0-13.3.1")
def test_a_dump_of_the_database_signs_nobody_in(
    app: flask.Flask, anna: Browser, phone: App, client: Browser
) -> None:
    """Whatever left the server as a secret is in no row: tokens, codes, secrets of authenticators, passwords."""
    cookies = set_cookies(asked(client))
    other = app.test_client()
    asked(other)
    signed = set_cookies(give(other, anna.recovery_codes[0], "recovery_code"))
    secrets = [
        PASSWORD,
        phone.secret,
        *anna.recovery_codes,
        cookies["pending"]["value"],
        signed["session"]["value"],
        signed["device"]["value"].partition(".")[0],
    ]
    dump = "\n".join(str(row) for table in metadata.tables for row in rows(app, table))
    assert "anna" in dump
    forms = [form for secret in secrets for form in (secret, secret.replace("-", ""), secret.lower())]
    assert [form for form in forms if form in dump] == []


def test_abandoned_sign_ins_are_purged(app: flask.Flask, clock: Clock, phone: App, client: Browser) -> None:
    asked(client)
    clock.advance(599)
    for kept in (1, 0):
        with app.app_context():
            housekeeping.purge()
        assert len(rows(app, "pending_logins")) == kept
        clock.advance(1)


def test_a_sealed_secret_does_not_open_in_another_row(
    app: flask.Flask, clock: Clock, phone: App, ben: Browser, client: Browser
) -> None:
    """Whoever can write to the database cannot give an account an authenticator of theirs."""
    own = enrol(ben)
    sealed = next(row["sealed"] for row in rows(app, "authenticators") if row["name"] != "phone")
    change(app, "authenticators", sealed=sealed)
    clock.advance(NEXT_STEP_S)
    asked(client)
    assert_refused(give(client, own.code()), 401, "invalid_credentials")
    other = app.test_client()
    asked(other, "ben")
    assert give(other, own.code()).status_code == 200


@pytest.mark.control("ASVS-5.0-6.5.6")
def test_several_authenticators_are_named_and_removed(
    app: flask.Flask, clock: Clock, anna: Browser, phone: App, client: Browser
) -> None:
    tablet = enrol(anna)
    assert anna.recovery_codes == []  # there is a set already
    names = [item["name"] for item in anna.get("/api/mfa/totp").json["authenticators"]]
    assert names == ["phone", "Authenticator app"]
    [first, second] = [item["id"] for item in anna.get("/api/mfa/totp").json["authenticators"]]
    assert anna.write(f"/api/mfa/totp/{second}", {"name": "tablet"}, method="PATCH").status_code == 200
    ben = signed_in(app, "ben")
    enrol(ben)
    for method, body in (("PATCH", {"name": "mine"}), ("DELETE", None)):
        assert_refused(ben.write(f"/api/mfa/totp/{first}", body, method=method), 404, "not_found")

    assert anna.write(f"/api/mfa/totp/{first}", method="DELETE").status_code == 200

    clock.advance(NEXT_STEP_S)
    asked(client)
    assert_refused(give(client, phone.code()), 401, "invalid_credentials")
    assert give(client, tablet.code()).status_code == 200
    assert anna.write(f"/api/mfa/totp/{second}", method="DELETE").status_code == 200
    assert rows(app, "recovery_codes") != []  # ben's
    assert anna.get("/api/mfa/recovery-codes").json == {"left": 0, "are_few": True}
    assert app.test_client().sign_in("anna").status_code == 200


# --- recovery codes -------------------------------------------------------------------------------------------------


@pytest.mark.control("ASVS-5.0-6.5.1", "NIST-63B4-3.1.2-1")
def test_a_recovery_code_signs_in_once(app: flask.Flask, anna: Browser, phone: App, client: Browser) -> None:
    code = anna.recovery_codes[0]
    asked(client)
    assert give(client, code.lower().replace("-", " "), "recovery_code").status_code == 200
    assert client.get("/api/check_session").json["auth_level"] == 2
    assert anna.get("/api/mfa/recovery-codes").json == {"left": 9, "are_few": False}
    other = app.test_client()
    asked(other)
    assert_refused(give(other, code, "recovery_code"), 401, "invalid_credentials")
    assert_refused(give(other, anna.recovery_codes[1], "totp"), 401, "invalid_credentials")
    assert give(other, anna.recovery_codes[1], "recovery_code").status_code == 200


def test_a_new_set_makes_the_old_one_void(anna: Browser, phone: App, client: Browser) -> None:
    old = anna.recovery_codes[0]
    new = anna.write("/api/mfa/recovery-codes").json["codes"]
    assert len(set(new)) == 10
    asked(client)
    assert_refused(give(client, old, "recovery_code"), 401, "invalid_credentials")
    assert give(client, new[0], "recovery_code").status_code == 200


def test_a_recovery_code_is_of_one_account(
    app: flask.Flask, anna: Browser, phone: App, ben: Browser, client: Browser
) -> None:
    enrol(ben)
    asked(client)
    assert_refused(give(client, ben.recovery_codes[0], "recovery_code"), 401, "invalid_credentials")


# --- races ----------------------------------------------------------------------------------------------------------


@pytest.mark.control("ASVS-5.0-6.5.1", "ASVS-5.0-15.4.2")
def test_of_many_uses_at_once_one_wins(new_app: NewApp, migrated_url: str, clock: Clock) -> None:
    """Field lessons L17 and L18, with the code of an authenticator and with a recovery code."""
    app = new_app(
        DATABASE_URL=migrated_url, AEGIS_DATABASE_TIMEOUT="20", AEGIS_LIMIT_SECOND_FACTOR="200/9600s"
    )
    anna = signed_in(app, "anna")
    phone = enrol(anna)
    clock.advance(NEXT_STEP_S)
    browsers = [app.test_client() for _ in range(30)]
    for answers in at_once(
        [lambda browser=browser: browser.sign_in("anna").status_code for browser in browsers]
    ):
        assert answers == 401
    tokens = [browser.token() for browser in browsers]

    def use(method: str, code: str) -> list[int]:
        body = {"method": method, "code": code}
        return at_once(
            [
                lambda browser=browser, token=token: (
                    browser.post("/api/login/mfa", json=body, headers={"X-CSRFToken": token}).status_code
                )
                for browser, token in zip(browsers, tokens, strict=True)
            ]
        )

    assert sorted(use("recovery_code", anna.recovery_codes[0])) == [200] + [401] * 29
    assert anna.get("/api/mfa/recovery-codes").json["left"] == 9
    assert sum(status == 200 for status in use("totp", phone.code())) == 1
    assert len([row for row in rows(app, "sessions") if row["method"] != "password"]) == 2


def test_of_two_removals_at_once_one_authenticator_stays(
    new_app: NewApp, migrated_url: str, clock: Clock
) -> None:
    """Each leaves one by itself; together they would leave none to an account that must have one."""
    app = new_app(DATABASE_URL=migrated_url, AEGIS_DATABASE_TIMEOUT="20", AEGIS_MFA_REQUIRED="all")
    anna = signed_in(app, "anna")
    for _ in range(4):
        enrol(anna)
        clock.advance(NEXT_STEP_S)
    ids = [item["id"] for item in anna.get("/api/mfa/totp").json["authenticators"]]
    token = anna.token()

    def remove(authenticator_id: str) -> int:
        path = f"/api/mfa/totp/{authenticator_id}"
        return copy_of(anna).delete(path, headers={"X-CSRFToken": token}).status_code

    found = at_once([lambda each=each: remove(each) for each in ids])

    assert sorted(found) == [200, 200, 200, 409]
    assert len(anna.get("/api/mfa/totp").json["authenticators"]) == 1


def test_one_sign_in_makes_one_session(new_app: NewApp, migrated_url: str, clock: Clock) -> None:
    """Two right answers to one begun sign-in, of different kinds, at once."""
    app = new_app(DATABASE_URL=migrated_url, AEGIS_DATABASE_TIMEOUT="20")
    anna = signed_in(app, "anna")
    phone = enrol(anna)
    clock.advance(NEXT_STEP_S)
    client = app.test_client()
    asked(client)
    cookies = {name: client.get_cookie(name).value for name in ("pending", "visitor")}
    token = client.token()

    def answer(method: str, code: str) -> int:
        copy = app.test_client()
        for name, value in cookies.items():
            copy.set_cookie(name, value)
        body = {"method": method, "code": code}
        return copy.post("/api/login/mfa", json=body, headers={"X-CSRFToken": token}).status_code

    given = [("totp", phone.code()), *[("recovery_code", code) for code in anna.recovery_codes[:4]]]
    found = at_once([lambda each=each: answer(*each) for each in given])

    assert found.count(200) <= 1
    assert len(rows(app, "sessions")) == 1 + found.count(200)


# --- confirming -----------------------------------------------------------------------------------------------------


def test_a_stale_session_is_told_what_would_do(clock: Clock, anna: Browser, phone: App) -> None:
    clock.advance(600)
    refused = assert_refused(anna.write("/api/mfa/recovery-codes"), 401, "reauthentication_required")
    assert refused["methods"] == ["password", "totp", "recovery_code"]
    old = copy_of(anna)
    wrong = anna.write("/api/reauthenticate", {"method": "totp", "code": "000000"})
    assert_refused(wrong, 401, "invalid_credentials")
    assert anna.write("/api/reauthenticate", {"method": "totp", "code": phone.code()}).status_code == 200
    assert not old.is_signed_in()
    assert anna.write("/api/mfa/recovery-codes").status_code == 200
    assert_refused(
        anna.write("/api/reauthenticate", {"method": "totp", "code": phone.code()}),
        401,
        "invalid_credentials",
    )
    assert_refused(anna.write("/api/reauthenticate", {}), 400, "invalid_input")


@pytest.mark.control("ASVS-5.0-7.5.1", "CS-MFA-2")
def test_a_session_from_before_the_factor_needs_it_for_what_is_sensitive(
    app: flask.Flask, clock: Clock, anna: Browser
) -> None:
    """A stolen session cannot add a factor of its own once the owner has one."""
    other = app.test_client()
    other.sign_in("anna")
    assert other.write("/api/mfa/totp").status_code == 200
    phone = enrol(anna)
    clock.advance(NEXT_STEP_S)
    refused = assert_refused(other.write("/api/mfa/totp"), 401, "reauthentication_required")
    assert refused["methods"] == ["totp", "recovery_code"]
    assert other.write("/api/reauthenticate", {"password": PASSWORD}).status_code == 200
    assert_refused(other.write("/api/mfa/totp"), 401, "reauthentication_required")
    assert other.write("/api/reauthenticate", {"method": "totp", "code": phone.code()}).status_code == 200
    assert other.get("/api/check_session").json["auth_level"] == 2
    assert other.write("/api/mfa/totp").status_code == 200


# --- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.control("ASVS-5.0-11.1.1")
def test_factors_outlive_a_change_of_keys(new_app: NewApp, sqlite_url: str, clock: Clock) -> None:
    new_key = STRONG_KEY[::-1]
    first = new_app(DATABASE_URL=sqlite_url, SECRET_KEY=STRONG_KEY)
    anna = signed_in(first, "anna")
    phone = enrol(anna)
    clock.advance(NEXT_STEP_S)

    both = new_app(DATABASE_URL=sqlite_url, SECRET_KEY=new_key, SECRET_KEY_FALLBACKS=STRONG_KEY)
    client = both.test_client()
    asked(client)
    assert give(client, phone.code()).status_code == 200
    asked(client)
    assert give(client, anna.recovery_codes[0], "recovery_code").status_code == 200
    with both.app_context():
        assert service.reseal(state.current(), 10) == 1
        assert service.reseal(state.current(), 10) == 0

    second = new_app(DATABASE_URL=sqlite_url, SECRET_KEY=new_key)
    clock.advance(NEXT_STEP_S)
    client = second.test_client()
    assert asked(client).json["methods"] == ["totp"]  # the codes are void, and it says so
    assert give(client, phone.code()).status_code == 200


# --- pages ----------------------------------------------------------------------------------------------------------


def test_the_pages_add_and_ask_for_an_authenticator(
    app: flask.Flask, clock: Clock, anna: Browser, client: Browser
) -> None:
    assert anna.submit("/account/second-factor/begin").status_code == 303
    page = anna.page("/account/second-factor")
    assert "<svg " in page.text
    secret = page.text.partition('class="secret"><code>')[2].partition("<")[0].replace(" ", "")
    form = form_to(page, "/account/second-factor")
    wrong = anna.submit("/account/second-factor", code="000000", name="my phone")
    assert wrong.status_code == 400
    assert "my phone" in wrong.text
    done = anna.submit("/account/second-factor", **{**form, "code": App(secret).code(), "name": "my phone"})
    assert done.text.count("<li><code>") == 10
    assert "my phone" in anna.page("/account/security").text
    clock.advance(NEXT_STEP_S)

    lead = client.submit("/login", username="anna", password=PASSWORD, next="/profile")
    assert (lead.status_code, lead.location) == (303, "/login/second-factor?next=/profile")
    page = client.page(lead.location)
    assert "One more step" in page.text
    [form] = [form for form in forms(page) if form.get("method") == "totp"]
    wrong = client.submit("/login/second-factor", **{**form, "code": "000000"})
    assert wrong.status_code == 401
    answer = client.submit("/login/second-factor", **{**form, "code": App(secret).code()})
    assert (answer.status_code, answer.location) == (303, "/profile")
    assert client.is_signed_in()
    assert "password and authenticator" in client.page("/account/security").text
    assert client.page("/login/second-factor?next=/profile").location == "/login?next=/profile"


def test_what_was_typed_before_the_session_ended_comes_back_after_both_factors(
    clock: Clock, anna: Browser, phone: App
) -> None:
    clock.advance(3600)
    page = anna.submit("/profile", display_name="Anna B.", bio="What took an hour to write.")
    resume = form_to(page, "/login")["resume"]
    page = anna.submit("/login", username="anna", password=PASSWORD, resume=resume)
    [form] = [form for form in forms(page) if form.get("method") == "totp"]
    page = anna.submit("/login/second-factor", **{**form, "code": phone.code()})
    assert "What took an hour to write." in page.text


def test_a_late_code_leads_back_to_the_password(clock: Clock, phone: App, client: Browser) -> None:
    client.submit("/login", username="anna", password=PASSWORD)
    clock.advance(600)
    page = client.submit("/login/second-factor", method="totp", code=phone.code(), next="/profile")
    assert page.status_code == 401
    assert form_to(page, "/login")["next"] == "/profile"
