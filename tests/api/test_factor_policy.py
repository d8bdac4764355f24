"""Who must have a second factor gets nowhere without one, and what an administrator may do needs it used, lately."""

from collections.abc import Iterator

import flask
import pytest

from academy.courses import publishing
from academy.courses.model import CourseText
from aegis import admin_required, second_factor_required, state
from aegis.accounts import standing
from aegis.login import resets
from aegis.mfa import recovery, totp
from tests.authenticator import Authenticator
from tests.codes import App, enrol, give
from tests.factories import (
    PASSWORD,
    Browser,
    add_account,
    assert_refused,
    copy_of,
    dispose,
    make_app,
    rows,
    set_cookies,
    signed_in,
    wipe,
)
from tests.fixtures import Clock, NewApp

SHORT = "gx7 lumo"


@pytest.fixture(scope="module")
def _strict_app() -> Iterator[flask.Flask]:
    app = make_app(AEGIS_MFA_REQUIRED="teacher")
    app.add_url_rule("/for-admins", "for_admins", admin_required(lambda: "ok"))
    app.add_url_rule("/for-two-factors", "for_two_factors", second_factor_required(lambda: "ok"))
    yield app
    dispose(app)


@pytest.fixture
def strict_app(_strict_app: flask.Flask, clock: Clock) -> flask.Flask:
    """Give a platform whose teachers and administrators must have a second factor."""
    wipe(_strict_app)
    return _strict_app


@pytest.fixture
def ada(strict_app: flask.Flask) -> Browser:
    """Give an administrator who has no second factor yet."""
    return signed_in(strict_app, "ada", role="admin")


# --- the forced step ------------------------------------------------------------------------------------------------


@pytest.mark.control("ASVS-5.0-6.3.3", "ASVS-5.0-8.2.1")
def test_without_a_factor_only_adding_one_is_possible(ada: Browser) -> None:
    for path in ("/api/profile", "/api/sessions", "/api/devices", "/api/activity", "/api/mfa/recovery-codes"):
        assert_refused(ada.get(path), 403, "mfa_enrolment_required")
    for path, body in (
        ("/api/profile", {"bio": "x"}),
        ("/api/profile/change-password", {"current_password": PASSWORD, "new_password": SHORT}),
        ("/api/courses/locks/enrol", None),
    ):
        assert_refused(ada.write(path, body), 403, "mfa_enrolment_required")
    assert_refused(ada.get("/auth/check"), 401, "not_authenticated")
    assert_refused(ada.get("/for-admins"), 403, "mfa_enrolment_required")
    assert ada.get("/api/check_session").json["auth_level"] == 1
    old = copy_of(ada)

    enrol(ada)

    assert not old.is_signed_in()
    assert ada.get("/api/profile").status_code == 200
    assert ada.get("/auth/check").status_code == 204
    assert ada.get("/for-admins").text == "ok"


def test_pages_for_everybody_show_nothing_of_the_account(strict_app: flask.Flask, ada: Browser) -> None:
    """A stolen password reads no note."""
    with strict_app.app_context():
        publishing.publish(CourseText("locks", "Locks", "About locks.", "en", True, (), ()))
    assert 'name="content"' not in ada.page("/courses/locks").text
    enrol(ada)
    assert ada.write("/api/courses/locks/enrol").status_code == 200
    assert 'name="content"' in ada.page("/courses/locks").text


def test_every_route_is_shut_but_those_of_the_step(strict_app: flask.Flask, ada: Browser) -> None:
    """The list is short on purpose: whatever is added opens by being named here and marked there."""
    opened = {
        rule.endpoint
        for rule in strict_app.url_map.iter_rules()
        if "enrol_factor" in getattr(strict_app.view_functions[rule.endpoint], "before_steps", ())
    }
    assert opened == {
        "aegis_mfa.list_authenticators",
        "aegis_mfa.begin",
        "aegis_mfa.confirm",
        "aegis_passkeys.list_passkeys",
        "aegis_passkeys.begin_adding",
        "aegis_passkeys.add_passkey",
        "aegis_login.login",
        "aegis_login.login_with_factor",
        "aegis_login.login_with_passkey",
        "aegis_login.reauthenticate",
        "aegis_login.begin_confirming",
        "aegis_login.reauthenticate_with_passkey",
        "aegis_pages.reauthenticate",
        "aegis_pages.reauthenticate_post",
        "aegis_pages.confirm_with_passkey",
        "aegis_pages.add_passkey",
        "aegis_pages.new_authenticator",
        "aegis_pages.begin_authenticator",
        "aegis_pages.confirm_authenticator",
    }
    assert ada.write("/api/logout").status_code == 200


def test_a_passkey_will_do(strict_app: flask.Flask, ada: Browser) -> None:
    options = ada.write("/api/passkeys/options").json["publicKey"]
    key = Authenticator()
    assert ada.write("/api/passkeys", {"credential": key.create(options)}).status_code == 201
    assert ada.get("/for-admins").text == "ok"
    other = strict_app.test_client()
    refused = assert_refused(other.sign_in("ada"), 401, "mfa_required")
    assert refused["methods"] == ["passkey"]
    options = other.write("/api/login/passkey/options").json["publicKey"]
    body = {"method": "passkey", "credential": key.get(options)}
    assert other.write("/api/login/mfa", body).status_code == 200
    assert other.get("/for-admins").text == "ok"
    [passkey] = [item["id"] for item in other.get("/api/passkeys").json["passkeys"]]
    assert_refused(other.write(f"/api/passkeys/{passkey}", method="DELETE"), 409, "conflict")


def test_who_adds_a_passkey_for_comfort_keeps_the_password(strict_app: flask.Flask) -> None:
    learner = signed_in(strict_app, "lea")
    options = learner.write("/api/passkeys/options").json["publicKey"]
    assert learner.write("/api/passkeys", {"credential": Authenticator().create(options)}).status_code == 201
    other = strict_app.test_client()
    assert other.sign_in("lea").status_code == 200
    refused = assert_refused(other.get("/for-two-factors"), 401, "reauthentication_required")
    assert refused["methods"] == ["passkey"]


def test_the_last_factor_stays(strict_app: flask.Flask, clock: Clock, ada: Browser) -> None:
    enrol(ada)
    [first] = [item["id"] for item in ada.get("/api/mfa/totp").json["authenticators"]]
    assert_refused(ada.write(f"/api/mfa/totp/{first}", method="DELETE"), 409, "conflict")
    assert len(ada.get("/api/mfa/totp").json["authenticators"]) == 1
    clock.advance(totp.STEP_S)
    enrol(ada)
    assert ada.write(f"/api/mfa/totp/{first}", method="DELETE").status_code == 200


def test_a_role_that_needs_a_factor_asks_for_it_at_the_next_sign_in(strict_app: flask.Flask) -> None:
    lea = signed_in(strict_app, "lea")
    assert lea.get("/api/profile").status_code == 200
    with strict_app.app_context():
        standing.set_role(rows(strict_app, "accounts")[0]["id"], "teacher")
    assert not lea.is_signed_in()
    assert lea.sign_in("lea").status_code == 200
    assert_refused(lea.get("/api/profile"), 403, "mfa_enrolment_required")


@pytest.mark.parametrize(
    ("policy", "role", "is_shut"),
    [
        ("off", "admin", False),
        ("admin", "admin", True),
        ("admin", "teacher", False),
        ("teacher", "learner", False),
        ("all", "learner", True),
    ],
)
def test_the_policy_says_who(new_app: NewApp, policy: str, role: str, is_shut: bool) -> None:
    somebody = signed_in(new_app(AEGIS_MFA_REQUIRED=policy), "somebody", role=role)
    assert somebody.get("/api/profile").status_code == (403 if is_shut else 200)


def test_in_production_administrators_must(production_app: flask.Flask) -> None:
    ada = signed_in(production_app, "ada", role="admin")
    assert_refused(ada.get("/api/profile"), 403, "mfa_enrolment_required")
    assert signed_in(production_app, "lea").get("/api/profile").status_code == 200


@pytest.mark.control("ASVS-5.0-6.2.1", "NIST-63B4-3.1.1.2-1")
def test_a_password_beside_a_compulsory_factor_may_be_shorter(strict_app: flask.Flask, ada: Browser) -> None:
    enrol(ada)
    body = {"current_password": PASSWORD, "new_password": SHORT}
    assert ada.write("/api/profile/change-password", body).status_code == 200
    lea = signed_in(strict_app, "lea")
    refused = assert_refused(lea.write("/api/profile/change-password", body), 400, "invalid_input")
    assert "at least 15" in refused["fields"]["new_password"]
    assert "8 characters or more" in ada.page("/account/security").text
    assert "15 characters or more" in lea.page("/account/security").text


# --- guards ---------------------------------------------------------------------------------------------------------


@pytest.mark.control("CS-MFA-3", "ASVS-5.0-7.5.3")
def test_administration_needs_role_factor_and_a_fresh_sign_in(
    strict_app: flask.Flask, clock: Clock, ada: Browser
) -> None:
    lea = signed_in(strict_app, "lea")
    phone = enrol(lea)
    assert lea.get("/for-two-factors").text == "ok"
    assert_refused(lea.get("/for-admins"), 403, "forbidden")
    assert_refused(strict_app.test_client().get("/for-admins"), 401, "not_authenticated")
    own = enrol(ada)
    assert ada.get("/for-admins").text == "ok"
    clock.advance(600)
    refused = assert_refused(ada.get("/for-admins"), 401, "reauthentication_required")
    assert refused["methods"] == ["password", "totp", "recovery_code"]
    assert ada.write("/api/reauthenticate", {"method": "totp", "code": own.code()}).status_code == 200
    assert ada.get("/for-admins").text == "ok"
    assert phone.secret != own.secret


def test_without_policy_administration_still_needs_a_factor(new_app: NewApp) -> None:
    app = new_app()
    app.add_url_rule("/for-admins", "for_admins", admin_required(lambda: "ok"))
    ada = signed_in(app, "ada", role="admin")
    assert ada.get("/api/profile").status_code == 200
    assert_refused(ada.get("/for-admins"), 403, "mfa_enrolment_required")
    enrol(ada)
    assert ada.get("/for-admins").text == "ok"


def test_pages_lead_to_adding_a_factor_and_back(strict_app: flask.Flask, ada: Browser) -> None:
    lead = ada.page("/for-admins")
    assert (lead.status_code, lead.location) == (303, "/account/second-factor?next=/for-admins")
    page = ada.page(lead.location)
    assert "Your account needs a second factor" in page.text
    begun = ada.submit("/account/second-factor/begin", next="/for-admins")
    assert begun.location == "/account/second-factor?next=/for-admins"
    secret = ada.page(begun.location).text.partition('class="secret"><code>')[2].partition("<")[0]
    done = ada.submit(
        "/account/second-factor", code=App(secret.replace(" ", "")).code(), name="", next="/for-admins"
    )
    assert 'href="/for-admins">I have kept them' in done.text
    assert ada.page("/for-admins").text == "ok"


def test_pages_lead_to_the_second_factor_and_finish_what_was_begun(
    strict_app: flask.Flask, clock: Clock
) -> None:
    """Step-up keeps the form: what was typed comes back after the code."""
    lea = signed_in(strict_app, "lea")
    other = strict_app.test_client()
    other.sign_in("lea")
    phone = enrol(other)
    clock.advance(totp.STEP_S)
    page = lea.submit("/profile/email", email="lea@mail.test")
    assert page.status_code == 401
    assert 'name="password"' not in page.text
    resume = page.text.partition('name="resume" value="')[2].partition('"')[0]
    page = lea.submit("/reauthenticate", method="totp", code="000000", resume=resume, level="2")
    assert page.status_code == 401
    assert resume in page.text
    page = lea.submit("/reauthenticate", method="totp", code=phone.code(), resume=resume, level="2")
    assert 'value="lea@mail.test"' in page.text
    assert lea.submit("/profile/email", email="lea@mail.test").status_code == 303


# --- what operators do ----------------------------------------------------------------------------------------------


@pytest.mark.control("ASVS-5.0-6.4.4", "ASVS-5.0-7.4.3")
def test_factors_that_were_lost_are_taken_away(strict_app: flask.Flask, ada: Browser) -> None:
    enrol(ada)
    waiting = strict_app.test_client()
    assert_refused(waiting.sign_in("ada"), 401, "mfa_required")
    with strict_app.app_context():
        assert resets.take_away(state.current(), rows(strict_app, "accounts")[0]["id"]) == 1
    assert not ada.is_signed_in()
    assert_refused(give(waiting, "000000"), 401, "sign_in_expired")
    assert waiting.sign_in("ada").status_code == 200
    assert_refused(waiting.get("/api/profile"), 403, "mfa_enrolment_required")
    assert rows(strict_app, "recovery_codes") == rows(strict_app, "authenticators") == []
    [event] = [row for row in rows(strict_app, "audit") if row["event"] == "user_factors_reset"]
    assert '"removed":1' in event["data"].replace(" ", "")


def test_the_emergency_code_opens_once_and_is_told_loudly(
    strict_app: flask.Flask, ada: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    enrol(ada)
    with strict_app.app_context():
        account_id = rows(strict_app, "accounts")[0]["id"]
        void = recovery.break_glass(state.current(), account_id)
        code = recovery.break_glass(state.current(), account_id)
    assert ada.write("/api/mfa/recovery-codes").status_code == 200  # a new set leaves it alone
    assert all(code.replace("-", "") not in str(row) for row in rows(strict_app, "recovery_codes"))
    other = strict_app.test_client()
    other.sign_in("ada")
    assert_refused(give(other, void, "recovery_code"), 401, "invalid_credentials")
    assert give(other, code, "recovery_code").status_code == 200
    assert other.get("/for-admins").text == "ok"
    assert [line.levelname for line in caplog.records if line.message == "authn_break_glass_used"] == [
        "CRITICAL"
    ]
    other.sign_in("ada")
    assert_refused(give(other, code, "recovery_code"), 401, "invalid_credentials")


@pytest.mark.control("ASVS-5.0-6.4.1")
def test_a_password_that_somebody_gave_opens_only_the_choice_of_another(strict_app: flask.Flask) -> None:
    lea = signed_in(strict_app, "lea", is_temporary=True)
    assert_refused(lea.get("/api/profile"), 403, "password_change_required")
    assert_refused(lea.get("/auth/check"), 401, "not_authenticated")
    assert lea.page("/profile").location == "/account/password"
    assert "Choose a password of your own" in lea.page("/account/password").text
    wrong = lea.submit("/account/password", current_password=PASSWORD, new_password="short")
    assert "Choose a password of your own" in wrong.text
    body = {"current_password": PASSWORD, "new_password": "seven purple boats under a bridge"}
    assert lea.write("/api/profile/change-password", body).status_code == 200
    assert lea.get("/api/profile").status_code == 200


def test_one_forced_step_follows_the_other(strict_app: flask.Flask) -> None:
    add_account(strict_app, "tom", role="teacher", is_temporary=True)
    tom = strict_app.test_client()
    assert "session" in set_cookies(tom.sign_in("tom"))
    assert_refused(tom.get("/api/profile"), 403, "mfa_enrolment_required")
    enrol(tom)
    assert_refused(tom.get("/api/profile"), 403, "password_change_required")
    body = {"current_password": PASSWORD, "new_password": "seven purple boats under a bridge"}
    assert tom.write("/api/profile/change-password", body).status_code == 200
    assert tom.get("/api/profile").status_code == 200


# --- notices --------------------------------------------------------------------------------------------------------


@pytest.mark.control("CS-MFA-2", "CS-MFA-4")
def test_owners_are_told_by_mail(strict_app: flask.Flask, clock: Clock) -> None:
    sent = strict_app.extensions["aegis"].sender.transport.messages
    sent.clear()

    def told() -> list[str]:
        found = [f"{mail['To']}: {mail['Subject']}" for mail in sent]
        sent.clear()
        return [line.removeprefix("lea@mail.test: ") for line in found]

    lea = signed_in(strict_app, "lea", email="lea@mail.test")
    phone = enrol(lea)
    assert told() == [
        "An authenticator was added to your account",
        "A new set of recovery codes was made for your account",
    ]
    clock.advance(totp.STEP_S)
    thief = strict_app.test_client()
    assert_refused(thief.sign_in("lea"), 401, "mfa_required")
    for _ in range(3):
        assert_refused(give(thief, "000000"), 401, "invalid_credentials")
    text = sent[0].get_body(("plain",)).get_content()
    assert "15 January 2027" in text
    assert "127.0.0.1" in text
    assert told() == ["Somebody who knew your password tried to sign in and failed at the second factor"]
    lea.write("/api/logout")
    assert_refused(lea.sign_in(), 401, "mfa_required")
    assert_refused(give(lea, "000000"), 401, "invalid_credentials")
    assert told() == []  # on a device that signed in before, it is the owner who mistyped it
    assert give(lea, lea.recovery_codes[0], "recovery_code").status_code == 200
    assert told() == ["A recovery code of your account was used"]
    [added] = [item["id"] for item in lea.get("/api/mfa/totp").json["authenticators"]]
    assert lea.write(f"/api/mfa/totp/{added}", method="DELETE").status_code == 200
    assert told() == ["An authenticator was removed from your account"]
    with strict_app.app_context():
        resets.take_away(state.current(), rows(strict_app, "accounts")[0]["id"])
    assert told() == ["All second factors of your account were removed"]
    assert phone.secret
