"""The database comes up to date: by one process of many, after a kill, from an older release, on all three kinds."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from academy import create_app, migrate, schema
from aegis import errors
from aegis.db import Database
from tests.fixtures import NewApp

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "flask", "--app", "app", "db"]
HEAD = migrate.head()
LATER = "9000"
STEP = f'''"""A step of a later release."""

import sqlalchemy as sa

from academy.migrations import steps

revision = "{LATER}"
down_revision = "{HEAD}"


def upgrade() -> None:
    steps.add_column("courses", sa.Column("level", sa.Integer))
    steps.create_index("courses", ["level"])
'''
TWICE = STEP + STEP.partition("-> None:\n")[2]
FAILING = STEP.partition("    steps.create_index")[0] + '    raise RuntimeError("in the middle")\n'


@pytest.fixture
def open_database() -> Iterator[Callable[[str], Database]]:
    """Give a way to open databases whose connections end with the test."""
    with contextlib.ExitStack() as stack:

        def opened(url: str) -> Database:
            database = Database(url, pool_size=2, timeout_s=5, prepare=lambda _: None)
            stack.callback(database.engine.dispose)
            return database

        yield opened


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Give a copy of the history, to which a test adds a step of a later release."""
    copy = tmp_path / "migrations"
    shutil.copytree(migrate.SCRIPTS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def add_step(scripts: Path, content: str) -> None:
    """Write the later release's step, so that no compiled form of an earlier one is taken for it."""
    (scripts / "versions" / f"{LATER}_later.py").write_text(content)
    shutil.rmtree(scripts / "versions" / "__pycache__", ignore_errors=True)


def environment(url: str) -> dict[str, str]:
    """Return what a command of the operator runs under."""
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": url,
        "FLASK_ENV": "development",
        "PYTHONPATH": str(ROOT / "src"),
    }


def start(url: str, *words: str) -> "subprocess.Popen[str]":
    """Start a command of the operator."""
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=ROOT,
        env=environment(url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def run(url: str, *words: str) -> tuple[int, str, str]:
    """Run a command of the operator: exit status, output, errors."""
    with start(url, *words) as process:
        output, faults = process.communicate(timeout=120)
    return process.returncode, output, faults


def tables_of(database: Database) -> set[str]:
    """Return the names of the tables that are there now."""
    return set(sa.inspect(database.engine).get_table_names())


def differences(database: Database) -> list[str]:
    """Return how the tables differ from the metadata."""
    with migrate.own_connection(database) as connection:
        return migrate.list_differences(connection)


def test_the_migrated_tables_are_those_of_the_metadata(
    database_url: str, open_database: Callable[[str], Database]
) -> None:
    database = open_database(database_url)
    assert not migrate.is_current(database)
    assert migrate.upgrade(database) == (None, HEAD)
    assert differences(database) == []
    assert migrate.is_current(database)
    assert tables_of(database) == {*schema.metadata.tables, "alembic_version"}


def test_a_difference_would_be_found(database_url: str, open_database: Callable[[str], Database]) -> None:
    database = open_database(database_url)
    migrate.upgrade(database)
    with database.engine.connect() as connection:
        drop_index(connection)
        connection.exec_driver_sql("ALTER TABLE courses ADD COLUMN stray INTEGER")
    found = " ".join(differences(database))
    assert "stray" in found
    assert "ix_sessions_started_at" in found


def test_text_compares_exactly(database_url: str, open_database: Callable[[str], Database]) -> None:
    database = open_database(database_url)
    migrate.upgrade(database)
    course = {
        "summary": "",
        "language": "en",
        "is_published": True,
        "source_hash": b"",
        "created_at": 0,
        "updated_at": 0,
    }
    with database.engine.connect() as connection:
        for number, slug in enumerate(("straße", "strasse", "STRASSE", "strässe")):
            connection.execute(
                sa.insert(schema.courses).values(id=str(number), slug=slug, title="T", **course)
            )
        with pytest.raises(sa.exc.IntegrityError):
            connection.execute(sa.insert(schema.courses).values(id="4", slug="strasse", title="T", **course))


def test_six_processes_at_once_all_succeed(
    database_url: str, open_database: Callable[[str], Database]
) -> None:
    processes = [start(database_url, "upgrade") for _ in range(6)]
    results = [(process.communicate(timeout=180), process.returncode) for process in processes]
    assert [status for _, status in results] == [0] * 6, results
    said = sorted(output for (output, _), _ in results)
    assert said == sorted(
        [f"The database is up to date ({HEAD}).\n"] * 5
        + [f"The database was upgraded from empty to {HEAD}.\n"]
    )
    assert differences(open_database(database_url)) == []


def drop_index(connection: sa.Connection) -> None:
    """Take away one index of the sessions."""
    of_table = " ON sessions" if connection.dialect.name == "mysql" else ""
    connection.exec_driver_sql(f"DROP INDEX ix_sessions_started_at{of_table}")


@contextlib.contextmanager
def held_up(database: Database) -> Iterator[None]:
    """Keep an upgrade from getting past its first tables, which exist already as a killed one left them."""
    with database.unhurried().connect() as connection:
        if database.is_embedded:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            for table in ("accounts", "sessions"):
                schema.metadata.tables[table].create(connection)
            drop_index(connection)
            is_postgres = connection.dialect.name == "postgresql"
            connection.exec_driver_sql("BEGIN" if is_postgres else "LOCK TABLES sessions WRITE")
            if is_postgres:
                connection.exec_driver_sql("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        try:
            yield
        finally:
            connection.invalidate()


def is_waiting(database: Database) -> bool:
    """Tell whether an upgrade is under way and cannot go on."""
    if database.is_embedded:
        return Path(f"{database.url.database}.upgrade-lock").exists()
    waiting = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND state LIKE 'Waiting for table%%'",
    }
    with database.engine.connect() as connection:
        return bool(connection.exec_driver_sql(waiting[connection.dialect.name]).scalar())


def test_an_upgrade_killed_in_the_middle_is_completed_by_the_next(
    database_url: str, open_database: Callable[[str], Database]
) -> None:
    database = open_database(database_url)
    with held_up(database):
        process = start(database_url, "upgrade")
        deadline = time.monotonic() + 60
        while not is_waiting(database):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL
    assert not migrate.is_current(database)
    assert migrate.upgrade(database).after == HEAD
    assert differences(database) == []


def test_a_step_that_fails_is_completed_by_its_mended_form(
    database_url: str, open_database: Callable[[str], Database], scripts: Path
) -> None:
    database = open_database(database_url)
    migrate.upgrade(database)
    add_step(scripts, FAILING)
    with pytest.raises(RuntimeError, match="in the middle"):
        migrate.upgrade(database, scripts)
    add_step(scripts, TWICE)
    assert migrate.upgrade(database, scripts) == (HEAD, LATER)


def test_an_older_schema_gets_only_what_it_lacks_and_keeps_its_rows(
    database_url: str, open_database: Callable[[str], Database], scripts: Path
) -> None:
    database = open_database(database_url)
    migrate.upgrade(database)
    account = {
        "id": "a",
        "username": "anna",
        "username_canonical": "anna",
        "password_hash": "",
        "role": "learner",
        "is_active": True,
        "display_name": "",
        "bio": "",
        "created_at": 0,
        "password_changed_at": 0,
    }
    with database.engine.connect() as connection:
        connection.execute(sa.insert(schema.metadata.tables["accounts"]).values(**account))
    add_step(scripts, STEP)
    assert migrate.head(scripts) == LATER
    assert migrate.upgrade(database, scripts) == (HEAD, LATER)
    assert migrate.upgrade(database, scripts) == (LATER, LATER)
    with database.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT username FROM accounts")).scalar() == "anna"
        assert connection.execute(sa.text("SELECT count(level) FROM courses")).scalar() == 0


def test_a_release_that_was_rolled_back_accepts_the_newer_schema(
    database_url: str, open_database: Callable[[str], Database], scripts: Path
) -> None:
    database = open_database(database_url)
    add_step(scripts, STEP)
    migrate.upgrade(database, scripts)
    assert migrate.is_current(database)
    assert migrate.upgrade(database) == (LATER, LATER)
    assert run(database_url, "upgrade")[:2] == (0, f"The database is up to date ({LATER}).\n")


def test_the_operator_sees_where_the_database_is(database_url: str, new_app: NewApp) -> None:
    def say(*words: str) -> tuple[int, str]:
        runner = new_app(DATABASE_URL=database_url).test_cli_runner()
        result = runner.invoke(args=["db", *words])
        return result.exit_code, result.output

    assert say("current") == (0, f"empty (newest: {HEAD})\n")
    status, faults = say("check")
    assert status == 1
    assert "run `flask --app app db upgrade`" in faults
    assert say("upgrade")[0] == 0
    assert say("current") == (0, f"{HEAD} (newest: {HEAD})\n")
    assert f"* {HEAD}  " in say("history")[1]
    assert say("check") == (0, f"The database is up to date ({HEAD}).\n")


@pytest.mark.parametrize(
    "url", ["postgresql://u:hidden-word@127.0.0.1:1/x", "mariadb://u:hidden-word@127.0.0.1:1/x"]
)
def test_a_database_that_is_away_is_told_in_one_line(
    url: str, open_database: Callable[[str], Database]
) -> None:
    status, output, faults = run(url, "upgrade")
    assert status == 1
    assert output == ""
    assert len(faults.splitlines()) == 1
    assert "127.0.0.1" in faults
    assert "hidden-word" not in faults
    with pytest.raises(errors.Unavailable):
        migrate.is_current(open_database(url))


def test_an_embedded_database_is_prepared_at_its_first_use(sqlite_url: str) -> None:
    app = create_app(environ={"FLASK_ENV": "testing", "DATABASE_URL": sqlite_url})
    assert app.test_client().get("/api/content").json == {"content": []}
    assert migrate.is_current(app.extensions["aegis"].database)


def test_six_processes_may_be_the_first_to_use_an_embedded_database(sqlite_url: str) -> None:
    program = (
        "from academy import create_app; app = create_app();"
        "print([entry['slug'] for entry in app.test_client().get('/api/content').json['content']])"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment(sqlite_url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    results = [process.communicate(timeout=120) for process in processes]
    # The housekeeper of such a process may log beside what is printed.
    assert ["['safe-accounts']" in output for output, _ in results] == [True] * 6, results


def test_an_in_memory_database_is_prepared_too() -> None:
    app = create_app(environ={"FLASK_ENV": "testing"})
    result = app.test_cli_runner().invoke(args=["db", "upgrade"])
    assert (result.exit_code, result.output) == (0, f"The database is up to date ({HEAD}).\n")
    assert app.test_client().get("/api/content").json == {"content": []}


def test_a_start_does_not_pay_for_alembic() -> None:
    program = (
        "import sys; from academy import create_app, migrate; create_app(environ={}); migrate.head();"
        "print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=environment("sqlite://"),
    )
    assert done.stdout == "False\n"
