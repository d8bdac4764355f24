"""The rules that hold for every test are themselves tested, each in a pytest run of its own."""

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from tests.services import Postgres, Valkey

ROOT = Path(__file__).parents[2]
CONFTEST = 'pytest_plugins = ["tests.controls", "tests.loopback", "tests.services.fixtures"]\n'


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run pytest over the given test code, under the project's configuration and as no worker of this run."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)

    def run_(code, *options):
        (tmp_path / "conftest.py").write_text(CONFTEST)
        (tmp_path / "test_it.py").write_text(f"import pytest, socket, warnings\n{code}")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-c",
            str(ROOT / "pyproject.toml"),
            f"--rootdir={tmp_path}",
        ]
        done = subprocess.run(
            [*command, *options, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return run_


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_an_id_that_the_catalogue_lacks_fails_the_run(run, workers):
    status, output = run('@pytest.mark.control("ASVS-5.0-99.9.9")\ndef test_it(): pass\n', *workers)

    assert status in {1, 2}, output
    assert "no control 'ASVS-5.0-99.9.9'" in output


CONTROLS = """
@pytest.mark.control("ASVS-5.0-7.4.1", "ASVS-5.0-7.4.2")
def test_passes(): pass

@pytest.mark.control("ASVS-5.0-7.4.2")
@pytest.mark.parametrize("n", [1, 2])
def test_fails_for_one(n): assert n == 1

@pytest.mark.control("ASVS-5.0-7.4.3")
def test_is_not_run(): pytest.skip("not here")
"""


def test_the_report_tells_met_failed_and_untested(run, tmp_path):
    file = tmp_path / "report.json"
    status, output = run(CONTROLS, f"--controls-report={file}", "-n", "2")
    assert status == 1, output
    rows = {row["id"]: row for row in json.loads(file.read_text())["controls"]}

    assert rows["ASVS-5.0-7.4.1"]["status"] == "met"
    assert list(rows["ASVS-5.0-7.4.1"]["tests"].values()) == ["passed"]
    assert rows["ASVS-5.0-7.4.2"]["status"] == "failed"
    assert rows["ASVS-5.0-7.4.3"]["status"] == "untested"
    assert rows["ASVS-5.0-7.2.1"] == {
        "id": "ASVS-5.0-7.2.1",
        "level": "L1",
        "status": "untested",
        "tests": {},
    }
    assert len(rows) == 308


def test_warnings_and_other_machines_fail_a_test(run):
    faults = (
        "warnings.warn('old')",
        "socket.create_connection(('192.0.2.1', 80), timeout=1)",
        "socket.getaddrinfo('example.org', 80)",
    )
    tests = [f"def test_{number}():\n    {fault}\n" for number, fault in enumerate(faults)]
    status, output = run("\n".join([*tests, "def test_that(): pass\n"]))

    assert status == 1, output
    assert "3 failed, 1 passed" in output


def test_servers_given_in_the_environment_are_used_and_left_clean(run, monkeypatch):
    code = "def test_it({0}):\n    assert ':{1}/' in {0}\n"
    with Postgres() as postgres, psycopg.connect(postgres.url, autocommit=True) as connection:
        monkeypatch.setenv("AEGIS_TEST_POSTGRES_URL", postgres.url)
        status, output = run(code.format("postgres_url", postgres.port))

        assert status == 0, output
        names = connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate").fetchall()
        assert names == [("postgres",)]

    with Valkey() as valkey, Redis.from_url(valkey.url) as client:
        monkeypatch.setenv("AEGIS_TEST_REDIS_URL", valkey.url)
        client.set("somebody's", "data")
        status, output = run(code.format("redis_url", valkey.port))
        assert status == 1, output
        assert client.get("somebody's") == b"data"
