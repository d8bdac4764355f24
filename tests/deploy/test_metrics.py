"""Metrics of several processes, who may read them, and the rules and pictures made of them."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.servers import PASSWORD, ROOT, Caller, Server, add_accounts, production, wait_until

TOKEN = "m3Tr1cs-2nVq8_Zr6tXw0bYc5mHs9dLf3gPa7eRu1iTo"
MONITORING = ROOT / "deploy" / "monitoring"
WORKERS = ("gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "app:app")


@pytest.fixture(scope="module")
def server(migrated, tmp_path_factory) -> Iterator[Server]:
    """Give two workers that anna and three wrong passwords came to."""
    folder = tmp_path_factory.mktemp("metrics")
    url = f"sqlite:///{folder}/aegis.sqlite"
    environ = production(
        url,
        AEGIS_METRICS_TOKEN=TOKEN,
        AEGIS_METRICS_FOLDER=str(folder / "metrics"),
        AEGIS_URL="https://platform.test",
    )
    add_accounts(url, "anna")
    with Server(*WORKERS, environ=environ) as running:
        person = Caller(running, Host="platform.test")
        for _ in range(4):
            assert person.sign_in("anna").status_code == 200
        for _ in range(3):
            assert person.sign_in("anna", "not it").status_code == 401
        assert person.ask("POST", "/api/profile", data={}).status_code == 400
        yield running


def read(server: Server, **headers: str) -> dict[str, float]:
    """Return each sample by its name and labels."""
    answer = Caller(server, **headers).ask("GET", "/metrics", Authorization=f"Bearer {TOKEN}")
    assert answer.status_code == 200
    return {
        f"{sample.name}{json.dumps(sample.labels, sort_keys=True) if sample.labels else ''}": sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_all_workers_are_one_sum_whichever_is_asked(server: Server) -> None:
    """Prometheus asks the machine under its own address, so the Host is not judged here."""

    def agreed() -> list[dict[str, float]] | None:
        told = [read(server) for _ in range(6)]
        logins = {one.get('aegis_logins_total{"outcome": "success"}') for one in told}
        return told if logins == {4.0} and told[0]["aegis_processes"] == 2 else None

    for told in wait_until(agreed, "one sum"):
        assert told['aegis_logins_total{"outcome": "wrong_password"}'] == 3
        assert told['aegis_csrf_failures_total{"reason": "token"}'] == 1
        route = '{"method": "POST", "route": "/api/login", "status": "200"}'
        assert told[f"aegis_requests_total{route}"] == 4
        assert told['aegis_request_seconds_count{"route": "/api/login"}'] == 7
        assert told["aegis_sessions_active"] == 1
        assert told["aegis_database_up"] == 1


def test_a_worker_that_was_killed_takes_no_count_with_it(server: Server) -> None:
    before = wait_until(
        lambda: (told := read(server)).get('aegis_logins_total{"outcome": "success"}') == 4 and told,
        "the sum",
    )
    [parent] = [server.process.pid]
    children = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=True)
    os.kill(int(children.stdout.split()[0]), signal.SIGKILL)

    def is_whole() -> bool:
        told = read(server)
        assert all(
            told.get(name, 0) >= value
            for name, value in before.items()
            if name.startswith("aegis_logins_total")
        )
        return told["aegis_processes"] == 2

    assert wait_until(is_whole, "a new worker")


def test_only_who_may_reads_them(server: Server) -> None:
    stranger = Caller(server)
    for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        refused = stranger.ask("GET", "/metrics", **header)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert "aegis_" not in refused.text
    assert stranger.ask("GET", "/metrics", Authorization=f"Bearer {TOKEN}").status_code == 200


def test_promtool_finds_nothing_wrong_with_the_format(server: Server) -> None:
    text = Caller(server).ask("GET", "/metrics", Authorization=f"Bearer {TOKEN}").text
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_no_label_holds_what_was_asked(server: Server) -> None:
    """Labels from a path or a method of the attacker's choice would fill the memory of Prometheus."""
    for path in ("/x-made-up", "/courses/made-up", "/api/courses/made-up"):
        Caller(server, Host="platform.test").ask("GET", path)
    Caller(server, Host="platform.test").ask("BREW", "/")
    assert not [name for name in read(server) if "made-up" in name or "BREW" in name]


@pytest.mark.parametrize("name", ["alerts.yml"])
def test_the_rules_are_right_and_fire_when_they_should(name: str) -> None:
    for words in (("check", "rules", name), ("test", "rules", "alerts.test.yml")):
        done = subprocess.run(
            ["promtool", *words], cwd=MONITORING, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", "prometheus.yml"],
        cwd=MONITORING,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", ["alerts.yml", "dashboard.json"])
def test_rules_and_dashboard_ask_for_what_is_told(server: Server, file: str) -> None:
    told = {re.split(r"[{]", name)[0] for name in read(server)}
    families = set(Caller(server).ask("GET", "/metrics", Authorization=f"Bearer {TOKEN}").text.split())
    text = (MONITORING / file).read_text()
    asked = set(re.findall(r"\baegis_[a-z_]+", text))

    assert asked
    assert asked <= told | families


def test_each_rule_is_explained() -> None:
    rules = set(re.findall(r"alert: (\w+)", (MONITORING / "alerts.yml").read_text()))
    documented = set(
        re.findall(r"^\| `(Aegis\w+)` \|", (ROOT / "docs/monitoring.md").read_text(), re.MULTILINE)
    )
    assert rules == documented
    assert PASSWORD not in (MONITORING / "dashboard.json").read_text()
