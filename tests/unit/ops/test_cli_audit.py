"""`aegis audit` as an operator types it."""

import json
import stat

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from academy.cli import main
from aegis import audit, db
from aegis.audit import Event
from aegis.schema import audit as table
from aegis.web import Client
from tests.factories import dispose, make_app

HERE = Client("192.0.2.7", "test", "0123456789abcdef")


@pytest.fixture
def url(migrated_database):
    return migrated_database("sqlite")


@pytest.fixture
def app(url):
    """Give the serving process, which has written six rows."""
    made = make_app(DATABASE_URL=url)
    with made.app_context():
        for number in range(5):
            audit.record(Event.LOGIN_SUCCESS, HERE, account_id="anna", note=number)
    yield made
    dispose(made)


@pytest.fixture
def aegis(url, monkeypatch, own_loggers):
    monkeypatch.setenv("FLASK_ENV", "testing")
    monkeypatch.setenv("DATABASE_URL", url)

    def run(*words, text=""):
        return CliRunner().invoke(main, ["audit", *words], input=text)

    return run


def tamper(app, statement):
    with app.app_context():
        assert db.change(statement)


def at(number):
    return table.c.number == number


def test_a_whole_record_is_told_so(aegis, app):
    done = aegis("verify")

    assert done.exit_code == 0
    assert done.stdout == (
        "6 rows judged: all is well. Without --heads a cut-off end of the newest chains cannot show.\n"
    )


@pytest.mark.control("ASVS-5.0-16.4.2")
@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (sa.update(table).where(at(3)).values(account_id="ben"), "row 3 was changed or inserted"),
        (sa.delete(table).where(at(3)), "row 3 is missing."),
        (sa.update(table).where(at(6)).values(number=9), "row 6 stands at 9: the order was changed."),
    ],
    ids=["changed", "removed", "moved"],
)
def test_each_fault_names_its_row_and_what_happened(statement, says, aegis, app):
    tamper(app, statement)

    done = aegis("verify")
    as_json = aegis("verify", "--json")

    assert (done.exit_code, as_json.exit_code) == (1, 1)
    first = json.loads(as_json.stdout)["faults"][0]
    assert says in done.stdout
    assert done.stdout.startswith(f"chain {first['chain']} row {first['number']} {first['fault']}\n")
    assert "fault" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("source", ["heads", "jsonl", "syslog"])
def test_a_cut_off_tail_shows_against_what_left_the_machine(source, aegis, app, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text((aegis("heads") if source == "heads" else aegis("export", "--format", source)).stdout)
    assert aegis("verify", "--heads", str(kept)).exit_code == 0

    tamper(app, sa.delete(table).where(table.c.number > 4, table.c.account_id == "anna"))

    done = aegis("verify", "--heads", str(kept))
    assert (done.exit_code, "row 5 and the rows up to 6 are missing" in done.stdout) == (1, True)
    assert aegis("verify", "--heads", "-", text=kept.read_text()).stdout == done.stdout


def test_a_number_beyond_any_chain_ends_the_verification_all_the_same(aegis, app):
    tamper(app, sa.update(table).where(at(6)).values(number=2**62))

    done = aegis("verify")

    assert done.exit_code == 1
    assert f"row {2**62} stands out of order." in done.stdout


@pytest.mark.control("ASVS-5.0-16.4.1")
def test_a_fault_prints_nothing_that_a_terminal_obeys(aegis, app):
    tamper(app, sa.update(table).where(at(6)).values(chain="\x1b[31m\r\nfine"))

    done = aegis("verify")

    assert done.exit_code == 1
    assert "chain ?[31m??fine row 6 " in done.stdout
    assert "\x1b" not in done.stdout + aegis("export").stdout + aegis("heads").stdout


@pytest.mark.parametrize(("chosen", "begins"), [("jsonl", "{"), ("cef", "CEF:0|"), ("syslog", "<86>1 ")])
def test_the_format_of_an_export_is_a_setting_or_an_option(chosen, begins, aegis, app, monkeypatch):
    by_option = aegis("export", "--format", chosen)
    monkeypatch.setenv("AEGIS_AUDIT_EXPORT_FORMAT", chosen)
    by_setting = aegis("export")

    assert (by_option.exit_code, by_setting.exit_code) == (0, 0)
    assert all(line.startswith(begins) for line in by_setting.stdout.splitlines())
    assert set(by_option.stdout.splitlines()) < set(by_setting.stdout.splitlines())


def test_an_export_begins_where_it_is_told_to_and_is_recorded(aegis, app, clock):
    clock.advance(-10)
    with app.app_context():
        audit.record(Event.LOGIN_FAILURE, HERE, account_id="anna")
    clock.advance(10)

    since = aegis("export", "--since", "2027-01-15T08:00:00Z").stdout.splitlines()
    everything = aegis("export", "--since", "2027-01-15").stdout.splitlines()

    assert "authn_login_fail" not in "".join(since)
    assert json.loads(since[-1])["event"] == "authz_admin"
    assert json.loads(since[-1])["data"] == {"what": "export"}
    assert "authn_login_fail" in "".join(everything)


def test_a_time_that_is_none_is_refused_with_the_fix(aegis, app):
    done = aegis("export", "--since", "yesterday")

    assert (done.exit_code, "such as 2026-11-25" in done.stderr) == (2, True)


def test_an_exported_file_is_for_its_owner_alone(aegis, app, tmp_path):
    file = tmp_path / "record.jsonl"

    assert aegis("export", "--output", str(file)).exit_code == 0

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text().splitlines()) >= 6
