"""Nothing starts unsafely: every way in says all that is wrong, once, and ends."""

import pytest

from tests.deploy.servers import SECRET_KEY, production, run

SENTENCE = "ERROR: Flask development server must not run in production."
LINES = (
    "waitress-serve --port=8000 --threads=4 app:app",
    "gunicorn -w 4 -b 127.0.0.1:8000 app:app",
    "aegis serve --tls-cert cert.pem --tls-key key.pem",
)
MISSING = ("SECRET_KEY is missing", "DATABASE_URL is missing")
WEAK = {
    "SECRET_KEY": "change-me-change-me-change-me-change-me",
    "SECRET_KEY_FALLBACKS": "short",
    "DATABASE_URL": "sqlite:///x.sqlite",
    "SESSION_COOKIE_SECURE": "0",
    "PERMANENT_SESSION_LIFETIME": "90000",
    "AEGIS_URL": "http://platform.edu",
    "AEGIS_TRUSTED_PROXIES": "0.0.0.0/0",
    "AEGIS_PASSWORD_MINIMUM": "8",
    "AEGIS_TRUSTED_PROXY": "10.0.0.1",
}
IMPORT = ("python", "-c", "import app")


@pytest.fixture
def good(sqlite_url):
    return production(sqlite_url)


@pytest.mark.control("ASVS-5.0-13.4.2")
@pytest.mark.parametrize("environment", ["production", "testing", "", "prod"])
def test_app_py_outside_development_refuses_before_anything_else(environment):
    done = run("python", "app.py", environ={"FLASK_ENV": environment, "AEGIS_NONSENSE": "1"})

    assert done.returncode == 1
    assert done.stderr.startswith(SENTENCE)
    assert all(line in done.stderr for line in LINES)
    assert "AEGIS_NONSENSE" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("flask", "run"),
        ("flask", "--app", "app", "run", "--port", "1"),
        ("flask", "--app", "academy", "run"),
        ("python", "-m", "flask", "--app", "app:app", "run"),
        ("flask", "--app", "app", "--debug", "run", "--debugger", "--reload"),
        ("python", "-c", "from app import app; app.run(debug=True)"),
    ],
    ids=lambda words: " ".join(words)[:40],
)
@pytest.mark.control("ASVS-5.0-13.4.2")
def test_no_argument_reaches_the_development_server_in_production(words, good):
    done = run(*words, environ=good)

    assert (done.returncode, done.stderr.partition("\n")[0]) == (1, SENTENCE)
    assert all(line in done.stderr for line in LINES)


def test_other_commands_of_flask_and_the_literal_line_work_with_the_same_settings(good):
    upgraded = run("flask", "--app", "app", "db", "upgrade", environ=good)
    line = "from app import app; print(app.config['SESSION_COOKIE_SECURE'], app.config['PERMANENT_SESSION_LIFETIME'])"
    printed = run("python", "-c", line, environ=good)

    assert upgraded.returncode == 0, upgraded.stderr
    assert printed.stdout == "True 3600\n"


EVERY_SERVER = {
    "import": IMPORT,
    "waitress": ("waitress-serve", "--port=0", "app:app"),
    "gunicorn": ("gunicorn", "-w", "4", "-b", "127.0.0.1:0", "app:app"),
    "gunicorn sync": ("gunicorn", "-k", "sync", "--threads", "1", "-b", "127.0.0.1:0", "app:app"),
    "gunicorn preload": ("gunicorn", "--preload", "-b", "127.0.0.1:0", "app:app"),
    "aegis serve": ("aegis", "serve", "--port", "0"),
    "flask": ("flask", "--app", "app", "db", "upgrade"),
    "aegis check": ("aegis", "check"),
    "aegis config": ("aegis", "config"),
    "aegis user": ("aegis", "user", "list"),
}


@pytest.mark.control("ASVS-5.0-13.3.1")
@pytest.mark.parametrize("words", EVERY_SERVER.values(), ids=EVERY_SERVER)
def test_missing_settings_end_every_server_once_with_78(words):
    done = run(*words, environ={"FLASK_ENV": "production", "SECRET_KEY": ""})

    assert done.returncode == 78, done.stderr
    assert all(done.stderr.count(problem) == 1 for problem in MISSING)


def test_all_problems_come_at_once_each_with_its_fix_and_without_the_secret():
    done = run(*IMPORT, environ={"FLASK_ENV": "production", **WEAK})

    lines = done.stderr.splitlines()
    assert done.returncode == 78
    assert {line.split()[1] for line in lines} == set(WEAK)
    assert all(line.startswith("ERROR: ") and (": " in line[7:]) for line in lines)
    assert WEAK["SECRET_KEY"] not in done.stderr


def test_a_contradiction_between_config_and_environment_is_refused(good):
    line = "import config; from academy import create_app; create_app(config.DevelopmentConfig)"
    done = run("python", "-c", line, environ=good)

    assert "FLASK_ENV is production but the configuration is for development" in done.stderr


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("gunicorn", "-c", "{other}", "-w", "1", "app:app"), 3),
        (("granian", "--interface", "wsgi", "--port", "0", "app:app"), 1),
        (("granian", "--interface", "wsgi", "--respawn-failed-workers", "--port", "0", "app:app"), 1),
    ],
    ids=["gunicorn with another file", "granian", "granian that respawns"],
)
def test_servers_with_settings_of_their_own_end_too(words, status, tmp_path):
    other = tmp_path / "other.py"
    other.write_text("bind = '127.0.0.1:0'\ncontrol_socket_disable = True\n")
    done = run(*(word.format(other=other) for word in words), environ={"FLASK_ENV": "production"})

    assert done.returncode == status, done.stderr
    assert all(problem in done.stderr for problem in MISSING)


@pytest.mark.control("ASVS-5.0-13.4.2")
@pytest.mark.parametrize(
    ("words", "more", "says"),
    [
        (IMPORT, {"FLASK_DEBUG": "1"}, "FLASK_DEBUG is on"),
        (("flask", "--app", "app", "--debug", "db", "current"), {}, "FLASK_DEBUG is on"),
        (("gunicorn", "--reload", "-b", "127.0.0.1:0", "app:app"), {}, "--reload is on"),
    ],
    ids=["FLASK_DEBUG", "flask --debug", "gunicorn --reload"],
)
def test_debugging_ends_production(words, more, says, good):
    done = run(*words, environ=good | more)

    assert done.returncode == 78
    assert says in done.stderr


def test_a_forgotten_flask_env_is_told(sqlite_url):
    done = run("gunicorn", "--check-config", "app:app", environ={"DATABASE_URL": sqlite_url})

    assert (done.returncode, "set FLASK_ENV=production" in done.stderr) == (0, True)


def test_rotated_keys_start_and_the_secret_stays_out_of_config(good):
    done = run("aegis", "config", environ=good | {"SECRET_KEY_FALLBACKS": SECRET_KEY[::-1]})

    assert done.returncode == 0
    assert SECRET_KEY not in done.stdout
    assert SECRET_KEY[::-1] not in done.stdout
