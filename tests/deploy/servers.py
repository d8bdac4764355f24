"""The lines of the contract as processes, started in the checkout as an operator does, and a caller for them."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests import factories
from tests.factories import PASSWORD
from tests.services.process import START_SECONDS, Service, ServiceError, leashed

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SECRET_KEY = "pQ2-7wXbC1EfGh5jKlMnOp9rStUvWxYz0123456789a"
WAIT_S = 30
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Made once: httpx would load all certificates of this machine for each client."""


def bare(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with nothing of ours but what is given."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environ}


def production(database_url: str, **more: str) -> dict[str, str]:
    """Return an environment that production accepts."""
    sqlite = {"AEGIS_ALLOW_SQLITE": "1"} if database_url.startswith("sqlite") else {}
    return {
        "FLASK_ENV": "production",
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": database_url,
        **sqlite,
        **more,
    }


def add_accounts(database_url: str, *names: str) -> None:
    """Store accounts with a cheap hash, as an import would; the first sign-in makes it a costly one."""
    app = factories.make_app(DATABASE_URL=database_url)
    for name in names:
        factories.add_account(app, name)
    factories.dispose(app)


def run(
    *words: str | Path, environ: Mapping[str, str], text: str = "", cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run a command of the virtual environment to its end."""
    return subprocess.run(
        [str(BIN / words[0]), *map(str, words[1:])],
        cwd=cwd,
        env=bare(environ),
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def wait_until(is_so: Callable[[], object], what: str) -> Any:
    """Return the first true value; fail when it does not come."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if value := is_so():
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {WAIT_S} s")


class Server(Service):
    """One server of the platform; `{port}` and `{folder}` in its words are its own."""

    name = "server"
    death_signal = signal.SIGTERM

    def __init__(self, *words: str, environ: Mapping[str, str], tls: tuple[Path, Path] | None = None) -> None:
        super().__init__()
        self.words = words
        self.environ = dict(environ)
        self.tls = tls

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def command(self) -> list[str | Path]:
        first, *rest = (word.format(port=self.port, folder=self.folder) for word in self.words)
        return [BIN / first, *rest]

    def is_ready(self) -> bool:
        try:
            return Caller(self).ask("GET", "/health", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                leashed(self.command(), self.death_signal, drop=False),
                cwd=ROOT,
                env=bare({name: text.format(port=self.port) for name, text in self.environ.items()}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServiceError(f"{self.words} did not start:\n{self.log_tail()}")
            time.sleep(0.05)


class Caller:
    """A client that carries cookies itself: a jar would not send Secure ones to the inside of a proxy."""

    def __init__(self, server: Server, **headers: str) -> None:
        self.server = server
        self.headers = headers
        self.cookies: dict[str, str] = {}
        self.trust = ssl.create_default_context(cafile=server.tls[0]) if server.tls else NO_TLS

    def ask(
        self, method: str, path: str, *, data: object = None, timeout: float = WAIT_S, **headers: str
    ) -> httpx.Response:
        """Send a request; names of headers are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in {**self.headers, **headers}.items()}
        if self.cookies:
            named["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        content = None if data is None else json.dumps(data)
        if content is not None:
            named["Content-Type"] = "application/json"
        with httpx.Client(
            base_url=self.server.url, verify=self.trust, timeout=timeout, trust_env=False
        ) as client:
            answer = client.request(method, path, content=content, headers=named)
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        """Sign in as a script does: without a token."""
        return self.ask("POST", "/api/login", data={"username": name, "password": password})

    def who(self) -> str | None:
        """Return the signed-in user's name."""
        answer = self.ask("GET", "/api/check_session")
        return answer.json()["user"]["username"] if answer.status_code == 200 else None


__all__ = [
    "BIN",
    "PASSWORD",
    "ROOT",
    "SECRET_KEY",
    "Caller",
    "Server",
    "add_accounts",
    "bare",
    "production",
    "run",
    "wait_until",
]
