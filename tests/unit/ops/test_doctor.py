"""Each check of `aegis check` finds what it is there for, and is content with a good deployment."""

import pytest

from aegis import db, mail
from aegis.ops import doctor, findings
from aegis.ops.findings import State
from tests.factories import add_account, change
from tests.services.process import free_port

GOOD = {
    "AEGIS_URL": "https://platform.test",
    "AEGIS_TRUSTED_PROXIES": "10.0.0.1",
    "AEGIS_SECURITY_CONTACT": "mailto:security@platform.test",
}


def found(app):
    with app.app_context():
        return {item.id: item for item in doctor.CHECKLIST.run(app)}


def states(app):
    return {check_id: item.state for check_id, item in found(app).items()}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Look for files with secrets in a folder of this test's own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def good(new_production_app, tmp_path):
    app = new_production_app(**GOOD)
    app.testing = False  # no request comes, so no housekeeper either
    add_account(app, "boss", role="admin")
    (tmp_path / "aegis.sqlite").chmod(0o600)
    return app


def test_a_good_deployment_has_nothing_to_find(good):
    assert set(states(good).values()) == {State.OK, State.NOT_APPLICABLE}


LEFT = {
    "public-url": {"AEGIS_URL": ""},
    "security-contact": {"AEGIS_SECURITY_CONTACT": ""},
    "security-contact ": {"AEGIS_SECURITY_CONTACT": "security@platform.test"},
    "proxies": {"AEGIS_TRUSTED_PROXIES": "8.0.0.0/8"},
    "hsts": {"AEGIS_HSTS": "300"},
    "session-lifetime": {"PERMANENT_SESSION_LIFETIME": "7200"},
    "session-lifetime ": {"AEGIS_SESSION_OVERALL_LIFETIME": "90000"},
    "server": {"AEGIS_THREADS": "20"},
}


@pytest.mark.parametrize(("check_id", "more"), LEFT.items(), ids=LEFT)
def test_production_may_start_with_it_but_it_is_found(check_id, more, new_production_app):
    item = found(new_production_app(**{**GOOD, **more}))[check_id.strip()]

    assert (item.state, bool(item.fix)) == (State.FINDING, True)


@pytest.mark.parametrize(
    "check_id", ["secret-key", "debug-off", "cookie-flags", "public-url", "argon2-cost", "database-reachable"]
)
def test_settings_of_development_are_found(check_id, app):
    assert states(app)[check_id] is State.FINDING


def test_no_administrator_or_only_a_deactivated_one_is_found(new_production_app):
    app = new_production_app(**GOOD)
    add_account(app, "anna")
    before = states(app)["admin-exists"]
    add_account(app, "boss", role="admin")

    assert (before, states(app)["admin-exists"]) == (State.FINDING, State.OK)
    careless = new_production_app(AEGIS_MFA_REQUIRED="off")
    assert states(careless)["admin-exists"] == State.FINDING


@pytest.mark.parametrize("name", [".env", "aegis.env", "aegis.sqlite"])
@pytest.mark.control("ASVS-5.0-13.3.2")
def test_a_file_with_secrets_that_others_can_read_is_found(name, good, tmp_path):
    file = tmp_path / name
    file.touch()
    file.chmod(0o640)
    closed = states(good)["file-permissions"]
    file.chmod(0o644)
    item = found(good)["file-permissions"]

    assert (closed, item.state) == (State.OK, State.FINDING)
    assert name in item.fix


def test_a_database_that_is_away_fails_and_hides_no_other_check(new_app):
    app = new_app(DATABASE_URL="postgresql://nobody:hunter2@127.0.0.1:1/none")
    items = found(app)

    assert {items[check_id].state for check_id in ("database-reachable", "migrations-current")} == {
        State.FAILS
    }
    assert len(items) == len(doctor.CHECKLIST.titles())
    assert "hunter2" not in findings.as_text(list(items.values()))


def test_an_empty_database_lacks_its_steps(new_app, postgres_url):
    app = new_app(DATABASE_URL=postgres_url)
    items = found(app)

    assert items["database-reachable"].state is State.OK
    assert (items["migrations-current"].state, "db upgrade" in items["migrations-current"].fix) == (
        State.FAILS,
        True,
    )
    assert items["admin-exists"].state is State.FAILS


def test_a_database_server_s_clock_and_connections_are_looked_at(new_app, migrated_database):
    for dialect in ("postgresql", "mariadb"):
        items = found(new_app(DATABASE_URL=migrated_database(dialect)))

        assert (items["clock"].state, "differ by 0." in items["clock"].detail) == (State.OK, True)
        assert (items["server"].state, "allows" in items["server"].detail) == (State.OK, True)


def test_more_hands_than_the_database_takes_are_found(new_app, migrated_database):
    settings = {"AEGIS_WORKERS": "200", "AEGIS_THREADS": "40", "AEGIS_DATABASE_POOL_SIZE": "10"}
    item = found(new_app(DATABASE_URL=migrated_database("postgresql"), **settings))["server"]

    assert (item.state, "2000 connections" in item.detail) == (State.FINDING, True)


def test_a_relay_that_nobody_tried_is_found_with_what_is_not_in_force(new_production_app):
    relay = {"MAIL_URL": "smtp://127.0.0.1:9", "AEGIS_EMAIL_VERIFICATION": "required"}
    item = found(new_production_app(**GOOD, **relay))["mail"]

    assert item.state == State.FINDING
    assert "AEGIS_EMAIL_VERIFICATION=required is not in force" in item.detail
    assert "aegis mail test" in item.fix


def test_mails_that_wait_in_vain_or_were_given_up_are_found(new_production_app, tmp_path):
    app = new_production_app(**GOOD, MAIL_URL=f"file:{tmp_path}/mails", AEGIS_MAIL_EMBEDDED="0")
    assert found(app)["mail"].state == State.OK
    with app.app_context(), db.transaction():
        mail.post("relay_test", "anna@mail.test", code="12345678")
    change(app, "outbox", next_try_at=0)
    assert "wait that nobody sends" in found(app)["mail"].detail
    change(app, "outbox", state="dead")
    item = found(app)["mail"]
    assert (item.state, item.detail) == (State.FINDING, "1 mails were given up.")
    assert "aegis mail retry" in item.fix


def test_redis_is_looked_for_where_it_is_used(new_production_app, redis_url):
    assert found(new_production_app(**GOOD))["redis"].state == State.NOT_APPLICABLE
    assert found(new_production_app(**GOOD, REDIS_URL=redis_url))["redis"].state == State.OK
    away = found(new_production_app(**GOOD, REDIS_URL=f"redis://127.0.0.1:{free_port()}"))["redis"]
    assert (away.state, bool(away.fix)) == (State.FINDING, True)
