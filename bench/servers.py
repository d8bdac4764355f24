"""Granian with one worker and one thread, the same for every application, and what its worker used of the processor."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import stores
from bench.targets import HOST, SECRET_KEY, Site
from tests.services.databases import fresh_database
from tests.services.process import accepts, family, free_port, leashed

ROOT = Path(__file__).parent.parent
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_START_S = 30


class Worker:
    """A running site."""

    def __init__(self, port: int, cookies: Path, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.cookies = cookies
        self._process = process

    def cpu_s(self) -> float:
        """Return the processor time, user and system, that the worker has used so far; granian's master is left out."""
        ticks = 0
        for pid in list(family(self._process.pid))[1:]:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / _TICKS_A_SECOND


@contextlib.contextmanager
def running(site: Site, folder: Path) -> Iterator[Worker]:
    """Prepare a site's database, serve it, and end it."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(fresh_database(site.backend)) if site.backend else ""
        environ = _environ(site, url)
        if site.stored:
            stores.fill(environ, site.stored)
        elif url:
            stores.fill_users(url)
        name = "-".join(str(part) for part in site if part)
        port = free_port()
        process = stack.enter_context(_granian(site.app, port, environ, folder / f"{name}.log"))
        yield Worker(port, _cookies(site, port, folder / f"{name}.cookies"), process)


def _environ(site: Site, url: str) -> dict[str, str]:
    environ = {"SECRET_KEY": SECRET_KEY, "DATABASE_URL": url}
    if site.app == "academy_app":
        environ |= {"FLASK_ENV": "production", "AEGIS_ALLOW_SQLITE": "1", "AEGIS_URL": f"https://{HOST}"}
    return environ


@contextlib.contextmanager
def _granian(app: str, port: int, environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    options = "--interface wsgi --http 1 --no-ws --workers 1 --blocking-threads 1 --blocking-threads-idle-timeout 600"
    granian = [
        sys.executable,
        "-m",
        "granian",
        *options.split(),
        "--log-level",
        "warning",
        "--port",
        str(port),
    ]
    own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    with log.open("wb") as out:
        process = subprocess.Popen(
            leashed([*granian, f"bench.apps.{app}:app"], signal.SIGTERM, drop=False),
            cwd=ROOT,
            env=own | environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        _wait_for(process, port, log)
        yield process
    finally:
        process.terminate()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while not accepts(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"granian did not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.05)


def _cookies(site: Site, port: int, path: Path) -> Path:
    if site.app == "academy_app":
        return stores.cookies(path, "__Host-session", site.stored)
    given = ask(port, "POST", "/login").headers["Set-Cookie"] if site.app == "login_app" else ""
    path.write_text(given.partition(";")[0] + "\n")
    return path


def ask(port: int, method: str, path: str, cookie: str = "") -> http.client.HTTPResponse:
    """Return the answer to one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, headers={"Host": HOST} | ({"Cookie": cookie} if cookie else {}))
        answer = connection.getresponse()
        answer.read()
        return answer
