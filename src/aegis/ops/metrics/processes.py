"""What each process counted, in a file of its own, so that any of them can tell the sum.

A process writes its file every few seconds, and at once when it is asked itself. What a process that ended had counted is
added to one more file, so that a counter never goes back and files do not pile up.
"""

import contextlib
import fcntl
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

Labels = tuple[str, ...]
"""A metric's name, and the values of its labels."""

_ENDED = "ended.json"


class Counted(NamedTuple):
    """What one or several processes counted: sums that only grow, and states of now."""

    sums: dict[Labels, float]
    states: dict[Labels, float]


class Processes:
    """The files of one installation on one machine."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made at the first write, for this user alone."""
        self._folder = folder
        self._lock = threading.Lock()

    def write(self, own: Counted) -> None:
        """Store what this process counted. Raises OSError."""
        with self._lock:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._replace(_name_of(os.getpid()), own)

    def total(self) -> tuple[Counted, int]:
        """Return the sum over all processes, those that ended included, and how many are alive. Raises OSError."""
        with self._lock, self._alone():
            self._bury()
            files = [path for path in self._folder.glob("*.json") if path.name != _ENDED]
            counted = [_read(path) for path in (*files, self._folder / _ENDED)]
        sums: Counter[Labels] = Counter()
        states: Counter[Labels] = Counter()
        for one in counted:
            sums.update(one.sums)
            states.update(one.states)
        return Counted(dict(sums), dict(states)), len(files)

    def _bury(self) -> None:
        """Add what ended processes had counted to the one file for them."""
        ended = [path for path in self._folder.glob("*.json") if path.name != _ENDED and not _is_alive(path)]
        if ended:
            sums: Counter[Labels] = Counter(_read(self._folder / _ENDED).sums)
            for path in ended:
                sums.update(_read(path).sums)
            self._replace(_ENDED, Counted(dict(sums), {}))
            for path in ended:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other readers out, so that an ended process is counted once."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _replace(self, name: str, counted: Counted) -> None:
        """Write a file so that a reader sees the old or the new one, whole."""
        content = {
            "sums": [[*labels, value] for labels, value in counted.sums.items()],
            "states": [[*labels, value] for labels, value in counted.states.items()],
        }
        fresh = self._folder / f"{name}.{os.getpid()}.tmp"
        fresh.write_text(json.dumps(content))
        fresh.replace(self._folder / name)


def _read(path: Path) -> Counted:
    """Return what a file holds; one that just went, or is damaged, holds nothing."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return Counted({}, {})
    return Counted(*({tuple(row[:-1]): row[-1] for row in content[part]} for part in ("sums", "states")))


def _name_of(process: int) -> str:
    """Name a process's file; the time of its start tells it from a later one of the same number."""
    return f"{process}-{_started(process)}.json"


def _is_alive(path: Path) -> bool:
    process, _, started = path.stem.partition("-")
    return process.isdigit() and _started(int(process)) == started


def _started(process: int) -> str:
    """Return when a process started, in ticks since the machine did (proc(5)); nothing if there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
