"""What a user installs: the wheel, in an environment of its own, far from the checkout."""

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.servers import ROOT, bare, wait_until
from tests.services.process import free_port, leashed

CARRIED = (
    "aegis/pages/templates/aegis/login.html",
    "aegis/pages/static/aegis.css",
    "aegis/py.typed",
    "academy/pages/templates/academy/course.html",
    "academy/pages/static/academy.css",
    "academy/migrations/versions/0001_accounts_sessions_courses.py",
    "academy/samples/safe-accounts/course.toml",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of a copy, as setuptools leaves its build folders beside the sources."""
    copy, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*build, "--wheel-dir", str(out), str(copy)], check=True, capture_output=True, timeout=120)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone into a new environment; its dependencies are lent by this one, without the checkout."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False, symlinks=True)
    site = home / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(home / "bin/python"),
        "install",
        "--quiet",
        "--no-index",
    ]
    subprocess.run([*install, "--no-deps", str(wheel)], check=True, capture_output=True, timeout=120)
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home


@pytest.fixture
def served(installed: Path, tmp_path: Path) -> Iterator[str]:
    """Serve from an empty folder in development, as `aegis serve` does for a newcomer."""
    port = free_port()
    words = leashed([installed / "bin/aegis", "serve", "--port", str(port)], drop=False)
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(words, cwd=tmp_path, env=bare({}), stdout=log, stderr=log) as server,
    ):
        url = f"http://localhost:{port}"
        wait_until(lambda: _answers(url), "an answer of the installed wheel")
        yield url
        server.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_the_wheel_carries_what_is_no_python(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert names.issuperset(CARRIED)
    assert not [name for name in names if name.startswith(("tests/", "bench/", "app.py", "config.py"))]


def test_the_wheel_runs_from_an_empty_folder(served: str) -> None:
    with httpx.Client(base_url=served, trust_env=False) as client:
        catalogue = client.get("/api/content").json()
        page = client.get("/login", headers={"Accept": "text/html"})
        style = client.get("/static/aegis/aegis.css")

    assert [entry["slug"] for entry in catalogue["content"]] == ["safe-accounts"]
    assert "<form" in page.text
    assert style.headers["content-type"].startswith("text/css")


def test_the_installed_code_is_that_of_the_wheel(installed: Path) -> None:
    words = [str(installed / "bin/python"), "-c", "import academy; print(academy.__file__)"]
    told = subprocess.run(words, check=True, capture_output=True, text=True, env=bare({}), timeout=60)

    assert told.stdout.startswith(str(installed))
