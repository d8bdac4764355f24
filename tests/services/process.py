"""One server process: its folder, its port, its start, its end."""

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Self

LEASH = Path(__file__).with_name("leash.py")
START_SECONDS = 30
STOP_SECONDS = 15
# Below the range from which the kernel picks client ports, so that no connection takes a chosen one.
PORTS = range(20_000, 32_000)


class ServiceError(RuntimeError):
    """A server did not start or stop; the message carries the end of its log."""


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def run_dir() -> Path:
    """Make a folder that `nobody` can reach; its user removes it."""
    for parent in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if all(folder.stat().st_mode & 0o001 for folder in (parent, *parent.parents)):
            folder = Path(tempfile.mkdtemp(prefix="aegis-tests-", dir=parent))
            folder.chmod(0o711)
            return folder
    raise ServiceError("no temporary folder is open to other users: set TMPDIR to one that is")


def server_user() -> tuple[int, int]:
    """Return the user and group that servers run as: `nobody` for root, else ourselves."""
    if os.getuid() != 0:
        return os.getuid(), os.getgid()
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def leashed(
    program: Sequence[str | Path], death_signal: int = signal.SIGKILL, *, drop: bool = True
) -> list[str]:
    """Return the command that runs the program so that it cannot outlive the calling thread."""
    uid, gid = server_user() if drop else (os.getuid(), os.getgid())
    head = [
        sys.executable,
        "-I",
        "-S",
        str(LEASH),
        str(int(death_signal)),
        str(os.getpid()),
        str(uid),
        str(gid),
    ]
    return head + [str(word) for word in program]


def family(pid: int) -> Iterator[int]:
    """Yield a process and its living descendants."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                yield from family(int(child))


def accepts(port: int) -> bool:
    """Say whether something listens on the loopback port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Service:
    """A server of our own, usable as a context manager; `stop` and `start` keep its data and port."""

    name: ClassVar[str]
    death_signal: ClassVar[int] = signal.SIGKILL
    stop_signal: ClassVar[int] = signal.SIGTERM

    def __init__(self) -> None:
        self.folder = run_dir()
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = self.folder / f"{self.name}.log"

    @property
    def url(self) -> str:
        """Return the address as the environment variables write it."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make the data folder."""

    def command(self) -> list[str | Path]:
        """Return the server's command line."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Say whether the server answers."""
        return accepts(self.port)

    def __enter__(self) -> Self:
        try:
            os.chown(self.folder, *server_user())
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, program: Sequence[str | Path]) -> None:
        """Run a program to its end as the server's user."""
        with self.log.open("ab") as log:
            done = subprocess.run(
                leashed(program),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode:
            raise ServiceError(f"{program[0]} failed:\n{self.log_tail()}")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                leashed(self.command(), self.death_signal),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServiceError(f"{self.name} did not start:\n{self.log_tail()}")
            time.sleep(0.01)

    def stop(self, signal_number: int | None = None) -> None:
        """End the server and wait for it; its data stays."""
        if self.process is None:
            return
        self.resume()
        self.process.send_signal(signal_number or self.stop_signal)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """End the server as a crash would."""
        self.stop(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze the server and its children: connections stay open and nothing answers."""
        self._signal_family(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on."""
        self._signal_family(signal.SIGCONT)

    def close(self) -> None:
        """End the server and remove its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_tail(self) -> str:
        """Return the last lines that the server wrote."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else "(no log)"

    def _signal_family(self, signal_number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            for pid in family(self.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal_number)
