"""The systemd unit and the example environment file (deploy/), used as an operator uses them."""

import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from aegis import settings
from tests.deploy.site import BIN, ROOT, Platform, adapted, free_port

UNIT = ROOT / "deploy/systemd/aegis.service"
EXAMPLE = ROOT / "deploy/aegis.env.example"
FILLED = {
    "SECRET_KEY": "rXn3Kp0-unit-test-QmZ81vTbY_4LwEoHc",
    "DATABASE_URL": "postgresql://aegis:secret@127.0.0.1/aegis",
    "AEGIS_URL": "https://platform.edu",
}


def directives() -> dict[str, list[str]]:
    """Return the unit's directives; a name may stand there several times."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def example() -> dict[str, str]:
    """Return the example file as systemd reads it."""
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


class Unit(Platform):
    """The command of the unit's ExecStart, from the checkout instead of /opt/aegis."""

    name = "unit"

    def command(self) -> list[str | Path]:
        (line,) = directives()["ExecStart"]
        return shlex.split(adapted(line, {"/opt/aegis/.venv/bin": str(BIN), "8000": str(self.port)}))


def test_the_empty_settings_of_the_example_are_the_ones_to_fill_in() -> None:
    empty = {name for name, value in example().items() if value in {"", "https://"}}

    assert empty == set(FILLED)


def test_production_accepts_the_example_once_it_is_filled_in() -> None:
    configured = settings.load(example() | FILLED)

    assert configured.settings.is_production
    assert configured.settings.public_url == FILLED["AEGIS_URL"]


@pytest.mark.control("ASVS-5.0-13.2.3")
@pytest.mark.parametrize("forgotten", FILLED)
def test_production_refuses_the_example_while_a_setting_is_not_filled_in(forgotten: str) -> None:
    filled = example() | {name: value for name, value in FILLED.items() if name != forgotten}

    with pytest.raises(settings.ConfigurationError) as refused:
        settings.load(filled)

    assert [problem.split()[0] for problem in refused.value.problems] == [forgotten]


def test_every_name_in_the_example_is_a_setting() -> None:
    known = {declaration.name for declaration in settings.declarations().values()}
    named = set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE))

    assert named <= known
    assert len(named) >= 7


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Where systemd is not installed, the names of the directives are all that can be told."""
    words = {"/opt/aegis/.venv/bin": str(BIN), "/opt/aegis": str(ROOT)}
    unit = tmp_path / "aegis.service"
    unit.write_text(adapted(UNIT.read_text(), words))
    if analyze := shutil.which("systemd-analyze"):
        told = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
        assert (told.returncode, told.stderr) == (0, "")
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+", name) for name in directives())


@pytest.mark.control("ASVS-5.0-13.2.2")
def test_the_unit_gives_away_no_more_than_it_needs() -> None:
    unit = directives()

    assert unit["DynamicUser"] == ["yes"]
    assert unit["NoNewPrivileges"] == ["yes"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["CapabilityBoundingSet"] == [""]


def test_the_unit_serves_and_ends_in_order(tmp_path: Path) -> None:
    database = {"DATABASE_URL": f"sqlite:///{tmp_path}/aegis.sqlite", "AEGIS_ALLOW_SQLITE": "1"}
    with Unit(example() | FILLED | database) as unit:
        answer = httpx.get(f"{unit.url}/health")
        process = unit.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0

    assert answer.json() == {"status": "healthy"}


def test_the_unit_is_not_restarted_when_settings_are_wrong() -> None:
    """What `aegis serve` answers to bad settings is what systemd is told not to try again."""
    unit = Unit(example())
    unit.port = free_port()
    try:
        done = subprocess.run(
            unit.command(), cwd=ROOT, env=unit.environ, capture_output=True, text=True, check=False
        )
    finally:
        unit.close()

    assert [str(done.returncode)] == directives()["RestartPreventExitStatus"]
    assert "SECRET_KEY is missing" in done.stderr


def test_the_check_before_the_start_runs_and_keeps_nothing_from_starting(tmp_path: Path) -> None:
    """The dash in front tells systemd to go on whatever the check finds; the journal has its lines."""
    (line,) = directives()["ExecStartPre"]
    assert line.startswith("-")
    command = shlex.split(adapted(line[1:], {"/opt/aegis/.venv/bin": str(BIN)}))
    database = {"DATABASE_URL": f"sqlite:///{tmp_path}/aegis.sqlite", "AEGIS_ALLOW_SQLITE": "1"}
    environ = {"PATH": str(BIN), **example(), **FILLED, **database}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode in {0, 1}, done.stderr
    assert "admin-exists" in done.stdout
