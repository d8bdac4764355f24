"""The command line: what an operator types and reads."""

import contextlib
import io
import json

import pytest
from click.testing import CliRunner
from werkzeug.security import generate_password_hash

from academy.cli import main
from aegis.admin import accounts_csv
from aegis.ops.cli import commands
from tests.factories import PASSWORD, dispose, make_app, rows

NO_SUCH = "ERROR: There is no account 'nobody'.\n"


@pytest.fixture
def url(migrated_database):
    return migrated_database("sqlite")


@pytest.fixture
def aegis(url, monkeypatch, own_loggers):
    """Run the command line against a database of this test's own."""
    monkeypatch.setenv("FLASK_ENV", "testing")
    monkeypatch.setenv("DATABASE_URL", url)

    def run(*words, text=""):
        return CliRunner().invoke(main, words, input=text)

    return run


@pytest.fixture
def stored(url):
    """Give what the database holds."""
    with contextlib.ExitStack() as stack:

        def read(table):
            app = make_app(DATABASE_URL=url)
            stack.callback(dispose, app)
            return rows(app, table)

        yield read


@pytest.fixture
def anna(aegis):
    assert (
        aegis(
            "user", "create", "Anna", "--email", "Anna@Mail.test", "--password-stdin", text=PASSWORD
        ).exit_code
        == 0
    )
    return "Anna"


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_the_summary_in_help_is_the_command_s_own(name):
    _, summary = commands.COMMANDS[name]
    own = main.get_command(None, name).get_short_help_str(limit=200)

    assert own.startswith(summary.removesuffix("."))
    assert summary in " ".join(CliRunner().invoke(main, ["--help"]).stdout.split())


def test_the_first_administrator_comes_from_here_and_may_be_called_so(aegis, stored):
    typed = aegis("user", "create", "admin", "--role", "admin", text=f"{PASSWORD}\n{PASSWORD}\n")

    assert (typed.exit_code, PASSWORD in typed.output) == (0, False)
    [account] = stored("accounts")
    assert (account["username"], account["role"], account["is_active"]) == ("admin", "admin", True)
    [emergency] = stored("recovery_codes")
    assert emergency["is_break_glass"]
    assert "Emergency code of admin: " in typed.output
    second = aegis("user", "create", "eve", "--role", "admin", "--password-stdin", text=PASSWORD)
    assert "Emergency code" not in second.output
    assert "Emergency code of eve: " in aegis("user", "break-glass", "eve").output
    assert len(stored("recovery_codes")) == 2


@pytest.mark.control("ASVS-5.0-6.2.1", "ASVS-5.0-6.2.4")
@pytest.mark.parametrize(
    ("words", "text", "says"),
    [
        (["x"], PASSWORD, "username: Use 2 to 64 characters"),
        (["carla"], "short", "password: Use at least 15 characters"),
        (["carla"], "password1password1", "password: "),
        (["carla", "--email", "nothing"], PASSWORD, "email: "),
        (["ANNA"], PASSWORD, "username: This user name is taken"),
    ],
    ids=["name", "short", "listed", "address", "taken"],
)
def test_an_account_that_breaks_a_rule_is_not_made(  # noqa: PLR0917 - a case and what it stands on
    words, text, says, aegis, anna, stored
):
    done = aegis("user", "create", *words, "--password-stdin", text=text)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"ERROR: {says}")
    assert len(stored("accounts")) == 1


def test_a_password_is_never_an_argument(aegis):
    done = aegis("user", "create", "carla", "--password", PASSWORD)

    assert (done.exit_code, "No such option" in done.stderr) == (2, True)


def test_accounts_are_listed_and_shown_in_any_spelling(aegis, anna):
    listed = aegis("user", "list")
    as_json = json.loads(aegis("user", "list", "--json").stdout)
    shown = json.loads(aegis("user", "show", "ANNA@mail.TEST", "--json").stdout)

    assert listed.stdout == "Anna  learner  Anna@mail.test\n"
    assert [user["username"] for user in as_json["users"]] == ["Anna"]
    assert (shown["username"], shown["sessions"]) == ("Anna", 0)
    assert "hash" not in listed.stdout + json.dumps(as_json) + json.dumps(shown)


@pytest.mark.parametrize(
    "words",
    [
        ["show"],
        ["deactivate"],
        ["revoke-sessions"],
        ["set-role"],
        ["reset-mfa"],
        ["break-glass"],
        ["expire-password"],
    ],
)
def test_an_unknown_account_is_one_clear_line(words, aegis, anna):
    done = aegis("user", *words, "nobody", *(["admin"] if words == ["set-role"] else []))

    assert (done.exit_code, done.stdout, done.stderr) == (1, "", NO_SUCH)


@pytest.mark.control("ASVS-5.0-7.4.2")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["set-role", "anna", "teacher"], {"role": "teacher", "is_active": True}),
        (["deactivate", "anna"], {"role": "learner", "is_active": False}),
        (["revoke-sessions", "anna"], {"role": "learner", "is_active": True}),
        (["reset-mfa", "anna"], {"role": "learner", "is_active": True}),
        (["expire-password", "anna"], {"role": "learner", "must_change_password": True}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_role_deactivation_and_revocation_end_the_sessions(words, expected, aegis, anna, url):
    app = make_app(DATABASE_URL=url)
    browser = app.test_client()
    browser.sign_in("anna")
    assert browser.is_signed_in()

    done = aegis("user", *words)

    [account] = rows(app, "accounts")
    assert done.exit_code == 0
    assert {key: account[key] for key in expected} == expected
    assert not browser.is_signed_in()
    dispose(app)


def test_a_role_that_is_none_is_refused(aegis, anna):
    done = aegis("user", "set-role", "anna", "king")

    assert (done.exit_code, "'king' is not one of" in done.stderr) == (2, True)


def test_expired_sessions_are_purged_and_live_ones_stay(aegis, anna, url):
    app = make_app(DATABASE_URL=url)
    app.test_client().sign_in("anna")

    assert aegis("sessions", "purge").stdout == "0 expired sessions deleted.\n"
    assert len(rows(app, "sessions")) == 1
    dispose(app)


def test_a_database_that_is_away_is_one_clear_line(aegis, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    done = aegis("user", "list")

    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_a_database_without_tables_names_the_command(aegis, monkeypatch, postgres_url):
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    done = aegis("user", "list")

    assert (done.exit_code, "flask --app app db upgrade" in done.stderr) == (1, True)


def test_courses_are_commands_of_the_same_program(aegis):
    done = aegis("course", "list")

    assert (done.exit_code, done.output) == (0, "")


def test_secret_prints_a_key_that_production_takes_and_nothing_else(aegis, monkeypatch):
    keys = {aegis("secret").stdout for _ in range(3)}

    assert len(keys) == 3
    for key in keys:
        monkeypatch.setenv("SECRET_KEY", key.strip())
        monkeypatch.setenv("FLASK_ENV", "production")
        monkeypatch.setenv("DATABASE_URL", "postgresql://h/n")
        assert aegis("config").exit_code == 0


def test_config_tells_value_origin_and_unit_and_masks(aegis, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@h/n")
    monkeypatch.setenv("AEGIS_THREADS", "8")
    done, as_json = aegis("config"), json.loads(aegis("config", "--json").stdout)
    by_name = {item["name"]: item for item in as_json["settings"]}

    assert "hunter2" not in done.stdout + json.dumps(as_json)
    assert by_name["DATABASE_URL"]["value"] == "postgresql://u:********@h/n"
    assert (by_name["AEGIS_THREADS"]["value"], by_name["AEGIS_THREADS"]["origin"]) == ("8", "environment")
    assert (by_name["AEGIS_HSTS"]["unit"], by_name["AEGIS_HSTS"]["origin"]) == ("seconds", "default")
    assert any(line.split() == ["AEGIS_THREADS", "8", "environment"] for line in done.stdout.splitlines())


HASH = generate_password_hash(PASSWORD)
GOOD = f"username,email,role,is_active,password_hash\nben,ben@mail.test,teacher,1,{HASH}\ncarla,,,0,\n"


def test_an_import_lets_people_keep_their_passwords(aegis, url, stored, tmp_path):
    file = tmp_path / "accounts.csv"
    file.write_text(GOOD)
    tried, stored_by_trial = aegis("user", "import", str(file), "--dry-run"), stored("accounts")
    done = aegis("user", "import", "-", text=GOOD)
    app = make_app(DATABASE_URL=url)
    browser = app.test_client()

    assert (tried.exit_code, stored_by_trial) == (0, [])
    assert done.exit_code == 0
    assert browser.sign_in("ben").status_code == 200
    assert [(row["username"], row["role"], row["is_active"]) for row in rows(app, "accounts")] == [
        ("ben", "teacher", True),
        ("carla", "learner", False),
    ]
    dispose(app)


FAULTS = {
    "no name": ("email\na@mail.test\n", "line 1: the columns must be username"),
    "unknown column": ("username,shoe\nben,42\n", "line 1: the columns must be"),
    "twice a column": ("username,username\nben,ben\n", "line 1: the columns must be"),
    "empty": ("", "line 1: the columns must be"),
    "cells": ("username,email\nben\n", "line 2: has 1 cells where the first line has 2"),
    "quote": ('username\nben\n"carla\n', "line 4: this is not CSV"),
    "name": ("username\nben\nb\u0435n\n", "line 3: username: "),
    "address": ("username,email\nben,nothing\n", "line 2: email: "),
    "role": ("username,role\nben,king\n", "line 2: role: must be one of learner, teacher, admin"),
    "switch": ("username,is_active\nben,yes\n", "line 2: is_active: must be 1 or 0"),
    "plain password": (f"username,password_hash\nben,{PASSWORD}\n", "line 2: password_hash: is no hash"),
    "same name": ("username\nben\n\nBEN\n", "line 4: username: is the same as in line 2"),
    "same address": (
        "username,email\nben,x@mail.test\ncarla,X@mail.test\n",
        "line 3: email: is the same as in line 2",
    ),
    "taken": ("username\nben\nANNA\n", "line 3: username: is taken"),
}


@pytest.mark.parametrize(("text", "says"), FAULTS.values(), ids=FAULTS)
def test_an_import_with_a_fault_stores_nothing_and_names_the_line(text, says, aegis, anna, stored):
    done = aegis("user", "import", "-", text=text)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"ERROR: {says}")
    assert done.stderr.endswith("ERROR: Nothing was stored.\n")
    assert len(stored("accounts")) == 1


def test_all_faults_of_an_import_come_at_once(aegis, anna):
    done = aegis("user", "import", "-", text="username,role\nx,king\nanna,learner\n")

    assert done.stderr.count("ERROR: line ") == 3


def test_an_export_holds_hashes_only_on_request_and_can_be_imported(  # noqa: PLR0917 - fixtures
    aegis, anna, url, stored, migrated_database, monkeypatch
):
    plain, whole = aegis("user", "export").stdout, aegis("user", "export", "--with-hashes").stdout
    [before] = stored("accounts")
    monkeypatch.setenv("DATABASE_URL", other := migrated_database("sqlite"))
    done = aegis("user", "import", "-", text=whole)
    app = make_app(DATABASE_URL=other)
    [after] = rows(app, "accounts")
    dispose(app)

    assert plain == "username,email,role,is_active\nAnna,Anna@mail.test,learner,1\n"
    assert done.exit_code == 0
    kept = (
        "username",
        "username_canonical",
        "email",
        "email_canonical",
        "role",
        "is_active",
        "password_hash",
    )
    assert {key: before[key] for key in kept} == {key: after[key] for key in kept}


@pytest.mark.parametrize(
    "password_hash", ["scrypt:32768:8:1$salt$" + "0" * 128, "!", HASH, "pbkdf2:sha256:600000$s$" + "a" * 64]
)
def test_hashes_of_other_programs_are_taken(password_hash, app):
    with app.app_context():
        file = io.StringIO(f"username,password_hash\nben,{password_hash}\n")
        assert accounts_csv.load(file, is_dry_run=True) == 1
