"""What the documents say of values, codes, rooms and categories is what the code says; their examples work."""

import csv
import importlib
import logging
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import flask_login
import pytest
from flask.testing import FlaskClient

import academy
import aegis
from academy import create_app
from aegis import clock, errors, settings
from aegis.audit import Event
from aegis.ops import reference
from aegis.settings import limit
from aegis.settings.declaration import PRODUCTION
from tests.deploy.site import ROOT

DOCS = ROOT / "docs"
PASSWORD = "four unrelated words beside anvil"
DOCUMENTS = [*sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("*.md")), ROOT / "bench/README.md"]


def in_production(name: str) -> Any:
    """Return a setting's value in production when nobody chose another."""
    (found,) = [item for item in settings.declarations().values() if item.name == name]
    return found.defaults[PRODUCTION]


def rows(document: str, *, columns: int) -> Iterator[list[str]]:
    """Yield the cells of all table rows with so many columns; heads and rulers included."""
    for line in (DOCS / document).read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == columns:
            yield cells


@pytest.fixture
def client() -> FlaskClient:
    """Give a client of the platform in memory, with the account anna."""
    app = create_app(environ={"FLASK_ENV": "testing"})
    client = app.test_client()
    token = client.get("/csrf-token").get_json()["csrf_token"]
    account = {"username": "anna", "password": PASSWORD}
    assert client.post("/api/register", json=account, headers={"X-CSRFToken": token}).status_code == 201
    return client


def sign_in(client: FlaskClient) -> FlaskClient:
    """Sign anna in with a browser of her own."""
    other = client.application.test_client()
    assert other.post("/api/login", json={"username": "anna", "password": PASSWORD}).status_code == 200
    return other


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/api/check_session").status_code == 200


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.control("ASVS-5.0-7.1.1")
def test_documented_timeouts_are_the_ones_in_force() -> None:
    documented = {
        cells[1].strip("`"): (cells[2], bool(cells[4]))
        for cells in rows("SESSION_SECURITY.md", columns=5)
        if cells[2].endswith(" s")
    }

    names = ("PERMANENT_SESSION_LIFETIME", "AEGIS_SESSION_OVERALL_LIFETIME", "AEGIS_SESSION_FRESH_LIFETIME")
    assert documented == {name: (f"{in_production(name)} s", True) for name in names}


@pytest.mark.control("ASVS-5.0-7.1.2")
def test_one_session_more_than_documented_ends_the_oldest(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (DOCS / "SESSION_SECURITY.md").read_text()
    found = re.search(
        r"may have (\d+) sessions at once \(`AEGIS_SESSIONS_PER_ACCOUNT`\)\. One more ends the oldest", text
    )
    assert found
    browsers = [sign_in(client)]
    monkeypatch.setattr(clock, "_ahead_s", 1)
    browsers += [sign_in(client) for _ in range(int(found[1]) - 1)]
    assert all(is_signed_in(browser) for browser in browsers)

    browsers.append(sign_in(client))

    assert [is_signed_in(browser) for browser in browsers] == [False] + [True] * int(found[1])


@pytest.mark.control("ASVS-5.0-6.1.1", "ASVS-5.0-2.1.3")
def test_documented_limits_are_the_ones_in_force() -> None:
    documented = {
        cells[2].strip("`"): re.match(r"(\d+) in (\d+) s", cells[1])
        for cells in rows("accounts.md", columns=3)
        if "AEGIS_LIMIT_" in cells[2]
    }
    in_force = {
        item.name: item.defaults[PRODUCTION]
        for item in settings.declarations().values()
        if item.name.startswith("AEGIS_LIMIT_") and item.name != "AEGIS_LIMIT_IPV6_PREFIX"
    }

    found = {name: (int(said[1]), int(said[2])) for name, said in documented.items() if said}
    assert found == {name: tuple(limit) for name, limit in in_force.items()}


def test_documented_lengths_of_passwords_are_the_ones_in_force() -> None:
    documented = {cells[2].strip("`"): cells[1] for cells in rows("accounts.md", columns=3)}

    for name in ("AEGIS_PASSWORD_MINIMUM", "AEGIS_PASSWORD_MAXIMUM"):
        assert documented[name].startswith(f"{in_production(name)} characters")


@pytest.mark.control("ASVS-5.0-6.1.3")
def test_every_way_to_sign_in_is_documented(client: FlaskClient) -> None:
    """A visitor gets a session from the routes whose forms visitors may send, and from no other one."""
    app = client.application
    for_visitors = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
        if hasattr(app.view_functions[rule.endpoint], "csrf_for_visitors")
    }
    section = (
        (DOCS / "accounts.md")
        .read_text()
        .partition("## Ways to sign in")[2]
        .partition("There is no other")[0]
    )
    documented = set(re.findall(r"`(POST [^`]+)`", section))

    no_session = {
        "POST /api/register",
        "POST /api/login/passkey/options",
        "POST /forgot-password",
        "POST /reset-password",
        "POST /api/password/forgot",
        "POST /api/password/reset",
        "POST /verify-email",
        "POST /verify-email/resend",
        "POST /api/verify-email",
        "POST /api/verify-email/resend",
        "POST /account/undo",
        "POST /api/account/undo",
    }
    assert documented == for_visitors - no_session
    assert no_session <= for_visitors


def test_documented_error_codes_are_those_of_the_code(client: FlaskClient) -> None:
    documented = {
        (int(cells[0]), cells[1].strip("`")) for cells in rows("api.md", columns=3) if cells[0].isdigit()
    }

    def kinds(kind: type[errors.AegisError]) -> Iterator[type[errors.AegisError]]:
        yield kind
        for sub in kind.__subclasses__():
            yield from kinds(sub)

    served = {
        (kind.status, kind.code)
        for kind in kinds(errors.AegisError)
        if not kind.__name__.startswith("_") and not kind.__module__.startswith("aegis.ops")
    }
    assert documented == served


@pytest.mark.control("ASVS-5.0-16.1.1", "CS-LOG-1")
def test_the_inventory_of_events_is_the_code_s() -> None:
    listed = [cells for cells in rows("audit.md", columns=4) if cells[0].startswith("`")]
    documented = {name: cells[2] for cells in listed for name in re.findall(r"`([a-z_]+)`", cells[0])}

    assert documented == {event.value: logging.getLevelName(event.level).lower() for event in Event}


# --- names ----------------------------------------------------------------------------------------------------------


def test_the_reference_of_settings_is_up_to_date() -> None:
    """`make docs` writes it anew."""
    assert (DOCS / "SETTINGS.md").read_text() == reference.markdown()


@pytest.mark.control("ASVS-5.0-13.1.4")
def test_every_secret_is_documented_with_its_renewal() -> None:
    text = (DOCS / "DEPLOYMENT_CHECKLIST.md").read_text().partition("## Secrets and their renewal")[2]
    documented = {
        name: renewal
        for first, renewal in re.findall(r"^\| ([^|]+) \|[^|]+\|[^|]+\| ([^|]+) \|", text, re.MULTILINE)
        for name in re.findall(r"`([A-Z0-9_]+)`", first)
    }
    secret = {item.name for item in settings.declarations().values() if item.secret}

    assert secret - {"SECRET_KEY_FALLBACKS"} == set(documented)
    assert all(documented.values())


@pytest.mark.control("ASVS-5.0-15.1.1")
def test_vulnerable_dependencies_have_a_time_for_each_severity() -> None:
    section = (ROOT / "SECURITY.md").read_text().partition("## Dependencies")[2].partition("\n## ")[0]
    times = [
        int(days)
        for days in re.findall(r"^\| (?:critical|high|medium, low) \| (\d+) days \|", section, re.MULTILINE)
    ]

    assert len(times) == 3
    assert times == sorted(times)


def test_every_event_that_the_checklist_watches_is_recorded() -> None:
    known = {event.value for event in Event}
    named = set(
        re.findall(
            r"`((?:authn|malicious|excess|session)_[a-z_]+)`", (DOCS / "DEPLOYMENT_CHECKLIST.md").read_text()
        )
    )

    assert named
    assert named <= known


def test_every_setting_that_a_document_names_exists() -> None:
    known = {item.name for item in settings.declarations().values()}
    named = {
        (document.name, name)
        for document in DOCUMENTS
        for name in re.findall(r"\bAEGIS_[A-Z0-9_]*[A-Z0-9]\b", document.read_text())
        if not name.startswith("AEGIS_TEST_") and name != "AEGIS_TRUSTED_PROXY"
    }

    assert {(document, name) for document, name in named if name not in known} == set()
    assert len(named) > 20


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = []
    for document in DOCUMENTS:
        text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"(?:\]\(|src=\")([^)\s\"]+)", text):
            if target.startswith(("https://", "http://", "mailto:")):
                continue
            path, _, anchor = target.partition("#")
            file = (document.parent / path).resolve() if path else document
            if not file.exists() or (anchor and anchor not in _anchors(file)):
                broken.append(f"{document.relative_to(ROOT)}: {target}")

    assert broken == []


def test_the_commands_of_the_readme_are_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", (ROOT / "README.md").read_text()))

    assert {"run", "test", "setup"} <= named <= targets


def test_what_the_readme_says_is_proven_is_a_test() -> None:
    named = set(re.findall(r"`(tests/[^`]+)`", (ROOT / "README.md").read_text()))

    assert len(named) >= 3
    assert [path for path in named if not (ROOT / path).is_file()] == []


def _anchors(document: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_architecture_shows_every_room_and_no_other() -> None:
    """A room that the import contract only announces, in parentheses, may be told already."""
    text, picture = (DOCS / "architecture.md").read_text(), (DOCS / "images/architecture.svg").read_text()
    rooms = {name for package in (aegis, academy) for name in _rooms(package)}
    announced = set(re.findall(r"\(([a-z_]+)\)", (ROOT / "pyproject.toml").read_text()))
    told = set(re.findall(r"`([a-z_]+)`", "\n".join(re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE))))
    drawn = set(re.findall(r"\b[a-z_]+\b", picture))

    assert rooms - told == rooms - drawn == set()
    assert told - rooms <= announced


def _rooms(package: Any) -> set[str]:
    folder = Path(package.__file__).parent
    modules = {file.stem for file in folder.glob("*.py")} - {"__init__"}
    return modules | {sub.parent.name for sub in folder.glob("*/__init__.py")}


def test_categories_of_owasp_are_named_as_in_the_catalogue_of_controls() -> None:
    with (ROOT / "tests/controls.csv").open(newline="", encoding="utf-8") as file:
        catalogue = {
            row["cwe"].partition(";")[0]: (row["top10_2021"], row["top10_2025"])
            for row in csv.DictReader(file)
        }
    named = {
        cells[1]: (cells[2], cells[3])
        for cells in rows("SESSION_SECURITY.md", columns=5)
        if cells[1].startswith("CWE-")
    }

    assert len(named) == 10
    assert named == {cwe: catalogue[cwe] for cwe in named}
    assert named["CWE-352"][0] == "A01:2021 Broken Access Control"


# --- examples -------------------------------------------------------------------------------------------------------


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the programs of adopting.md into a folder, under the names in their first lines."""
    for block in re.findall(
        r"^```python\n(.*?)^```$", (DOCS / "adopting.md").read_text(), re.MULTILINE | re.DOTALL
    ):
        name = block.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(block)
    monkeypatch.setenv("FLASK_ENV", "testing")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path


def token_of(client: FlaskClient) -> dict[str, str]:
    return {"X-CSRFToken": client.get("/csrf-token").get_json()["csrf_token"]}


def test_the_new_application_has_guards_pages_and_form_tokens(examples: Path) -> None:
    app: flask.Flask = runpy.run_path(str(examples / "diary.py"))["app"]
    visitor, anna = app.test_client(), app.test_client()
    account = {"username": "anna", "password": PASSWORD}
    assert anna.post("/api/register", json=account, headers=token_of(anna)).status_code == 201
    assert anna.post("/api/login", json=account, headers=token_of(anna)).status_code == 200

    assert (visitor.get("/").text, anna.get("/").text) == ("Hello. Please sign in.", "Hello anna.")
    assert (visitor.get("/diary").status_code, anna.get("/diary").status_code) == (401, 200)
    assert (anna.post("/diary").status_code, anna.post("/diary", headers=token_of(anna)).text) == (
        400,
        "Written by anna.",
    )
    assert anna.get("/staff").status_code == 403
    assert visitor.get("/login", headers={"Accept": "text/html"}).status_code == 200


def test_the_tables_are_made_on_a_database_server(examples: Path, postgres_url: str) -> None:
    environ = {"PYTHONPATH": str(examples), "DATABASE_URL": postgres_url, "PATH": ""}
    subprocess.run([sys.executable, examples / "tables.py"], env=environ, check=True, timeout=60)
    served = subprocess.run(
        [
            sys.executable,
            "-c",
            "import diary; print(diary.app.test_client().get('/health/ready').json['status'])",
        ],
        env=environ,
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )

    assert served.stdout.strip() == "ready"


def foreign(examples: Path, *, adopted: bool) -> flask.Flask:
    """Return the Flask-Login application of the document, with the line that adopts it or without."""
    source = (examples / "foreign.py").read_text()
    assert source.rstrip().endswith("Aegis(app)")
    if not adopted:
        source = source.rstrip().removesuffix("Aegis(app)")
    namespace: dict[str, Any] = {"__name__": "foreign"}
    exec(compile(source, str(examples / "foreign.py"), "exec"), namespace)  # noqa: S102 - the document's own program
    app: flask.Flask = namespace["app"]
    if not adopted:
        app.secret_key = "a key for the plain application"
    return app


def kim(app: flask.Flask, *, adopted: bool) -> FlaskClient:
    client = app.test_client()
    proof = token_of(client) if adopted else {}
    answer = client.post("/login", data={"name": "kim", "password": "not a real check"}, headers=proof)
    assert answer.text == "Welcome."
    assert client.get("/me").text == "kim"
    return client


def copy_of(client: FlaskClient) -> FlaskClient:
    """Return another client with the same cookies."""
    other = client.application.test_client()
    for cookie in client._cookies.values():
        other.set_cookie(cookie.key, cookie.value)
    return other


@pytest.mark.parametrize("adopted", [False, True])
def test_a_copied_cookie_after_log_out_is_what_the_table_says(examples: Path, adopted: bool) -> None:
    """The column "plain Flask-Login" of the before-and-after table is not an accusation but a measurement."""
    app = foreign(examples, adopted=adopted)
    client = kim(app, adopted=adopted)
    copied = copy_of(client)
    assert copied.get("/me").text == "kim"

    assert client.post("/logout", headers=token_of(client) if adopted else {}).text == "Goodbye."

    assert client.get("/me").status_code == 401
    assert copied.get("/me").status_code == (401 if adopted else 200)


@pytest.mark.parametrize("adopted", [False, True])
def test_a_write_from_another_site_is_what_the_table_says(examples: Path, adopted: bool) -> None:
    client = kim(foreign(examples, adopted=adopted), adopted=adopted)

    answer = client.post("/logout", headers={"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == (400 if adopted else 200)
    assert client.get("/me").status_code == (200 if adopted else 401)


def test_the_defaults_of_flask_and_flask_login_are_what_the_table_says() -> None:
    defaults = flask.Flask.default_config
    assert defaults["SESSION_COOKIE_SECURE"] is False
    assert defaults["SESSION_COOKIE_SAMESITE"] is None
    assert defaults["PERMANENT_SESSION_LIFETIME"].days == 31
    assert importlib.import_module("flask_login.config").COOKIE_DURATION.days == 365
    assert flask_login.UserMixin


def test_a_foreign_session_is_listed_and_revoked(examples: Path) -> None:
    app = foreign(examples, adopted=True)
    client = kim(app, adopted=True)
    other = kim(app, adopted=True)
    assert len(client.get("/api/sessions").get_json()["sessions"]) == 2

    assert client.delete("/api/sessions", headers=token_of(client)).get_json()["ended"] == 1

    assert (client.get("/me").status_code, other.get("/me").status_code) == (200, 401)


def test_every_limit_is_documented_with_its_default() -> None:
    rows = re.findall(
        r"^\|[^|]+\| `(AEGIS_LIMIT_\w+)` \| ([^|]+) \|", (DOCS / "abuse.md").read_text(), re.MULTILINE
    )
    defaults = {
        item.name: item.defaults["production"]
        for item in settings.declarations().values()
        if isinstance(item.defaults["production"], settings.Limit)
    }
    assert {name: limit.read(text) for name, text in rows} == defaults
