"""The documents of the operator tell the truth: every command in them runs, every value in them is in force."""

import os
import re
from pathlib import Path

import pytest

from aegis.ops import doctor, verify
from tests.deploy import documents
from tests.deploy.site import ROOT, Nginx, free_port

README = ROOT / "README.md"
DOCS = ROOT / "docs"
SESSION_SECURITY = DOCS / "SESSION_SECURITY.md"
CHECKLIST = DOCS / "DEPLOYMENT_CHECKLIST.md"


def _assert_true(done: list[documents.Done], document: Path) -> None:
    complaints = [complaint for one in done if (complaint := documents.complaint(one))]
    assert not complaints, "\n\n".join(complaints)
    assert len(done) == len(documents.commands(document))


def test_every_command_of_session_security_does_what_it_shows(postgres_url: str, tmp_path: Path) -> None:
    replacements = {
        "postgresql://aegis:secret@127.0.0.1/aegis": postgres_url,
        "5000": str(free_port()),
        "8443": str(free_port()),
    }
    _assert_true(documents.run(SESSION_SECURITY, tmp_path, replacements), SESSION_SECURITY)


def test_every_command_of_the_checklist_does_what_it_shows(postgres_url: str, tmp_path: Path) -> None:
    port, https_port = free_port(), free_port()
    with Nginx(application_port=port, protected_port=free_port(), https_port=https_port) as nginx:
        settings = tmp_path / "aegis.env"
        settings.write_text(_filled_example(DATABASE_URL=postgres_url, AEGIS_URL=nginx.url))
        settings.chmod(0o600)
        certificate = str(nginx.folder / "cert.pem")
        replacements = {
            "/etc/aegis/aegis.env": str(settings),
            "aegis verify https://platform.edu": f"aegis verify {nginx.url} --http-port {nginx.http_port}",
            "https://platform.edu": nginx.url,
            "http://platform.edu": f"http://localhost:{nginx.http_port}",
            "platform.edu": nginx.url.removeprefix("https://"),
            "8000": str(port),
            "8001": str(free_port()),
            "8002": str(free_port()),
        }
        done = documents.run(
            CHECKLIST, tmp_path, replacements, SSL_CERT_FILE=certificate, CURL_CA_BUNDLE=certificate
        )
    _assert_true(done, CHECKLIST)


def test_production_in_ten_lines_is_that(postgres_url: str, tmp_path: Path) -> None:
    """What a test cannot do is replaced: typing a password at a prompt, and waiting in front of a server."""
    port = free_port()
    health = f"curl -s --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:{port}/health"
    replacements = {
        "postgresql://aegis:secret@127.0.0.1/aegis": postgres_url,
        "aegis user create head --role admin": "echo 'nine anvils under a quiet lamp' "
        "| aegis user create head --role admin --password-stdin",
        "aegis serve": f"aegis serve --port {port} & {health}; kill $!; wait",
    }
    done = documents.run(README, tmp_path, replacements)

    _assert_true(done, README)
    assert len(done) == 10
    assert done[-1].output.count('{"status":"healthy"}') == 1
    assert "18 checks: 15 ok" in done[-2].output


def _filled_example(**values: str) -> str:
    """Return the shipped example file, filled in as its comments ask."""
    text = (ROOT / "deploy/aegis.env.example").read_text()
    values["SECRET_KEY"] = os.urandom(24).hex()[:43]
    values["AEGIS_SECURITY_CONTACT"] = "mailto:security@localhost"
    for name, value in values.items():
        text, count = re.subn(rf"^#?{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        assert count == 1
    return text


@pytest.mark.parametrize("document", [SESSION_SECURITY, CHECKLIST])
def test_no_command_stands_outside_of_what_is_run(document: Path) -> None:
    """All blocks are of the kind that is run; an inline command has the words of one that is, in their order."""
    run = [
        re.findall(r"[^\s;]+", command.text)
        for one in (SESSION_SECURITY, CHECKLIST)
        for command in documents.commands(one)
    ]
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    programs = "aegis|flask|python|gunicorn|waitress-serve|curl|openssl|systemctl|nginx|git"
    inline = {
        shown for shown in re.findall(rf"`((?:{programs}) [a-z-][^`]*)`", text) if "app.py" not in shown
    }

    assert documents.fenced_languages(document) == {documents.CONSOLE}
    assert inline
    assert [shown for shown in inline if not any(_has_words(command, shown) for command in run)] == []


def _has_words(command: list[str], shown: str) -> bool:
    """Tell whether the words of `shown` stand in the command in this order; capitals stand for any word."""
    rest = iter(command)
    return all(word in rest for word in shown.split() if not word.isupper())


def test_the_checklist_has_the_checks_of_the_commands_in_their_order() -> None:
    text = CHECKLIST.read_text()
    before, after = _ids(text, "Before: 18 checks"), _ids(text, "After: 8 checks")

    assert before == list(doctor.CHECKLIST.titles())
    assert after == list(verify.CHECKLIST.titles())
    assert (len(before), len(after)) == (18, 8)


def test_the_checklist_has_three_steps_and_seven_troubles() -> None:
    during, troubles = (
        _section(CHECKLIST.read_text(), "During: 3 steps"),
        _section(CHECKLIST.read_text(), "Seven troubles"),
    )

    assert re.findall(r"^\*\*(\d)\.", during, re.MULTILINE) == list("123")
    assert re.findall(r"^### (\d)\.", troubles, re.MULTILINE) == list("1234567")
    assert troubles.count("**Cause.**") == troubles.count("**Remedy.**") == 7


def _section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _ids(text: str, title: str) -> list[str]:
    return re.findall(r"^\| \d+ \| `([a-z0-9-]+)` \|", _section(text, title), re.MULTILINE)
