"""`aegis serve` and `python app.py`: one command for a newcomer, one for an operator."""

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.deploy.servers import BIN, ROOT, Caller, Server, bare, production, run, wait_until
from tests.services.process import family, free_port
from tests.services.smtp import self_signed

SERVE = ("aegis", "serve", "--port", "{port}")


def test_a_newcomer_gets_a_migrated_database_a_course_and_an_account_without_settings(sqlite_url):
    with Server(*SERVE, environ={"DATABASE_URL": sqlite_url}) as server:
        visitor = Caller(server)
        content = visitor.ask("GET", "/api/content").json()["content"]
        token = visitor.ask("GET", "/csrf-token").json()["csrf_token"]
        account = {"username": "newcomer", "password": "four unrelated words here"}
        registered = visitor.ask("POST", "/api/register", data=account, X_CSRFToken=token)
        signed_in = visitor.sign_in(account["username"], account["password"])
        broken = visitor.ask("GET", "/?__debugger__=yes&cmd=resource&f=debugger.js")
        log = server.log.read_text()

    assert [item["type"] for item in content] == ["course"]
    assert (registered.status_code, signed_in.status_code, "session" in visitor.cookies) == (201, 200, True)
    assert "__debugger__" not in broken.text
    assert f"http://localhost:{server.port}" in log
    assert not re.search(r"\d", signed_in.headers["server"])


def test_python_app_py_is_the_development_server(sqlite_url):
    with Server("python", "app.py", environ={"DATABASE_URL": sqlite_url, "PORT": "{port}"}) as server:
        assert Caller(server).ask("GET", "/", Accept="text/html").status_code == 200


@pytest.mark.parametrize("environment", ["development", "production"])
def test_a_port_in_use_is_one_clear_line(environment, sqlite_url):
    settings = production(sqlite_url, FLASK_ENV=environment)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("aegis", "serve", "--port", str(port), environ=settings)

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"Port {port} is in use" in done.stderr


def test_a_server_database_is_never_migrated_by_serving(postgres_url):
    done = run("aegis", "serve", "--port", "0", environ=production(postgres_url))
    state = run("flask", "--app", "app", "db", "current", environ=production(postgres_url))

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "flask --app app db upgrade" in done.stderr
    assert state.stdout.startswith("empty")


def test_an_absent_database_does_not_keep_the_server_away():
    settings = production(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    with Server(*SERVE, "--workers", "1", environ=settings) as server:
        ready = Caller(server).ask("GET", "/health/ready")

        assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "unreachable")
        assert "WARNING: the database does not answer" in server.log.read_text()


def test_a_dead_worker_is_replaced(sqlite_url):
    with Server(*SERVE, "--workers", "2", environ=production(sqlite_url)) as server:
        before = _workers(server)
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(after := _workers(server)) == 2 and before[0] not in after, "the new worker")
        wait_until(server.is_ready, "an answer")  # the one that was left may have been starting itself

        assert {Caller(server).ask("GET", "/api/check_session").status_code for _ in range(6)} == {401}


def _workers(server):
    return [pid for pid in family(server.process.pid) if pid != server.process.pid and _is_alive(pid)]


def _is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_files_that_are_no_certificate_and_key_are_told(sqlite_url, tmp_path):
    cert, _ = self_signed(tmp_path, "localhost")
    words = ("aegis", "serve", "--port", "0", "--tls-cert", cert, "--tls-key")
    wrong = run(*words, cert, environ=production(sqlite_url))
    half = run("aegis", "serve", "--tls-cert", cert, environ=production(sqlite_url))

    assert (wrong.returncode, "cannot be used together" in wrong.stderr) == (1, True)
    assert (half.returncode, "belong together" in half.stderr) == (2, True)


def test_ctrl_c_ends_the_development_server_quietly(sqlite_url):
    with Server(*SERVE, environ={"DATABASE_URL": sqlite_url}) as server:
        server.process.send_signal(signal.SIGINT)

        assert server.process.wait(10) == 0
        assert "Traceback" not in server.log.read_text()


def test_help_imports_no_more_than_click():
    code = "import sys; from academy import cli; cli.main(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    done = subprocess.run(
        [BIN / "python", "-c", code], cwd=ROOT, env=bare({}), capture_output=True, text=True, check=True
    )
    modules = done.stdout.splitlines()[-1]

    assert "'click'" in modules
    assert not {"flask", "sqlalchemy", "werkzeug", "pydantic", "argon2"} & set(
        re.findall(r"'(\w+)'", modules)
    )
